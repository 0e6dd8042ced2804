"""Coloured patches and stickers: compact, evenly coloured, vivid, and unlike all that surrounds them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.detectors.cue import Cue, Mask, Sighting
from audit.detectors.photo import Photo, Pixels, shared
from audit.store.model_files import ModelFile

Floats = NDArray[np.float32]

PATCH = "patch"
# Chosen on every other photograph of animals, people and things, untouched and with planted stickers.
_SIDE = 256
_STEEPEST = 10
_LEAST_CHROMA, _LEAST_APART = 25.0, 30.0
_SHORTEST, _LONGEST, _SLIMMEST, _FEWEST_PIXELS = 0.03, 0.45, 0.4, 9
_LEAST_SOLIDITY = 0.9
# Nine tenths of the colours around a patch differ by this much from its own, and nine tenths of its own by no more than
# this share of that: a glow fades.
_LEAST_CONTRAST, _MOST_SPREAD = 28.0, 0.35
_MARGIN = 5
_LIGHTNESS_WEIGHT = np.array((0.5, 1.0, 1.0), np.float32)


@dataclass(frozen=True)
class Patch:
    """``outline``: convex, (n, 2) int32 points in pixels of the picture; ``solidity``: the share of it that has the
    patch's colour; ``contrast``: distance in 8-bit Lab between its colour and those around it."""

    outline: NDArray[np.int32]
    solidity: float
    contrast: float


class PatchDetector:
    """Stickers, dots, badges and colour charts."""

    name = PATCH
    version = 3
    cues: tuple[Cue, ...] = (Cue(PATCH, "a coloured patch or sticker", "mark"),)
    models: tuple[ModelFile, ...] = ()
    keepable = True

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """The score is the solidity of the most solid patch."""
        patches = patches_of(photo)
        score = max((patch.solidity for patch in patches), default=0.0)
        return {PATCH: Sighting.of_mask(patch_mask(photo.shape, patches), score, 0.0)}


@shared
def patches_of(photo: Photo) -> list[Patch]:
    """The patches of a photograph."""
    return find_patches(photo.pixels)


def patch_mask(shape: tuple[int, int], patches: Iterable[Patch]) -> Mask:
    """The union of patches, boolean of the picture's shape."""
    mask = np.zeros(shape, np.uint8)
    for patch in patches:
        cv2.fillPoly(mask, [patch.outline], 1)
    return mask.astype(bool)


def find_patches(pixels: Pixels) -> list[Patch]:
    """The patches in uint8 RGB pixels (h, w, 3).

    >>> picture = np.full((120, 160, 3), 128, np.uint8)
    >>> picture[20:34, 30:44] = 230, 30, 30
    >>> len(find_patches(picture))
    1
    """
    scale = min(1.0, _SIDE / max(pixels.shape[:2]))
    size = [max(1, round(length * scale)) for length in pixels.shape[1::-1]]
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.uint8)
    _, *parts, _ = cv2.connectedComponentsWithStats(_even_and_vivid(lab), connectivity=4)
    labels, stats = (np.asarray(part, np.int32) for part in parts)
    found = (_patch(lab, labels, stats, index, scale) for index in _small_and_compact(stats, labels.shape))
    return [patch for patch in found if patch is not None]


def _even_and_vivid(lab: Pixels) -> NDArray[np.uint8]:
    """Where colour hardly changes from pixel to pixel, and is far from grey and from the picture's usual colour."""
    steepness = cv2.morphologyEx(lab, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(2)
    colour = lab[..., 1:].astype(np.float32) - 128
    usual = np.median(colour[::4, ::4], (0, 1))
    apart = np.hypot(*np.moveaxis(colour - usual, 2, 0))
    vivid = np.hypot(*np.moveaxis(colour, 2, 0)) > _LEAST_CHROMA
    chosen: NDArray[np.uint8] = ((steepness <= _STEEPEST) & vivid & (apart > _LEAST_APART)).astype(np.uint8)
    return chosen


def _small_and_compact(stats: NDArray[np.int32], shape: tuple[int, ...]) -> Iterator[int]:
    """Components, by number, that may be a patch by their box and area; 0 is what no component covers."""
    sides = np.sort(stats[:, 2:4], 1) + 2  # the steep pixels along the edge belong to the patch
    fits = (sides[:, 0] >= _SHORTEST * min(shape)) & (sides[:, 1] <= _LONGEST * max(shape))
    fits &= sides[:, 0] >= _SLIMMEST * sides[:, 1]
    # A square that stands on a corner fills half of its box.
    fits &= stats[:, 4] >= np.maximum(_FEWEST_PIXELS, 0.4 * stats[:, 2] * stats[:, 3])
    fits[0] = False
    return iter(np.flatnonzero(fits).tolist())


def _patch(lab: Pixels, labels: NDArray[np.int32], stats: NDArray[np.int32], index: int, scale: float) -> Patch | None:
    """A component as a patch, or None if it has bays, or no edge all around."""
    x, y, width, height, area = map(int, stats[index])
    x0, y0 = max(0, x - _MARGIN), max(0, y - _MARGIN)
    window = slice(y0, y + height + _MARGIN), slice(x0, x + width + _MARGIN)
    core = labels[window] == index
    contours, _ = cv2.findContours(core.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = np.asarray(cv2.convexHull(np.concatenate(contours)), np.int32)
    filled = np.zeros(core.shape, np.uint8)
    cv2.fillPoly(filled, [hull], 1)
    solidity = area / int(filled.sum())
    contrast, spread = _contrast_and_spread(lab[window].astype(np.float32), core, filled)
    if solidity < _LEAST_SOLIDITY or contrast < _LEAST_CONTRAST or spread > _MOST_SPREAD * contrast:
        return None
    return Patch(_outline(hull, (x0, y0), scale), solidity, contrast)


def _contrast_and_spread(lab: Floats, core: Mask, filled: NDArray[np.uint8]) -> tuple[float, float]:
    """Distances from the core's colour: the least of all but a tenth of the pixels two to four away from the hull,
    and the most of all but a tenth of the core's."""
    near, far = (cv2.dilate(filled, np.ones((side, side), np.uint8)) for side in (5, 9))
    around = far > near
    if not around.any():
        return 0.0, 0.0
    distance = np.sqrt((((lab - np.median(lab[core], 0)) * _LIGHTNESS_WEIGHT) ** 2).sum(-1))
    return float(np.quantile(distance[around], 0.1)), float(np.quantile(distance[core], 0.9))


def _outline(hull: NDArray[np.int32], corner: tuple[int, int], scale: float) -> NDArray[np.int32]:
    """The hull, a pixel wider all round, in the picture's own pixels."""
    points = hull.reshape(-1, 2) + np.array(corner) + 0.5
    middle = (points.min(0) + points.max(0)) / 2
    widened: NDArray[np.int32] = np.round((points + np.sign(points - middle)) / scale - 0.5).astype(np.int32)
    return widened
