"""Finding the marks that many photographs of a dataset carry at the same place. No label is looked at.

Per window, z is the sum of all photographs' normalised gradients over the root of the sum of their squares: 1 or so
where gradients have nothing to do with each other, and as much as the root of their number where they agree. What is
broad in z is due to how people frame photographs and is taken away. Of what is left, connected areas that reach far
enough are marks if they part the photographs clearly into such as show them and such as do not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from audit.data.ordered_map import ordered_map
from audit.detectors.cue import Mask
from audit.detectors.marks.printed_mark import PLACES, SHORTER, WINDOW, Floats, Overlay, normalised_gradients, window
from audit.detectors.photo import Pixels
from audit.measures.otsu import otsu_threshold, standardised_separation
from audit.progress import track

# Chosen on cats and dogs, raccoons and kangaroos, doctors and nurses, plain and with planted emblems, and on aligned
# faces (LFW): what merely lies alike reached a z of 8 there, in few pixels, and parted no photographs.
_SMOOTH, _LEAST_Z, _LEAST_PEAK, _LEAST_PIXELS = 5.0, 5.0, 7.0, 40
_LEAST_SEPARATION = 3.5
_CLOSED, _LONGEST = 15, 100
# Above this share of all windows the photographs show one scene, or are aligned, and nothing is printed on them.
_ALIGNED = 0.1
_MOST = 4
_LEAST_PHOTOGRAPHS = 40
_TOGETHER = 32


@dataclass(frozen=True, eq=False)
class Search:
    """``likeness`` (n, k): of every photograph to each of the k overlays, -1..1."""

    overlays: tuple[Overlay, ...]
    likeness: Floats


def find_overlays(read: Callable[[int], Pixels], distinct: NDArray[np.bool_], workers: int) -> Search:
    """The overlays of n photographs, the plainest first, at most four.

    ``read`` gives the uint8 RGB pixels (h, w, 3) of one of them and is called by ``workers`` threads, a second time
    where something lies alike in many; ``distinct`` (n,) is False for all but one photograph of a duplicate group.
    """
    search = _Searcher(read, workers)
    candidates = search.candidates(np.flatnonzero(distinct)) if distinct.sum() >= _LEAST_PHOTOGRAPHS else []
    if not candidates:
        return Search((), np.zeros((len(distinct), 0), np.float32))
    likeness = search.likeness(candidates, len(distinct))
    found: list[int] = []
    for place, scores in enumerate(likeness.T[:, distinct]):
        candidates[place] = replace(candidates[place], least=otsu_threshold(scores))
        is_clear = standardised_separation(scores, candidates[place].least) >= _LEAST_SEPARATION
        if is_clear and not any(_are_one(candidates[place], candidates[other]) for other in found):
            found.append(place)
    return Search(tuple(candidates[place] for place in found[:_MOST]), likeness[:, found[:_MOST]])


@dataclass(frozen=True)
class _Searcher:
    read: Callable[[int], Pixels]
    workers: int

    def candidates(self, images: NDArray[np.integer]) -> list[Overlay]:
        """What lies alike in some photographs and may be a mark, the plainest first."""
        total = np.zeros((len(PLACES), 2, WINDOW, WINDOW), np.float32)
        squares = np.full_like(total, 1e-3 * len(images))
        with track("looking for printed marks", len(images)) as advance:
            for gradients in self._gradients(images):
                for place, where in enumerate(PLACES):
                    seen = window(gradients, where)
                    total[place] += seen
                    squares[place] += seen**2
                advance(1)
        agreeing = np.stack([_fine(one) for one in total / np.sqrt(squares)])
        strong = np.hypot(agreeing[:, 0], agreeing[:, 1])
        if (strong > _LEAST_Z).mean() > _ALIGNED:
            return []
        found = [
            (float(strong[place][area].sum()), _overlay(where, agreeing[place], area))
            for place, where in enumerate(PLACES)
            for area in _areas(strong[place])
        ]
        return [overlay for _, overlay in sorted(found, key=lambda one: -one[0])]

    def likeness(self, overlays: Sequence[Overlay], count: int) -> Floats:
        """Of all photographs to some overlays, (count, k)."""
        with track("comparing printed marks", count) as advance:
            rows = []
            for gradients in self._gradients(np.arange(count)):
                rows.append([overlay.likeness(gradients) for overlay in overlays])
                advance(1)
        return np.array(rows, np.float32)

    def _gradients(self, images: NDArray[np.integer]) -> Iterator[Floats]:
        """Of photographs in their order, a few read ahead."""
        return ordered_map(self._gradients_of, images.tolist(), self.workers, _TOGETHER)

    def _gradients_of(self, image: int) -> Floats:
        return normalised_gradients(self.read(image))


def _fine(agreement: Floats) -> Floats:
    """z (2, h, w) without what is broad in it."""
    fine: Floats = agreement - np.stack([cv2.GaussianBlur(one, (0, 0), _SMOOTH) for one in agreement])
    return fine


def _areas(strong: Floats) -> Iterator[Mask]:
    """Connected areas (h, w) of strong agreement that may be marks: no specks, and no lines all through the window."""
    above = strong > _LEAST_Z
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_CLOSED, _CLOSED))
    labelled, count = ndimage.label(cv2.morphologyEx(above.astype(np.uint8), cv2.MORPH_CLOSE, disc))
    for number in range(1, count + 1):
        area = (labelled == number) & above
        rows, columns = np.nonzero(area)
        is_large = len(rows) >= _LEAST_PIXELS and strong[area].max() >= _LEAST_PEAK
        if is_large and max(np.ptp(rows), np.ptp(columns)) < _LONGEST:
            yield area


def _overlay(place: tuple[float, float], agreement: Floats, area: Mask) -> Overlay:
    """The mark in an area (h, w) of a window; from which likeness on a photograph shows it is not known yet."""
    pattern = np.where(area, agreement, 0).astype(np.float32)
    hull = cv2.convexHull(np.argwhere(area)[:, ::-1].astype(np.int32))
    outline = cv2.fillPoly(np.zeros(area.shape, np.uint8), [np.asarray(hull, np.int32)], 1).astype(bool)
    return Overlay(place, pattern / np.linalg.norm(pattern), outline, least=1.0)


def _are_one(first: Overlay, second: Overlay) -> bool:
    """Whether two overlays overlap in a square photograph: windows do, so that a mark may be found in several."""
    masks = [one.mask((SHORTER, SHORTER)) for one in (first, second)]
    return bool((masks[0] & masks[1]).any())
