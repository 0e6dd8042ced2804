"""How well attributes are told, as one table: ``python -m tests.bench.attributes --data ../shared/data``.

Every row compares what a reader says with what is known of a set's photographs: a column of its index, or what was
looked up by eye (``seen_attributes.csv``). Readers were fitted on the half ``choose``; the half ``quote`` is quoted.
"""

import argparse
import csv
import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import thread_time

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from audit.attributes.attribute import UNKNOWN, AttributeReader
from audit.attributes.registry import READERS, built_in
from audit.config import model_folder
from audit.data.decode import open_photo
from audit.demo.dataset import draw_demo
from audit.detection.registry import DETECTORS
from audit.detectors.photo import LONGEST, Networks, Photo, Pixels
from audit.errors import BiasAuditError
from audit.measures.intervals import wilson
from audit.store.model_files import require
from tests.bench.figures import Cell, Column, add_option, save, table_lines
from tests.bench.scores import mean_interval

Row = Mapping[str, str]
DEMO, SEEN = "demo", Path(__file__).with_name("seen_attributes.csv")
_DEMO_SEED, _RESAMPLES, _FEWEST, _TIMED = 1, 400, 5, 30


@dataclass(frozen=True)
class Truth:
    """Which photographs of a set have an attribute.

    ``has`` says it of a row of the set's index, None where that is not known. ``words`` tell what it is known by.
    """

    attribute: str
    collection: str
    words: str
    has: Callable[[Row], bool | None]


@dataclass(frozen=True)
class Measured:
    """One photograph's value of one attribute (NaN: unknown), what is true, and the groups that it belongs to."""

    truth: Truth
    groups: frozenset[str]
    value: float
    has: bool


def _is(column: str, value: str = "1") -> Callable[[Row], bool]:
    return lambda row: row[column] == value


def _holds(column: str, value: str) -> Callable[[Row], bool]:
    return lambda row: value in row[column].split("|")


def _column(attribute: str, column: str) -> Truth:
    return Truth(attribute, "celeba-dev", column, _is(column))


def _seen(attribute: str, collection: str, words: str = "by eye") -> Truth:
    return Truth(attribute, collection, words, lambda row: _sightings().get((collection, row["path"], attribute)))


def _has_beard(row: Row) -> bool:
    return row["No_Beard"] == "0" or row["Mustache"] == "1" or row["Goatee"] == "1"


_CLOTHES = ("white_clothing", "dark_clothing", "blue_clothing", "patterned_clothing")
_BACKGROUNDS = ("light_background", "dark_background", "white_background", "green_background", "plain_background")


TRUTHS: tuple[Truth, ...] = (
    Truth("long_hair", DEMO, "as drawn", _is("hair", "long")),
    *(_seen("long_hair", name) for name in ("doctor-nurse", "celeba-dev", "lfw-hair")),
    Truth("long_hair", "doctor-nurse", "women (not the same)", _is("gender", "female")),
    _column("fringe", "Bangs"),
    _column("black_hair", "Black_Hair"),
    _column("brown_hair", "Brown_Hair"),
    _column("blond_hair", "Blond_Hair"),
    _column("grey_hair", "Gray_Hair"),
    *(_seen("red_hair", name, "by eye, of the reddest") for name in ("celeba-dev", "doctor-nurse")),
    _column("bald", "Bald"),
    _column("headwear", "Wearing_Hat"),
    _seen("headwear", "doctor-nurse"),
    Truth("headwear", "ccp600", "hat marked", _holds("classes", "hat")),
    _column("smile", "Smiling"),
    Truth("beard", "celeba-dev", "beard, goatee or moustache", _has_beard),
    Truth("dark_skin", "doctor-nurse", "skin as listed", _is("skin", "dark")),
    _column("soft_face", "Blurry"),
    *(_seen(name, "doctor-nurse") for name in _CLOTHES),
    *(_seen(name, collection) for collection in ("doctor-nurse", "cats-dogs") for name in _BACKGROUNDS),
    *(_seen(name, "cats-dogs") for name in ("dark_object", "brown_object")),
    *(_seen(name, "isic-dev") for name in ("blue_patch", "orange_patch", "yellow_patch", "green_patch")),
)
# Columns of an index that tell groups of people, and what their values are called.
GROUPS: Mapping[str, Mapping[str, str]] = {
    "Male": {"0": "women", "1": "men"},
    "gender": {"female": "women", "male": "men"},
    "skin": {"dark": "dark skin", "medium": "medium skin", "light": "light skin"},
}
EVERYBODY = "all"


