"""How faint and rare a printed mark may be and still be found: `python -m tests.bench.overlays --data ../shared/data`.

An emblem is drawn into one corner of some of the photographs of a set, in memory. The limits of
``audit.detectors.marks.find_printed_marks`` were chosen on emblems of 35 to 50 % opacity on half of the photographs;
the corner, the photographs and all other opacities and shares here are new to it. Nothing drawn: how often something is
found anyway.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.data.decode import open_photo
from audit.detectors.marks.find_printed_marks import find_overlays
from audit.detectors.photo import LONGEST, Pixels
from audit.measures.intervals import wilson
from audit.selfaudit.marks import Logo
from tests.bench.figures import Cell, Column, add_option, save, table_lines

SETS = ("cats-dogs", "raccoon-kangaroo", "doctor-nurse")
CORNERS = ((0, 1), (1, 0))
OPACITIES, SHARES = (0.1, 0.2, 0.4), (0.5, 0.3, 0.15)
_PHOTOGRAPHS, _SIDE = 200, 0.18


@dataclass(frozen=True)
class Search:
    """What one search gave: whether the mark was found, and the shares of marked and plain photographs that show it."""

    found: bool
    marked: float
    plain: float
    others: int


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets")
    add_option(parser)
    options = parser.parse_args()
    sets = [_read(options.data / name, seed) for seed, name in enumerate(SETS)]
    rows = []
    for opacity, share in (*product(OPACITIES, SHARES), (0.0, 0.0)):
        rows.append(_row(opacity, share, list(_searches(sets, opacity, share))))
        print(*map(str, rows[-1]), sep="; ", file=sys.stderr, flush=True)
    about = f"{_PHOTOGRAPHS} photographs a search; emblem {_SIDE:.0%} of the shorter side."
    print(about, *table_lines(COLUMNS, rows), sep="\n")
    save(options.figures, "overlays", COLUMNS, rows, [about])


COLUMNS = (
    Column("opacity"),
    Column("on"),
    Column("found", ".2f"),
    Column("seen where drawn", ".1%"),
    Column("seen elsewhere", ".1%"),
    Column("other marks"),
)


def _searches(sets: list[list[Pixels]], opacity: float, share: float) -> Iterator[Search]:
    for pictures, corner in product(sets, CORNERS):
        marked = np.random.default_rng((len(pictures), *corner)).permutation(len(pictures)) < share * len(pictures)
        yield _search(pictures, Logo(_SIDE, opacity, corner), marked)


def _search(pictures: list[Pixels], mark: Logo, marked: NDArray[np.bool_]) -> Search:
    rng = np.random.default_rng(0)

    def read(image: int) -> Pixels:
        return mark(pictures[image], rng).pixels if marked[image] else pictures[image]

    search = find_overlays(read, np.ones(len(pictures), bool), workers=2)
    truth = mark(np.zeros((256, 256, 3), np.uint8), rng).mask
    for overlay, likeness in zip(search.overlays, search.likeness.T, strict=True):
        if marked.any() and (overlay.mask(truth.shape) & truth).sum() >= 0.5 * truth.sum():
            shown = likeness >= overlay.least
            return Search(True, float(shown[marked].mean()), float(shown[~marked].mean()), len(search.overlays) - 1)
    return Search(False, 0.0, 0.0, len(search.overlays))


def _row(opacity: float, share: float, searches: list[Search]) -> tuple[Cell, ...]:
    found = [one for one in searches if one.found]
    low, high = wilson(len(found), len(searches))
    seen, elsewhere = (
        float(np.mean([getattr(one, side) for one in found])) if found else None for side in ("marked", "plain")
    )
    counted = {"count": len(found), "of": len(searches), "low": low, "high": high}
    what, others = f"{opacity:.0%}" if share else "nothing drawn", sum(one.others for one in searches)
    return what, f"{share:.0%}", counted, seen, elsewhere, others


def _read(folder: Path, seed: int) -> list[Pixels]:
    paths = pd.read_csv(folder / "index.csv", dtype=str)["path"]
    chosen = np.random.default_rng((seed, 99)).permutation(len(paths))[:_PHOTOGRAPHS]
    return [np.asarray(open_photo(folder / paths.iloc[image], longest=LONGEST)) for image in chosen]


if __name__ == "__main__":
    main()
