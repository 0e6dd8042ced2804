"""A mouth drawn wide and up is a smile, however the head lies."""

import math

import numpy as np
import pytest

from audit.attributes.people import aligned_face
from audit.attributes.people.smile import SmileReader, mouth_shape, smile_score
from audit.detectors.photo import Photo
from tests.attributes.drawn_face import draw_face, draw_mesh

(SMILE,) = SmileReader.attributes


def test_a_wide_mouth_with_its_corners_up_is_a_smile_and_a_straight_one_is_not():
    scores = [smile_score(draw_mesh(wider=0.1 * part, corners_up=0.12 * part)) for part in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert scores == sorted(scores)
    assert scores[0] < 0.1 < SMILE.shown_from < 0.9 < scores[-1]


@pytest.mark.parametrize("degrees", [-35.0, 90.0, 180.0])
@pytest.mark.parametrize("apart", [15.0, 120.0])
def test_size_and_tilt_do_not_count(degrees, apart):
    for mouth in ({}, {"wider": 0.1, "corners_up": 0.12}):
        moved = smile_score(draw_mesh(**mouth, apart=apart, middle=(7, 300), degrees=degrees))
        assert moved == pytest.approx(smile_score(draw_mesh(**mouth)), abs=1e-3)


def test_the_shape_is_how_wide_and_how_far_below_the_nose():
    shape = mouth_shape(draw_mesh(wider=0.1))
    assert shape.shape == (11, 2)
    np.testing.assert_allclose(shape[0], (0.96, 0.35), atol=1e-4)
    np.testing.assert_allclose(shape[5], (0.0, 0.54), atol=1e-4)


@pytest.mark.parametrize(("faces", "known"), [((draw_face(),), True), ((draw_face(presence=0.5),), False), ((), False)])
def test_unknown_where_the_face_is_not_clear(monkeypatch, faces, known):
    monkeypatch.setattr(aligned_face, "find_faces", lambda _: faces)
    value = SmileReader().measure(Photo(np.zeros((200, 200, 3), np.uint8), None))["smile"]
    assert math.isnan(value) is not known
