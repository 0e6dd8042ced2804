"""What the main object of a photograph without people is like: light or dark, and of which colour."""

from audit.attributes.attribute import Attribute
from audit.attributes.surface import surface_of
from audit.detectors.parts.face import FACE_MODELS
from audit.detectors.parts.subject import object_mask, person_mask
from audit.detectors.photo import Photo
from audit.store.model_files import FOREGROUND, ModelFile


def _object(name: str, colour: str, shown_from: float, check: str) -> Attribute:
    words, opposite = f"a {colour} main object", f"a main object that is not {colour}"
    return Attribute(f"{name}_object", words, opposite, "main_object", shown_from, check, "object colour", "subject")


# Limits were set on every other photograph of a set of animals, by eye.
class MainObjectReader:
    """The colours of the main object, which is marked generously: a little of what lies behind it is taken along."""

    name = "main_object"
    attributes: tuple[Attribute, ...] = (
        _object("light", "white or pale", 0.23, "a quarter or more of the main object is white or pale"),
        _object("dark", "black or dark", 0.38, "two fifths or more of the main object is black or dark"),
        _object("brown", "brown or orange", 0.28, "more than a quarter of the main object is brown, ginger or orange"),
        _object("red", "red or pink", 0.3, "a third or more of the main object is red or pink"),
        _object("green", "green", 0.3, "a third or more of the main object is green"),
        _object("blue", "blue or turquoise", 0.3, "a third or more of the main object is blue or turquoise"),
    )
    models: tuple[ModelFile, ...] = (*FACE_MODELS, FOREGROUND)
    keepable = True
    version = 1

    def measure(self, photo: Photo) -> dict[str, float]:
        """Shares of the object's pixels, in 0..1; nothing where a person is seen."""
        surface = surface_of(photo, object_mask(photo)[0]) if person_mask(photo) is None else None
        if surface is None:
            return {}
        return {
            "light_object": surface.share("white", "beige"),
            "dark_object": surface.dark,
            "brown_object": surface.share("brown", "orange"),
            "red_object": surface.share("red", "pink"),
            "green_object": surface.share("green"),
            "blue_object": surface.share("blue", "turquoise"),
        }
