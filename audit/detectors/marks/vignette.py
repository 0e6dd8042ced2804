"""Vignettes: corners darkened along one ellipse around the middle, soft as a lens leaves them or sharp as a tube does.

Dermoscopes, microscopes, endoscopes and telescopes show a round field on black; what such a device gives away is one
cue, whichever of the corners it is seen in.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.detectors.cue import ABSENT, Cue, Mask, Sighting
from audit.detectors.photo import Photo, Pixels
from audit.store.model_files import ModelFile

Floats = NDArray[np.float64]

VIGNETTE = "vignette"
# Chosen by looking at what was found in isic-dev and in photographs of animals and people.
_SIDE, _LEAST_SIDE = 128, 24
_BRIGHT, _DARK_SHARES = 0.6, (0.3, 0.45, 0.6)
_LEAST_CORNERS, _LEAST_AREA, _MOST_AREA = 3, 0.004, 0.6
_FEWEST_EDGE_PIXELS, _ROUNDS, _CLEARLY_OFF, _OFF = 12, 3, 0.08, 0.04
_LEAST_FIT, _LEAST_OVERLAP = 0.9, 0.5
_MOST_SHIFT, _SHORTEST, _LONGEST = 0.35, 0.5, 2.2
_ROUNDNESS = 0.02


@dataclass(frozen=True)
class Ellipse:
    """An ellipse with upright axes. Units are half the picture's width across and half its height down, from its
    middle: ``x``, ``y`` of the centre, ``across`` and ``down`` the half-axes."""

    x: float
    y: float
    across: float
    down: float

    def radius(self, x: Floats, y: Floats) -> Floats:
        """Of points: 1 on the ellipse, below 1 inside it."""
        return np.asarray(np.hypot((x - self.x) / self.across, (y - self.y) / self.down), np.float64)

    def outside(self, shape: tuple[int, int]) -> Mask:
        """What of a picture of that shape (h, w) lies outside."""
        rows, columns = np.indices(shape)
        return self.radius(*_from_the_middle(columns, rows, shape)) > 1


@dataclass(frozen=True)
class Vignette:
    """``field``: the ellipse that is not darkened; ``overlap``: of what lies outside it and of what is dark, their
    intersection over union, 0..1."""

    field: Ellipse
    overlap: float


def find_vignette(pixels: Pixels) -> Vignette | None:
    """The vignette of uint8 RGB pixels (h, w, 3), or None.

    For three thresholds, shares of the picture's brightness: what is darker and connected with at least three corners
    has an edge, an ellipse is fitted to it, and the one that agrees best with the dark is taken if it agrees.

    >>> rows, columns = np.mgrid[-1:1:96j, -1:1:128j]
    >>> lit = np.hypot(rows, columns) < 1.1
    >>> vignette = find_vignette(np.where(lit[..., None], (200, 150, 130), 0).astype(np.uint8))
    >>> round(vignette.field.across, 1), round(vignette.field.down, 1)
    (1.1, 1.1)
    """
    scale = min(1.0, _SIDE / max(pixels.shape[:2]))
    size = [max(1, round(length * scale)) for length in pixels.shape[1::-1]]
    if min(size) < _LEAST_SIDE:
        return None
    grey = cv2.cvtColor(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    light = cv2.GaussianBlur(cv2.medianBlur(grey, 5), (0, 0), 1.0)
    bright = float(np.quantile(light, _BRIGHT))
    candidates = (_vignette(dark) for share in _DARK_SHARES for dark in _dark_corners(light < share * bright))
    return max(filter(None, candidates), key=lambda vignette: vignette.overlap, default=None)


class VignetteDetector:
    """Dark corners and round dark frames."""

    name = VIGNETTE
    version = 1
    cues: tuple[Cue, ...] = (Cue(VIGNETTE, "dark corners or a round dark frame", "mark"),)
    models: tuple[ModelFile, ...] = ()
    keepable = True

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """The score is the vignette's overlap; the mask is what lies outside its field."""
        vignette = find_vignette(photo.pixels)
        if vignette is None:
            return {VIGNETTE: ABSENT}
        return {VIGNETTE: Sighting.of_mask(vignette.field.outside(photo.shape), vignette.overlap, 0.0)}


def _from_the_middle(x: NDArray[np.integer], y: NDArray[np.integer], shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Pixels x, y of a picture of that shape (h, w), in an ellipse's units."""
    height, width = shape
    return (2 * x + 1) / width - 1, (2 * y + 1) / height - 1


def _dark_corners(dark: Mask) -> Iterator[Mask]:
    """What is dark (h, w) and connected with a corner, if there is enough of it and in enough of the corners."""
    labels = np.asarray(cv2.connectedComponents(dark.astype(np.uint8), connectivity=4)[1])
    corners = labels[[0, 0, -1, -1], [0, -1, 0, -1]]
    if np.count_nonzero(corners) >= _LEAST_CORNERS:
        area = np.isin(labels, corners[corners > 0])
        if _LEAST_AREA <= area.mean() <= _MOST_AREA:
            yield area


def _vignette(dark: Mask) -> Vignette | None:
    """That of dark corners (h, w), or None if their edge is no ellipse around the middle."""
    height, width = dark.shape
    eroded = cv2.erode(dark.astype(np.uint8), np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero(dark & (eroded == 0))
    inside = (columns > 0) & (columns < width - 1) & (rows > 0) & (rows < height - 1)
    x, y = _from_the_middle(columns[inside], rows[inside], dark.shape)
    field = _fitted(x, y)
    if field is None or (np.abs(field.radius(x, y) - 1) < _OFF).mean() < _LEAST_FIT:
        return None
    outside = field.outside(dark.shape)
    overlap = np.count_nonzero(outside & dark) / np.count_nonzero(outside | dark)
    return Vignette(field, overlap) if overlap >= _LEAST_OVERLAP else None


def _fitted(x: Floats, y: Floats) -> Ellipse | None:
    """The ellipse with upright axes through points (n,), by least squares, again without those that are clearly off.

    The squares of its shift from the middle are added with a small weight, since arcs in corners leave it uncertain.
    None where it is too small or large, not around the middle, or no ellipse.
    """
    chosen = np.ones(len(x), bool)
    ellipse = None
    for _ in range(_ROUNDS):
        if np.count_nonzero(chosen) < _FEWEST_EDGE_PIXELS:
            return None
        terms = np.stack([x**2, y**2, x, y], 1)[chosen]
        weights = _ROUNDNESS * len(terms) * np.diag([1e-3, 1e-3, 1.0, 1.0])
        a, b, c, d = np.linalg.solve(terms.T @ terms + weights, terms.sum(0))
        if min(a, b) <= 0:
            return None
        size = 1 + c**2 / (4 * a) + d**2 / (4 * b)
        ellipse = Ellipse(-c / (2 * a), -d / (2 * b), float(np.sqrt(size / a)), float(np.sqrt(size / b)))
        chosen = np.abs(ellipse.radius(x, y) - 1) < _CLEARLY_OFF
    return ellipse if ellipse is not None and _lies_around_the_middle(ellipse) else None


def _lies_around_the_middle(ellipse: Ellipse) -> bool:
    axes = (ellipse.across, ellipse.down)
    return max(abs(ellipse.x), abs(ellipse.y)) <= _MOST_SHIFT and min(axes) >= _SHORTEST and max(axes) <= _LONGEST
