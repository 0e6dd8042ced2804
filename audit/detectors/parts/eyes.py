"""Eyes and glasses: the band around both eyes, and whether there are edges in it where bare skin has none.

Glasses are told by a linear template over the strength of upright and level edges in a grid of cells, as in Dalal and
Triggs, "Histograms of Oriented Gradients for Human Detection" (2005). The heaviest cells are those where glasses cross
bare skin: the bridge of the nose, and the temples level with the eyes.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.detectors.cue import Cue, Mask, Sighting
from audit.detectors.parts.face import FACE_MODELS, Face, find_faces
from audit.detectors.photo import Photo, shared
from audit.store.model_files import ModelFile

Floats = NDArray[np.float32]

_LEAST_AREA = 0.0002
# The mesh's points at the corners of the eye on the left of the picture, and of that on the right.
_CORNERS = ((33, 133), (362, 263))
# The eyes are brought to one place in a crop of this size; its rows from 4 to 44 are divided into cells.
_WIDTH, _HEIGHT, _LEVEL, _HALF_APART = 80, 56, 25.2, 16
_ROWS, _CELL_WIDTH, _CELL_HEIGHT = slice(4, 44), 10, 5
# Smaller eyes show no frames; a mesh that hardly fits is not on the eyes.
_LEAST_APART, _LEAST_PRESENCE = 12.0, 0.9
# Weights of the cells of the left half, from the temple to the bridge of the nose: a logistic regression on every
# other photograph of doctors, nurses and passers-by.
_LEVEL_EDGES = (
    (-0.26, -0.34, -0.23, 0.01),
    (-0.13, 0.04, 0.32, 0.27),
    (0.35, 0.04, -0.23, 0.05),
    (0.53, 0.35, 0.01, 0.52),
    (0.7, -0.28, -0.62, -0.02),
    (-0.02, -0.02, -0.54, 0.35),
    (-0.23, 0.79, 0.26, 0.42),
    (-0.22, 0.23, 0.05, -0.13),
)
_UPRIGHT_EDGES = (
    (-0.03, -0.3, -0.33, -0.09),
    (-0.17, -0.21, -0.43, 0.15),
    (-0.14, -0.18, 0.04, 0.57),
    (0.07, -0.29, -0.31, -0.17),
    (0.2, -0.4, -0.35, -0.57),
    (0.1, 0.36, 0.05, 0.9),
    (0.03, 0.11, -0.2, 0.43),
    (-0.02, 0.06, -0.28, 0.27),
)
_OFFSET, _GLASSES_SCORE = 0.19, 0.65


class EyesDetector:
    """The eyes of people, and the glasses that some wear."""

    name = "eyes"
    version = 2
    cues: tuple[Cue, ...] = (
        Cue("eyes", "the eyes or glasses", "part", within="face"),
        Cue("glasses", "glasses", "part", within="eyes"),
    )
    models: tuple[ModelFile, ...] = FACE_MODELS
    keepable = True

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """Eyes are present where a face is accepted; glasses have the same place as the eyes behind them.

        The score of absent glasses tells how likely they were missed, and is 0 where no face lets that be told.
        """
        face = max((face.score for face in find_faces(photo)), default=0.0)
        glasses = max(glasses_scores(photo), default=0.0)
        return {
            "eyes": Sighting.of_mask(eyes_mask(photo), face, _LEAST_AREA),
            "glasses": replace(Sighting.of_mask(glasses_mask(photo), glasses, _LEAST_AREA), score=glasses),
        }


def eyes_mask(photo: Photo) -> Mask:
    """The bands around the eyes of all accepted faces."""
    return _bands(find_faces(photo), photo.shape)


def glasses_mask(photo: Photo) -> Mask:
    """The bands around the eyes of those who wear glasses."""
    pairs = zip(find_faces(photo), glasses_scores(photo), strict=True)
    return _bands([face for face, score in pairs if score > _GLASSES_SCORE], photo.shape)


@shared
def glasses_scores(photo: Photo) -> tuple[float, ...]:
    """How likely each of the accepted faces wears glasses, in [0, 1]."""
    return tuple(_glasses_score(photo, face) for face in find_faces(photo))


def _glasses_score(photo: Photo, face: Face) -> float:
    """0 where the face is too small or too far turned to tell."""
    if face.mesh is None or face.presence < _LEAST_PRESENCE:
        return 0.0
    left, right = (face.mesh[list(corners)].mean(0) for corners in _CORNERS)
    if np.hypot(*(right - left)) < _LEAST_APART:
        return 0.0
    edges = _edges(_upright(photo, left, right))
    logit = float((edges * np.array((_LEVEL_EDGES, _UPRIGHT_EDGES))).sum()) + _OFFSET
    return float(1 / (1 + np.exp(-logit)))


def _bands(faces: Sequence[Face], shape: tuple[int, int]) -> Mask:
    mask = np.zeros(shape, np.uint8)
    for face in faces:
        if face.eyes is not None:
            cv2.fillPoly(mask, [np.round(face.eyes).astype(np.int32)], 1)
    return mask.astype(bool)


def _upright(photo: Photo, left: Floats, right: Floats) -> Floats:
    """Grey crop (_HEIGHT, _WIDTH) in which the eyes lie level and 32 pixels apart."""
    cosine, sine = (right - left) * (2 * _HALF_APART / float(((right - left) ** 2).sum()))
    linear = np.array(((cosine, sine), (-sine, cosine)))
    shift = (_WIDTH / 2, _LEVEL) - linear @ ((left + right) / 2)
    crop = cv2.warpAffine(photo.pixels, np.column_stack((linear, shift)), (_WIDTH, _HEIGHT), flags=cv2.INTER_LINEAR)
    grey: Floats = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (0, 0), 1).astype(np.float32)
    return grey


def _edges(grey: Floats) -> Floats:
    """Log strength of level and of upright edges in the cells of the left half, (2, 8, 4), against their mean.

    The right half is folded onto the left one, since glasses are symmetric and faces, light and hair are not.
    """
    level, upright = np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1)), np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0))
    strength = np.stack((level, upright))[:, _ROWS]
    folded = (strength + strength[:, :, ::-1])[:, :, : _WIDTH // 2]
    cells = folded.reshape(2, -1, _CELL_HEIGHT, _WIDTH // 2 // _CELL_WIDTH, _CELL_WIDTH).mean((2, 4))
    logs: Floats = np.log(cells / max(float(cells.mean()), 1e-6) + 0.05)
    return logs
