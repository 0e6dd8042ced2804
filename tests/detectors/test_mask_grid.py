"""Masks on the grid: most of a cell holds it, thin masks survive, packing is undone by unpacking."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.detectors.cue import GRID
from audit.detectors.mask_grid import pack_masks, to_grid, unpack_masks


def test_most_of_a_cell_holds_it():
    mask = np.zeros((112, 112), bool)
    mask[:40, :41] = True
    np.testing.assert_array_equal(to_grid(mask)[:20, :20], True)
    assert to_grid(mask).sum() == 20 * 20


@pytest.mark.parametrize("thickness", [1, 2, 3])
def test_a_thin_border_does_not_vanish(thickness):
    mask = np.zeros((500, 500), bool)
    mask[:thickness] = True
    assert to_grid(mask)[0].all() and not to_grid(mask)[1:].any()


@given(st.integers(1, 512), st.integers(1, 512), st.integers(0, 10**6))
def test_no_mask_vanishes_and_none_comes_from_nothing(height, width, seed):
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), bool)
    assert not to_grid(mask).any()
    mask[rng.integers(height), rng.integers(width)] = True
    assert to_grid(mask).any() and to_grid(np.ones_like(mask)).all()


@given(st.integers(0, 10**6))
def test_packing_is_undone_by_unpacking(seed):
    masks = np.random.default_rng(seed).random((3, 2, GRID, GRID)) < 0.3
    packed = pack_masks(masks)
    assert packed.shape == (3, 2, GRID * GRID // 8) and packed.dtype == np.uint8
    np.testing.assert_array_equal(unpack_masks(packed), masks)
