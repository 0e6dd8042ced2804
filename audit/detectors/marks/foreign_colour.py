"""Regions of a photograph whose chroma is far from what it shows otherwise, and whether they look pasted on.

Chroma is the pair a, b of CIELAB; its plane is divided into square cells, so that the photographs of a dataset can be
compared by the cells that they show. Which regions are stickers is decided by ``audit.detectors.marks.find_stickers``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.detectors.cue import Mask
from audit.detectors.mask_grid import pack_masks, to_grid
from audit.detectors.photo import Pixels

Floats = NDArray[np.float32]

# Chosen on one half of isic-dev, and on how seldom the other development sets show what looks pasted.
_SIDE, _LEAST_SIDE = 128, 16
_CELL, _LOWEST, CELLS = 6.0, -96.0, 32
_LEAST_LIGHTNESS = 15.0
_FAR, _LEAST_DISTANCE = 22.0, 25.0
_LEAST_AREA, _MOST_REGIONS = 0.008, 8
_LEAST_SOLIDITY, _LEAST_SHARPNESS = 0.9, 0.7
# So much of each is enough for a chroma not to count as what the dataset shows anyway: some stickers are blurred.
_NEARLY = 0.8
# What is as long as the picture is a bar, a wall or the sky.
_LONGEST = 0.95
_EDGE, _FEWEST_EDGE_PIXELS = 5, 8
# A cell is shown by this share of the pixels, and together with it the cells around it.
_LEAST_SHOWN, _FEWEST_SHOWN = 0.002, 3


@dataclass(frozen=True, eq=False)
class ForeignRegion:
    """A connected region of foreign chroma.

    ``mask``: packed bits of the GRID x GRID cells of the picture that it covers, holes filled. ``cells`` (k,) are the
    chroma cells of its pixels, as numbers below CELLS squared, ``weights`` (k,) the shares of its pixels in each.
    ``sharpness``: the median, along its outline, of the chroma's range within two pixels, in units of the distance
    between its own and the picture's usual chroma. ``is_pasted``: solid, with a sharp outline, neither as long as the
    picture nor in its middle, where the subject is.
    """

    mask: NDArray[np.uint8]
    cells: NDArray[np.intp]
    weights: NDArray[np.float64]
    sharpness: float
    is_pasted: bool


@dataclass(frozen=True, eq=False)
class PhotoColours:
    """``shown``: packed bits of the CELLS squared chroma cells that are shown outside of what nearly looks pasted."""

    shown: NDArray[np.uint8]
    regions: tuple[ForeignRegion, ...]

    @property
    def shown_cells(self) -> Mask:
        """Boolean (CELLS squared,)."""
        return np.unpackbits(self.shown).astype(bool)


def colours_of(pixels: Pixels) -> PhotoColours:
    """The chroma cells and foreign regions of uint8 RGB pixels (h, w, 3), the largest eight.

    >>> picture = np.full((120, 160, 3), (200, 160, 140), np.uint8)
    >>> picture[:60, 120:] = 30, 90, 220
    >>> [region.is_pasted for region in colours_of(picture).regions]
    [True]
    """
    lab = _small_lab(pixels)
    cells = _cells(lab[..., 1:])
    ordinary = np.ones(cells.shape, bool)
    regions = []
    for core, shape in _shapes(lab):
        regions.append(_region(cells, core, shape))
        if shape.looks_pasted(_NEARLY):
            ordinary &= cv2.dilate(shape.filled, np.ones((_EDGE, _EDGE), np.uint8)) == 0
    return PhotoColours(np.packbits(_shown(cells[ordinary], ordinary.size)), tuple(regions))


def pasted_mask(pixels: Pixels) -> Mask:
    """Where uint8 RGB pixels (h, w, 3) show what looks pasted on, whether or not its colour is rare: boolean (h, w)."""
    lab = _small_lab(pixels)
    pasted = np.zeros(lab.shape[:2], np.uint8)
    for _, shape in _shapes(lab):
        if shape.looks_pasted():
            pasted |= shape.filled
    return np.asarray(cv2.resize(pasted, pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.uint8).astype(bool)


def _small_lab(pixels: Pixels) -> Floats:
    """CIELAB, float32, of the picture brought to a long side of at most 128; a median takes hairs and noise away."""
    scale = min(1.0, _SIDE / max(pixels.shape[:2]))
    size = [max(1, round(length * scale)) for length in pixels.shape[1::-1]]
    small = cv2.medianBlur(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), 3)
    return np.asarray(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _cells(chroma: Floats) -> NDArray[np.intp]:
    """The number of every pixel's chroma cell, (h, w)."""
    steps = np.clip((chroma - _LOWEST) / _CELL, 0, CELLS - 1).astype(np.intp)
    return np.asarray(steps[..., 0] * CELLS + steps[..., 1], np.intp)


