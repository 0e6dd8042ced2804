"""Marks drawn on photographs, each with the pixels that it lies on: planted truth for detectors and whole audits.

A mark is a value: its fields say how large or faint it is, and everything else (place, colour, words) is drawn from the
generator that it is called with, so that equal seeds plant equal marks.

>>> picture = np.full((100, 150, 3), 128, np.uint8)
>>> planted = Letterbox(0.1)(picture, np.random.default_rng(0))
>>> int(planted.mask[:, 0].sum()), bool((planted.pixels == picture)[~planted.mask].all())
(20, True)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Colour = tuple[int, int, int]

WORDS = ("PHOTOBANK", "stockhouse", "Picture Agency", "northlight.com", "IMAGE 20481", "archive 1974", "Ward 12 B")
_LIGHT, _DARK = ((255, 255, 255), (255, 240, 80)), ((0, 0, 0), (30, 30, 90))
VIVID: tuple[Colour, ...] = (
    (230, 40, 40),
    (40, 70, 230),
    (30, 170, 70),
    (250, 200, 20),
    (200, 40, 180),
    (20, 190, 210),
)
_WARM = np.array([255, 170, 60], np.float32)
_LEAST_LETTER = 6


@dataclass(frozen=True)
class Planted:
    """A photograph with a mark: ``pixels`` uint8 RGB (h, w, 3) and ``mask`` boolean (h, w), where the mark lies."""

    pixels: Pixels
    mask: Mask


class Mark(Protocol):
    """Draws itself on a copy of a photograph, uint8 RGB (h, w, 3). ``cue`` names what a detector should say of it."""

    @property
    def cue(self) -> str:
        """The cue's name."""

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The photograph with the mark on it."""


@dataclass(frozen=True)
class Tag:
    """Words in a corner. ``height`` of the letters in shares of the shorter side; ``opacity`` in (0, 1]."""

    height: float = 0.06
    opacity: float = 1.0
    cue: str = "text"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the rectangle around the words."""
        words = Words.fitted(str(rng.choice(WORDS)), self.height, pixels.shape)
        margin = max(1, round(0.02 * min(pixels.shape[:2])))
        room = (pixels.shape[1] - words.size[0] - 2 * margin, pixels.shape[0] - words.size[1] - 2 * margin)
        x, y = (margin + max(0, free) * int(rng.integers(2)) for free in room)
        return words.written(pixels, (x, y), contrasting(pixels, words.mask(pixels.shape, (x, y)), rng), self.opacity)


@dataclass(frozen=True)
class Caption:
    """Words on a bar of one colour along the lower edge. ``height`` of the bar in shares of the picture's."""

    height: float = 0.1
    cue: str = "text"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the rectangle around the words, without the rest of the bar."""
        lines = max(2, round(self.height * len(pixels)))
        dark_bar = bool(rng.integers(2))
        barred = pixels.copy()
        barred[-lines:] = (_DARK if dark_bar else _LIGHT)[0]
        words = Words.fitted(str(rng.choice(WORDS)), 0.6 * lines / min(pixels.shape[:2]), pixels.shape)
        x = int(rng.integers(max(1, pixels.shape[1] - words.size[0])))
        y = len(pixels) - lines + max(0, (lines - words.size[1]) // 2)
        return words.written(barred, (x, y), (_LIGHT if dark_bar else _DARK)[0], 1.0)


@dataclass(frozen=True)
class Watermark:
    """Faint words across the middle, as agencies print them. ``width`` in shares of the picture's."""

    width: float = 0.6
    opacity: float = 0.45
    cue: str = "text"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the rectangle around the words."""
        text = str(rng.choice(WORDS))
        aspect = Words.of(text, 100).size[0] / 100
        words = Words.fitted(text, self.width * pixels.shape[1] / aspect / min(pixels.shape[:2]), pixels.shape)
        free = np.subtract((pixels.shape[1], pixels.shape[0]), words.size)
        x, y = (max(0, round(half * (0.7 + 0.6 * rng.random()))) for half in free / 2)
        place = (min(x, max(0, int(free[0]))), min(y, max(0, int(free[1]))))
        return words.written(pixels, place, _LIGHT[0], self.opacity)


@dataclass(frozen=True)
class Sticker:
    """A flat disc or square of one of the ``colours`` anywhere. ``side`` in shares of the shorter side."""

    side: float = 0.15
    colours: tuple[Colour, ...] = VIVID
    cue: str = "patch"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the disc or square itself."""
        height, width = pixels.shape[:2]
        half = max(2.0, self.side * min(height, width) / 2)
        cy, cx = (half + rng.random() * (length - 2 * half) for length in (height, width))
        y, x = np.abs(np.arange(height) + 0.5 - cy)[:, None], np.abs(np.arange(width) + 0.5 - cx)
        mask = np.hypot(x, y) < half if rng.integers(2) else np.maximum(x, y) < half
        return painted(pixels, mask, self.colours[rng.integers(len(self.colours))])


