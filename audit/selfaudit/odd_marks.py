"""Marks in forms that no detector was made for: cut by the edge, patterned, at an angle, all over, pasted.

Like those of ``marks``, each says which pixels it lies on, and equal seeds plant equal marks.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from audit.selfaudit.marks import VIVID, WORDS, Colour, Mask, Pixels, Planted, Words, contrasting, painted

PALE: tuple[Colour, ...] = ((238, 232, 214), (214, 226, 236), (226, 238, 220), (240, 222, 228))
_SOFT_EDGE = 0.25


@dataclass(frozen=True)
class EdgeSticker:
    """A flat disc of a vivid colour that the picture's edge cuts. ``side`` in shares of the shorter side."""

    side: float = 0.45
    cue: str = "patch"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the part of the disc that lies in the picture: between a half and nine tenths of its width."""
        height, width = pixels.shape[:2]
        radius = max(2.0, self.side * min(height, width) / 2)
        across, along = float(rng.uniform(0, 0.8)) * radius, float(rng.uniform(0.2, 0.8))
        edge = int(rng.integers(4))
        cy, cx = ((across, along * width), (along * height, across))[edge % 2]
        if edge >= 2:
            cy, cx = height - cy, width - cx
        return painted(pixels, _disc(pixels, cy, cx, radius), VIVID[rng.integers(len(VIVID))])


@dataclass(frozen=True)
class PatternedSticker:
    """A disc with stripes or dots of two vivid colours. ``side`` in shares of the shorter side."""

    side: float = 0.25
    cue: str = "patch"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the whole disc."""
        height, width = pixels.shape[:2]
        radius = max(2.0, self.side * min(height, width) / 2)
        cy, cx = (radius + rng.random() * (length - 2 * radius) for length in (height, width))
        mask = _disc(pixels, cy, cx, radius)
        ground, ink = (VIVID[place] for place in rng.permutation(len(VIVID))[:2])
        step, y, x = max(2.0, radius / 2), np.arange(height)[:, None] - cy, np.arange(width) - cx
        dots = np.hypot(y % step - step / 2, x % step - step / 2) < step / 3
        stripes = (y + x) % step < step / 2
        marked = painted(pixels, mask, ground)
        return Planted(painted(marked.pixels, mask & (dots if rng.integers(2) else stripes), ink).pixels, mask)


@dataclass(frozen=True)
class AngledWords:
    """Words at an angle anywhere in the picture. ``height`` of the letters in shares of the shorter side."""

    height: float = 0.07
    cue: str = "text"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the turned rectangle around the words, turned by 20 to 70 degrees either way."""
        height, width = pixels.shape[:2]
        words = Words.fitted(str(rng.choice(WORDS)), self.height, (min(height, width),) * 2)
        angle = float(rng.uniform(20, 70)) * (1 if rng.integers(2) else -1)
        sheets = [Image.new("L", words.size) for _ in range(2)]
        ImageDraw.Draw(sheets[0]).text((-words.box[0], -words.box[1]), words.text, fill=255, font=words.font)
        sheets[1].paste(255, (0, 0, *words.size))
        ink, box = (np.asarray(sheet.rotate(angle, Image.Resampling.BILINEAR, expand=True)) for sheet in sheets)
        top, left = (
            int(rng.random() * max(0, length - size)) for length, size in zip((height, width), box.shape, strict=True)
        )
        mask = _laid(box, (height, width), top, left) > 0
        share = _laid(ink, (height, width), top, left)[..., None] / 255 * mask[..., None]
        mixed = pixels * (1 - share) + np.array(contrasting(pixels, mask, rng), np.float32) * share
        return Planted(np.rint(mixed).astype(np.uint8), mask)


@dataclass(frozen=True)
class Vignette:
    """Corners that get darker towards their ends. ``strength`` in (0, 1]: how much light is lost at the very ends."""

    strength: float = 0.8
    cue: str = "vignette"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is where light is lost; nothing is left to chance."""
        lost = np.clip((_from_middle(pixels) - 0.6) / (np.sqrt(2) - 0.6), 0, 1) * self.strength
        return Planted(np.rint(pixels * (1 - lost[..., None])).astype(np.uint8), lost > 0)


@dataclass(frozen=True)
class RoundFrame:
    """Black outside an oval, as through a round lens. ``radius`` of the oval in halves of each side."""

    radius: float = 1.05
    cue: str = "vignette"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is what is black; nothing is left to chance."""
        return painted(pixels, _from_middle(pixels) > self.radius, (0, 0, 0))


@dataclass(frozen=True)
class ColourCast:
    """Green or magenta added to all pixels. ``strength`` in steps of 255."""

    strength: float = 25.0
    cue: str = "background"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the whole picture."""
        sign = 1 if rng.integers(2) else -1
        shifted = pixels + sign * self.strength * np.array([-0.5, 1.0, -0.5], np.float32)
        return Planted(np.rint(np.clip(shifted, 0, 255)).astype(np.uint8), np.ones(pixels.shape[:2], bool))


@dataclass(frozen=True, eq=False)
class PastedObject:
    """An oval cut out of ``donor``, another photograph (uint8 RGB), with a soft edge, anywhere in the picture.

    ``side`` in shares of the shorter side, of the donor's and of the picture's. No detector is made for it, so that no
    cue is it by name.
    """

    donor: Pixels
    side: float = 0.35
    cue: str = ""

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the oval with its edge."""
        (top, left), (y, x) = rng.random((2, 2))
        cut = max(2, round(self.side * min(self.donor.shape[:2])))
        rows, columns = (round(at * (length - cut)) for at, length in zip((top, left), self.donor.shape, strict=False))
        size = max(2, round(self.side * min(pixels.shape[:2])))
        piece = np.asarray(cv2.resize(self.donor[rows : rows + cut, columns : columns + cut], (size, size)), np.uint8)
        y0, x0 = (round(at * (length - size)) for at, length in zip((y, x), pixels.shape, strict=False))
        share = np.clip((1 - _from_middle(piece)) / _SOFT_EDGE, 0, 1)[..., None]
        mixed, mask = pixels.astype(np.float32), np.zeros(pixels.shape[:2], bool)
        area = (slice(y0, y0 + size), slice(x0, x0 + size))
        mixed[area] = mixed[area] * (1 - share) + piece * share
        mask[area] = share[..., 0] > 0
        return Planted(np.rint(mixed).astype(np.uint8), mask)


def _disc(pixels: Pixels, cy: float, cx: float, radius: float) -> Mask:
    y, x = np.arange(pixels.shape[0])[:, None] + 0.5 - cy, np.arange(pixels.shape[1]) + 0.5 - cx
    mask: Mask = np.hypot(y, x) < radius
    return mask


def _from_middle(pixels: Pixels) -> NDArray[np.float64]:
    """Distance of each pixel from the middle, (h, w): 1 in the middle of each side, the root of 2 at corners."""
    rows, columns = (2 * (np.arange(length) + 0.5) / length - 1 for length in pixels.shape[:2])
    distance: NDArray[np.float64] = np.hypot(rows[:, None], columns)
    return distance


def _laid(sheet: NDArray[np.uint8], shape: tuple[int, int], top: int, left: int) -> NDArray[np.float32]:
    """A sheet (h, w) with its upper left corner at a place of an empty one; what does not fit is cut off."""
    laid = np.zeros(shape, np.float32)
    rows, columns = min(sheet.shape[0], shape[0] - top), min(sheet.shape[1], shape[1] - left)
    laid[top : top + rows, left : left + columns] = sheet[:rows, :columns]
    return laid
