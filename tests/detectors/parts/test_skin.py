"""Bare skin: what has the face's colour is skin, wherever it is; what has another colour or no face is not."""

import numpy as np
import pytest

from audit.detectors.parts import clothing, eyes, face, hair, skin, subject
from audit.detectors.parts.clothing import ClothingDetector
from audit.detectors.parts.face import Face, ellipse_eyes, ellipse_outline
from audit.detectors.parts.skin import SkinDetector, distances
from audit.detectors.photo import Photo

LIGHT, DARK, SHIRT, WALL = (222, 178, 150), (96, 62, 46), (60, 90, 160), (190, 200, 190)
ARM, BODY = (slice(120, 180), slice(20, 50)), (slice(110, 200), slice(55, 150))


class Segmenter:
    """Marks all of the picture but its outermost columns as foreground."""

    def run(self, model, pixels):
        return {"activation_10": np.ones((1, 1, 256, 256), np.float32)}


def _face(shift=0.0):
    box = np.array((75.0 + shift, 30.0, 125.0 + shift, 80.0), np.float32)
    eyes = np.array(((90.0 + shift, 48.0), (110.0 + shift, 48.0)), np.float32)
    return Face(tuple(map(float, box)), 0.0, ellipse_outline(box, 0.0), 0.9, 0.3, ellipse_eyes(box, eyes))


def _photo(tone, arm=None):
    rng = np.random.default_rng(0)
    pixels = np.full((200, 200, 3), WALL, float)
    pixels[BODY] = SHIRT
    pixels[ARM] = tone if arm is None else arm
    rows, columns = np.mgrid[:200, :200]
    head = ((rows - 52) / 36) ** 2 + ((columns - 100) / 28) ** 2 < 1
    pixels[head] = tone
    noisy = pixels + rng.normal(0, 5, pixels.shape)
    return Photo(noisy.clip(0, 255).astype(np.uint8), Segmenter())


@pytest.fixture
def one_face(monkeypatch):
    for module in (subject, hair, clothing, face, eyes, skin):
        monkeypatch.setattr(module, "find_faces", lambda _: (_face(),))


@pytest.mark.parametrize("tone", [LIGHT, DARK])
def test_an_arm_of_the_faces_colour_is_skin_and_a_shirt_is_not(one_face, tone):
    found = SkinDetector().detect(_photo(tone))["skin"]
    assert found.present and found.score == pytest.approx(0.9)
    assert found.mask[ARM].mean() > 0.7 and found.mask[BODY].mean() < 0.05


def test_an_arm_of_another_colour_is_not(one_face):
    assert SkinDetector().detect(_photo(LIGHT, arm=SHIRT))["skin"].mask[ARM].mean() < 0.05


def test_bare_arms_are_no_clothing(one_face):
    clothes = ClothingDetector().detect(_photo(LIGHT))["clothing"].mask
    assert clothes[BODY].mean() > 0.9 and clothes[ARM].mean() < 0.1


def test_without_a_face_there_is_no_skin(monkeypatch):
    for module in (subject, hair, clothing, face, eyes, skin):
        monkeypatch.setattr(module, "find_faces", lambda _: ())
    assert not SkinDetector().detect(_photo(LIGHT))["skin"].present
    assert not ClothingDetector().detect(_photo(LIGHT))["clothing"].present


def test_distances_grow_from_the_sample_and_lips_do_not_count():
    rng = np.random.default_rng(1)
    face_colours = rng.normal((180, 140, 145), 3, (500, 3)).astype(np.float32)
    lips = rng.normal((130, 175, 150), 3, (60, 3)).astype(np.float32)
    tried = np.array(((180, 140, 145), (170, 143, 147), (130, 175, 150), (90, 120, 90)), np.float32)
    alone, with_lips = distances(tried, face_colours), distances(tried, np.concatenate((face_colours, lips)))
    assert (np.diff(alone[[0, 1, 3]]) > 0).all() and alone[0] < 1
    np.testing.assert_allclose(with_lips[:2], alone[:2], atol=0.3)
    assert with_lips[2] > 3


def test_two_people_s_skins_are_each_known_by_their_own_face(monkeypatch):
    for module in (subject, hair, clothing, face, eyes, skin):
        monkeypatch.setattr(module, "find_faces", lambda _: (_face(), _face(200.0)))
    pixels = np.concatenate([_photo(tone).pixels for tone in (LIGHT, DARK)], 1)
    mask = SkinDetector().detect(Photo(pixels, Segmenter()))["skin"].mask
    for half in (mask[:, :200], mask[:, 200:]):
        assert half[ARM].mean() > 0.7 and half[BODY].mean() < 0.05


def test_a_coat_of_the_faces_colour_is_too_large_to_be_skin(one_face):
    pixels = np.concatenate((_photo(LIGHT).pixels[:100], np.full((300, 200, 3), LIGHT, np.uint8)))
    mask = SkinDetector().detect(Photo(pixels, Segmenter()))["skin"].mask
    assert mask[110:].mean() < 0.05 and mask[52, 100]


@pytest.mark.parametrize("shape", [(32, 32), (33, 90), (2, 40)])
def test_a_face_over_the_edge_of_a_tiny_picture_is_no_error(one_face, shape):
    found = SkinDetector().detect(Photo(np.full((*shape, 3), 120, np.uint8), Segmenter()))["skin"]
    assert found.mask is None or found.mask.shape == shape


def test_distances_from_one_colour_by_hand():
    # Without spread, what remains is the variance of 40, 4 and 4, stretched 2.5 times along lightness.
    sample = np.tile(np.float32((150, 140, 150)), (50, 1))
    tried = np.float32([(150, 140, 150), (150 + 2.5 * np.sqrt(40), 140, 150), (150, 146, 150), (150, 140, 142)])
    np.testing.assert_allclose(distances(tried, sample), (0, 1, 3, 4), atol=1e-4)
