"""What to change in the dataset so that no flagged cue predicts the class any more."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.dataset import Dataset
from audit.folder import AuditFolder, write_json, write_text
from audit.weighting import effective_n, rake, shopping_list

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class PlanCell:
    """Photographs of one class with or without one cue: how many there are, should be, and are to be collected."""

    finding: str
    cue: str
    words: str
    label: str
    present: bool
    have: int
    need: int
    add: int

    def as_json(self) -> dict[str, object]:
        """The cell as audit.json holds it."""
        return {("class" if key == "label" else key): value for key, value in asdict(self).items()}

    def sentence(self) -> str:
        """What to collect, to be copied into an order."""
        state = "with" if self.present else "without"
        return f"Collect {self.add} more “{self.label}” photographs {state} {self.words} (there are {self.have})."


@dataclass(frozen=True)
class Flagged:
    """A finding that the plan is to mend; ``present`` and ``known`` (n,) are the cue's state in every image."""

    finding: str
    cue: str
    words: str
    present: NDArray[np.bool_]
    known: NDArray[np.bool_]

    @property
    def state(self) -> NDArray[np.int64]:
        """0 without the cue, 1 with it, 2 unknown."""
        return np.where(self.known, self.present.astype(np.int64), 2)


def cells(dataset: Dataset, flagged: Flagged) -> list[PlanCell]:
    """The fewest photographs to collect so that the cue is equally common in every class, two cells per class."""
    return [
        PlanCell(
            flagged.finding,
            flagged.cue,
            flagged.words,
            dataset.classes[cell.label],
            cell.present,
            cell.have,
            cell.need,
            cell.add,
        )
        for cell in shopping_list(dataset.labels[flagged.known], flagged.state[flagged.known], len(dataset.classes))
    ]


def write_plan(folder: AuditFolder, dataset: Dataset, flagged: Sequence[Flagged], wanted: Sequence[PlanCell]) -> Path:
    """Write ``plan/weights.csv`` (path, weight), ``plan/shopping-list.csv`` and ``plan/plan.json``; return the last.

    The weights are Kamiran and Calders' for one cue, and their generalisation by raking for several at once.
    """
    states = np.stack([one.state for one in flagged], 1) if flagged else np.zeros((len(dataset.images), 0), np.int64)
    raking = rake(dataset.labels, states)
    paths = [safe_path(path) for path in dataset.images["path"]]
    _write_csv(folder.plan / "weights.csv", ("path", "weight"), zip(paths, raking.weights.round(6), strict=True))
    rows = [(c.finding, c.label, c.words, "yes" if c.present else "no", c.have, c.need, c.add) for c in wanted]
    header = ("finding", "class", "cue", "shows the cue", "have", "need", "add")
    _write_csv(folder.plan / "shopping-list.csv", header, [tuple(map(safe_cell, row)) for row in rows])
    plan = {
        "cells": [cell.as_json() for cell in wanted],
        "weights": "plan/weights.csv",
        "effective_n": round(effective_n(raking.weights), 1),
        "weights_suffice": raking.converged,
        "files": ["plan/weights.csv", "plan/shopping-list.csv", "plan/plan.json"],
    }
    write_json(folder.plan / "plan.json", plan)
    return folder.plan / "plan.json"


def safe_path(path: str) -> str:
    """The same path, written so that no spreadsheet takes it for a formula.

    >>> safe_path("=HYPERLINK/a.jpg"), safe_path("cat/1.jpg")
    ('./=HYPERLINK/a.jpg', 'cat/1.jpg')
    """
    return f"./{path}" if path.startswith(_FORMULA_STARTS) else path


def safe_cell(value: object) -> object:
    """Text that a spreadsheet might take for a formula, with an apostrophe before it; anything else as it is."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    text = io.StringIO(newline="")
    # With RFC 4180's line end, a lone carriage return in a file name is quoted and cannot begin a row of its own.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())
