"""Masks on a grid over the whole picture: small enough to keep for every cue and photograph."""

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.detectors.cue import GRID, Mask, share_of


def to_grid(mask: Mask) -> Mask:
    """A mask (h, w) on the GRID x GRID cells of the picture, each held if the mask covers most of it.

    A thin mask that would lose over half of its area holds every cell that it covers by a quarter, or else those that
    it covers most, so that none vanishes.
    """
    # cv2 averages areas only where both sides shrink.
    fine = mask
    if min(mask.shape) < GRID:
        fine = mask.repeat(-(-GRID // mask.shape[0]), 0).repeat(-(-GRID // mask.shape[1]), 1)
    share = cv2.resize(fine.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
    area = share_of(mask)
    for least in (0.5, 0.25):
        cells: Mask = share > least
        if share_of(cells) >= 0.5 * area:
            return cells
    fullest: Mask = (share > 0) & (share >= 0.999 * share.max())
    return fullest


def pack_masks(masks: Mask) -> NDArray[np.uint8]:
    """Bits of masks (..., GRID, GRID) as uint8 (..., GRID * GRID / 8)."""
    return np.packbits(masks.reshape(*masks.shape[:-2], GRID * GRID), axis=-1)


def unpack_masks(packed: NDArray[np.uint8]) -> Mask:
    """Inverse of ``pack_masks``."""
    return np.unpackbits(packed, axis=-1).astype(bool).reshape(*packed.shape[:-1], GRID, GRID)
