"""Apparent gender and age: what two small networks take the person with the largest face for.

Read only where the settings ask for it. Networks by Cydral Technology for dlib-models; they were trained on dlib's face
chips, so a face is brought to the place that it has in those: King, "Dlib-ml: A Machine Learning Toolkit" (2009).
"""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.attributes.attribute import Attribute
from audit.attributes.people.aligned_face import largest_face
from audit.detectors.parts.face import FACE_MODELS
from audit.detectors.photo import Photo, Pixels
from audit.store.model_files import AGE, GENDER, ModelFile

Points = NDArray[np.float64]

GENDER_SIDE, AGE_SIDE = 32, 64
# Corners of both eyes and the base of the nose: the mesh's points, and where dlib's chips have them, as x, y in shares
# of a square that is enlarged on each side by PADDING.
LANDMARKS = (263, 362, 33, 133, 2)
TEMPLATE = np.array(((0.8596, 0.2135), (0.6461, 0.2290), (0.1206, 0.2137), (0.3341, 0.2291), (0.4901, 0.6278)))
PADDING = 0.2
_MEAN = np.array((122.782, 117.001, 104.298))
_LOW, _HIGH = -_MEAN / 256, (255 - _MEAN) / 256
# The network's 81 answers are ages in years; the first stands for babies.
_YEARS = np.array((0.25, *range(1, 81)))
# Least distance between the middles of the eyes in pixels, and least presence of the mesh: below them every fourth
# answer on every other photograph of doctors and nurses was wrong.
_LEAST_APART, _LEAST_PRESENCE = 12.0, 0.9
# Of the round numbers the one that best told young people from others on every other photograph of labelled faces.
_OLD = 40

LOOKS_FEMALE = Attribute(
    name="looks_female",
    words="a person who looks like a woman to a classifier",
    opposite="a person who looks like a man to a classifier",
    within="face",
    shown_from=0.5,
    check="most who look would take the person for a woman",
    topic="apparent gender",
    apparent=True,
)
LOOKS_OLD = Attribute(
    name="looks_old",
    words=f"a person who looks {_OLD} or older to a classifier",
    opposite=f"a person who looks younger than {_OLD} to a classifier",
    within="face",
    shown_from=_OLD,
    check=f"most who look would take the person for {_OLD} or older",
    topic="apparent age",
    apparent=True,
)


class ApparentReader:
    """Apparent gender as a probability in [0, 1] and apparent age in years, of the largest face."""

    name = "people"
    version = 1
    attributes: tuple[Attribute, ...] = (LOOKS_FEMALE, LOOKS_OLD)
    models: tuple[ModelFile, ...] = (GENDER, AGE, *FACE_MODELS)
    # What people look like to a classifier is stored nowhere outside the audit that asked.
    keepable = False

    def measure(self, photo: Photo) -> Mapping[str, float]:
        """Nothing where no face is large enough, or where the mesh hardly fits the largest."""
        points = landmarks(photo)
        if points is None:
            return {}
        return {LOOKS_FEMALE.name: _female(photo, points), LOOKS_OLD.name: _age(photo, points)}


def landmarks(photo: Photo) -> Points | None:
    """The corners of the eyes and the base of the nose of the largest face, (5, 2) as x, y in pixels.

    None where there is no face, the mesh hardly fits it, or the eyes are too close together to tell anything.
    """
    largest = largest_face(photo)
    if largest is None or largest.mesh is None or largest.presence < _LEAST_PRESENCE:
        return None
    points: Points = largest.mesh[list(LANDMARKS)].astype(np.float64)
    apart = points[:2].mean(0) - points[2:4].mean(0)
    return points if np.hypot(*apart) >= _LEAST_APART else None


def chip_transform(points: Points, side: int) -> Points:
    """The map (2, 3) from the photograph to a chip of ``side`` pixels: ``points`` (5, 2) come closest to the template.

    It turns, scales evenly and shifts, with the least sum of squared distances: as complex numbers z, the chip is
    ``factor * z + shift``.
    """
    here, there = (placed @ (1, 1j) for placed in (points, (TEMPLATE + PADDING) / (1 + 2 * PADDING) * side))
    centred = here - here.mean()
    factor = np.vdot(centred, there) / np.vdot(centred, centred)
    shift = there.mean() - factor * here.mean()
    return np.array(((factor.real, -factor.imag, shift.real), (factor.imag, factor.real, shift.imag)))


def face_chip(pixels: Pixels, points: Points, side: int) -> Pixels:
    """The upright face, RGB (side, side, 3); black where it reaches out of the picture.

    A large face is cut out at a multiple of the size and then averaged, so that no pixel of it is skipped.
    """
    to_chip = chip_transform(points, side)
    times = max(1, int(np.ceil(1 / np.hypot(*to_chip[:, 0]))))
    to_chip *= times
    to_chip[:, 2] += (times - 1) / 2
    large = cv2.warpAffine(pixels, to_chip, (side * times, side * times), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _female(photo: Photo, points: Points) -> float:
    """Mean probability over the face and its mirror image."""
    chip = face_chip(photo.pixels, points, GENDER_SIDE)
    answers = (_answer(photo, GENDER, face) for face in (chip, np.ascontiguousarray(chip[:, ::-1])))
    return float(np.mean([answer[0] for answer in answers]))


def _age(photo: Photo, points: Points) -> float:
    """Expected age in years."""
    return float(_answer(photo, AGE, face_chip(photo.pixels, points, AGE_SIDE)) @ _YEARS)


def _answer(photo: Photo, model: ModelFile, chip: Pixels) -> NDArray[np.float32]:
    """The network's probabilities for a chip, (classes,)."""
    (output,) = photo.networks.run(model, chip, _LOW, _HIGH).values()
    return output.reshape(-1)