@cache
def _sightings() -> dict[tuple[str, str, str], bool]:
    with SEEN.open(newline="", encoding="utf-8") as handle:
        return {(row["set"], row["path"], row["attribute"]): row["shows"] == "1" for row in csv.DictReader(handle)}


def in_half(path: str, half: str) -> bool:
    """Whether a photograph, named as in its set's index, is of a half: choose, quote, or all.

    >>> in_half("images/000005.jpg", "choose") != in_half("images/000005.jpg", "quote"), in_half("a", "all")
    (True, True)
    """
    return half == "all" or ("choose", "quote")[int(hashlib.sha256(path.encode()).hexdigest(), 16) % 2] == half


def read_rows(folder: Path, half: str, most: int | None) -> list[Row]:
    """Rows of a set's index, of one half and at most so many, evenly spread. Those of the drawn set are all quoted."""
    tables = ("train.csv", "test.csv") if folder.name == DEMO else ("index.csv",)
    rows = []
    for name in tables:
        with (folder / name).open(newline="", encoding="utf-8") as handle:
            rows += [row for row in csv.DictReader(handle) if folder.name == DEMO or in_half(row["path"], half)]
    return rows if most is None else rows[:: -(-len(rows) // most)]


def load(path: Path) -> Pixels:
    """A photograph as detectors see it."""
    image = open_photo(path)
    scale = min(1.0, LONGEST / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0))


def measure(folder: Path, row: Row, photo: Photo) -> Iterator[Measured]:
    """What is measured of one photograph whose row is given, for every truth that the row knows."""
    known = [(truth, truth.has(row)) for truth in truths_of(folder.name)]
    wanted = {truth.attribute for truth, has in known if has is not None}
    values: dict[str, float] = {}
    for reader in READERS:
        if wanted & {one.name for one in reader.attributes}:
            values.update(reader().measure(photo))
    groups = frozenset({EVERYBODY, *(names.get(row.get(column, ""), "") for column, names in GROUPS.items())} - {""})
    for truth, has in known:
        if has is not None:
            yield Measured(truth, groups, values.get(truth.attribute, UNKNOWN), has)


def truths_of(collection: str) -> list[Truth]:
    """Those of a set for attributes that some reader measures."""
    return [truth for truth in TRUTHS if truth.collection == collection and truth.attribute in built_in()]


COLUMNS = (
    Column("attribute"),
    Column("photographs"),
    Column("known by"),
    Column("of whom"),
    Column("n"),
    Column("have it"),
    Column("AUC", ".3f"),
    Column("right", ".1%"),
    Column("recall", ".1%"),
    Column("precision", ".1%"),
    Column("unknown", ".1%"),
)


def table_rows(figures: Sequence[Measured]) -> Iterator[tuple[Cell, ...]]:
    """A row for every truth, and for every group of people of whom at least _FEWEST have it and _FEWEST lack it."""
    for truth in TRUTHS:
        mine = [one for one in figures if one.truth is truth]
        for group in dict.fromkeys((EVERYBODY, *(name for names in GROUPS.values() for name in names.values()))):
            some = [one for one in mine if group in one.groups]
            have = sum(one.has for one in some)
            if some and (group == EVERYBODY or min(have, len(some) - have) >= _FEWEST):
                yield _row(truth, group, some)


def _row(truth: Truth, group: str, figures: Sequence[Measured]) -> tuple[Cell, ...]:
    values, has = np.array([one.value for one in figures]), np.array([one.has for one in figures])
    known = ~np.isnan(values)
    shown = known & (values >= built_in()[truth.attribute].shown_from)
    about = (truth.attribute, truth.collection, truth.words, group, len(figures), int(has.sum()))
    right = _share((shown == has)[known])
    return *about, auc(values[known], has[known]), right, _share(shown[has]), _share(has[shown]), float((~known).mean())


def auc(values: NDArray[np.float64], has: NDArray[np.bool_]) -> Cell:
    """Share of pairs in which who has it gets the higher value, with a bootstrap interval over photographs; None where
    fewer than _FEWEST have it or lack it."""
    ones, others = values[has], values[~has]
    if min(len(ones), len(others)) < _FEWEST:
        return None
    rng, labels = np.random.default_rng(0), np.repeat((1, 0), (len(ones), len(others)))
    draws = [
        roc_auc_score(labels, np.concatenate((rng.choice(ones, len(ones)), rng.choice(others, len(others)))))
        for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(draws, (0.025, 0.975))
    return {"value": float(roc_auc_score(has, values)), "low": float(low), "high": float(high)}


def _share(hits: NDArray[np.bool_]) -> Cell:
    if not len(hits):
        return None
    low, high = wilson(float(hits.sum()), len(hits))
    return {"value": float(hits.mean()), "low": low, "high": high}


TIME_COLUMNS = (
    Column("reader"),
    Column("photographs"),
    Column("n"),
    Column("ms of one thread beyond the detectors", ".2f"),
)


def clock(paths: Sequence[Path], networks: Networks) -> Iterator[tuple[Cell, ...]]:
    """Milliseconds of every reader on photographs of the largest size, beyond what the detectors have worked out; what
    one reader works out for the next ones, these need not pay."""
    cv2.setNumThreads(1)
    spent: dict[str, list[float]] = {}
    for turn, path in enumerate(paths[:1] + list(paths)):
        photo = Photo(load(path), networks)
        for detector in DETECTORS:
            detector().detect(photo)
        for reader in READERS:
            start = thread_time()
            reader().measure(photo)
            if turn:  # the first one reads the weights
                spent.setdefault(reader.name, []).append(1000 * (thread_time() - start))
    if spent:
        spent["all readers"] = [sum(times) for times in zip(*spent.values(), strict=True)]
    for name, times in spent.items():
        low, high = mean_interval(np.array(times))
        yield name, "doctor-nurse", len(times), {"value": float(np.mean(times)), "low": low, "high": high}


def run(data: Path, half: str, most: int | None, workers: int) -> list[Measured]:
    """Measure the photographs of every set that lies in the folder, and of the drawn one."""
    with TemporaryDirectory() as place:
        folders = [data / name for name in dict.fromkeys(truth.collection for truth in TRUTHS) if name != DEMO]
        folders = [folder for folder in folders if (folder / "index.csv").exists() and truths_of(folder.name)]
        if truths_of(DEMO):
            folders.append(draw_demo(Path(place) / DEMO, seed=_DEMO_SEED).path)
        jobs = [(folder, row) for folder in folders for row in read_rows(folder, half, most)]
        if not workers:
            _start()
            return [figure for job in jobs for figure in _measure(job)]
        with ProcessPoolExecutor(workers, get_context("spawn"), _start) as pool:
            return [figure for part in pool.map(_measure, jobs, chunksize=8) for figure in part]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; 2 where model files are missing."""
    options = _parser().parse_args(arguments)
    readers: Sequence[type[AttributeReader]] = READERS
    try:
        for model in dict.fromkeys(model for one in (*DETECTORS, *readers) for model in one.models):
            require(model_folder(), model.name)
    except BiasAuditError as error:
        print(error, file=sys.stderr)
        return 2
    rows = list(table_rows(run(options.data, options.half, options.images, options.workers)))
    times = list(clock(_largest(options.data / "doctor-nurse"), Networks(model_folder())))
    print(*table_lines(COLUMNS, rows), "", *table_lines(TIME_COLUMNS, times), sep="\n")
    save(options.figures, "attributes", COLUMNS, rows, _NOTES)
    save(options.figures, "attributes-time", TIME_COLUMNS, times)
    return 0


_NOTES = (
    "The weights were fitted, and the values from which on an attribute shows chosen, on the other half of each set.",
    "Precision is that of the set, in which rare attributes are commoner than in the street or rarer.",
    "What was looked up by eye leaves out photographs in which the eye could not tell.",
)


def _largest(folder: Path) -> list[Path]:
    """Up to _TIMED photographs that are shrunk, or just as large as detectors see them."""
    if not (folder / "index.csv").exists():
        return []
    rows = [row for row in read_rows(folder, "quote", None) if max(int(row["width"]), int(row["height"])) >= LONGEST]
    return [folder / row["path"] for row in rows[:: -(-len(rows) // _TIMED) or 1]]


_networks: Networks


def _start() -> None:
    global _networks
    cv2.setNumThreads(1)
    _networks = Networks(model_folder())


def _measure(job: tuple[Path, Row]) -> list[Measured]:
    folder, row = job
    return list(measure(folder, row, Photo(load(folder / row["path"]), _networks, row["path"])))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.attributes", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets")
    parser.add_argument("--images", type=int, metavar="N", help="at most so many of each set")
    parser.add_argument("--half", choices=("choose", "quote", "all"), default="quote", help="readers saw only choose")
    parser.add_argument("--workers", type=int, default=2, help="processes; 0 for none besides this one")
    add_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