@dataclass(frozen=True)
class Letterbox:
    """Black bars above and below. ``height`` of each in shares of the picture's."""

    height: float = 0.1
    cue: str = "border"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the two bars; nothing is left to chance."""
        lines = max(2, round(self.height * len(pixels)))
        mask = np.zeros(pixels.shape[:2], bool)
        mask[:lines] = mask[-lines:] = True
        return painted(pixels, mask, (0, 0, 0))


@dataclass(frozen=True)
class Bar:
    """A vivid bar along one edge. ``width`` in shares of the side that it takes away from."""

    width: float = 0.08
    cue: str = "border"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the bar."""
        mask = np.zeros(pixels.shape[:2], bool)
        turned = np.rot90(mask, int(rng.integers(4)))  # a view, so that the mask is filled
        turned[: max(2, round(self.width * len(turned)))] = True
        return painted(pixels, mask, VIVID[rng.integers(len(VIVID))])


@dataclass(frozen=True)
class Frame:
    """Bars of one colour along all four edges. ``width`` in shares of the shorter side."""

    width: float = 0.05
    colour: Colour = (255, 255, 255)
    cue: str = "border"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the frame; nothing is left to chance."""
        lines = max(2, round(self.width * min(pixels.shape[:2])))
        mask = np.ones(pixels.shape[:2], bool)
        mask[lines:-lines, lines:-lines] = False
        return painted(pixels, mask, self.colour)


@dataclass(frozen=True)
class Tint:
    """Light through a coloured glass, warm or cold. ``strength`` in (0, 1]: how much of it passes through the glass."""

    strength: float = 0.3
    cue: str = "background"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the whole picture."""
        glass = _WARM if rng.integers(2) else _WARM[::-1]
        filtered = pixels * (1 - self.strength + self.strength * glass / 255)
        return Planted(np.rint(filtered).astype(np.uint8), np.ones(pixels.shape[:2], bool))


