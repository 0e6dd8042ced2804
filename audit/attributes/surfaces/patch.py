"""Which colours a patch or sticker has."""

import cv2
import numpy as np

from audit.attributes.attribute import Attribute
from audit.attributes.surfaces.colours import colour_numbers, shares_of
from audit.detectors.cue import Mask
from audit.detectors.marks.foreign_colour import pasted_mask
from audit.detectors.marks.patch import PATCH, patch_mask, patches_of
from audit.detectors.photo import Photo
from audit.store.model_files import ModelFile

_GROUPS = {
    "blue": ("blue", "turquoise"),
    "green": ("green",),
    "yellow": ("yellow",),
    "orange": ("orange", "brown"),
    "red": ("red", "pink"),
    "purple": ("purple",),
}
_SHOWN_FROM = 0.25


def _patch(name: str, words: tuple[str, ...]) -> Attribute:
    colour = " or ".join(words)
    article = "an" if colour[0] in "aeiou" else "a"
    check = f"a quarter or more of the patches is {colour}"
    return Attribute(
        f"{name}_patch", f"{article} {colour} patch or sticker", "a patch or sticker of another colour",
        PATCH, _SHOWN_FROM, check, "patch colour", "mark",
    )  # fmt: skip


class PatchReader:
    """The colours of all patches of a photograph together."""

    name = "patch"
    attributes: tuple[Attribute, ...] = tuple(_patch(name, words) for name, words in _GROUPS.items())
    models: tuple[ModelFile, ...] = ()
    keepable = True
    version = 1

    def measure(self, photo: Photo) -> dict[str, float]:
        """The share of the patches' pixels that has each colour, in 0..1; nothing where there is no patch.

        What looks pasted on counts as a patch here even if the whole dataset shows its colour, and it turns out to be
        none once all photographs have been seen.
        """
        mask = patch_mask(photo.shape, patches_of(photo)) | pasted_mask(photo.pixels)
        if not mask.any():
            return {}
        # As they are: where all but the patch is one skin or one wall, nothing tells how the light is tinted.
        shares = shares_of(colour_numbers(photo.pixels[_inside(mask)]))
        return {f"{name}_patch": sum(shares[word] for word in words) for name, words in _GROUPS.items()}


def _inside(mask: Mask) -> Mask:
    """A mask without its rim, where colours are mixed with those around it; all of it if no more is left."""
    core = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return core if core.any() else mask
