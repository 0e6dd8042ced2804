"""Plain words for where something lies and how large it is."""


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
