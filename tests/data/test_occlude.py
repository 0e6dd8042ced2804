"""Hiding: nothing of what is hidden remains, the rest stays, and the comparison hides as much elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.data.occlude import control_mask, occlude
from audit.detectors.cue import GRID


def noise(side: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def grid_mask(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Boxes (row, column, height, width) on the grid."""
    mask = np.zeros((GRID, GRID), bool)
    for row, column, height, width in boxes:
        mask[row : row + height, column : column + width] = True
    return mask


def touched(mask: np.ndarray, side: int) -> np.ndarray:
    """Pixels that overlap a cell of the mask, boolean (side, side)."""
    edges = np.arange(side + 1) * len(mask) / side
    first, last = np.floor(edges[:-1] + 1e-9).astype(int), np.ceil(edges[1:] - 1e-9).astype(int)
    rows = np.stack([mask[a:b].any(0) for a, b in zip(first, last, strict=True)])
    return np.stack([rows[:, a:b].any(1) for a, b in zip(first, last, strict=True)], 1)


boxes = st.lists(st.tuples(*[st.integers(0, GRID - 1)] * 2, *[st.integers(1, 40)] * 2), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(boxes, st.sampled_from([32, 48, 64, 96, 224]), st.integers(0, 5))
def test_nothing_of_the_hidden_content_remains(found, side, seed):
    mask = grid_mask(*found)
    picture, other = noise(side, seed), noise(side, seed)
    covered = touched(mask, side)
    other[covered] = 255 - other[covered]
    difference = np.abs(occlude(picture, mask).astype(int) - occlude(other, mask))
    assert difference.max() <= (0 if side == 224 else 1)


def test_the_corner_of_a_single_cell_is_hidden_as_well():
    """Interpolation between cells mixes the diagonal neighbour in at a corner."""
    mask, picture = grid_mask((20, 20, 1, 1)), np.zeros((224, 224, 3), np.uint8)
    picture[80:84, 80:84] = 255
    assert occlude(picture, mask).max() == 0


def test_what_is_far_from_the_mask_is_untouched():
    mask, picture = grid_mask((20, 20, 10, 6)), noise(224)
    hidden = occlude(picture, mask)
    far = np.ones((224, 224), bool)
    far[18 * 4 : 32 * 4, 18 * 4 : 28 * 4] = False
    assert np.array_equal(hidden[far], picture[far])
    assert not np.array_equal(hidden, picture)


def test_an_empty_mask_changes_nothing():
    picture = noise(64)
    assert np.array_equal(occlude(picture, grid_mask()), picture)


def test_the_fill_is_a_local_mean_of_what_surrounds_it():
    """A left half of 40 and a right half of 200, with a black square hidden in each."""
    picture = np.full((224, 224, 3), 40, np.uint8)
    picture[:, 112:] = 200
    picture[100:120, 28:48] = picture[100:120, 176:196] = 0
    hidden = occlude(picture, grid_mask((25, 7, 5, 5), (25, 44, 5, 5)))
    assert abs(int(hidden[110, 38, 0]) - 40) <= 4
    assert abs(int(hidden[110, 186, 0]) - 200) <= 4


def test_a_uniform_surrounding_leaves_no_trace_of_the_mask():
    picture = np.full((224, 224, 3), (10, 120, 240), np.uint8)
    expected = picture.copy()
    picture[40:80, 40:80] = 255
    assert np.abs(occlude(picture, grid_mask((10, 10, 10, 10))).astype(int) - expected).max() <= 1


def test_a_mask_that_leaves_nothing_gives_grey():
    hidden = occlude(noise(64), np.ones((GRID, GRID), bool))
    assert np.array_equal(hidden, np.full((64, 64, 3), 128))


@settings(max_examples=60, deadline=None)
@given(boxes, st.integers(0, 99))
def test_the_control_has_the_same_shape_and_little_overlap(found, seed):
    mask = grid_mask(*found)
    moved = control_mask(mask, np.random.default_rng(seed))
    if moved is None:
        assert mask.mean() > 0.2
        return
    assert moved.sum() == mask.sum()
    assert (moved & mask).sum() < mask.sum() / 2
    # Only the mask itself, moved, meets all its own cells at some shift.
    meeting = np.fft.ifft2(np.fft.fft2(moved) * np.conj(np.fft.fft2(mask))).real
    assert meeting.max() == pytest.approx(mask.sum())


def test_a_small_cue_is_left_alone_by_its_control():
    mask = grid_mask((3, 3, 10, 10))
    for seed in range(20):
        assert not (control_mask(mask, np.random.default_rng(seed)) & mask).any()


@pytest.mark.parametrize("rows", [38, 45, 56])
def test_no_room_for_a_control_beside_a_cue_over_two_thirds(rows):
    """Two sets of share a overlap in at least 2 a - 1, and that is a / 2 or more from a = 2 / 3 on."""
    assert control_mask(grid_mask((0, 0, rows, GRID)), np.random.default_rng(0)) is None


def test_nothing_has_no_control():
    assert control_mask(grid_mask(), np.random.default_rng(0)) is None


def test_the_control_depends_on_the_seed_alone():
    mask = grid_mask((30, 4, 12, 20))
    first, again = (control_mask(mask, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, again)
