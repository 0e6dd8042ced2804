"""What the main object of a photograph without people is like: light or dark, and of which colour."""

from audit.attributes.attribute import Attribute
from audit.attributes.surfaces.surface import surface_of
from audit.detectors.parts.face import FACE_MODELS
from audit.detectors.parts.subject import object_mask, person_mask
from audit.detectors.photo import Photo
from audit.store.model_files import FOREGROUND, ModelFile

_SHOWN_FROM = 0.3


def _object(name: str, words: str, opposite: str, shown_from: float, check: str) -> Attribute:
    return Attribute(f"{name}_object", words, opposite, "main_object", shown_from, check, "object colour", "subject")


def _coloured(name: str, colour: str) -> Attribute:
    words, opposite = f"a {colour} main object", "a main object of another colour"
    return _object(name, words, opposite, _SHOWN_FROM, f"a third or more of the main object is {colour}")


# Limits were set on every other photograph of a set of animals, by eye.
class MainObjectReader:
    """The colours of the main object, near its middle, since it is marked generously."""

    name = "main_object"
    attributes: tuple[Attribute, ...] = (
        _object("dark", "a dark main object", "a lighter main object", 0.33,
                "a third or more of the main object is black or dark"),
        _coloured("brown", "brown, beige or orange"),
        _coloured("red", "red or pink"),
        _coloured("green", "green"),
        _coloured("blue", "blue or turquoise"),
    )  # fmt: skip
    models: tuple[ModelFile, ...] = (*FACE_MODELS, FOREGROUND)
    keepable = True
    version = 1

    def measure(self, photo: Photo) -> dict[str, float]:
        """Shares of the object's pixels, in 0..1; nothing where a person is seen."""
        whole = surface_of(photo, object_mask(photo)[0]) if person_mask(photo) is None else None
        if whole is None:
            return {}
        surface = whole.middle()
        return {
            "dark_object": surface.dark,
            "brown_object": surface.share("brown", "orange", "beige"),
            "red_object": surface.share("red", "pink"),
            "green_object": surface.share("green"),
            "blue_object": surface.share("blue", "turquoise"),
        }
