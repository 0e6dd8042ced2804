"""Picking from a pool, against labels: ``python -m tests.bench.pick --data FOLDER``.

Audits of photographs of people in which glasses lean to one class, 90 to 10 %; from a pool of 300 other photographs, 60
of which fit what the audit orders, the orders are filled: once where the pool's classes are said, once where they are
guessed by the audit's models. Right is a photograph of the order's class that has glasses, or has none, as the order
says, by the set's own list of attributes. The audited photographs are of the half ``choose``, the pools of the half
``quote``, whose figures are those to quote; with ``--half choose`` the pools are of the audited half.
"""

import argparse
import csv
import hashlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from audit.config import dump_config, parse_config
from audit.errors import ConfigError
from audit.measures.intervals import wilson
from audit.plan.picking.pick import pick
from audit.run.manifest import write_manifest
from audit.stages import STAGES
from audit.store.audit_folder import AuditFolder, write_text
from tests.bench.audits import run_stages
from tests.bench.figures import Cell, Column, add_option, save, table_lines
from tests.bench.natural_cases import PEOPLE
from tests.bench.natural_sets import read_carrier
from tests.bench.natural_store import NaturalStore

CUE = "Eyeglasses"
# Attribute that makes the classes, the classes' names, and the class that glasses lean to.
CASES = (
    ("Smiling", ("serious", "smiling"), 0),
    ("Young", ("older", "young"), 0),
    ("Beard", ("no beard", "beard"), 0),
    ("Smiling", ("serious", "smiling"), 1),
)
PER_CLASS, POOL, FITTING = 40, 300, 60
COMMON = 36
COLUMNS = (
    Column("classes; glasses lean to"),
    Column("classes of the pool"),
    Column("ordered"),
    Column("picked"),
    Column("right", ".2f"),
    Column("right state", ".2f"),
    Column("right class", ".2f"),
)
NOTES = (
    f"{PER_CLASS} audited photographs of each class, glasses in {COMMON} of one and {PER_CLASS - COMMON} of the other; "
    f"{POOL} photographs in each pool, {FITTING} of which fit an order by the set's own list of attributes, as many of "
    "each class. Audited and pooled photographs are of different halves of the set.",
    "Right: of the ordered class and with or without glasses as ordered, of the photographs that were picked; then "
    "each of the two alone. Said: the pool has class folders; guessed: it has none.",
    "That photographs without glasses are ranked by how little the detector saw of them was decided on the half to "
    "choose on; nothing else of picking was chosen on photographs.",
)


@dataclass(frozen=True)
class Result:
    """What was picked in a case; ``state`` and ``label`` say of each photograph whether it is right, 0 or 1."""

    case: str
    pool: str
    ordered: int
    state: tuple[int, ...] = ()
    label: tuple[int, ...] = ()

    @property
    def both(self) -> tuple[int, ...]:
        """Whether each photograph is right in both."""
        return tuple(state & label for state, label in zip(self.state, self.label, strict=True))

    def row(self) -> tuple[Cell, ...]:
        """The row of the table."""
        return (
            self.case,
            self.pool,
            self.ordered,
            len(self.state),
            *(_share(one) for one in (self.both, self.state, self.label)),
        )


def half_of(path: str) -> int:
    """0 for the half to choose on, 1 for the one to quote."""
    return int(hashlib.sha256(path.encode()).hexdigest(), 16) % 2


