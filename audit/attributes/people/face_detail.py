"""Sharp and blurred faces: fine detail against coarser detail."""

from collections.abc import Mapping

import cv2
import numpy as np

from audit.attributes.attribute import UNKNOWN, Attribute
from audit.attributes.people.aligned_face import Floats, aligned_face, clear_mesh, eyes_apart
from audit.detectors.parts.face import FACE_MODELS
from audit.detectors.photo import Photo, Pixels
from audit.store.model_files import ModelFile

# Rows and columns of the crop that hold the face and little else.
_FACE = (slice(8, 72), slice(8, 56))
# Smaller faces look blurred when they are enlarged.
_LEAST_APART = 16.0
_NOISE = 0.1


class FaceDetailReader:
    """Whether the largest face is blurred."""

    name = "face_detail"
    version = 1
    attributes: tuple[Attribute, ...] = (
        Attribute(
            name="soft_face",
            words="a blurred face",
            opposite="a sharp face",
            within="face",
            shown_from=1.0,
            check="lashes, brows and the rims of the eyes of the largest face run into one another",
            topic="sharpness of the face",
        ),
    )
    models: tuple[ModelFile, ...] = FACE_MODELS
    keepable = True

    def measure(self, photo: Photo) -> Mapping[str, float]:
        """How soft the largest face is; unknown where it is not clear or its eyes are less than 16 pixels apart."""
        mesh, crop = clear_mesh(photo), aligned_face(photo)
        known = mesh is not None and crop is not None and eyes_apart(mesh) >= _LEAST_APART
        return {"soft_face": softness(crop) if known and crop is not None else UNKNOWN}


def softness(crop: Pixels) -> float:
    """By how many powers of two detail of about 8 pixels is stronger than that of 2, in an aligned crop of a face."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine, coarse = grey - _blur(grey, 1.0), _blur(grey, 1.5) - _blur(grey, 3.0)
    return float(np.log2((coarse[_FACE].std() + _NOISE) / (fine[_FACE].std() + _NOISE)))


def _blur(grey: Floats, sigma: float) -> Floats:
    return cv2.GaussianBlur(grey, (0, 0), sigma).astype(np.float32, copy=False)
