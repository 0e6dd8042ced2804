"""Colour of the hair of the largest face."""

from collections.abc import Mapping

import numpy as np

from audit.attributes.attribute import UNKNOWN, Attribute
from audit.attributes.people.head_crop import HeadCrop, head_crop
from audit.attributes.people.head_top import top_probabilities
from audit.detectors.parts.face import FACE_MODELS
from audit.detectors.photo import Photo
from audit.store.model_files import FOREGROUND, ModelFile

# From which probability on something covers the hair, or there is none; how vivid a colour photograph is at least.
_COVERED, _NONE_THERE, _LEAST_CHROMA = 0.7, 0.7, 3.0


def _colour(word: str, shown_from: float, check: str) -> Attribute:
    name, words = f"{word.split()[0]}_hair", f"{word} hair"
    return Attribute(name, words, f"hair that is not {word}", "hair", shown_from, check, "hair colour")


class HairColourReader:
    """Which of five colours the hair has, each as a probability of its own: dyed or in between, it may have none."""

    name = "hair_colour"
    version = 1
    attributes: tuple[Attribute, ...] = (
        _colour("black", 0.6, "the hair is black or nearly so"),
        _colour("brown", 0.5, "the hair is brown, neither black nor blond"),
        _colour("blond", 0.4, "the hair is blond"),
        _colour("red", 0.3, "the hair is red or ginger"),
        _colour("grey or white", 0.5, "the hair is grey or white"),
    )
    models: tuple[ModelFile, ...] = (*FACE_MODELS, FOREGROUND)
    keepable = True

    def measure(self, photo: Photo) -> Mapping[str, float]:
        """Unknown without a face, where the top of the head is cut off, under a hat, on a bald head, and in a
        photograph without colours."""
        crop, top = head_crop(photo), top_probabilities(photo)
        if crop is None or top is None or _is_colourless(crop):
            return {}
        if top["headwear"] > _COVERED or top["bald"] > _NONE_THERE:
            return dict.fromkeys((one.name for one in self.attributes), UNKNOWN)
        return {one.name: top[one.name] for one in self.attributes}


def _is_colourless(crop: HeadCrop) -> bool:
    """Whether the photograph is black and white, or toned in one hue hardly."""
    chroma = np.hypot(crop.lab[..., 1], crop.lab[..., 2])[crop.inside > 0.5]
    return float(chroma.mean()) < _LEAST_CHROMA
