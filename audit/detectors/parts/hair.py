"""Hair or headwear: what belongs to the person around a face, by place near the top and by colour elsewhere.

No network is used. Places are given in faces: u across and v down from the middle of the face's outline, which reaches
from -0.5 to 0.5 in both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.detectors.cue import Cue, Mask, Sighting
from audit.detectors.parts.face import FACE_MODELS, Face, face_mask, find_faces
from audit.detectors.parts.subject import person_mask
from audit.detectors.photo import Photo, shared
from audit.store.model_files import FOREGROUND, ModelFile

Floats = NDArray[np.float32]

# Fitted on half of three sets of photographs with hair masks.
_TOP, _SIDE, _ROUNDNESS = -1.9, 1.8, 2.5
_BY_COLOUR_FROM, _REACH, _WIDE = -0.2, 2.2, 1.8
_THROAT_WIDTH, _THROAT_TOP = 0.45, 0.45
_BESIDE_MARGIN, _FRINGE_MARGIN = 1.0, -1.0
_CHEEK_WIDTH, _CHEEK_TOP, _CHEEK_BOTTOM = 0.35, -0.15, 0.35
_FEWEST_PIXELS = 20
_UNSEEN = -20.0
_LEAST_OF_FACE = 0.1
_LEAST_AREA = 0.001


@dataclass(frozen=True)
class Colours:
    """A Gaussian over Lab colours."""

    mean: Floats
    precision: Floats
    log_determinant: float

    @classmethod
    def of(cls, sample: Floats) -> "Colours | None":
        """Fitted to a sample (n, 3), or None when it is too small."""
        if len(sample) < _FEWEST_PIXELS:
            return None
        covariance = np.cov(sample.T) + 30 * np.eye(3)
        precision = np.linalg.inv(covariance).astype(np.float32)
        return cls(sample.mean(0), precision, float(np.linalg.slogdet(covariance)[1]))

    def log_density(self, lab: Floats) -> Floats:
        """Up to a constant, of every colour (..., 3)."""
        offset = lab - self.mean
        density: Floats = -0.5 * (((offset @ self.precision) * offset).sum(-1) + self.log_determinant)
        return density


@shared
def hair_mask(photo: Photo) -> Mask:
    """The hair or headwear of everyone whose face was accepted."""
    mask, person = np.zeros(photo.shape, bool), person_mask(photo)
    if person is None:
        return mask
    for face in find_faces(photo):
        window = _window(face, photo.shape)
        mask[window] |= _hair_of(face, photo, person[window], *window)
    return mask


class HairDetector:
    """Hair, with hats and scarves worn on it, of people whose face is seen."""

    name = "hair"
    version = 3
    cues: tuple[Cue, ...] = (Cue("hair", "the hair or headwear", "part", within="person"),)
    models: tuple[ModelFile, ...] = (*FACE_MODELS, FOREGROUND)
    keepable = True

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """Present when it covers at least a tenth of the faces' area."""
        hair, face = hair_mask(photo), face_mask(photo)
        least = max(_LEAST_AREA, _LEAST_OF_FACE * float(face.mean()))
        score = max((face.score for face in find_faces(photo)), default=0.0)
        return {"hair": Sighting.of_mask(hair, score, least)}


def _hair_of(face: Face, photo: Photo, person: Mask, rows: slice, columns: slice) -> Mask:
    """Hair in a window, of which ``person`` is what belongs to anyone: over the head by place, beside the face and in
    the upper face (a fringe) where the colour is more like the crown's than like that of skin or clothes."""
    in_face = face_mask(photo)[rows, columns]
    inside = person & ~in_face
    u, v = face_coordinates(face, rows, columns)
    near = inside & _in_cap(u, v)
    crown = near & (np.abs(u) < 0.6) & (v > -1.1) & (v < -0.35)
    lab = _smoothed_lab(photo)[rows, columns]
    colours = Colours.of(lab[crown])
    if colours is None:
        return near
    skin = Colours.of(lab[in_face & _in_cheeks(u, v)]) or Colours.of(lab[in_face])
    clothes = Colours.of(lab[_below_chin(inside, u, v)])
    beside = inside & _may_hang(u, v)
    hair = near.copy()
    hair[beside] = _likelier(colours, (skin, clothes), lab[beside], _BESIDE_MARGIN)
    hair = _touching(hair, crown)
    fringe = in_face & (v < _BY_COLOUR_FROM)
    hair[fringe] = _likelier(colours, (skin,), lab[fringe], _FRINGE_MARGIN)
    return hair


