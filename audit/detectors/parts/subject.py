"""The subject of a photograph, a person or something else, and what lies behind it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.detectors.cue import ABSENT, Cue, Mask, Sighting
from audit.detectors.parts.face import FACE_MODELS, Face, face_mask, find_faces
from audit.detectors.photo import Photo, Pixels, shared
from audit.store.model_files import FOREGROUND, ModelFile

Floats = NDArray[np.float32]

# The cue that all parts of people lie within: they are sought where it is seen, and it is seen where a face is found.
PERSON = "person"
_SIDE = 256
_HEADS, _HEAD_CROP = 3, 3.2
_CONTRAST_SIDE = 128
_OBJECT_SCORE = 0.45
_CENTRE_SPREAD = 0.5
_LEAST_BACKGROUND = 0.02


@shared
def foreground(photo: Photo) -> Floats:
    """Probability (h, w) that a pixel is in the foreground, by MediaPipe's selfie segmentation.

    The surroundings of the largest faces are looked at again from near, where hair is wider than a pixel or two.
    """
    probability = _segment(photo, photo.pixels)
    for face in find_faces(photo)[:_HEADS]:
        rows, columns = _around_head(face, photo.shape)
        probability[rows, columns] = _segment(photo, photo.pixels[rows, columns])
    return probability


@shared
def person_mask(photo: Photo) -> Mask | None:
    """The foreground of a photograph with a face; None without one, since the network marks animals and things too."""
    return (foreground(photo) > 0.5) | face_mask(photo) if find_faces(photo) else None


@shared
def object_mask(photo: Photo) -> tuple[Mask, float]:
    """The main object of a photograph without a person, and the mean likelihood inside it.

    The network was made for people and often marks only parts of an animal or nothing. Its mean with two plain
    likelihoods, contrast with the picture's edges and nearness to the middle, holds more of the object; the convex hull
    of the largest connected part fills what is left out inside.
    """
    likelihood = (foreground(photo) + edge_contrast(photo.pixels) + _centre_prior(photo.shape)) / 3
    mask = _largest_hull(likelihood > _OBJECT_SCORE)
    if not mask.any():  # nothing stands out: take the middle
        mask = _centre_prior(photo.shape) > 0.75
    return mask, float(likelihood[mask].mean())


def edge_contrast(pixels: Pixels) -> Floats:
    """How unlike the picture's edges each pixel's colour is, (h, w) in [0, 1], heavier towards the middle.

    Each of the four edges is a Gaussian in Lab; a pixel's distance is the mean Mahalanobis distance to its two nearest,
    since an object often reaches over one or two edges.
    """
    height, width = pixels.shape[:2]
    scale = _CONTRAST_SIDE / max(height, width)
    small = cv2.resize(
        pixels, (max(8, round(width * scale)), max(8, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    edge = max(2, round(0.06 * min(lab.shape[:2])))
    strips = (lab[:edge], lab[-edge:], lab[:, :edge], lab[:, -edge:])
    distances = np.sort([_mahalanobis(lab, strip.reshape(-1, 3)) for strip in strips], axis=0)[:2].mean(0)
    contrast = cv2.GaussianBlur(distances, (0, 0), 3) * _centre_prior(lab.shape[:2], 0.35)
    contrast /= max(float(contrast.max()), 1e-6)
    resized: Floats = cv2.resize(contrast.astype(np.float32), (width, height))
    return resized


class SubjectDetector:
    """Person or main object, never both and never neither, and the background."""

    name = "subject"
    version = 2
    cues: tuple[Cue, ...] = (
        Cue(PERSON, "the person", "subject"),
        Cue("main_object", "the main object", "subject"),
        Cue("background", "the background", "scene"),
    )
    models: tuple[ModelFile, ...] = (*FACE_MODELS, FOREGROUND)
    keepable = True

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """The background is all that neither the person nor the main object covers."""
        person = person_mask(photo)
        if person is not None:
            score = max(face.score for face in find_faces(photo))
            subject = {PERSON: Sighting(True, score, person), "main_object": ABSENT}
            return {**subject, "background": Sighting.of_mask(~person, 1.0, _LEAST_BACKGROUND)}
        thing, score = object_mask(photo)
        subject = {PERSON: ABSENT, "main_object": Sighting(True, score, thing)}
        return {**subject, "background": Sighting.of_mask(~thing, 1.0, _LEAST_BACKGROUND)}


def _segment(photo: Photo, pixels: Pixels) -> Floats:
    square = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    (output,) = photo.networks.run(FOREGROUND, square.astype(np.uint8, copy=False)).values()
    probability: Floats = cv2.resize(output[0, 0], (pixels.shape[1], pixels.shape[0]))
    return probability


def _around_head(face: Face, shape: tuple[int, int]) -> tuple[slice, slice]:
    side, (x, y) = max(face.size) * _HEAD_CROP, face.centre
    return _within(y - 0.45 * side, y + 0.55 * side, shape[0]), _within(x - side / 2, x + side / 2, shape[1])


def _within(low: float, high: float, length: int) -> slice:
    start = int(np.clip(low, 0, length - 1))
    return slice(start, int(np.clip(high, start + 1, length)))


def _mahalanobis(lab: Floats, sample: Floats) -> Floats:
    # 40: about the variance of sensor and JPEG noise, so that a perfectly flat edge does not make all else far away.
    precision = np.linalg.inv(np.cov(sample.T) + 40 * np.eye(3))
    offset = lab - sample.mean(0)
    distances: Floats = np.sqrt(((offset @ precision) * offset).sum(-1)).astype(np.float32)
    return distances


def _centre_prior(shape: tuple[int, ...], spread: float = _CENTRE_SPREAD) -> Floats:
    """Gaussian bump (h, w), 1 in the middle; ``spread`` is its standard deviation in sides of the picture."""
    y, x = (((np.arange(length) + 0.5) / length - 0.5) / spread for length in shape[:2])
    return np.exp(-(y[:, None] ** 2 + x[None] ** 2) / 2).astype(np.float32)


def _largest_hull(mask: Mask) -> Mask:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    filled = np.zeros(mask.shape, np.uint8)
    if contours:
        cv2.fillPoly(filled, [cv2.convexHull(max(contours, key=cv2.contourArea))], 1)
    return filled.astype(bool)
