"""Borders, bars and frames: one colour from the edge of the picture inwards, ending in a straight sharp step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.cues.cue import Cue, Mask, Sighting
from audit.cues.photo import Photo, Pixels

_MOST_SPREAD = 10.0
_MOST_DRIFT = 8.0
_STEP = 20.0
_STEP_DEPTH = 3
_STEP_SHARE = 0.6
_LEAST_LINES, _MOST_SHARE = 2, 0.45
# Share of a line left out at either end of its sorted values, so that a caption printed on a bar does not break it.
_TRIM = 0.15


@dataclass(frozen=True)
class Run:
    """A bar along one edge: how many lines it is wide, and the share of its length that ends in a step."""

    lines: int
    step: float


NO_RUN = Run(0, 0.0)


def find_border(pixels: Pixels) -> tuple[Run, Run, Run, Run]:
    """Bars at the top, bottom, left and right of uint8 RGB pixels (h, w, 3); NO_RUN where there is none.

    >>> picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    >>> picture[:7] = 0
    >>> [run.lines for run in find_border(picture)]
    [7, 0, 0, 0]
    """
    top, bottom, left, right = (_run(view, view.shape[1], 0, 0) for view in _views(pixels))
    # A frame's sides end in no step at its own corners: look again with those left out.
    again = ((left, right), (left, right), (top, bottom), (top, bottom))
    views = zip(_views(pixels), again, strict=True)
    top, bottom, left, right = (_run(view, view.shape[1], a.lines, b.lines) for view, (a, b) in views)
    return top, bottom, left, right


def border_mask(shape: tuple[int, int], runs: tuple[Run, Run, Run, Run]) -> Mask:
    """The union of the bars, boolean of the picture's shape."""
    top, bottom, left, right = (run.lines for run in runs)
    mask = np.ones(shape, bool)
    mask[top : shape[0] - bottom, left : shape[1] - right] = False
    return mask


class BorderDetector:
    """Letterbox bars, frames and coloured margins."""

    name = "border"
    version = 1
    cues = (Cue("border", "a border or frame", "scene"),)
    models = ()

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """The score is the share of the clearest bar's length that ends in a step."""
        runs = find_border(photo.pixels)
        score = max(run.step for run in runs)
        return {"border": Sighting.of_mask(border_mask(photo.shape, runs), score, 0.0)}


def _views(pixels: Pixels) -> tuple[Pixels, Pixels, Pixels, Pixels]:
    """The picture turned so that each edge in turn is the first row."""
    sideways = pixels.transpose(1, 0, 2)
    return pixels, pixels[::-1], sideways, sideways[::-1]


def _run(view: Pixels, length: int, skip_first: int, skip_last: int) -> Run:
    colour = np.median(view[0], axis=0)
    most = int(_MOST_SHARE * len(view))
    lines = next((i for i in range(most + 1) if not _is_flat(view[i], colour)), most + 1)
    if not _LEAST_LINES <= lines <= most:
        return NO_RUN
    # The line where the step begins may be half bar, half picture, and still count as flat or not.
    behind = view[lines : lines + _STEP_DEPTH, skip_first : length - skip_last].astype(np.float32)
    if behind.size == 0:
        return NO_RUN
    step = float((np.abs(behind - colour).max(2).max(0) > _STEP).mean())
    return Run(lines, step) if step >= _STEP_SHARE else NO_RUN


def _is_flat(line: NDArray[np.uint8], colour: NDArray[np.float64]) -> bool:
    """Whether nearly all of a line (w, 3) has one colour, and that colour is the bar's."""
    cut = int(_TRIM * len(line))
    ordered = np.sort(line, axis=0)[cut : len(line) - cut].astype(np.float32)
    spread = ordered[-1] - ordered[0]
    return bool((spread <= _MOST_SPREAD).all() and (np.abs(np.median(ordered, axis=0) - colour) <= _MOST_DRIFT).all())