def _likelier(colours: Colours, rivals: Sequence[Colours | None], lab: Floats, margin: float) -> Mask:
    """Where colours (n, 3) are likelier hair than any of the rivals, by a margin in log density in hair's favour."""
    densities = [rival.log_density(lab) for rival in rivals if rival]
    most = np.max([*densities, np.full(len(lab), _UNSEEN)], axis=0)
    likelier: Mask = colours.log_density(lab) + margin > most
    return likelier


def face_coordinates(face: Face, rows: slice, columns: slice) -> tuple[Floats, Floats]:
    """The coordinates u and v of a window's pixels, upright with the face: from its middle, in widths and heights."""
    y, x = np.mgrid[rows, columns].astype(np.float32)
    cosine, sine = np.cos(-face.angle), np.sin(-face.angle)
    turn = np.array(((cosine, -sine), (sine, cosine)), np.float32)
    outline = face.outline @ turn.T
    low, high = outline.min(0), outline.max(0)
    (cx, cy), (width, height) = (low + high) / 2, np.maximum(high - low, 1)
    return (cosine * x - sine * y - cx) / width, (sine * x + cosine * y - cy) / height


@shared
def _smoothed_lab(photo: Photo) -> Floats:
    return cv2.cvtColor(cv2.GaussianBlur(photo.pixels, (0, 0), 1.5), cv2.COLOR_RGB2LAB).astype(np.float32)


def _window(face: Face, shape: tuple[int, int]) -> tuple[slice, slice]:
    x, y = face.centre
    reach = 2.2 * max(face.size)
    ends = [(max(0, int(middle - reach)), int(middle + reach) + 1) for middle in (y, x)]
    return slice(ends[0][0], min(shape[0], ends[0][1])), slice(ends[1][0], min(shape[1], ends[1][1]))


def _in_cap(u: Floats, v: Floats) -> Mask:
    """A rounded box over the head, down to where colour decides."""
    above = np.maximum(_BY_COLOUR_FROM - v, 0) / (_BY_COLOUR_FROM - _TOP)
    inside: Mask = ((np.abs(u) / _SIDE) ** _ROUNDNESS + above**_ROUNDNESS < 1) & (v < _BY_COLOUR_FROM)
    return inside


def _may_hang(u: Floats, v: Floats) -> Mask:
    """Beside and below the face, where long hair hangs, without the throat."""
    throat = (np.abs(u) < _THROAT_WIDTH) & (v > _THROAT_TOP)
    hanging: Mask = (np.abs(u) < _WIDE) & (v >= _BY_COLOUR_FROM) & (v < _REACH) & ~throat
    return hanging


def _in_cheeks(u: Floats, v: Floats) -> Mask:
    """The middle of the face, which hair seldom covers."""
    cheeks: Mask = (np.abs(u) < _CHEEK_WIDTH) & (v > _CHEEK_TOP) & (v < _CHEEK_BOTTOM)
    return cheeks


def _below_chin(inside: Mask, u: Floats, v: Floats) -> Mask:
    return inside & (v > 1.0) & (v < 2.2) & (np.abs(u) < 1.6)


def _touching(mask: Mask, seed: Mask) -> Mask:
    """The connected parts of a mask that hold a pixel of the seed."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8))
    wanted = np.unique(labels[seed & mask])
    return np.isin(labels, wanted[wanted > 0])
