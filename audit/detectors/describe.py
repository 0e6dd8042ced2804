"""Plain words for where something lies, how large it is and which colour it has."""

import numpy as np
from numpy.typing import NDArray


def place_words(x: float, y: float) -> str:
    """Where a point of the picture lies, in words.

    >>> place_words(0.1, 0.9), place_words(0.5, 0.5)
    ('bottom left', 'centre')
    """
    column = "left" if x < 1 / 3 else "right" if x > 2 / 3 else ""
    row = "top" if y < 1 / 3 else "bottom" if y > 2 / 3 else ""
    return " ".join(filter(None, (row, column))) or "centre"


def size_words(area: float) -> str:
    """How much of the picture something covers, in one word."""
    return "small" if area < 0.05 else "large" if area > 0.25 else "medium-sized"


def colour_words(rgb: NDArray[np.floating]) -> str:
    """The plain name of a mean colour (3,), values 0..255.

    >>> colour_words(np.array([20.0, 60, 220])), colour_words(np.array([128.0, 128, 128]))
    ('blue', 'grey')
    """
    red, green, blue = (float(value) / 255 for value in rgb)
    high, low = max(red, green, blue), min(red, green, blue)
    if high - low < 0.16 * max(high, 0.4):
        return "dark" if high < 0.25 else "white" if low > 0.85 else "grey"
    return _hue_word(_hue(red, green, blue), high)


def _hue(red: float, green: float, blue: float) -> float:
    high, low = max(red, green, blue), min(red, green, blue)
    span = high - low
    if high == red:
        return ((green - blue) / span * 60) % 360
    return (blue - red) / span * 60 + 120 if high == green else (red - green) / span * 60 + 240


def _hue_word(hue: float, high: float) -> str:
    if 15 <= hue < 45 and high < 0.75:
        return "brown"
    limits = ((15, "red"), (45, "orange"), (70, "yellow"), (165, "green"), (195, "turquoise"), (255, "blue"))
    names = (*limits, (290, "purple"), (345, "pink"), (361, "red"))
    return next(name for limit, name in names if hue < limit)
