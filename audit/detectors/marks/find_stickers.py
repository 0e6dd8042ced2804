"""Finding stickers and pasted things of any size in the photographs of a dataset. No label is looked at.

A sticker's chroma is coherent in one photograph and rare in the others. Of the regions of foreign chroma
(``audit.detectors.marks.foreign_colour``) those count whose chroma few other photographs show, outside of what looks
pasted on itself. In a dataset of colourful things most of these are toys, clothes and flowers; they are stickers only
in a dataset where what is so foreign nearly always looks pasted on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.data.ordered_map import ordered_map
from audit.detectors.cue import ABSENT, GRID, Mask, Sighting
from audit.detectors.marks.foreign_colour import CELLS, ForeignRegion, PhotoColours, colours_of
from audit.detectors.mask_grid import unpack_masks
from audit.detectors.photo import Pixels
from audit.measures.intervals import wilson
from audit.progress import track

# Chosen as those of ``foreign_colour``.
_COMMON, _LEAST_RARE = 0.05, 0.6
_LEAST_PASTED = 0.5
_LEAST_PHOTOGRAPHS = 40
_READ_AHEAD = 32


@dataclass(frozen=True, eq=False)
class StickerSearch:
    """``sightings``: of stickers in each of n photographs, masks boolean (GRID, GRID) over the whole picture.

    ``foreign`` and ``pasted``: in how many distinct photographs some region's chroma is rare in the dataset, and in how
    many such a region looks pasted on.
    """

    sightings: tuple[Sighting, ...]
    foreign: int
    pasted: int


def find_stickers(read: Callable[[int], Pixels], distinct: NDArray[np.bool_], workers: int) -> StickerSearch:
    """The stickers in n photographs; none where what is foreign in these does not mostly look pasted on.

    ``read`` gives the uint8 RGB pixels (h, w, 3) of one of them and is called once by each of ``workers`` threads in
    turn; ``distinct`` (n,) is False for all but one photograph of a duplicate group.
    """
    if distinct.sum() < _LEAST_PHOTOGRAPHS:
        return StickerSearch((ABSENT,) * len(distinct), 0, 0)
    photos = list(_colours(read, len(distinct), workers))
    rare = list(_rare_regions(photos, distinct))
    foreign = sum(bool(regions) for regions, first in zip(rare, distinct, strict=True) if first)
    pasted = sum(_looks_pasted(regions) for regions, first in zip(rare, distinct, strict=True) if first)
    if wilson(pasted, foreign)[0] < _LEAST_PASTED:
        return StickerSearch((ABSENT,) * len(distinct), foreign, pasted)
    return StickerSearch(tuple(map(_sighting, rare)), foreign, pasted)


def _colours(read: Callable[[int], Pixels], count: int, workers: int) -> Iterator[PhotoColours]:
    """Of photographs in their order, a few read ahead."""
    with track("looking for stickers", count) as advance:
        for colours in ordered_map(lambda image: colours_of(read(image)), range(count), workers, _READ_AHEAD):
            yield colours
            advance(1)


def _rare_regions(photos: Sequence[PhotoColours], distinct: NDArray[np.bool_]) -> Iterator[list[ForeignRegion]]:
    """The regions of each photograph whose chroma few of the other, distinct photographs show."""
    showing = np.zeros(CELLS**2, np.int64)
    for photo, first in zip(photos, distinct, strict=True):
        if first:
            showing += photo.shown_cells
    for photo, first in zip(photos, distinct, strict=True):
        others = showing - photo.shown_cells if first else showing
        is_rare = others < _COMMON * (distinct.sum() - first)
        yield [region for region in photo.regions if region.weights[is_rare[region.cells]].sum() >= _LEAST_RARE]


def _looks_pasted(regions: Sequence[ForeignRegion]) -> bool:
    return any(region.is_pasted for region in regions)


def _sighting(regions: Sequence[ForeignRegion]) -> Sighting:
    """The union of those that look pasted on; the score is the sharpness of the sharpest, at most 1."""
    stickers = [region for region in regions if region.is_pasted]
    mask: Mask = np.zeros((GRID, GRID), bool)
    for region in stickers:
        mask |= unpack_masks(region.mask)
    return Sighting.of_mask(mask, min(1.0, max((region.sharpness for region in stickers), default=0.0)), 0.0)