def draw(
    people: pd.DataFrame, label: str, lean: int, pool_half: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The audited photographs and the pool, apart from each other: rows of ``people``.

    Of the pool's photographs half of those that fit are of either class; the others are the commoner combinations.
    """
    people = people.iloc[rng.permutation(len(people))]
    half = people["path"].map(half_of)

    def some(of: int, label_is: int, cue_is: int, count: int, without: Sequence[str] = ()) -> pd.DataFrame:
        meant = (half == of) & (people[label] == label_is) & (people[CUE] == cue_is) & ~people["path"].isin(without)
        return people[meant].head(count)

    rare = PER_CLASS - COMMON
    members = pd.concat(
        [
            some(0, lean, 1, COMMON),
            some(0, lean, 0, rare),
            some(0, 1 - lean, 1, rare),
            some(0, 1 - lean, 0, COMMON),
        ]
    )
    taken = members["path"].tolist()
    fitting = [some(pool_half, one, int(one != lean), FITTING // 2, taken) for one in (0, 1)]
    glasses = some(pool_half, lean, 1, (POOL - FITTING) // 2, taken)
    rest = some(pool_half, 1 - lean, 0, POOL - FITTING - len(glasses), taken)
    return members, pd.concat([*fitting, glasses, rest])


def run_case(
    case: tuple[str, tuple[str, str], int], options: argparse.Namespace, store: NaturalStore
) -> Iterator[Result]:
    """Audit, then pick from the same pool with and without its classes."""
    label, classes, lean = case
    name = f"{classes[0]}, {classes[1]}; {classes[lean]}"
    people = read_carrier(options.data / PEOPLE)
    pool_half = int(options.half == "quote")
    members, pool = draw(people, label, lean, pool_half, np.random.default_rng(len(label) + lean))
    with TemporaryDirectory() as place:
        folder = _audited(members, label, classes, options, Path(place), store)
        for said in (True, False):
            root = Path(place) / ("said" if said else "guessed")
            truth = _write_pool(pool, label, classes, options.data / PEOPLE, root, said)
            try:
                picked = pick(folder, root, Path(place) / f"{root.name}.csv")
            except ConfigError as error:
                print(f"{name}: {error}", file=sys.stderr)
                return
            right = [
                (int(truth[photo.path][1] == order.state.startswith("with ")), int(truth[photo.path][0] == order.label))
                for order in picked.orders
                for photo in order.photographs
            ]
            states, labels = (tuple(column) for column in zip(*right, strict=True)) if right else ((), ())
            yield Result(name, root.name, picked.ordered, states, labels)


def _audited(
    members: pd.DataFrame,
    label: str,
    classes: Sequence[str],
    options: argparse.Namespace,
    place: Path,
    store: NaturalStore,
) -> AuditFolder:
    with (place / "images.csv").open("w", newline="", encoding="utf-8") as handle:
        rows = zip(members["path"], (classes[one] for one in members[label]), strict=True)
        csv.writer(handle).writerows([("path", "label"), *rows])
    tree: dict[str, Any] = {
        "dataset": {"manifest": str(place / "images.csv"), "image_root": str((options.data / PEOPLE).resolve())},
        # The photographs are of 89 x 109 pixels.
        "model": {"fine_tune": "head", "image_size": 128},
        "cues": ["face", "glasses"],
        "attributes": [],
        "self_audit": {"permutations": 0, "power_images": 0},
        "compute": {"workers": 0, "models": str(options.models)},
    }
    config, folder = parse_config(tree), AuditFolder(place / "audit")
    run_stages(folder, config, store.trunk, "record")
    write_text(folder.config, dump_config(config))
    write_manifest(folder, STAGES)
    return folder


def _write_pool(
    pool: pd.DataFrame, label: str, classes: Sequence[str], source: Path, root: Path, said: bool
) -> dict[str, tuple[str, bool]]:
    """Copies below ``root``, in class folders where classes are said; the class and the cue of each, by its path."""
    truth = {}
    for path, of_class, cue in zip(pool["path"], pool[label], pool[CUE], strict=True):
        name = f"{classes[of_class]}/{Path(path).name}" if said else Path(path).name
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / path, root / name)
        truth[name] = classes[of_class], bool(cue)
    return truth


def _share(right: Sequence[int]) -> Cell:
    if not right:
        return None
    low, high = wilson(sum(right), len(right))
    return {"count": sum(right), "of": len(right), "low": low, "high": high}


def summed(results: Sequence[Result], pool: str) -> Result:
    """All cases together, of pools whose classes are said or guessed."""
    some = [result for result in results if result.pool == pool]
    return Result(
        "all",
        pool,
        sum(result.ordered for result in some),
        tuple(one for result in some for one in result.state),
        tuple(one for result in some for one in result.label),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all cases and print the table; 2 where the photographs are missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pick", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets")
    parser.add_argument("--half", choices=("choose", "quote"), default="quote", help="which half the pools are of")
    parser.add_argument("--store", type=Path, default=Path("audits/pick"), help="keeps detections and activations")
    parser.add_argument("--cases", type=int, default=len(CASES), help="only the first so many")
    add_option(parser)
    options = parser.parse_args(arguments)
    if not (options.data / PEOPLE / "index.csv").exists():
        print(f"{options.data}: holds no {PEOPLE}.", file=sys.stderr)
        return 2
    store, results = NaturalStore(options.store), list[Result]()
    with store.in_use() as options.models:
        for case in CASES[: options.cases]:
            for result in run_case(case, options, store):
                results.append(result)
                print(*table_lines(COLUMNS, [result.row()]), sep="\n", flush=True)
    rows = [result.row() for result in [*results, *(summed(results, pool) for pool in ("said", "guessed"))]]
    print(*table_lines(COLUMNS, rows), sep="\n")
    save(options.figures, "pick", COLUMNS, rows, NOTES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
