"""Marks in unusual forms: they change what their masks say and nothing else, and look as they are called."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.selfaudit.forms import FORMS
from audit.selfaudit.odd_marks import (
    AngledWords,
    ColourCast,
    EdgeSticker,
    PastedObject,
    PatternedSticker,
    RoundFrame,
    Vignette,
)

DONOR = np.random.default_rng(5).integers(0, 256, (90, 120, 3), np.uint8)


def noise(height=150, width=200, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@settings(max_examples=12, deadline=None)
@given(st.integers(20, 260), st.integers(20, 260), st.integers(0, 99))
def test_only_the_mask_is_drawn_on_and_equal_seeds_give_equal_marks(form, height, width, seed):
    pixels, mark = noise(height, width), form.make(DONOR)
    before = pixels.copy()
    first, second = (mark(pixels, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(pixels, before)
    assert first.pixels.shape == pixels.shape and first.pixels.dtype == np.uint8
    assert first.mask.shape == pixels.shape[:2] and first.mask.dtype == bool
    changed = (first.pixels != pixels).any(-1)
    assert changed.any() and not (changed & ~first.mask).any()
    np.testing.assert_array_equal(first.pixels, second.pixels)
    np.testing.assert_array_equal(first.mask, second.mask)
    assert mark.cue == form.cue


def test_an_edge_sticker_is_cut_by_one_edge_and_large():
    edges = set()
    for seed in range(40):
        mask = EdgeSticker()(noise(), np.random.default_rng(seed)).mask
        touched = [mask[0].any(), mask[:, -1].any(), mask[-1].any(), mask[:, 0].any()]
        assert any(touched)
        edges |= set(np.flatnonzero(touched))
        disc = np.pi * (0.45 * 150 / 2) ** 2
        assert 0.2 * disc < mask.sum() < 0.97 * disc
    assert edges == {0, 1, 2, 3}


def test_a_patterned_sticker_has_two_colours_and_lies_inside():
    for seed in range(20):
        planted = PatternedSticker()(noise(), np.random.default_rng(seed))
        colours, counts = np.unique(planted.pixels[planted.mask], axis=0, return_counts=True)
        assert len(colours) == 2 and counts.min() > 0.1 * counts.sum()
        assert abs(planted.mask.any(0).sum() - planted.mask.any(1).sum()) <= 1


def test_words_at_an_angle_lie_along_neither_side():
    """The direction in which their rectangle is longest, by its second moments."""
    for seed in range(20):
        mask = AngledWords(0.05)(noise(400, 400), np.random.default_rng(seed)).mask
        y, x = np.nonzero(mask)
        slope = np.linalg.eigh(np.cov(x, y))[1][:, 1]
        angle = abs(np.degrees(np.arctan2(slope[1], slope[0]))) % 180
        assert 15 < min(angle, 180 - angle) < 75


def test_a_vignette_takes_more_light_the_farther_from_the_middle():
    planted = Vignette(0.8)(np.full((100, 140, 3), 200, np.uint8), np.random.default_rng(0))
    diagonal = planted.pixels[np.arange(50), np.arange(50) * 7 // 5, 0].astype(int)
    assert (np.diff(diagonal) >= 0).all()
    assert diagonal[0] == pytest.approx(0.2 * 200, abs=4) and diagonal[-1] == 200
    assert planted.pixels[0, 70, 0] == pytest.approx(200 * (1 - 0.8 * (0.99 - 0.6) / (np.sqrt(2) - 0.6)), abs=1)


def test_a_round_frame_blackens_the_corners_alone():
    planted = RoundFrame()(noise(), np.random.default_rng(0))
    assert all(planted.mask[y, x] for y in (0, -1) for x in (0, -1))
    assert not planted.mask[75].any() and not planted.mask[:, 100].any()
    assert not planted.pixels[planted.mask].any()
    assert planted.mask.mean() == pytest.approx(1 - _oval(1.05), abs=0.01)


def _oval(radius):
    """Share of a square of side 2 that a disc of this radius covers, by counting."""
    at = (np.arange(1000) + 0.5) / 500 - 1
    return (np.hypot(at[:, None], at) <= radius).mean()


def test_a_cast_shifts_green_against_red_and_blue():
    pixels = np.full((10, 10, 3), 100, np.uint8)
    drawn = [ColourCast(20)(pixels, np.random.default_rng(seed)).pixels[0, 0].astype(int) for seed in range(9)]
    shifts = {tuple((pixel - 100).tolist()) for pixel in drawn}
    assert shifts == {(-10, 20, -10), (10, -20, 10)}


def test_what_is_pasted_comes_from_the_donor_with_a_soft_edge():
    """A donor of one colour shows what is its own, and a picture of one colour how it fades."""
    donor, picture = np.full((80, 80, 3), 250, np.uint8), np.full((150, 200, 3), 50, np.uint8)
    planted = PastedObject(donor, 0.4)(picture, np.random.default_rng(2))
    y, x = np.nonzero(planted.mask)
    middle = planted.pixels[(y.min() + y.max()) // 2, (x.min() + x.max()) // 2]
    assert middle.tolist() == [250] * 3
    row = planted.pixels[(y.min() + y.max()) // 2, x.min() : x.max() + 1, 0].astype(int)
    assert np.abs(np.diff(row)).max() < 60 and row[0] < 100
    assert planted.mask.sum() == pytest.approx(np.pi * (0.4 * 150 / 2) ** 2, rel=0.05)
