"""How many photographs keep their fold as others come or go: ``python -m tests.bench.folds``.

Sets are dealt as an audit deals them, before and after some of their photographs are left out; read the other way
round, the same comparison tells what happens when these are added. Counted are those that are in both.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from audit.data.folds import assign_folds
from tests.bench.figures import Cell, Column, add_option, save, table_lines

SIZES = (60, 200, 600, 2000)
FOLDS, DRAWS, CLASSES = 3, 50, (0.7, 0.2, 0.1)
COLUMNS = (
    Column("photographs"),
    Column("of which"),
    Column("left out"),
    Column("keep their fold, mean", ".1%"),
    Column("worst of 50", ".1%"),
    Column("most uneven class"),
)


def drawn(n: int, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, groups and digests of n photographs: each alone, a tenth copies of others, or five of every subject."""
    groups = np.arange(n)
    if kind == "a tenth are copies":
        copies = rng.random(n) < 0.1
        groups[copies] = rng.integers(0, n, copies.sum())
    elif kind == "five of each subject":
        groups //= 5
    labels = rng.choice(len(CLASSES), n, p=CLASSES)[groups]
    return labels, groups, np.array([rng.bytes(16).hex() for _ in range(n)])


def remaining(groups: np.ndarray, left_out: str, rng: np.random.Generator) -> np.ndarray:
    """Numbers of the photographs that are not left out."""
    n = len(groups)
    if left_out == "1 photograph":
        return np.delete(np.arange(n), rng.integers(n))
    if left_out == "5 % of the photographs":
        return np.sort(rng.permutation(n)[round(0.05 * n) :])
    names = rng.permutation(np.unique(groups))
    return np.flatnonzero(~np.isin(groups, names[: max(1, round(0.05 * len(names)))]))


def compare(n: int, kind: str, left_out: str) -> tuple[Cell, ...]:
    """A row of the table: over 50 sets, and the largest difference between folds of a class in the whole sets."""
    rng, kept, uneven = np.random.default_rng(n), [], 0
    for seed in range(DRAWS):
        labels, groups, digests = drawn(n, kind, rng)
        rows = remaining(groups, left_out, rng)
        folds = assign_folds(labels, groups, digests.tolist(), FOLDS, seed)
        again = assign_folds(labels[rows], groups[rows], digests[rows].tolist(), FOLDS, seed)
        kept.append(float(np.mean(folds[rows] == again)))
        for label in range(len(CLASSES)):
            counts = np.bincount(folds[labels == label], minlength=FOLDS)
            uneven = max(uneven, int(np.ptp(counts)))
    return n, kind, left_out, float(np.mean(kept)), min(kept), uneven


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.folds", description=__doc__)
    add_option(parser)
    options = parser.parse_args(arguments)
    cases = [("each alone", "5 % of the photographs"), ("each alone", "1 photograph")]
    cases += [("a tenth are copies", "5 % of the photographs")]
    cases += [("five of each subject", "5 % of the photographs"), ("five of each subject", "5 % of the subjects")]
    rows = [compare(n, *case) for case in cases for n in SIZES]
    print(*table_lines(COLUMNS, rows), sep="\n")
    notes = (
        f"{FOLDS} folds, classes of {' and '.join(f'{share:.0%}' for share in CLASSES)} of the photographs.",
        f"Dealt anew, {1 - 1 / FOLDS:.0%} would change their fold.",
        "Most uneven class: the largest difference between two folds' counts of a class in the 50 sets.",
    )
    save(options.figures, "folds", COLUMNS, rows, notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
