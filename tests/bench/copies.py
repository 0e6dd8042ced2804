"""Are crops and edits of a photograph found? ``python -m tests.bench.copies --data ../shared/data``.

Some photographs of every set are cropped, stretched, mirrored, brightened, captioned or all of it, written as JPEG, and
put among the others as an audit would find them. Settings were chosen on the sets of ``CHOSEN_ON``; the others were
looked at only to count. Pairs that are found among the photographs as they are were looked at by eye and are listed in
``seen_copies.csv``; what is not listed there as one picture counts as false.
"""

import argparse
import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from audit.data.decode import open_photo
from audit.data.duplicates import Fingerprint, duplicate_groups, fingerprint
from audit.data.edited_copies.copy_groups import copy_groups
from audit.measures.intervals import wilson
from tests.bench.figures import Cell, Column, add_option, save, table_lines

CHOSEN_ON = ("doctor-nurse", "celeba-dev", "isic-dev", "cats-dogs")
QUOTED = ("ccp600", "figaro1k-hair", "imagenet-sample", "lfw-hair", "raccoon-kangaroo")
SEEN = Path(__file__).with_name("seen_copies.csv")
# Photographs of a set, and how many of them are edited; the kinds of edits are dealt in turn.
MOST, EDITED, MAX_BITS, LONGEST = 2000, 320, 4, 800
Edit = Callable[[Image.Image, np.random.Generator], Image.Image]


