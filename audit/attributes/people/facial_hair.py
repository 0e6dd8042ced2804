"""Beards and moustaches: colour of the lower face against the cheeks, and edges around mouth and chin.

A linear template over cells of a crop with eyes and chin in one place, as in Dalal and Triggs, "Histograms of Oriented
Gradients for Human Detection" (2005). Colours are taken as ratios to those of the cheeks, so that neither the light nor
the colour of the skin counts.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.attributes.attribute import UNKNOWN, Attribute
from audit.attributes.people.aligned_face import Floats, aligned_face, cell_means, clear_mesh, fold, probability
from audit.attributes.people.pose import turn
from audit.detectors.parts.face import FACE_MODELS
from audit.detectors.photo import Photo, Pixels
from audit.store.model_files import ModelFile

_CELL, _DIRECTIONS = 4, 6
# Rows of the crop: from the eyes to below the chin, and from the nose to the chin.
_COLOURED, _EDGED = slice(24, 80), slice(40, 72)
# Both cheeks, where beards seldom grow.
_CHEEK_ROWS, _CHEEK_COLUMNS = slice(26, 38), (*range(14, 24), *range(40, 50))
_DARKEST = 8.0
# The tip of the nose is at the edge of the face: what lies beyond it is not the other cheek.
_PROFILE = 1.0


class FacialHairReader:
    """Whether the largest face has a beard or a moustache."""

    name = "facial_hair"
    version = 1
    attributes: tuple[Attribute, ...] = (
        Attribute(
            name="beard",
            words="a beard or a moustache",
            opposite="no facial hair",
            within="face",
            shown_from=0.6,
            check="hair grows on the upper lip, the chin or the jaw of the largest face",
            topic="facial hair",
        ),
    )
    models: tuple[ModelFile, ...] = FACE_MODELS
    keepable = True

    def measure(self, photo: Photo) -> Mapping[str, float]:
        """How likely the largest face has one, in [0, 1]; unknown where it is not clear or seen from the side."""
        mesh, crop = clear_mesh(photo), aligned_face(photo)
        if mesh is None or crop is None or turn(mesh) >= _PROFILE:
            return {"beard": UNKNOWN}
        return {"beard": beard_score(crop)}


@dataclass(frozen=True)
class Template:
    """Weights of the colours (3, 14, 8) and of the edges (6, 8, 8) in the cells of half a face, and an offset."""

    colours: Floats
    edges: Floats
    offset: float


def beard_score(crop: Pixels) -> float:
    """How likely the face in an aligned crop uint8 (HEIGHT, WIDTH, 3) has a beard or a moustache, in [0, 1]."""
    weights = template()
    logit = (colours(crop) * weights.colours).sum() + (edges(crop) * weights.edges).sum() + weights.offset
    return probability(float(logit))


@cache
def template() -> Template:
    """The weights, from the file beside the code.

    A ridge regression on every other photograph of a set of labelled faces and of doctors and nurses.
    """
    kept = json.loads((Path(__file__).parent / "weights" / "facial_hair.json").read_text(encoding="utf-8"))
    return Template(np.array(kept["colours"], np.float32), np.array(kept["edges"], np.float32), kept["offset"])


def colours(crop: Pixels) -> Floats:
    """Log brightness, red to green and green to blue in cells of the lower face, minus those of the cheeks: (3, 14, 8).

    >>> bool(np.abs(colours(np.full((80, 64, 3), (120, 90, 60), np.uint8))).max() < 1e-5)
    True
    """
    red, green, blue = np.moveaxis(np.log(cv2.GaussianBlur(crop.astype(np.float32), (0, 0), 1) + _DARKEST), 2, 0)
    tones = np.stack(((red + green + blue) / 3, red - green, green - blue))
    cheeks = tones[:, _CHEEK_ROWS][:, :, _CHEEK_COLUMNS].mean((1, 2), keepdims=True)
    return fold(cell_means(tones[:, _COLOURED] - cheeks, _CELL))


def edges(crop: Pixels) -> Floats:
    """Log strength of edges by direction in cells from nose to chin, against their mean: (6, 8, 8)."""
    grey = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 0.7)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    cells = cell_means(_by_direction(across, down)[:, _EDGED], _CELL)
    mirrored = cells[-np.arange(_DIRECTIONS), :, ::-1]
    folded = ((cells + mirrored) / 2)[:, :, : cells.shape[2] // 2]
    strength: Floats = np.log(folded / max(float(folded.mean()), 1e-6) + 0.05)
    return strength


def _by_direction(across: NDArray[Any], down: NDArray[Any]) -> Floats:
    """Strength of the gradient shared between the two nearest of _DIRECTIONS directions, (_DIRECTIONS, h, w)."""
    strength, angle = cv2.cartToPolar(across, down)
    position = angle * (_DIRECTIONS / np.pi)
    half = _DIRECTIONS / 2
    distance = np.abs((position - np.arange(_DIRECTIONS, dtype=np.float32)[:, None, None] + half) % _DIRECTIONS - half)
    shared: Floats = strength * np.clip(1 - distance, 0, None)
    return shared
