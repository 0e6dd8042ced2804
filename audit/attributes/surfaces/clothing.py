"""What people wear: the colour of it, and whether it is patterned."""

from audit.attributes.attribute import Attribute
from audit.attributes.surfaces.surface import pattern_share, surface_of
from audit.detectors.parts.clothing import clothing_mask
from audit.detectors.parts.face import FACE_MODELS
from audit.detectors.photo import Photo
from audit.store.model_files import FOREGROUND, ModelFile

_COLOUR = "clothing colour"


def _coloured(name: str, words: str, shown_from: float, check: str) -> Attribute:
    opposite = f"no {words}"
    return Attribute(f"{name}_clothing", words, opposite, "clothing", shown_from, check, _COLOUR)


# Limits were set on every other photograph of two sets of people, by eye.
class ClothingReader:
    """The colours of all that the people of a photograph wear and hold, and how patterned it is."""

    name = "clothing"
    attributes: tuple[Attribute, ...] = (
        _coloured("white", "white clothing", 0.27, "a quarter or more of what people wear is white"),
        _coloured("dark", "black or dark clothing", 0.5, "half or more of what people wear is black or dark"),
        _coloured("blue", "blue or turquoise clothing", 0.35, "a third or more of what people wear is blue"),
        _coloured("green", "green clothing", 0.15, "a seventh or more of what people wear is green"),
        _coloured("red", "red clothing", 0.25, "a quarter or more of what people wear is red"),
        Attribute(
            "patterned_clothing", "patterned clothing", "plain clothing", "clothing", 0.35,
            "much of what people wear is striped, checked, printed or of many pieces", "clothing pattern",
        ),
    )  # fmt: skip
    models: tuple[ModelFile, ...] = (*FACE_MODELS, FOREGROUND)
    keepable = True
    version = 1

    def measure(self, photo: Photo) -> dict[str, float]:
        """Shares of the clothing's pixels, in 0..1; nothing where nobody, or hardly anything that is worn, is seen."""
        clothing = clothing_mask(photo)
        surface = None if clothing is None else surface_of(photo, clothing)
        if clothing is None or surface is None:
            return {}
        return {
            "white_clothing": surface.share("white"),
            "dark_clothing": surface.dark,
            "blue_clothing": surface.share("blue", "turquoise"),
            "green_clothing": surface.share("green"),
            "red_clothing": surface.share("red"),
            "patterned_clothing": pattern_share(photo, clothing),
        }
