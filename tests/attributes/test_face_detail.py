"""The more a drawn face is blurred, the softer it is, whatever its contrast."""

import math

import cv2
import numpy as np
import pytest

from audit.attributes.people import aligned_face
from audit.attributes.people.face_detail import FaceDetailReader, softness
from audit.detectors.photo import Photo
from tests.attributes.drawn_face import draw_crop, draw_face

(SOFT,) = FaceDetailReader.attributes


def test_blur_makes_it_softer_until_it_shows():
    crop = draw_crop()
    values = [softness(crop), *(softness(cv2.GaussianBlur(crop, (0, 0), sigma)) for sigma in (0.5, 1.0, 1.5, 2.0))]
    assert values == sorted(values)
    assert values[1] < SOFT.shown_from < values[3]


def test_contrast_hardly_counts():
    crop = draw_crop(noise=0.0)
    faint = (128 + (crop.astype(float) - 128) / 3).round().astype(np.uint8)
    assert softness(faint) == pytest.approx(softness(crop), abs=0.1)


def test_a_plain_crop_is_neither():
    assert softness(np.full_like(draw_crop(), 90)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("faces", "known"),
    [((draw_face(),), True), ((draw_face(apart=15.0),), False), ((draw_face(presence=0.5),), False), ((), False)],
)
def test_unknown_where_the_face_is_small_or_not_clear(monkeypatch, faces, known):
    monkeypatch.setattr(aligned_face, "find_faces", lambda _: faces)
    value = FaceDetailReader().measure(Photo(np.zeros((200, 200, 3), np.uint8), None))["soft_face"]
    assert math.isnan(value) is not known
