"""Folds that follow from what the photographs are: groups stay whole, every class is shared out evenly."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The fold of an image that is never held out.
ADDED = -1
_WORD = 8


@dataclass(frozen=True, eq=False)
class _Units:
    """Groups in the order of their chance, so that nothing depends on the order in which files are listed.

    ``counts`` int64 (units, classes) are their images by class; ``chance`` and ``preference`` float64 (units,), 0..1,
    follow from the seed and the smallest SHA-256 in the group; ``rows`` (n,) is the unit of every image.
    """

    counts: NDArray[np.int64]
    chance: NDArray[np.float64]
    preference: NDArray[np.float64]
    rows: NDArray[np.intp]


def assign_folds(
    labels: NDArray[np.integer], groups: NDArray[np.integer], digests: Sequence[str], folds: int, seed: int = 0
) -> NDArray[np.int8]:
    """Give every image a fold, int8 in 0..folds-1, that changes for few images when some are added or removed.

    ``labels`` and ``groups`` are integers of shape (n,), labels in 0..classes-1; ``digests`` are the SHA-256 of the n
    files. No group is split. A group gets two numbers from the seed and its smallest digest. The groups of a class, and
    those of several classes, stand in a circle in the order of the first number, each as wide as it has images, and the
    circle is cut into equal parts: a cut moves by few images when images come or go. A class of single images is then
    even to within one. Larger groups are evened out afterwards: one after the other that group is moved that brings its
    class into a fold without it, else that which makes the folds most equal, until none does; the second number decides
    between equals. Among groups of one class the folds' counts then differ by at most the size of its largest group,
    and a class with at least ``folds`` such groups is in every fold.

    >>> assign_folds(np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 2, 3, 3]), list("abcdef"), folds=2).tolist()
    [0, 0, 1, 0, 1, 1]
    """
    units = _units(labels, groups, digests, seed)
    chosen = _dealt(units, folds, seed)
    _even_out(units, chosen, folds)
    return chosen.astype(np.int8)[units.rows]


def _units(labels: NDArray[np.integer], groups: NDArray[np.integer], digests: Sequence[str], seed: int) -> _Units:
    names, rows = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), int(labels.max(initial=0)) + 1), np.int64)
    np.add.at(counts, (rows, labels), 1)
    first = [""] * len(names)
    for row, digest in zip(rows.tolist(), digests, strict=True):
        first[row] = min(first[row] or digest, digest)
    numbers = _numbers(first, seed)
    order = np.argsort(numbers[:, 0], kind="stable")
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    return _Units(counts[order], numbers[order, 0], numbers[order, 1], rank[rows])


def _numbers(digests: Sequence[str], seed: int) -> NDArray[np.float64]:
    """Two numbers in 0..1 for every digest, float64 (n, 2); of equal files, which are one group or uniform, others."""
    seen: dict[str, int] = {}
    numbers = np.empty((len(digests), 2))
    for row, digest in enumerate(digests):
        seen[digest] = seen.get(digest, -1) + 1
        numbers[row] = _uniform(f"{seed} {digest} {seen[digest]}")
    return numbers


def _uniform(text: str) -> tuple[float, float]:
    content = hashlib.sha256(text.encode()).digest()
    first, second = (int.from_bytes(content[start : start + _WORD], "big") for start in (0, _WORD))
    return first / 256**_WORD, second / 256**_WORD


def _dealt(units: _Units, folds: int, seed: int) -> NDArray[np.intp]:
    """Cut the circle of every class's groups, and that of groups of several classes, into one part per fold."""
    chosen = np.zeros(len(units.counts), np.intp)
    circles = np.where((units.counts > 0).sum(axis=1) == 1, units.counts.argmax(axis=1), -1)
    sizes = units.counts.sum(axis=1)
    for circle in np.unique(circles):
        mine = np.flatnonzero(circles == circle)
        middles = np.cumsum(sizes[mine]) - sizes[mine] / 2
        # Without a turn of its own, every circle would have its leftover images in the same folds.
        turn, _ = _uniform(f"{seed} circle {circle}")
        chosen[mine] = np.floor((middles / sizes[mine].sum() + turn) % 1 * folds)
    return chosen


def _even_out(units: _Units, chosen: NDArray[np.intp], folds: int) -> None:
    """Move groups between folds while that makes the classes more even; ``chosen`` is changed."""
    counts = units.counts
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    held = np.zeros((folds, counts.shape[1]), np.int64)
    np.add.at(held, chosen, counts)
    by_preference = np.argsort(units.preference)
    while len(counts):
        lacking, uneven = _changes(counts, shares, held, chosen)
        # Rounding in the last digits must not decide between equals.
        uneven = np.where(lacking == lacking.min(), uneven.round(9), np.inf)[by_preference]
        preferred, fold = divmod(int(uneven.argmin()), folds)
        if lacking.min() == 0 and uneven[preferred, fold] >= 0:
            return
        unit = by_preference[preferred]
        held[chosen[unit]] -= counts[unit]
        held[fold] += counts[unit]
        chosen[unit] = fold


def _changes(
    counts: NDArray[np.int64], shares: NDArray[np.float64], held: NDArray[np.int64], chosen: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What moving each group to each fold changes, both (units, folds).

    First how many classes lack in a fold, then half the sum over classes of the folds' squared counts, each class
    divided by its total. Both are 0 for the fold in which a group is.
    """
    present, every = (counts > 0).astype(np.int64), np.arange(len(counts))
    left_empty = (present & (counts == held[chosen])).sum(axis=1, keepdims=True)
    loads = shares @ held.T
    lacking = left_empty - present @ (held == 0).T
    uneven = (shares * counts).sum(axis=1, keepdims=True) + loads - loads[every, chosen][:, None]
    lacking[every, chosen], uneven[every, chosen] = 0, 0.0
    return lacking, uneven
