"""What lies behind the subject: light or dark, plain or busy, soft or sharp, and of which colour."""

from audit.attributes.attribute import UNKNOWN, Attribute
from audit.attributes.surfaces.surface import plain_share, softness, surface_of
from audit.detectors.parts.face import FACE_MODELS
from audit.detectors.parts.subject import object_mask, person_mask
from audit.detectors.photo import Photo
from audit.store.model_files import FOREGROUND, ModelFile

_COLOUR, _DETAIL = "background colour", "background detail"


def _background(name: str, words: str, opposite: str, shown_from: float, check: str, topic: str) -> Attribute:
    return Attribute(f"{name}_background", words, opposite, "background", shown_from, check, topic, "scene")


# Limits were set on every other photograph of sets of people and of animals, by eye.
class BackgroundReader:
    """All that neither a person nor the main object covers."""

    name = "background"
    attributes: tuple[Attribute, ...] = (
        _background("light", "a light background", "a darker background", 0.78,
                    "what lies behind the subject is light", _COLOUR),
        _background("dark", "a dark background", "a lighter background", 0.35,
                    "a third or more of what lies behind the subject is black or dark", _COLOUR),
        _background("white", "a white background", "a background that is not white", 0.8,
                    "nearly all that lies behind the subject is white, as in a studio or in snow", _COLOUR),
        _background("green", "a green background", "a background without much green", 0.3,
                    "a third or more of what lies behind the subject is green, as plants are", _COLOUR),
        _background("blue", "a blue background", "a background without much blue", 0.35,
                    "a third or more of what lies behind the subject is blue, as sky and water are", _COLOUR),
        _background("plain", "a plain background", "a busy background", 0.88,
                    "nothing can be made out behind the subject", _DETAIL),
        _background("soft", "a blurred background", "a sharp background", 0.72,
                    "what lies behind the subject is out of focus", _DETAIL),
    )  # fmt: skip
    models: tuple[ModelFile, ...] = (*FACE_MODELS, FOREGROUND)
    keepable = True
    version = 1

    def measure(self, photo: Photo) -> dict[str, float]:
        """Shares of the background's pixels, but for its mean lightness, in 0..1; nothing where there is hardly any.

        Whether a plain background is out of focus cannot be told.
        """
        person = person_mask(photo)
        subject = object_mask(photo)[0] if person is None else person
        surface = surface_of(photo, ~subject)
        if surface is None:
            return {}
        plain = plain_share(photo, ~subject)
        is_plain = plain >= _PLAIN_FROM
        return {
            "light_background": float(surface.light.mean()),
            "dark_background": surface.dark,
            "white_background": surface.snowy,
            "green_background": surface.share("green"),
            "blue_background": surface.share("blue", "turquoise"),
            "plain_background": plain,
            "soft_background": UNKNOWN if is_plain else softness(photo, ~subject, subject),
        }


_PLAIN_FROM = {one.name: one.shown_from for one in BackgroundReader.attributes}["plain_background"]
