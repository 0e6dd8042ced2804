"""Lighter and darker skin: the individual typology angle of the face's colour.

Chardon et al., "Skin colour typology and suntanning pathways", International Journal of Cosmetic Science 13 (1991).
"""

from collections.abc import Mapping

import cv2
import numpy as np

from audit.attributes.attribute import UNKNOWN, Attribute
from audit.attributes.people.aligned_face import Floats, largest_face
from audit.detectors.cue import Mask
from audit.detectors.parts.face import FACE_MODELS, Face
from audit.detectors.photo import Photo
from audit.store.model_files import ModelFile

# Shadows and hair below, shine above: quantiles of brightness between which skin is taken.
_DARK, _BRIGHT = 0.3, 0.9
_FEWEST_PIXELS = 100


class SkinToneReader:
    """How dark the skin of the largest face looks."""

    name = "skin_tone"
    version = 1
    attributes: tuple[Attribute, ...] = (
        Attribute(
            name="dark_skin",
            words="skin that looks darker",
            opposite="skin that looks lighter",
            within="face",
            shown_from=-10.0,
            check="the skin of the largest face looks brown or black, be it by itself or by dim light",
            topic="skin tone",
        ),
    )
    models: tuple[ModelFile, ...] = FACE_MODELS
    keepable = True

    def measure(self, photo: Photo) -> Mapping[str, float]:
        """The individual typology angle in degrees, its sign turned: high for dark skin; unknown without a face."""
        face = largest_face(photo)
        if face is None:
            return {}
        skin = photo.pixels[bare_face(face, photo.shape)]
        return {"dark_skin": UNKNOWN if len(skin) < _FEWEST_PIXELS else -typology_angle(skin)}


def bare_face(face: Face, shape: tuple[int, int]) -> Mask:
    """Inside of a face's outline without the eyes and what is worn before them, boolean (h, w)."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(face.outline).astype(np.int32)], 1)
    if face.eyes is not None:
        cv2.fillPoly(mask, [np.round(face.eyes).astype(np.int32)], 0)
    return mask.astype(bool)


def typology_angle(skin: np.ndarray) -> float:
    """The angle in degrees of lightness above 50 against yellowness, of the middle colour of RGB uint8 pixels (n, 3).

    Above 28 skin is called light, below 10 brown.

    >>> round(typology_angle(np.full((9, 3), (230, 190, 160), np.uint8)))
    55
    """
    lab: Floats = cv2.cvtColor(skin[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    low, high = np.quantile(lab[:, 0], (_DARK, _BRIGHT))
    lightness, _, yellow = np.median(lab[(lab[:, 0] >= low) & (lab[:, 0] <= high)], 0)
    return float(np.degrees(np.arctan2(lightness - 50, max(float(yellow), 1.0))))
