"""Finding the marks that many photographs of a dataset carry at the same place. No label is looked at.

Per window, z is the sum of all photographs' normalised gradients over the root of the sum of their squares: 1 or so
where gradients have nothing to do with each other, and as much as the root of their number where they agree. What is
broad in z is due to how people frame photographs and is taken away. Of what is left, connected areas that reach far
enough are marks if they part the photographs clearly into such as show them and such as do not, and can be seen there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from audit.data.ordered_map import ordered_map
from audit.detectors.cue import Mask
from audit.detectors.marks.printed_mark import (
    PLACES,
    SHORTER,
    WINDOW,
    Floats,
    Overlay,
    Place,
    grey_gradients,
    normalised,
    window,
)
from audit.detectors.photo import Pixels
from audit.measures.otsu import otsu_threshold, standardised_separation
from audit.progress import track

# Chosen on cats and dogs, raccoons and kangaroos, doctors and nurses, plain and with planted emblems, and on aligned
# faces (LFW): what merely lies alike reached a z of 8 there, in few pixels, and parted no photographs.
_SMOOTH, _LEAST_Z, _LEAST_PEAK, _LEAST_PIXELS = 5.0, 5.0, 7.0, 40
_LEAST_SEPARATION = 3.5
_CLOSED, _LONGEST = 15, 100
# Fewer grey levels no eye can see, and what is all within so many pixels of the edge is a border's line.
_LEAST_CONTRAST, _RIM, _MIDDLE = 2.0, 4, 0.5
# Above this share of all windows the photographs show one scene, or are aligned, and nothing is printed on them.
_ALIGNED = 0.1
_MOST = 4
_LEAST_PHOTOGRAPHS = 40
_READ_AHEAD = 32


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
    likeness, contrast = search.compare(candidates, len(distinct))
    kept: list[int] = []
    for number, scores in enumerate(likeness.T[:, distinct]):
        overlay = candidates[number] = replace(candidates[number], least=otsu_threshold(scores))
        is_clear = standardised_separation(scores, overlay.least) >= _LEAST_SEPARATION
        is_visible = contrast[distinct, number][scores >= overlay.least].mean() >= _LEAST_CONTRAST
        if is_clear and is_visible and not any(_are_one(overlay, candidates[other]) for other in kept):
            kept.append(number)
    return Search(tuple(candidates[number] for number in kept[:_MOST]), likeness[:, kept[:_MOST]])


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
                even = normalised(gradients)
                for place, where in enumerate(PLACES):
                    seen = window(even, where)
                    total[place] += seen
                    squares[place] += seen**2
                advance(1)
        agreeing = np.stack([_fine(one) for one in total / np.sqrt(squares)])
        strong = np.hypot(agreeing[:, 0], agreeing[:, 1])
        if (strong > _LEAST_Z).mean() > _ALIGNED:
            return []
        weighted = [
            (float(strong[place][area].sum()), _overlay(where, agreeing[place], area))
            for place, where in enumerate(PLACES)
            for area in _areas(strong[place])
            if not _lies_on_the_rim(area, where)
        ]
        return [overlay for _, overlay in sorted(weighted, key=lambda pair: -pair[0])]

    def compare(self, overlays: Sequence[Overlay], count: int) -> tuple[Floats, Floats]:
        """All photographs with some overlays: their likeness and the contrast of their edges, each (count, k)."""
        with track("comparing printed marks", count) as advance:
            rows = []
            for gradients in self._gradients(np.arange(count)):
                even = normalised(gradients)
                rows.append([(overlay.likeness(even), overlay.contrast(gradients)) for overlay in overlays])
                advance(1)
        both = np.array(rows, np.float32)
        return both[..., 0], both[..., 1]

    def _gradients(self, images: NDArray[np.integer]) -> Iterator[Floats]:
        """Of photographs in their order, a few read ahead."""
        return ordered_map(self._gradients_of, images.tolist(), self.workers, _READ_AHEAD)

    def _gradients_of(self, image: int) -> Floats:
        return grey_gradients(self.read(image))


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


def _lies_on_the_rim(area: Mask, place: Place) -> bool:
    """Whether an area (h, w) of the window at a place lies all within some pixels of the picture's edges."""
    rim = np.zeros(area.shape, bool)
    for axis, share in enumerate(place):
        if share != _MIDDLE:
            outermost = slice(None, _RIM) if share == 0.0 else slice(-_RIM, None)
            rim[outermost if axis == 0 else slice(None), outermost if axis == 1 else slice(None)] = True
    return bool(rim[area].all())


def _overlay(place: Place, agreement: Floats, area: Mask) -> Overlay:
    """The mark in an area (h, w) of a window; from which likeness on a photograph shows it is not known yet."""
    pattern = np.where(area, agreement, 0).astype(np.float32)
    hull = cv2.convexHull(np.argwhere(area)[:, ::-1].astype(np.int32))
    outline = cv2.fillPoly(np.zeros(area.shape, np.uint8), [np.asarray(hull, np.int32)], 1).astype(bool)
    return Overlay(place, pattern / np.linalg.norm(pattern), outline, least=1.0)


def _are_one(first: Overlay, second: Overlay) -> bool:
    """Whether two overlays overlap in a square photograph: windows do, so that a mark may be found in several."""
    masks = [one.mask((SHORTER, SHORTER)) for one in (first, second)]
    return bool((masks[0] & masks[1]).any())
