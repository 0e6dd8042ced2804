"""Bare skin: what belongs to a person and has the colour of that person's face.

A fixed range of colours takes wood and beige walls for skin and misses dark skin; a face shows what skin looks like in
this light, on this photograph.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.detectors.cue import ABSENT, Cue, Mask, Sighting
from audit.detectors.parts.eyes import eyes_mask, glasses_mask
from audit.detectors.parts.face import FACE_MODELS, face_mask, find_faces
from audit.detectors.parts.hair import hair_mask
from audit.detectors.parts.subject import person_mask
from audit.detectors.photo import Photo, Pixels, shared
from audit.store.model_files import FOREGROUND, ModelFile

Floats = NDArray[np.float32]

# Chosen on every other photograph of passers-by with marked skin.
_SIDE = 320
_REACH = 3.0
_KEPT = 0.7
# Variances of Lab that no face shows, and how much more skin elsewhere varies: limbs are lit otherwise than the face.
_NOISE, _STRETCH = np.diag((40.0, 4.0, 4.0)), np.diag((2.5, 1.0, 1.0))
_SMALLEST, _LARGEST = 0.05, 10.0
_MOST_FACES, _FEWEST_PIXELS = 3, 12
_LEAST_AREA = 0.002


class SkinDetector:
    """Bare skin: face, neck, arms, hands and legs."""

    name = "skin"
    version = 2
    cues: tuple[Cue, ...] = (Cue("skin", "bare skin", "part", within="person"),)
    models: tuple[ModelFile, ...] = (*FACE_MODELS, FOREGROUND)
    keepable = True

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """Present where a face is accepted and skin covers at least a five-hundredth of the picture."""
        score = max((face.score for face in find_faces(photo)), default=0.0)
        skin = skin_mask(photo)
        return {"skin": ABSENT if skin is None else Sighting.of_mask(skin, score, _LEAST_AREA)}


@shared
def skin_mask(photo: Photo) -> Mask | None:
    """The bare skin of everyone whose face was accepted, their faces included; None where there is no face."""
    person = person_mask(photo)
    if person is None:
        return None
    lab, face = _lab(photo.pixels), face_mask(photo)
    possible = _shrink(person & ~hair_mask(photo), lab)
    alike = np.zeros_like(possible)
    for sample in _samples(photo, lab):
        alike[possible] |= distances(lab[possible], sample) < _REACH
    parts = _plausible(alike, int(_shrink(face, lab).sum()))
    skin: Mask = cv2.resize(parts, photo.shape[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
    return (skin | face) & ~glasses_mask(photo)


def distances(lab: Floats, sample: Floats) -> Floats:
    """Mahalanobis distances of Lab colours (n, 3) from a sample of skin (m, 3), lips and shine left out of the sample.

    The share of the sample that is nearest to its middle is kept, twice, and distances are taken from that.
    """
    kept, middle = sample, np.median(sample, 0)
    for _ in range(2):
        spread = _mahalanobis(sample, middle, np.cov(kept.T) + _NOISE)
        kept = sample[spread <= np.quantile(spread, _KEPT)]
        middle = kept.mean(0)
    return _mahalanobis(lab, middle, _STRETCH @ (np.cov(kept.T) + _NOISE) @ _STRETCH)


def _samples(photo: Photo, lab: Floats) -> Iterator[Floats]:
    """Colours (n, 3) of each of the largest faces, without the eyes and what is worn before them."""
    eyes, scale = _shrink(eyes_mask(photo), lab, 0.0), lab.shape[1] / photo.shape[1]
    for face in find_faces(photo)[:_MOST_FACES]:
        inside = np.zeros(lab.shape[:2], np.uint8)
        cv2.fillPoly(inside, [np.round(face.outline * scale).astype(np.int32)], 1)
        bare = lab[inside.astype(bool) & ~eyes]
        if len(bare) >= _FEWEST_PIXELS:
            yield bare


def _plausible(alike: Mask, face: int) -> NDArray[np.uint8]:
    """The connected parts of a mask that a limb could be, given the faces' area: neither specks nor beige coats."""
    opened = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    areas = stats[:, cv2.CC_STAT_AREA]
    wanted = (areas > _SMALLEST * face) & (areas < _LARGEST * face)
    wanted[0] = False
    plausible: NDArray[np.uint8] = wanted.astype(np.uint8)[labels]
    return plausible


def _lab(pixels: Pixels) -> Floats:
    scale = min(1.0, _SIDE / max(pixels.shape))
    size = [max(1, round(length * scale)) for length in pixels.shape[1::-1]]
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)


def _shrink(mask: Mask, lab: Floats, least: float = 0.5) -> Mask:
    """A mask of the photograph at the size of ``lab``: pixels that it covers by more than ``least``."""
    share = cv2.resize(mask.astype(np.float32), lab.shape[1::-1], interpolation=cv2.INTER_AREA)
    covered: Mask = share > least
    return covered


def _mahalanobis(lab: Floats, middle: Floats, covariance: NDArray[np.float64]) -> Floats:
    offset = lab - middle
    distance: Floats = np.sqrt(((offset @ np.linalg.inv(covariance).astype(np.float32)) * offset).sum(-1))
    return distance