def _shown(cells: NDArray[np.intp], pixels: int) -> Mask:
    """Which cells, (CELLS squared,), some pixels show, of a picture of so many; each with its eight neighbours."""
    counts = np.bincount(cells, minlength=CELLS**2).reshape(CELLS, CELLS)
    plenty = (counts >= max(_FEWEST_SHOWN, _LEAST_SHOWN * pixels)).astype(np.uint8)
    return np.asarray(cv2.dilate(plenty, np.ones((3, 3), np.uint8)), np.uint8).astype(bool).ravel()


def _shapes(lab: Floats) -> Iterator[tuple[Mask, "_Shape"]]:
    """The largest regions of foreign chroma of a picture in CIELAB, each (h, w), and their shapes."""
    chroma, lit = lab[..., 1:], lab[..., 0] > _LEAST_LIGHTNESS
    if min(lit.shape) >= _LEAST_SIDE and lit.any():
        usual = np.median(chroma[lit], 0)
        for core in _foreign(chroma, lit, usual):
            yield core, _Shape.of(chroma, core, usual)


def _foreign(chroma: Floats, lit: Mask, usual: Floats) -> Iterator[Mask]:
    """Connected regions (h, w) far from the usual chroma, the largest first; what is almost black has no chroma."""
    far = ((np.sqrt(((chroma - usual) ** 2).sum(-1)) > _FAR) & lit).astype(np.uint8)
    opened = cv2.morphologyEx(far, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    areas = stats[1:, cv2.CC_STAT_AREA]
    for region in np.argsort(-areas, kind="stable")[:_MOST_REGIONS]:
        if areas[region] >= _LEAST_AREA * far.size:
            yield labels == region + 1


@dataclass(frozen=True, eq=False)
class _Shape:
    """``filled`` uint8 (h, w): a region with its holes; ``solidity``: its share of its convex hull; ``distance`` of its
    chroma from the usual one; ``sharpness`` as of a ``ForeignRegion``."""

    filled: NDArray[np.uint8]
    solidity: float
    distance: float
    sharpness: float

    @classmethod
    def of(cls, chroma: Floats, core: Mask, usual: Floats) -> "_Shape":
        """Of the region of some pixels (h, w)."""
        outlines, _ = cv2.findContours(core.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outline = np.asarray(max(outlines, key=len), np.int32)
        filled, hull = np.zeros(core.shape, np.uint8), np.zeros(core.shape, np.uint8)
        cv2.fillPoly(filled, [outline], 1)
        cv2.fillPoly(hull, [cv2.convexHull(outline)], 1)
        own = np.median(chroma[core], 0)
        distance = float(np.hypot(*(own - usual)))
        sharpness = _range_along(chroma, own, outline.reshape(-1, 2)) / max(distance, 1.0)
        return cls(filled, float(filled.sum() / hull.sum()), distance, sharpness)

    def looks_pasted(self, leniency: float = 1.0) -> bool:
        """Whether it looks pasted on; with a ``leniency`` below 1 so much less of each will do."""
        height, width = self.filled.shape
        return bool(
            self.solidity >= leniency * _LEAST_SOLIDITY
            and self.sharpness >= leniency * _LEAST_SHARPNESS
            and self.distance >= leniency * _LEAST_DISTANCE
            and max(self.filled.any(0).mean(), self.filled.any(1).mean()) <= _LONGEST
            and not self.filled[height // 2, width // 2]
        )


def _region(cells: NDArray[np.intp], core: Mask, shape: _Shape) -> ForeignRegion:
    numbers, counts = np.unique(cells[core], return_counts=True)
    packed = pack_masks(to_grid(shape.filled.astype(bool)))
    return ForeignRegion(packed, numbers, counts / counts.sum(), shape.sharpness, shape.looks_pasted())


def _range_along(chroma: Floats, own: Floats, outline: NDArray[np.int32]) -> float:
    """The median range of distances from a chroma around the pixels x, y (n, 2) of an outline.

    The picture's own edge is no outline; 0 where too little of it is left.
    """
    height, width = chroma.shape[:2]
    x, y = outline.T
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    if inside.sum() < _FEWEST_EDGE_PIXELS:
        return 0.0
    distance = np.sqrt(((chroma - own) ** 2).sum(-1))
    around = np.ones((_EDGE, _EDGE), np.uint8)
    ranges = cv2.dilate(distance, around) - cv2.erode(distance, around)
    return float(np.median(ranges[y[inside], x[inside]]))
