"""Photographs of one colour, in which there is nothing to see: how they are noticed, and what is said about them."""

from collections.abc import Callable, Iterator
from typing import cast

import pandas as pd
from PIL import Image
from scipy.stats import fisher_exact

from audit.text import at_most_ten, printable

# Most levels of 255 between the least and the greatest value of a colour channel, in the picture shrunk to 128 pixels:
# what sensor noise and compression leave of one colour. 4,768 photographs of nine public sets have 91 and more, X-rays
# that came out nearly black because 12 bits were read as 16 have 6 and more.
MAX_RANGE = 4
# The same at full size, where a thin line on paper or a star is still as strong as it was before shrinking.
MAX_DETAIL = 32
# Chance of calling classes different that only differ by chance (Fisher's exact test, over all classes together).
MAX_CHANCE = 0.05


def is_uniform(shrunk: Image.Image, whole: Callable[[], Image.Image]) -> bool:
    """Whether an RGB picture shows one colour throughout, up to noise.

    ``shrunk`` is the picture at 128 pixels or less; ``whole`` gives it at full size, and is called only where nothing
    can be seen in the shrunk one.
    """
    return _widest_range(shrunk) <= MAX_RANGE and _widest_range(whole()) <= MAX_DETAIL


def _widest_range(picture: Image.Image) -> int:
    """The largest difference between two values of one colour channel, 0..255."""
    bands = cast(tuple[tuple[int, int], ...], picture.getextrema())
    return max(high - low for low, high in bands)


def uniform_files(accepted: pd.DataFrame) -> dict[str, list[str]]:
    """The paths of the uniform photographs of every class that has some, from rows of ``images.parquet``."""
    uniform = accepted[accepted["uniform"]]
    return {str(label): rows["path"].tolist() for label, rows in uniform.groupby("label")}


def uniform_warnings(accepted: pd.DataFrame) -> Iterator[str]:
    """Sentences about the uniform photographs: how many and which, then every class that has clearly more of them."""
    files, total = uniform_files(accepted), len(accepted)
    if not files:
        return
    sizes = accepted["label"].value_counts()
    count = sum(map(len, files.values()))
    shares = at_most_ten(f"{len(paths)} of {sizes[label]} of '{printable(label)}'" for label, paths in files.items())
    names = at_most_ten(printable(path) for paths in files.values() for path in paths)
    yield (
        f"Photographs of a single colour, with nothing to see in them: {count} of {total} ({shares}): {names}; "
        "put the right pictures in their place or take these out. Until then they are audited like all the others."
    )
    for label, paths in files.items():
        here, there = (len(paths), int(sizes[label])), (count - len(paths), total - int(sizes[label]))
        if _clearly_more(here, there, classes=len(sizes)):
            yield (
                f"'{printable(label)}' has clearly more photographs of a single colour than the rest ({here[0]} of "
                f"{here[1]}, elsewhere {there[0]} of {there[1]}): a model can tell the class by that alone."
            )


def _clearly_more(here: tuple[int, int], there: tuple[int, int], classes: int) -> bool:
    """Whether the first share, (count, of how many), is larger than the second by more than chance would have it."""
    table = [[count, size - count] for count, size in (here, there)]
    return float(fisher_exact(table, alternative="greater").pvalue) * classes <= MAX_CHANCE
