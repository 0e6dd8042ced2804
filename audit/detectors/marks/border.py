"""Borders, bars and frames: one colour from the edge of the picture inwards, ending in a straight sharp step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.detectors.cue import Cue, Mask, Sighting
from audit.detectors.photo import Photo, Pixels
from audit.store.model_files import ModelFile

Colour = NDArray[np.int16]

_ALIKE, _STEP = 8, 20
# The outermost line must have one colour; further in, up to half of a line may be a caption printed on the bar.
_FLAT_SHARE, _CAPTION_SHARE = 0.85, 0.5
_STEP_DEPTH = 3
# A single line, as scanners and programs leave it, is a bar only if it ends in a step nearly everywhere.
_STEP_SHARE, _STEP_SHARE_OF_ONE = 0.6, 0.9
_MOST_SHARE = 0.45


@dataclass(frozen=True)
class Run:
    """A bar along one edge: how many lines it is wide, and the share of its length that ends in a step."""

    lines: int
    step: float


NO_RUN = Run(0, 0.0)


def find_border(pixels: Pixels) -> tuple[Run, Run, Run, Run]:
    """Bars at the top, bottom, left and right of uint8 RGB pixels (h, w, 3); NO_RUN where there is none.

    Bars are at most 45 % of the picture wide, and those on opposite sides under half of it together.

    >>> picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    >>> picture[:7] = 0
    >>> [run.lines for run in find_border(picture)]
    [7, 0, 0, 0]
    """
    views = _views(pixels)
    colours = [np.median(view[0], axis=0).astype(np.int16) for view in views]
    lines = [_bar_lines(view, colour) for view, colour in zip(views, colours, strict=True)]
    runs = [_run(view, n, colour, (0, 0)) for view, n, colour in zip(views, lines, colours, strict=True)]
    # A frame's sides end in no step at its own corners: look again with those left out.
    corners = [(runs[i].lines, runs[i + 1].lines) for i in (2, 2, 0, 0)]
    top, bottom, left, right = map(_run, views, lines, colours, corners)
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
    version = 2
    cues: tuple[Cue, ...] = (Cue("border", "a border or frame", "mark"),)
    models: tuple[ModelFile, ...] = ()
    keepable = True

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """The score is the share of the clearest bar's length that ends in a step."""
        runs = find_border(photo.pixels)
        score = max(run.step for run in runs)
        return {"border": Sighting.of_mask(border_mask(photo.shape, runs), score, 0.0)}


def _views(pixels: Pixels) -> tuple[Pixels, Pixels, Pixels, Pixels]:
    """The picture turned so that each edge in turn is the first row."""
    sideways = pixels.transpose(1, 0, 2)
    return pixels, pixels[::-1], sideways, sideways[::-1]


def _bar_lines(view: Pixels, colour: Colour) -> int:
    """How many lines from the first on are the bar's; 0 when the first has no one colour or they never end."""
    if _share_alike(view[0], colour) < _FLAT_SHARE:
        return 0
    most = int(_MOST_SHARE * len(view))
    lines = next((i for i in range(most + 1) if _share_alike(view[i], colour) < _CAPTION_SHARE), most + 1)
    return lines if lines <= most else 0


def _run(view: Pixels, lines: int, colour: Colour, corners: tuple[int, int]) -> Run:
    if lines == 0:
        return NO_RUN
    step = _step_share(view[:, corners[0] : view.shape[1] - corners[1]], lines, colour)
    return Run(lines, step) if step >= (_STEP_SHARE if lines > 1 else _STEP_SHARE_OF_ONE) else NO_RUN


def _share_alike(line: Pixels, colour: Colour) -> float:
    """Share of pixels (w, 3) whose colour is the bar's."""
    return float((np.abs(line - colour) <= _ALIKE).all(-1).mean())


def _step_share(view: Pixels, lines: int, colour: Colour) -> float:
    """Share of columns in which the bar's colour ends sharply within the lines around the run's end."""
    if view.shape[1] == 0:
        return 0.0
    # The last line of the run and the first behind it may be half bar, half picture, where the file was shrunk.
    before = np.abs(view[max(0, lines - _STEP_DEPTH) : max(1, lines - 1)] - colour).max(-1)
    behind = np.abs(view[lines : lines + _STEP_DEPTH] - colour).max(-1)
    return float(((before <= _STEP).all(0) & (behind > _STEP).any(0)).mean())
