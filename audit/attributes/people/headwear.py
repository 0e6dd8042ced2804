"""What the person with the largest face wears on the head."""

from collections.abc import Mapping

from audit.attributes.attribute import UNKNOWN, Attribute
from audit.attributes.people.head_top import top_probabilities
from audit.detectors.parts.face import FACE_MODELS
from audit.detectors.photo import Photo
from audit.store.model_files import FOREGROUND, ModelFile


class HeadwearReader:
    """Whether a hat, cap, scarf or helmet is on the head, as a probability."""

    name = "headwear"
    version = 1
    attributes: tuple[Attribute, ...] = (
        Attribute(
            "headwear",
            "a hat or other headwear",
            "a bare head",
            "hair",
            0.5,
            "a hat, cap, scarf or helmet is on the head",
            "headwear",
        ),
    )
    models: tuple[ModelFile, ...] = (*FACE_MODELS, FOREGROUND)
    keepable = True

    def measure(self, photo: Photo) -> Mapping[str, float]:
        """Unknown without a face and where the top of the head is cut off."""
        return {"headwear": (top_probabilities(photo) or {}).get("headwear", UNKNOWN)}
