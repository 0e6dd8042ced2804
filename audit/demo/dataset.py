"""The demo dataset: drawn doctors and nurses with a planted shortcut, long hair."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audit.data.outputs import Inputs, new_folder, require_new_folder
from audit.demo.portrait import SKINS, Sitter, draw_portrait
from audit.demo.rooms import KINDS
from audit.errors import DatasetError
from audit.progress import track

VERSION = 1
CLASSES = ("doctor", "nurse")
COLUMNS = ("path", "label", "hair", "skin", "background", "glasses", "beard", "stethoscope")
LONG_HAIR: Mapping[str, float] = {"doctor": 0.05, "nurse": 0.95}
"""The planted shortcut: share of each class with long hair among the training pictures; one half in the test."""

_OUTFITS: Mapping[str, Mapping[str, float]] = {
    "doctor": {"coat": 0.70, "blue_coat": 0.15, "scrub_coat": 0.15},
    "nurse": {"scrubs": 0.70, "pale_scrubs": 0.15, "jacket": 0.15},
}
_STETHOSCOPE: Mapping[str, float] = {"doctor": 0.85, "nurse": 0.10}
_GLASSES = 0.10
_BEARD = 0.35
"""Share among people with short hair, of either class."""


@dataclass(frozen=True)
class DemoFolder:
    """Where the demo lies: ``train`` is the folder to audit, ``test`` has hair balanced within each class."""

    path: Path
    train: Path
    test: Path
    train_table: Path
    test_table: Path


def draw_demo(folder: Path, n: int = 240, seed: int = 0, size: tuple[int, int] = (320, 400)) -> DemoFolder:
    """Draw ``n`` training images and about a third as many for the test, JPEG of ``size`` (width, height) pixels.

    Each part has one folder per class and a table (``train.csv``, ``test.csv``) of what was drawn. Equal arguments give
    equal bytes. A folder that holds the same demo already is left as it is.

    Raises OutputError if the folder holds anything else or cannot be made, DatasetError if ``n`` is odd or below 20.
    """
    if n < 20 or n % 2:
        raise DatasetError(f"The demo cannot have {n} pictures; ask for an even number from 20 on.")
    demo = _layout(folder)
    about = _readme(n, seed, size)
    if _is_drawn(demo, about):
        return demo
    require_new_folder(folder, Inputs(), "FOLDER")
    with new_folder(folder, "FOLDER") as aside:
        _draw(_layout(aside), n, seed, size)
        (aside / "README.txt").write_text(about, encoding="utf-8")
    return demo


def plan_train(n: int, seed: int) -> list[Sitter]:
    """Who is drawn for training: ``n`` / 2 of each class, with exactly LONG_HAIR of each in long hair."""
    rng = np.random.default_rng([seed, 0])
    return [sitter for label in CLASSES for sitter in _plan_class(label, n // 2, LONG_HAIR[label], rng)]


def plan_test(n: int, seed: int) -> list[Sitter]:
    """Who is drawn for the test: ``n`` / 6 of each class (made even), half of each in long hair."""
    rng = np.random.default_rng([seed, 1])
    return [sitter for label in CLASSES for sitter in _plan_class(label, 2 * round(n / 12), 0.5, rng)]


def _plan_class(label: str, count: int, long_share: float, rng: np.random.Generator) -> Iterator[Sitter]:
    """Each trait has its share by construction and is dealt out independently of the others."""
    long_hair = _dealt({True: long_share, False: 1 - long_share}, count, rng)
    traits = {
        "skin": _dealt(dict.fromkeys(SKINS, 1.0), count, rng),
        "room": _dealt(dict.fromkeys(KINDS, 1.0), count, rng),
        "outfit": _dealt(_OUTFITS[label], count, rng),
        "stethoscope": _dealt(_chance(_STETHOSCOPE[label]), count, rng),
        "glasses": _dealt(_chance(_GLASSES), count, rng),
    }
    beards = iter(_dealt(_chance(_BEARD), long_hair.count(False), rng))
    for i, long in enumerate(long_hair):
        chosen = {name: dealt[i] for name, dealt in traits.items()}
        beard = False if long else next(beards)
        yield Sitter(label=label, long_hair=long, beard=beard, seed=int(rng.integers(2**63)), **chosen)


def _chance(share: float) -> dict[bool, float]:
    return {True: share, False: 1 - share}


def _dealt(shares: Mapping[Any, float], count: int, rng: np.random.Generator) -> list[Any]:
    """``count`` values in random order, each as often as its share says (largest remainders are rounded up)."""
    values = list(shares)
    exact = np.array([shares[value] for value in values]) * count / sum(shares.values())
    times = np.floor(exact + 1e-9).astype(int)
    missing = count - int(times.sum())
    times[np.argsort(times - exact, kind="stable")[:missing]] += 1
    deck = np.repeat(np.arange(len(values)), times)
    return [values[i] for i in rng.permutation(deck)]


def _layout(folder: Path) -> DemoFolder:
    return DemoFolder(folder, folder / "train", folder / "test", folder / "train.csv", folder / "test.csv")


def _is_drawn(demo: DemoFolder, about: str) -> bool:
    readme = demo.path / "README.txt"
    if not readme.is_file() or readme.read_text(encoding="utf-8", errors="replace") != about:
        return False
    return all(_is_complete(demo.path, table) for table in (demo.train_table, demo.test_table))


def _is_complete(folder: Path, table: Path) -> bool:
    if not table.is_file():
        return False
    with table.open(encoding="utf-8", newline="") as handle:
        return all((folder / row["path"]).is_file() for row in csv.DictReader(handle))


def _draw(demo: DemoFolder, n: int, seed: int, size: tuple[int, int]) -> None:
    parts = ((demo.train_table, plan_train(n, seed)), (demo.test_table, plan_test(n, seed)))
    with track("drawing the demo", sum(len(sitters) for _, sitters in parts), "pictures") as advance:
        for table, sitters in parts:
            rows = []
            for i, sitter in enumerate(sitters):
                path = Path(table.stem) / sitter.label / f"{sitter.label}-{i % (len(sitters) // 2):03d}.jpg"
                _save(sitter, demo.path / path, size)
                rows.append(_row(sitter, path))
                advance(1)
            _write_table(table, rows)


def _save(sitter: Sitter, path: Path, size: tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_portrait(sitter, size).image.save(path, quality=90)


def _row(sitter: Sitter, path: Path) -> dict[str, str]:
    return {
        "path": path.as_posix(),
        "label": sitter.label,
        "hair": "long" if sitter.long_hair else "short",
        "skin": sitter.skin,
        "background": sitter.room,
        **{name: "yes" if getattr(sitter, name) else "no" for name in ("glasses", "beard", "stethoscope")},
    }


def _write_table(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _readme(n: int, seed: int, size: tuple[int, int]) -> str:
    return (
        f"Drawn doctors and nurses, none of whom exists: {n} pictures of {size[0]} x {size[1]} pixels in train and "
        f"{4 * round(n / 12)} in test, drawn by bias-audit (drawing {VERSION}, seed {seed}).\n"
        "In train, long hair is planted as a shortcut (95 % of nurses, 5 % of doctors); in test, half of each class "
        "has long hair.\n"
    )
