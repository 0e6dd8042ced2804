"""Hair of the largest face: long or short, a fringe, none at all."""

from collections.abc import Mapping

import numpy as np

from audit.attributes.attribute import UNKNOWN, Attribute
from audit.attributes.people.head_cells import hanging_cells
from audit.attributes.people.head_crop import HeadCrop, coordinates, head_crop
from audit.attributes.people.head_top import top_probabilities
from audit.attributes.people.linear import read_models
from audit.detectors.parts.face import FACE_MODELS
from audit.detectors.photo import Photo
from audit.store.model_files import FOREGROUND, ModelFile

_LEAST_SEEN = 0.5


class HairReader:
    """How the hair is cut, each as a probability."""

    name = "hair"
    version = 1
    attributes: tuple[Attribute, ...] = (
        Attribute(
            "long_hair",
            "long hair",
            "short or tied hair",
            "hair",
            0.5,
            "hair hangs beside the neck or lower",
            "hair length",
        ),
        Attribute(
            "fringe",
            "a fringe over the forehead",
            "a bare forehead",
            "hair",
            0.5,
            "hair covers a part of the forehead above the eyes",
            "fringe",
        ),
        Attribute(
            "bald",
            "a bald head",
            "hair on the head",
            "hair",
            0.5,
            "there is bare skin where hair grows on others",
            "bald head",
        ),
    )
    models: tuple[ModelFile, ...] = (*FACE_MODELS, FOREGROUND)
    keepable = True

    def measure(self, photo: Photo) -> Mapping[str, float]:
        """Unknown without a face, and where the picture ends before the place that would tell."""
        top = top_probabilities(photo) or {}
        return {"long_hair": _long_hair(photo), **{name: top.get(name, UNKNOWN) for name in ("fringe", "bald")}}


def _long_hair(photo: Photo) -> float:
    crop, cells = head_crop(photo), hanging_cells(photo)
    if crop is None or cells is None or _beside_neck(crop) < _LEAST_SEEN:
        return UNKNOWN
    return read_models("hair_length")["long_hair"].probability(cells)


def _beside_neck(crop: HeadCrop) -> float:
    """Share that the picture shows of the place just below the chin, where hair that is long at all must hang."""
    u, v = coordinates()
    place = (np.abs(u) > 0.3) & (np.abs(u) < 0.9) & (v > 0.45) & (v < 0.7)
    return float(crop.inside[place].mean())
