"""How much skin is bare besides the face: arms, shoulders, legs."""

import numpy as np

from audit.attributes.attribute import Attribute
from audit.detectors.parts.face import FACE_MODELS, face_mask
from audit.detectors.parts.skin import skin_mask
from audit.detectors.photo import Photo
from audit.store.model_files import FOREGROUND, ModelFile

# The limit was set on every other photograph of two sets of people, by eye.
_SHOWN_FROM = 1.4


class BareSkinReader:
    """Bare skin outside the faces, in areas of the faces."""

    name = "bare_skin"
    attributes: tuple[Attribute, ...] = (
        Attribute(
            "bare_arms", "bare arms, shoulders or legs", "little bare skin besides the face", "skin", _SHOWN_FROM,
            "clearly more skin is bare outside the faces than in them", "bare skin",
        ),
    )  # fmt: skip
    models: tuple[ModelFile, ...] = (*FACE_MODELS, FOREGROUND)
    keepable = True
    version = 1

    def measure(self, photo: Photo) -> dict[str, float]:
        """The area of skin outside the faces over the area of the faces, from 0; nothing without a face."""
        skin, face = skin_mask(photo), face_mask(photo)
        area = int(np.count_nonzero(face))
        return {"bare_arms": np.count_nonzero(skin & ~face) / area} if skin is not None and area else {}
