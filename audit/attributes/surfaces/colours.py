"""Colours by the words that people use for them, and what share of a region's pixels has each.

A pixel's word is read off a table: its lightness L (0..1), chroma C (0 is grey, 0.3 is vivid) and hue h (degrees) in
Oklab (Ottosson, "A perceptual color space for image processing", 2020), where equal hues look equal, blue among them.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from audit.detectors.photo import Pixels

Floats = NDArray[np.float32]

NEUTRAL = ("black", "grey", "white")
COLOURS = (*NEUTRAL, "beige", "brown", "pink", "red", "orange", "yellow", "green", "turquoise", "blue", "purple")
"""Every word, in the order of their numbers."""

# Neutral pixels are black below, and white from here on.
BLACK, WHITE = 0.36, 0.76
# Less chroma is no colour, of what is dark, in between and light.
LEAST_CHROMA = (0.04, 0.03, 0.04)
# Hues below each limit, in degrees, have the word; past the last one red begins anew.
HUES = (
    (5.0, "pink"),
    (38.0, "red"),
    (75.0, "orange"),
    (112.0, "yellow"),
    (175.0, "green"),
    (215.0, "turquoise"),
    (290.0, "blue"),
    (325.0, "purple"),
    (360.0, "pink"),
)
# What is between red and yellow is brown where it is dull, and beige where it is pale and dull. Orange is brown where
# it is dark as well, and red is pink where it is pale.
EARTHY = (20.0, 95.0)
DULL, BROWN = 0.10, 0.62
BEIGE, PALE = 0.70, 0.09
PALE_RED, VIVID_RED = 0.70, 0.13
_BITS = 5
_FEWEST_SHARE = 0.05

_TO_LMS = np.array(
    (
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    )
)
_TO_LAB = np.array(
    (
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    )
)


def oklab(rgb: NDArray[np.floating]) -> NDArray[np.float64]:
    """L in 0..1, a and b of sRGB colours (..., 3) in 0..255.

    >>> oklab(np.array([255.0, 255, 255])).round(3).tolist()
    [1.0, 0.0, 0.0]
    """
    share = np.asarray(rgb, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T, np.float64)


def colour_word(rgb: NDArray[np.floating]) -> str:
    """The plain name of a colour (3,), values 0..255.

    >>> colour_word(np.array([20.0, 60, 220])), colour_word(np.array([128.0, 128, 128]))
    ('blue', 'grey')
    """
    return COLOURS[int(_numbers(oklab(rgb)[None])[0])]


def colour_numbers(pixels: Pixels) -> NDArray[np.uint8]:
    """The place in COLOURS of each pixel's word, (...,), of uint8 RGB pixels (..., 3)."""
    return _numbers_table()[_cells(pixels)]


def lightness(pixels: Pixels) -> Floats:
    """How light each of uint8 RGB pixels (..., 3) looks, float32 (...,) in 0..1: L of Oklab."""
    return _lightness_table()[_cells(pixels)]


def shares_of(numbers: NDArray[np.uint8]) -> dict[str, float]:
    """The share of some pixels' words (n,) that each of COLOURS has; they add up to 1, or are 0 without pixels."""
    counts = np.bincount(numbers, minlength=len(COLOURS)) / max(len(numbers), 1)
    return dict(zip(COLOURS, counts.tolist(), strict=True))


def _cells(pixels: Pixels) -> NDArray[np.int32]:
    """Of which of the 32768 colours of the tables each pixel is."""
    red, green, blue = np.moveaxis((pixels >> (8 - _BITS)).astype(np.int32), -1, 0)
    return np.asarray((red << 2 * _BITS) | (green << _BITS) | blue, np.int32)


def _table_colours() -> NDArray[np.float64]:
    """Oklab of red, green and blue in 32 steps each: (32768, 3)."""
    steps = (np.arange(2**_BITS) + 0.5) * 2 ** (8 - _BITS)
    return oklab(np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3))


@cache
def _numbers_table() -> NDArray[np.uint8]:
    return _numbers(_table_colours())


@cache
def _lightness_table() -> Floats:
    return _table_colours()[:, 0].astype(np.float32)


def _numbers(lab: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The places in COLOURS of colours in Oklab (n, 3)."""
    light, chroma = lab[:, 0], np.hypot(lab[:, 1], lab[:, 2])
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    limits, words = zip(*HUES, strict=True)
    numbers = np.array([COLOURS.index(word) for word in words])[np.searchsorted(limits, hue, side="right")]
    is_red, is_orange = (numbers == COLOURS.index(word) for word in ("red", "orange"))
    earthy = (hue >= EARTHY[0]) & (hue < EARTHY[1])
    rules = (
        ("pink", is_red & (light >= PALE_RED) & (chroma < VIVID_RED)),
        ("brown", earthy & (chroma < DULL) | is_orange & (light < BROWN)),
        ("beige", earthy & (chroma < PALE) & (light >= BEIGE)),
    )
    for word, applies in rules:
        numbers[applies] = COLOURS.index(word)
    level = np.digitize(light, (BLACK, WHITE))
    return np.where(chroma < np.array(LEAST_CHROMA)[level], level, numbers).astype(np.uint8)
