"""A chin drawn dark and rough is a beard, on light skin and on dark; what the light does to all of a face is not."""

import math

import numpy as np
import pytest

from audit.attributes.people import aligned_face
from audit.attributes.people.aligned_face import HEIGHT, WIDTH
from audit.attributes.people.facial_hair import FacialHairReader, beard_score, colours, edges, template
from audit.detectors.photo import Photo
from tests.attributes.drawn_face import draw_crop, draw_face

(BEARD,) = FacialHairReader.attributes
SKINS = [(205, 165, 140), (120, 80, 60), (70, 45, 35)]


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("hair", [(40, 30, 30), (20, 15, 15), (120, 120, 120)], ids=["brown", "black", "grey"])
def test_a_drawn_beard_is_one_on_every_skin(skin, hair):
    assert beard_score(draw_crop(skin, hair)) > BEARD.shown_from


@pytest.mark.parametrize("skin", SKINS)
def test_bare_skin_is_none_however_dark(skin):
    assert beard_score(draw_crop(skin)) < 0.2


@pytest.mark.parametrize("hair", [None, (40, 30, 30)])
def test_the_score_is_the_same_in_a_mirror(hair):
    crop = draw_crop(hair=hair)
    assert beard_score(np.ascontiguousarray(crop[:, ::-1])) == pytest.approx(beard_score(crop), abs=0.02)


def test_colours_are_against_the_cheeks_and_edges_against_their_mean():
    plain = np.full((HEIGHT, WIDTH, 3), (200, 150, 120), np.uint8)
    dark = plain.copy()
    dark[60:] = plain[60:] // 4
    assert np.abs(colours(plain)).max() == pytest.approx(0, abs=1e-5)
    assert colours(dark)[0, -1].max() < -1 and np.abs(colours(dark)[0, :6]).max() < 1e-5
    rough = draw_crop(noise=0.0).astype(int)
    np.testing.assert_allclose(edges((rough // 2).astype(np.uint8)), edges(rough.astype(np.uint8)), atol=0.5)


def test_a_mirrored_slope_counts_as_the_same_edge():
    slope = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for row in range(HEIGHT):
        slope[row, : max(0, 70 - row)] = 200
    np.testing.assert_allclose(edges(np.ascontiguousarray(slope[:, ::-1])), edges(slope), atol=0.05)


def test_the_template_fits_what_it_is_laid_over():
    crop = draw_crop()
    assert template().colours.shape == colours(crop).shape
    assert template().edges.shape == edges(crop).shape


@pytest.mark.parametrize(("faces", "known"), [((draw_face(),), True), ((draw_face(apart=9.0),), False), ((), False)])
def test_unknown_where_the_face_is_not_clear(monkeypatch, faces, known):
    monkeypatch.setattr(aligned_face, "find_faces", lambda _: faces)
    value = FacialHairReader().measure(Photo(np.zeros((200, 200, 3), np.uint8), None))["beard"]
    assert math.isnan(value) is not known


def test_unknown_where_the_face_is_seen_from_the_side(monkeypatch):
    face = draw_face()
    face.mesh[1] = face.mesh[454]
    monkeypatch.setattr(aligned_face, "find_faces", lambda _: (face,))
    assert math.isnan(FacialHairReader().measure(Photo(np.zeros((200, 200, 3), np.uint8), None))["beard"])
