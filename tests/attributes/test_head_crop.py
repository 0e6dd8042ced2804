"""A head's grid is upright, of the face's own size, and says what lies beyond the photograph's edge."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from audit.attributes.people.hair_tones import hair_tones
from audit.attributes.people.head_cells import crown_colour, hanging_cells, skin_colour, top_cells
from audit.attributes.people.head_crop import PER_FACE, coordinates, grid_transform, head_crop
from audit.attributes.people.linear import Linear
from audit.detectors.parts.face import rotation
from audit.detectors.photo import Photo
from tests.attributes.heads import SKIN, a_face, a_head

HAIR = (30, 22, 20)


def lab(rgb):
    return cv2.cvtColor(np.array([[rgb]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]


@pytest.mark.parametrize("angle", [0.0, 0.5, -0.8])
@pytest.mark.parametrize("size", [30.0, 60.0, 110.0])
def test_equal_heads_give_equal_grids_whatever_their_size_and_tilt(monkeypatch, angle, size):
    crop = head_crop(a_head(monkeypatch, a_face((400.0, 400.0), size, angle), shape=(800, 800)))
    u, v = coordinates()
    face, above = np.hypot(u, v) < 0.35, (np.abs(u) < 0.5) & (v > -0.78) & (v < -0.62)
    np.testing.assert_allclose(crop.lab[face], np.tile(lab(SKIN), (face.sum(), 1)), atol=1.5)
    np.testing.assert_allclose(crop.lab[above], np.tile(lab(HAIR), (above.sum(), 1)), atol=1.5)
    np.testing.assert_allclose(crop.hair[above], 1, atol=0.05)
    np.testing.assert_allclose(crop.face[face], 1, atol=0.05)
    assert crop.face[v > 0.65].max() < 0.05
    assert (crop.inside > 0.99).all()


def test_beyond_the_edge_nothing_is_inside(monkeypatch):
    crop = head_crop(a_head(monkeypatch, a_face(), shape=(150, 240)))
    _, v = coordinates()
    edge = (150 - 110) / 60
    assert crop.inside[v < edge - 0.2].min() > 0.9
    assert crop.inside[v > edge + 0.2].max() < 0.1


def test_the_middle_of_the_face_lies_where_the_coordinates_are_0():
    face = a_face(angle=0.4)
    middle = (face.outline @ rotation(-0.4).T).min(0) / 2 + (face.outline @ rotation(-0.4).T).max(0) / 2
    column, row = grid_transform(face) @ (*(rotation(0.4) @ middle), 1)
    u, v = coordinates()
    np.testing.assert_allclose(np.interp(column, np.arange(u.shape[1]), u[0]), 0, atol=1e-5)
    np.testing.assert_allclose(np.interp(row, np.arange(len(v)), v[:, 0]), 0, atol=1e-5)
    assert u[0, 1] - u[0, 0] == pytest.approx(1 / PER_FACE)


@pytest.mark.parametrize("faces", [(), (a_face(size=12.0),)])
def test_without_a_face_or_with_a_tiny_one_there_is_no_crop(monkeypatch, faces):
    photo = a_head(monkeypatch, a_face())
    monkeypatch.setattr("audit.attributes.people.aligned_face.find_faces", lambda _: faces)
    assert head_crop(photo) is None


def test_colours_of_skin_and_crown_are_those_that_were_drawn(monkeypatch):
    crop = head_crop(a_head(monkeypatch, a_face()))
    np.testing.assert_allclose(skin_colour(crop), lab(SKIN), atol=1)
    np.testing.assert_allclose(crown_colour(crop), lab(HAIR), atol=1)
    assert crown_colour(replace(crop, person=np.zeros_like(crop.person))) is None


def mirrored(photo, monkeypatch, face):
    """The same head in a mirror."""
    width = photo.shape[1]
    outline = np.ascontiguousarray(face.outline * (-1, 1) + (width - 1, 0), np.float32)
    turned = a_head(monkeypatch, replace(face, outline=outline, angle=-face.angle), shape=photo.shape)
    return replace(turned, pixels=np.ascontiguousarray(photo.pixels[:, ::-1]))


@pytest.mark.parametrize("describe", [hanging_cells, top_cells, hair_tones])
def test_a_head_and_its_mirror_image_are_described_alike(monkeypatch, describe):
    face = a_face(angle=0.3)
    photo = a_head(monkeypatch, face)
    photo.pixels[:, 130:] = photo.pixels[:, 130:] // 2  # light from one side
    numbers = describe(photo)
    # Pixels fall otherwise into the mirrored grid's cells, so that edges differ a little.
    assert np.abs(describe(mirrored(photo, monkeypatch, face)) - numbers).mean() < 0.03 * numbers.std()


@pytest.mark.parametrize("describe", [hanging_cells, top_cells])
def test_the_mouth_is_not_among_the_numbers(monkeypatch, describe):
    photo = a_head(monkeypatch, a_face())
    before = describe(photo)
    speaking = Photo(photo.pixels.copy(), None)
    speaking.pixels[130:135, 110:131] = (150, 20, 40)
    np.testing.assert_array_equal(describe(speaking), before)


def test_shares_of_tones_move_with_the_colour(monkeypatch):
    dark, light = (hair_tones(a_head(monkeypatch, a_face(), hair=hair)) for hair in (HAIR, (220, 190, 120)))
    crown = slice(3, 6)  # the skin's colour comes first, then the crown's
    np.testing.assert_allclose(dark[crown], lab(HAIR), atol=1)
    np.testing.assert_allclose(light[crown], lab((220, 190, 120)), atol=1)
    np.testing.assert_allclose(dark[:3], light[:3], atol=0.5)


@pytest.mark.parametrize("describe", [hanging_cells, top_cells, hair_tones])
def test_nobody_is_not_described(monkeypatch, describe):
    photo = a_head(monkeypatch, a_face())
    monkeypatch.setattr("audit.attributes.people.aligned_face.find_faces", lambda _: ())
    assert describe(photo) is None


def test_a_linear_model_gives_the_logistic_of_its_sum():
    model = Linear(np.array((1.0, -2.0), np.float32), 0.5)
    assert model.probability(np.array((1.5, 0.25), np.float32)) == pytest.approx(1 / (1 + np.exp(-1.5)))
    assert 0 < model.probability(np.array((-1e6, 0), np.float32)) < 1e-9