def cropped(share: float) -> Edit:
    """Cut a part of that share of both sides out of somewhere."""

    def crop(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
        width, height = (round(side * share) for side in picture.size)
        left, top = rng.integers(picture.width - width + 1), rng.integers(picture.height - height + 1)
        return picture.crop((left, top, left + width, top + height))

    return crop


def stretched(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture.resize((round(picture.width * rng.choice([0.75, 1.33])), picture.height))


def brightened(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(float(rng.choice([0.6, 1.4])))


def captioned(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    """A white bar with words over the lowest eighth."""
    picture, top = picture.copy(), round(picture.height * 0.88)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, top, picture.width, picture.height), fill="white")
    draw.text((4, top + 1), "seen on our trip", fill="black")
    return picture


def everything(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return brightened(ImageOps.mirror(cropped(0.7)(picture, rng)), rng)


EDITS: dict[str, Edit] = {
    "crop, 0.9 of each side": cropped(0.9),
    "crop, 0.8": cropped(0.8),
    "crop, 0.6": cropped(0.6),
    "stretched by 4/3 or 3/4": stretched,
    "mirrored": lambda picture, _: ImageOps.mirror(picture),
    "brightness × 0.6 or 1.4": brightened,
    "a caption over the lowest eighth": captioned,
    "crop 0.7, mirrored, brightness": everything,
}


@dataclass(frozen=True)
class SetResult:
    """What one set gave: per edit whether each copy was found with and without local features, and the pairs found
    among the photographs themselves; the milliseconds of processor time per photograph."""

    name: str
    n_images: int
    found: dict[str, list[tuple[bool, bool]]]
    pairs: list[tuple[str, str]]
    milliseconds: float


def run(data: Path, name: str, work: Path) -> SetResult:
    """Edit, read and group the photographs of one set."""
    paths = sorted(path for path in (data / name).rglob("*.jpg") if not {"masks", "labels"} & set(path.parts))
    paths = [paths[place] for place in np.unique(np.linspace(0, len(paths) - 1, MOST).astype(int))]
    started = process_time()
    prints = [fingerprint(path, 100, with_features=True) for path in paths]
    groups = grouped(prints)
    milliseconds = 1000 * (process_time() - started) / len(paths)
    first = np.unique(groups, return_index=True)[1][groups]
    told = [path.relative_to(data).as_posix() for path in paths]
    pairs = [(told[one], told[place]) for place, one in enumerate(first.tolist()) if one != place]
    sources = np.unique(np.linspace(0, len(paths) - 1, EDITED).astype(int)).tolist()
    kinds = [list(EDITS)[number % len(EDITS)] for number in range(len(sources))]
    copies = [
        fingerprint(edited(paths[source], kind, work, seed), 100, with_features=True)
        for seed, (source, kind) in enumerate(zip(sources, kinds, strict=True))
    ]
    together, by_look = grouped([*prints, *copies]), look_groups([*prints, *copies])
    found: dict[str, list[tuple[bool, bool]]] = {kind: [] for kind in EDITS}
    for number, (source, kind) in enumerate(zip(sources, kinds, strict=True), start=len(paths)):
        found[kind].append((bool(together[number] == together[source]), bool(by_look[number] == by_look[source])))
    return SetResult(name, len(paths), found, pairs, milliseconds)


def edited(path: Path, kind: str, work: Path, seed: int) -> Path:
    """Write a photograph's edit and return where."""
    picture = EDITS[kind](open_photo(path, longest=LONGEST), np.random.default_rng(seed))
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=80)
    (work / f"{seed}.jpg").write_bytes(content.getvalue())
    return work / f"{seed}.jpg"


def grouped(prints: Sequence[Fingerprint]) -> np.ndarray:
    return copy_groups(prints, [one.sha256 for one in prints], MAX_BITS)


def look_groups(prints: Sequence[Fingerprint]) -> np.ndarray:
    """Groups by bytes and perceptual hash alone."""
    hashes, thumbs = np.array([one.phash for one in prints], np.uint64), np.stack([one.thumb for one in prints])
    return duplicate_groups([one.sha256 for one in prints], hashes, thumbs, MAX_BITS)


def one_picture() -> set[frozenset[str]]:
    """The pairs that show one picture, or one scene a moment later, to the eye."""
    with SEEN.open(encoding="utf-8", newline="") as handle:
        return {frozenset((row["path"], row["other"])) for row in csv.DictReader(handle) if row["seen"] != "another"}


def recall_rows(results: Sequence[SetResult]) -> Iterator[tuple[Cell, ...]]:
    """Per edit: found, on the sets to choose on, then on those to quote, with and without local features."""
    for kind in EDITS:
        cells: list[Cell] = [kind]
        for names in (CHOSEN_ON, QUOTED):
            hits = [pair for result in results if result.name in names for pair in result.found[kind]]
            cells += [counted(sum(now for now, _ in hits), len(hits))]
        cells.append(counted(sum(before for _, before in hits), len(hits)))
        yield tuple(cells)


def set_rows(results: Sequence[SetResult]) -> Iterator[tuple[Cell, ...]]:
    """Per set: photographs, copies found among them, false ones, processor time."""
    same = one_picture()
    for result in results:
        false = [pair for pair in result.pairs if frozenset(pair) not in same]
        use = "chosen on" if result.name in CHOSEN_ON else "quoted"
        yield result.name, use, result.n_images, len(result.pairs), len(false), result.milliseconds


def counted(count: int, of: int) -> Cell:
    if not of:
        return None
    low, high = wilson(count, of)
    return {"count": count, "of": of, "low": low, "high": high}


RECALL_COLUMNS = (
    Column("edit"),
    Column("found, sets to choose on", ".2f"),
    Column("found, sets to quote", ".2f"),
    Column("of these by the perceptual hash alone", ".2f"),
)
SET_COLUMNS = (
    Column("set"),
    Column("use"),
    Column("photographs"),
    Column("copies among them"),
    Column("false ones"),
    Column("ms of processor time per photograph", ".1f"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every pair found, then the tables; 2 where the photographs are missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.copies", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets")
    add_option(parser)
    options = parser.parse_args(arguments)
    names = [name for name in (*CHOSEN_ON, *QUOTED) if (options.data / name).is_dir()]
    if not names:
        print(f"{options.data}: holds none of {', '.join((*CHOSEN_ON, *QUOTED))}.", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    results = []
    for name in names:
        with TemporaryDirectory() as work:
            results.append(run(options.data, name, Path(work)))
        print(f"{name}: {results[-1].milliseconds:.1f} ms", *map(",".join, results[-1].pairs), sep="\n", flush=True)
    recall, sets = list(recall_rows(results)), list(set_rows(results))
    print(*table_lines(RECALL_COLUMNS, recall), *table_lines(SET_COLUMNS, sets), sep="\n")
    save(options.figures, "copies", RECALL_COLUMNS, recall)
    save(options.figures, "copies-sets", SET_COLUMNS, sets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