@dataclass(frozen=True)
class SoftBackground:
    """Everything around an oval in the middle out of focus.

    ``radius`` of the oval in shares of each side; ``blur`` is the Gaussian's sigma in shares of the shorter side.
    """

    radius: float = 0.35
    blur: float = 0.04
    cue: str = "background"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is what is not quite sharp; nothing is left to chance."""
        rows, columns = ((np.arange(length) + 0.5) / length - 0.5 for length in pixels.shape[:2])
        share = np.clip((np.hypot(rows[:, None], columns) - self.radius) / 0.1, 0, 1)
        soft = cv2.GaussianBlur(pixels, (0, 0), max(0.5, self.blur * min(pixels.shape[:2])))
        mixed = pixels * (1 - share[..., None]) + soft * share[..., None]
        return Planted(np.rint(mixed).astype(np.uint8), share > 0)


@dataclass(frozen=True)
class Logo:
    """A pale emblem, a ring around a triangle, in one corner of every picture that has it.

    ``side`` in shares of the shorter side; ``opacity`` in (0, 1]; ``corner`` is (column, row), 0 for left and top.
    """

    side: float = 0.18
    opacity: float = 0.4
    corner: tuple[int, int] = (1, 1)
    cue: str = "patch"

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Planted:
        """The mask is the disc that the ring encloses; nothing is left to chance."""
        height, width = pixels.shape[:2]
        radius = max(3.0, self.side * min(height, width) / 2)
        margin = 1.3 * radius
        cx, cy = (width - margin if self.corner[0] else margin, height - margin if self.corner[1] else margin)
        y, x = (np.arange(height)[:, None] + 0.5 - cy) / radius, (np.arange(width) + 0.5 - cx) / radius
        distance = np.hypot(x, y)
        ring = (distance < 1) & (distance > 0.8)
        triangle = (y < 0.4) & (y > 2 * np.abs(x) - 0.6)
        mixed = pixels + (ring | triangle)[..., None] * (255.0 - pixels) * self.opacity
        return Planted(np.rint(mixed).astype(np.uint8), distance < 1)


# One of each kind of mark that a detector should see.
MARKS: dict[str, Mark] = {
    "corner tag": Tag(),
    "caption bar": Caption(),
    "centre watermark": Watermark(),
    "sticker": Sticker(),
    "black letterbox": Letterbox(),
    "colour bar": Bar(),
    "white frame": Frame(),
    "thin black frame": Frame(0.02, (0, 0, 0)),
}


@dataclass(frozen=True)
class Words:
    """Words in a font of some size: their outlined shape and, in pixels, the width and height of it."""

    text: str
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    box: tuple[int, int, int, int]

    @classmethod
    def of(cls, text: str, letter: int) -> "Words":
        """In letters of so many pixels."""
        font = ImageFont.load_default(letter)
        left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((0, 0), text, font)
        return cls(text, font, (int(left), int(top), int(np.ceil(right)), int(np.ceil(bottom))))

    @classmethod
    def fitted(cls, text: str, height: float, shape: Sequence[int]) -> "Words":
        """In letters of a share of the picture's shorter side, smaller where the words would not fit."""
        letter = max(_LEAST_LETTER, round(height * min(shape[:2])))
        width = cls.of(text, letter).size[0]
        return cls.of(text, max(_LEAST_LETTER, letter if width <= shape[1] else letter * shape[1] // width))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.box[2] - self.box[0], self.box[3] - self.box[1]

    def mask(self, shape: Sequence[int], place: tuple[int, int]) -> Mask:
        """The rectangle around the words with its upper left corner at a place (x, y)."""
        mask = np.zeros(shape[:2], bool)
        mask[place[1] : place[1] + self.size[1], place[0] : place[0] + self.size[0]] = True
        return mask

    def written(self, pixels: Pixels, place: tuple[int, int], colour: Colour, opacity: float) -> Planted:
        """The picture with the words at a place (x, y)."""
        ink = Image.new("L", (pixels.shape[1], pixels.shape[0]))
        at = (place[0] - self.box[0], place[1] - self.box[1])
        ImageDraw.Draw(ink).text(at, self.text, fill=255, font=self.font)
        share = np.asarray(ink, np.float32)[..., None] * (opacity / 255)
        mixed = pixels * (1 - share) + np.array(colour, np.float32) * share
        return Planted(np.rint(mixed).astype(np.uint8), self.mask(pixels.shape, place))


def contrasting(pixels: Pixels, mask: Mask, rng: np.random.Generator) -> Colour:
    """A light colour on dark ground, a dark one on light."""
    colours = _LIGHT if pixels[mask].mean() < 128 else _DARK
    return colours[rng.integers(len(colours))]


def painted(pixels: Pixels, mask: Mask, colour: Colour) -> Planted:
    """The picture with all of a mask in one colour."""
    marked = pixels.copy()
    marked[mask] = colour
    return Planted(marked, mask)
