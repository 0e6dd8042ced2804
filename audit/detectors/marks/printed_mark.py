"""Marks printed at one place of many photographs, faint but visible: emblems of agencies, stamps of devices, logos.

What photographs show moves about, so that the gradients at any one place, averaged over many of them, come to nothing;
those of a printed mark add up (Dekel et al., "On the Effectiveness of Visible Watermarks", CVPR 2017). How a mark is
told from what merely lies alike is in ``audit.detectors.marks.find_printed_marks``; here, whether a photograph shows a
given one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.detectors.cue import ABSENT, Cue, Mask, Sighting
from audit.detectors.describe import place_words
from audit.detectors.photo import Pixels

Floats = NDArray[np.float32]
Place = tuple[float, float]
Number = TypeVar("Number", bound=np.generic)

OVERLAY = "overlay"
# Photographs are brought to a shorter side of 256 pixels; windows of 128 lie at the corners, edges and in the middle.
SHORTER, WINDOW = 256, 128
# A strip of a picture is squashed, for else it would take gigabytes.
_LONGEST = 1024
PLACES: tuple[Place, ...] = tuple(product((0.0, 0.5, 1.0), (0.0, 0.5, 1.0)))
_NEIGHBOURHOOD, _FLAT = 6.0, 2.0


@dataclass(frozen=True, eq=False)
class Overlay:
    """A mark in one of the nine windows, ``place``: row and column, 0 at the start, 0.5 in the middle, 1 at the end.

    ``pattern`` float32 (2, 128, 128): its gradients, 0 where it has none, of length 1 in all; ``outline`` boolean
    (128, 128): the area that it takes up; ``least``: the likeness, -1..1, from which on a photograph shows it.
    """

    place: Place
    pattern: Floats
    outline: Mask
    least: float

    def likeness(self, gradients: Floats) -> float:
        """The cosine, -1..1, between the pattern and a photograph's ``normalised`` gradients where the pattern lies."""
        seen = window(gradients, self.place)
        length = float(np.linalg.norm(seen[:, self.pattern.any(0)]))
        return float((seen * self.pattern).sum()) / length if length > 0 else 0.0

    def contrast(self, gradients: Floats) -> float:
        """Height of the mark's edges in a photograph, in 8-bit grey levels, of its ``grey_gradients``.

        The mean, by the pattern's strength, of the gradients along its directions; 0 on average where it is not shown.
        """
        return float((window(gradients, self.place) * self.pattern).sum() / np.hypot(*self.pattern).sum())

    def mask(self, shape: tuple[int, int]) -> Mask:
        """The outline in a photograph of that shape (h, w)."""
        small = np.zeros((1, *small_shape(shape)), np.uint8)
        window(small, self.place)[:] = self.outline
        whole: Mask = cv2.resize(small[0], shape[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
        return whole

    def sighting(self, likeness: float, shape: tuple[int, int]) -> Sighting:
        """What is said of a photograph of that shape (h, w) by its likeness."""
        return Sighting(True, max(0.0, likeness), self.mask(shape)) if likeness >= self.least else ABSENT


def overlay_cues(overlays: Sequence[Overlay]) -> tuple[Cue, ...]:
    """A cue for each overlay, named after its place, so that the next audit gives it the same name."""
    places = told_apart([_place_words(one) for one in overlays])
    return tuple(Cue(f"{OVERLAY} {place}", f"a printed mark ({place})", "mark") for place in places)


def grey_gradients(pixels: Pixels) -> Floats:
    """Gradients across and down of uint8 RGB pixels (h, w, 3), brought to a shorter side of 256: float32 (2, h', w').

    In 8-bit grey levels from the pixel before to the one behind: a sharp edge has its whole height.
    """
    height, width = small_shape(pixels.shape[:2])
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    shrinks = min(pixels.shape[:2]) > SHORTER
    small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.stack([cv2.Scharr(small, cv2.CV_32F, dx, 1 - dx, scale=1 / 16) for dx in (1, 0)])


def normalised(gradients: Floats) -> Floats:
    """Gradients (2, h, w), each divided by the root mean square around it.

    So a faint edge on even ground counts as much as a sharp one in the thick of things.
    """
    around = np.sqrt(cv2.GaussianBlur((gradients**2).sum(0), (0, 0), _NEIGHBOURHOOD)) + _FLAT
    return np.asarray(gradients / around, np.float32)


def window(values: NDArray[Number], place: Place) -> NDArray[Number]:
    """A view of the window at a place of (k, h, w): (k, 128, 128)."""
    top, left = (round(share * (length - WINDOW)) for share, length in zip(place, values.shape[1:], strict=True))
    return values[:, top : top + WINDOW, left : left + WINDOW]


def small_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width (h, w) brought to a shorter side of 256, and a longer one of at most 1024."""
    height, width = (min(_LONGEST, round(side * SHORTER / min(shape))) for side in shape)
    return height, width


def _place_words(overlay: Overlay) -> str:
    """Where its middle is in a square photograph."""
    rows, columns = np.nonzero(overlay.outline)
    y, x = (
        (share * (SHORTER - WINDOW) + positions.mean() + 0.5) / SHORTER
        for share, positions in zip(overlay.place, (rows, columns), strict=True)
    )
    return place_words(float(x), float(y))


def told_apart(names: list[str]) -> list[str]:
    """The names, those that come again with a number behind them.

    >>> told_apart(["top", "left", "top"])
    ['top', 'left', 'top 2']
    """
    seen: Counter[str] = Counter()
    told = []
    for name in names:
        seen[name] += 1
        told.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return told
