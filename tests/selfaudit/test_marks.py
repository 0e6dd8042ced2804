"""Marks drawn on photographs: they change what their masks say and nothing else, and equal seeds give equal marks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.detectors.marks.border import border_mask, find_border
from audit.selfaudit.marks import (
    MARKS,
    Bar,
    Caption,
    Frame,
    Letterbox,
    Logo,
    SoftBackground,
    Sticker,
    Tag,
    Tint,
    Watermark,
)


def _noise(height: int = 150, width: int = 200, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(-1)


@pytest.mark.parametrize("name", MARKS)
@settings(max_examples=15, deadline=None)
@given(st.integers(20, 260), st.integers(20, 260), st.integers(0, 99))
def test_only_the_mask_is_drawn_on_and_the_photograph_is_left_alone(name, height, width, seed):
    pixels = _noise(height, width)
    before = pixels.copy()
    planted = MARKS[name](pixels, np.random.default_rng(seed))
    np.testing.assert_array_equal(pixels, before)
    assert planted.pixels.shape == pixels.shape and planted.pixels.dtype == np.uint8
    assert planted.mask.shape == pixels.shape[:2] and planted.mask.any()
    changed = _changed(pixels, planted.pixels)
    assert (changed & planted.mask).any()
    if name != "caption bar":  # its mask is the words, without the bar
        assert not (changed & ~planted.mask).any()


@pytest.mark.parametrize("name", MARKS)
def test_equal_seeds_give_equal_marks(name):
    pixels = _noise()
    first, second = (MARKS[name](pixels, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, second.pixels)
    np.testing.assert_array_equal(first.mask, second.mask)


@pytest.mark.parametrize("mark", [Tag(), Caption(), Watermark(), Sticker(), Bar()])
def test_different_seeds_give_different_marks(mark):
    marks = [mark(_noise(), np.random.default_rng(seed)).pixels for seed in range(8)]
    assert any((marks[0] != other).any() for other in marks[1:])


@pytest.mark.parametrize("mark", [Tag(), Watermark()])
def test_fainter_words_change_the_pixels_less(mark):
    pixels = np.full((150, 200, 3), 90, np.uint8)
    strength = []
    for opacity in (0.1, 0.4, 1.0):
        planted = type(mark)(opacity=opacity)(pixels, np.random.default_rng(3))
        strength.append(np.abs(planted.pixels.astype(int) - 90).max())
    assert 0 < strength[0] < strength[1] < strength[2]
    assert strength[0] == pytest.approx(0.1 * strength[2], abs=1)


@pytest.mark.parametrize("mark", [Tag(), Caption(), Watermark()])
def test_the_words_fill_their_rectangle(mark):
    pixels = np.full((150, 200, 3), 120, np.uint8)
    planted = mark(pixels, np.random.default_rng(1))
    inked = (planted.pixels != np.median(planted.pixels[planted.mask], axis=0).astype(np.uint8)).any(-1) & planted.mask
    rows, columns = np.flatnonzero(planted.mask.any(1)), np.flatnonzero(planted.mask.any(0))
    inked_rows, inked_columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    assert inked_rows[0] - rows[0] <= 2 and rows[-1] - inked_rows[-1] <= 2
    assert inked_columns[0] - columns[0] <= 2 and columns[-1] - inked_columns[-1] <= 2


def test_sizes_are_shares_of_the_picture():
    pixels, rng = _noise(200, 400), np.random.default_rng(0)
    assert Letterbox(0.1)(pixels, rng).mask.mean() == pytest.approx(0.2)
    assert Frame(0.05)(pixels, rng).mask.mean() == pytest.approx(1 - 180 * 380 / (200 * 400))
    assert Bar(0.08)(pixels, rng).mask.mean() == pytest.approx(0.08)
    sticker = Sticker(0.2)(pixels, rng).mask
    assert np.ptp(np.flatnonzero(sticker.any(0))) + 1 == pytest.approx(40, abs=1)
    tag = Tag(0.1)(pixels, rng).mask
    assert 10 <= np.ptp(np.flatnonzero(tag.any(1))) + 1 <= 30


def test_stickers_are_flat_and_lie_inside_the_picture():
    for seed in range(20):
        planted = Sticker()(_noise(), np.random.default_rng(seed))
        assert len(np.unique(planted.pixels[planted.mask], axis=0)) == 1
        width, height = (np.count_nonzero(planted.mask.any(axis)) for axis in (0, 1))
        assert abs(width - height) <= 1


@pytest.mark.parametrize("mark", [Letterbox(), Bar(), Frame(), Frame(0.02, (0, 0, 0))])
def test_borders_are_what_the_border_detector_looks_for(mark):
    for seed in range(4):
        pixels = _noise(seed=seed)
        planted = mark(pixels, np.random.default_rng(seed))
        np.testing.assert_array_equal(border_mask(pixels.shape[:2], find_border(planted.pixels)), planted.mask)
    assert not border_mask(pixels.shape[:2], find_border(pixels)).any()


@settings(max_examples=15, deadline=None)
@given(st.integers(20, 120), st.integers(20, 120), st.floats(0.05, 1))
def test_a_tint_takes_from_every_pixel_and_none_of_its_structure(height, width, strength):
    pixels = _noise(height, width)
    planted = Tint(strength)(pixels, np.random.default_rng(1))
    assert planted.mask.all() and (planted.pixels <= pixels).all()
    channels = (planted.pixels.reshape(-1, 3).astype(float).mean(0), pixels.reshape(-1, 3).mean(0))
    assert np.corrcoef(planted.pixels[..., 1].ravel(), pixels[..., 1].ravel())[0, 1] > 0.99
    assert np.ptp(channels[0] / channels[1]) == pytest.approx(strength * (255 - 60) / 255, abs=0.05)


def test_a_soft_background_leaves_the_middle_sharp():
    pixels = _noise(200, 300)
    planted = SoftBackground(radius=0.3)(pixels, np.random.default_rng(0))
    assert not planted.mask[100, 150] and planted.mask[0, 0] and planted.mask[100, 5]
    np.testing.assert_array_equal(planted.pixels[~planted.mask], pixels[~planted.mask])
    edges = np.abs(np.diff(planted.pixels[:20].astype(int), axis=1)).mean()
    assert edges < 0.2 * np.abs(np.diff(pixels[:20].astype(int), axis=1)).mean()


@settings(max_examples=15, deadline=None)
@given(st.integers(20, 260), st.integers(20, 260), st.sampled_from([(0, 0), (1, 0), (0, 1), (1, 1)]))
def test_a_logo_keeps_to_its_corner_and_lets_the_picture_through(height, width, corner):
    pixels = _noise(height, width)
    planted = Logo(opacity=0.3, corner=corner)(pixels, np.random.default_rng(0))
    np.testing.assert_array_equal(planted.pixels[~planted.mask], pixels[~planted.mask])
    changed = _changed(pixels, planted.pixels)
    assert 0.3 < changed[planted.mask].mean() < 0.9
    expected = np.rint(pixels[changed] + 0.3 * (255.0 - pixels[changed]))
    np.testing.assert_array_equal(planted.pixels[changed], expected)
    rows, columns = (np.flatnonzero(planted.mask.any(axis)).mean() + 0.5 for axis in (1, 0))
    assert (columns > width / 2, rows > height / 2) == (corner[0] == 1, corner[1] == 1)
