"""How well real stickers and dark corners are seen: `python -m tests.bench.stickers --data ../shared/data`.

Real stickers: the moles of isic-dev, whose column ``colour_patch`` says which show one. The limits of
``audit.detectors.marks.foreign_colour`` and ``find_stickers`` were chosen on the photographs whose SHA-256 is even; the
odd ones are what counts. Planted ones: discs, mostly cut by an edge, on two of five photographs of a set, in forms of
which only the last was used to choose a limit, on other sets. Nothing planted: how often ordinary photographs show a
patch, a sticker or dark corners anyway.
"""

import argparse
import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.data.decode import open_photo
from audit.detectors.marks.find_stickers import find_stickers
from audit.detectors.marks.patch import find_patches
from audit.detectors.marks.vignette import find_vignette
from audit.detectors.photo import LONGEST, Pixels
from audit.measures.intervals import wilson
from tests.bench.figures import Cell, Column, add_option, save, table_lines

MOLES = "isic-dev"
PLAIN = ("cats-dogs", "raccoon-kangaroo", "doctor-nurse", "celeba-dev", "lfw-hair", "imagenet-sample")
CARRIERS = ("cats-dogs", "doctor-nurse")
_PHOTOGRAPHS = 300
_COLOURS = ((230, 40, 40), (40, 70, 230), (30, 170, 70), (250, 200, 20), (200, 40, 180), (20, 190, 210))
_WHITE = 230.0
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class Form:
    """How a disc is drawn. ``lengths``: its diameter in shares of the long side; ``texture``: standard deviation of its
    weave in 8-bit levels; ``paleness``: share of white in its colour; ``hole``: radius in shares of its own."""

    words: str
    lengths: tuple[float, float] = (0.25, 0.6)
    is_cut: bool = True
    texture: float = 0.0
    paleness: float = 0.0
    hole: float = 0.0

    def on(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """A copy of uint8 RGB pixels (h, w, 3) with a disc on it."""
        height, width = pixels.shape[:2]
        radius = rng.uniform(*self.lengths) * max(height, width) / 2
        rows, columns = np.indices((height, width))
        x, y = self._centre(width, height, radius, rng)
        distance = np.hypot(columns - x, rows - y)
        inside = (distance < radius) & (distance >= self.hole * radius)
        colour = np.array(_COLOURS[rng.integers(len(_COLOURS))]) * (1 - self.paleness) + _WHITE * self.paleness
        weave = cv2.resize(rng.normal(0, self.texture, (height // 2 + 1, width // 2 + 1)), (width, height))
        painted = np.where(inside[..., None], colour + weave[..., None], pixels)
        return painted.clip(0, 255).astype(np.uint8)

    def _centre(self, width: int, height: int, radius: float, rng: np.random.Generator) -> tuple[float, float]:
        if not self.is_cut:
            x, y = (rng.uniform(radius, max(radius, side - radius)) for side in (width, height))
            return x, y
        along = rng.uniform(0.1, 0.9)
        outside = 0.2 * radius
        places = (
            (along * width, -outside),
            (along * width, height + outside),
            (-outside, along * height),
            (width + outside, along * height),
        )
        return places[rng.integers(4)]


FORMS = (
    Form("cut by the edge"),
    Form("cut, textured", texture=25.0),
    Form("cut, pale", paleness=0.55),
    Form("cut, with a hole", hole=0.4),
    Form("whole, 25 to 40 % long", (0.25, 0.4), is_cut=False),
)


@dataclass(frozen=True)
class Bar:
    """A count that has to be reached, or with ``at_least`` False a share that must not be exceeded."""

    limit: float
    at_least: bool = True

    def met_by(self, count: int, of: int) -> bool:
        """Whether a count out of a number reaches it."""
        return count >= self.limit if self.at_least else count <= self.limit * of

    def __str__(self) -> str:
        return f"≥ {self.limit:.0f}" if self.at_least else f"≤ {self.limit:.0%}".replace("%", " %")


FALSE = Bar(0.02, at_least=False)
COLUMNS = (Column("question"), Column("photographs"), Column("figure", ".3f"), Column("bar"), Column("met"))


def shows_patch(pictures: Sequence[Pixels]) -> Truth:
    """Which of the pictures of one dataset show a patch or a sticker, by any way to find them."""
    stickers = find_stickers(pictures.__getitem__, np.ones(len(pictures), bool), workers=1).sightings
    return np.array([one.present or bool(find_patches(pixels)) for one, pixels in zip(stickers, pictures, strict=True)])


def row(question: str, photographs: str, hits: Truth, bar: Bar | None = None) -> tuple[Cell, ...]:
    """How many of some photographs are hits, with the Wilson interval of their share."""
    count, of = int(hits.sum()), len(hits)
    low, high = wilson(count, of)
    met = {None: "", True: "yes", False: "**no**"}[bar.met_by(count, of) if bar else None]
    return question, photographs, {"count": count, "of": of, "low": low, "high": high}, str(bar or ""), met


def moles(folder: Path) -> Iterator[tuple[Cell, ...]]:
    """Rows of the real stickers: the half to choose on, the half that counts, and all."""
    table = pd.read_csv(folder / "index.csv")
    paths = [folder / path for path in table["path"]]
    pictures = [_read(path) for path in paths]
    truth, seen = table["colour_patch"].to_numpy() == 1, shows_patch(pictures)
    is_odd = np.array([int(hashlib.sha256(path.read_bytes()).hexdigest(), 16) % 2 == 1 for path in paths])
    halves = (("half that was chosen on", ~is_odd), ("half that was not seen", is_odd), ("all", is_odd | ~is_odd))
    for words, half in halves:
        is_all = half.all()
        yield row("sticker seen", f"{MOLES}, {words}", seen[truth & half], Bar(60) if is_all else None)
        yield row("sticker, false", f"{MOLES}, {words}", seen[~truth & half], FALSE)
    yield row("dark corners seen (no truth)", MOLES, _vignettes(pictures))


def planted(folder: Path) -> Iterator[tuple[Cell, ...]]:
    """Rows of the planted stickers, form by form."""
    pictures = _pictures(folder)[:_PHOTOGRAPHS]
    marked = np.arange(len(pictures)) % 5 < 2
    for form in FORMS:
        rng = np.random.default_rng(0)
        drawn = [
            form.on(pixels, rng) if is_marked else pixels for pixels, is_marked in zip(pictures, marked, strict=True)
        ]
        seen = shows_patch(drawn)
        yield row(f"planted, {form.words}: found", folder.name, seen[marked])
        yield row(f"planted, {form.words}: false", folder.name, seen[~marked])


def plain(folder: Path) -> Iterator[tuple[Cell, ...]]:
    """Rows of photographs of which hardly any shows a sticker or dark corners."""
    pictures = _pictures(folder)
    yield row("patch or sticker, false", folder.name, shows_patch(pictures), FALSE)
    yield row("dark corners, false", folder.name, _vignettes(pictures), FALSE)


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets")
    add_option(parser)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rows: list[tuple[Cell, ...]] = []
    for names, measure in (((MOLES,), moles), (PLAIN, plain), (CARRIERS, planted)):
        for name in names:
            rows += measure(options.data / name)
            print(name, file=sys.stderr, flush=True)
    print(*table_lines(COLUMNS, rows), *NOTES, sep="\n")
    save(options.figures, "cues-natural", COLUMNS, rows, NOTES)


NOTES = (
    "The halves of isic-dev are parted by the SHA-256 of the files. The one false alarm of the half that was chosen on "
    "is a blue triangle that somebody laid there.",
    f"Planted on two of five of {_PHOTOGRAPHS} photographs. In a colourful set stickers that are cut, textured or pale "
    "are seen only where many photographs show one; few among many are missed there.",
    "Which photographs of animals, people and things really show dark corners or a sticker was not looked up: "
    "all that is seen there counts as false.",
)


def _pictures(folder: Path) -> list[Pixels]:
    paths = dict.fromkeys(pd.read_csv(folder / "index.csv", dtype=str)["path"])
    return [_read(folder / path) for path in paths]


def _read(path: Path) -> Pixels:
    return np.asarray(open_photo(path, longest=LONGEST))


def _vignettes(pictures: Sequence[Pixels]) -> Truth:
    return np.array([find_vignette(pixels) is not None for pixels in pictures])


if __name__ == "__main__":
    main()
