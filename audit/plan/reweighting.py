"""Independence of a cue and the class: by sample weights (reweighing, raking), or by images to collect."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.measures.measure import Floats, Ints

CLIP = 10.0


@dataclass(frozen=True)
class Raking:
    """Weights that free several cues of the class at once.

    ``weights`` (n,) have mean 1. ``worst`` is the largest distance of a weighted cell share from independence, over all
    cues; ``converged`` says whether it is within the tolerance, after clipping.
    """

    weights: NDArray[np.float64]
    converged: bool
    worst: float


@dataclass(frozen=True)
class Cell:
    """Images of one class in one state of a cue: how many there are, should be, and are to be collected."""

    label: int
    present: bool
    have: int
    need: int
    add: int


def states(present: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """A cue's state in every image (n,), for ``rake``: 0 without it, 1 with it, 2 where that is not ``known``."""
    return np.where(known, present.astype(np.int64), 2)


def effective_n(weights: Floats) -> float:
    """The number of equally weighted images that carry as much information: (sum w)^2 / sum w^2 (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def rake(labels: Ints, states: Ints, clip: float = CLIP, tolerance: float = 1e-4, sweeps: int = 200) -> Raking:
    """Weights under which each cue by itself is independent of the class (iterative proportional fitting).

    ``labels`` (n,), ``states`` (n, k) integers or booleans, one column per cue. Each sweep multiplies, cue by cue, the
    weights of every cell (class, state) by its target P(y) P(s) over its present share (Deming & Stephan 1940). For one
    cue these are the weights P(y) P(s) / P(y, s) of reweighing (Kamiran & Calders 2012, section 4.2). Among all weights
    that reach the targets these are the nearest to equal ones in relative entropy; where none do (a class lacks a
    state, or cues contradict each other), ``converged`` is False and ``worst`` says by how much; then only new images
    help (``shopping_list``). Weights above ``clip`` (>= 1) are cut and the others raised to keep the mean.

    >>> rake(np.array([0, 0, 0, 1, 1]), np.array([1, 1, 0, 1, 0])).weights.round(2).tolist()
    [0.9, 0.9, 1.2, 1.2, 0.8]
    """
    states = np.asarray(states).reshape(len(labels), -1)
    columns = [(_codes(labels), _codes(column)) for column in states.T]
    uniform = np.full(len(labels), 1 / len(labels))
    targets = [
        np.outer(table.sum(axis=1), table.sum(axis=0)) for table in (_table(*codes, uniform) for codes in columns)
    ]
    weights = uniform
    for _ in range(sweeps):
        for codes, target in zip(columns, targets, strict=True):
            table = _table(*codes, weights)
            weights = weights * np.divide(target, table, out=np.zeros_like(table), where=table > 0)[codes]
        weights = weights / weights.sum()
        if _worst(columns, targets, weights) <= tolerance / 10:
            break
    clipped = _clipped(weights * len(labels), clip)
    worst = _worst(columns, targets, clipped / len(labels))
    return Raking(clipped, worst <= tolerance, worst)


def shopping_list(labels: Ints, state: Ints, n_classes: int) -> list[Cell]:
    """The fewest images to add so that every class shows the cue equally often; two cells per class, cue first.

    ``labels`` (n,) in 0..n_classes-1, ``state`` (n,) true where the image shows the cue. Let class c have a images with
    and b without the cue, and let every class end with r of the former to 1 of the latter. Nothing is removed, so c
    lacks max(0, r b - a) with and max(0, a / r - b) without: convex in r. Between two neighbouring odds a / b
    the total is r B + A / r + constant, A = sum of a over the classes above r, B = sum of b over those below, lowest at
    r = sqrt(A / B); the minimum is there or at one of the odds. The needs are rounded up to whole images, fewer than
    one per class above the minimum, so that the shares end equal to within one image of each class.

    >>> [cell.add for cell in shopping_list(np.array([0] * 10 + [1] * 10), np.array([1] * 9 + [0] + [1] + [0] * 9), 2)]
    [0, 8, 8, 0]
    """
    shown = np.bincount(labels[state.astype(bool)], minlength=n_classes)
    absent = np.bincount(labels[~state.astype(bool)], minlength=n_classes)
    odds = best_odds(shown, absent)
    # Products such as 1.5 * 20 come out a last bit too high.
    need_shown = shown if odds is None else np.maximum(shown, np.ceil(odds * absent - 1e-9).astype(int))
    need_absent = absent if odds is None else np.maximum(absent, np.ceil(shown / odds - 1e-9).astype(int))
    return [
        Cell(label, present, int(have[label]), int(need[label]), int(need[label] - have[label]))
        for label in range(n_classes)
        for present, have, need in ((True, shown, need_shown), (False, absent, need_absent))
    ]


def best_odds(shown: Ints, absent: Ints) -> float | None:
    """The common odds (with : without the cue) that cost the fewest new images; None if no image differs in the cue.

    ``shown`` and ``absent`` (classes,) count the images with and without the cue.
    """
    a, b = shown[shown + absent > 0].astype(float), absent[shown + absent > 0].astype(float)
    if not a.sum() or not b.sum():
        return None
    order = np.argsort(np.divide(a, b, out=np.full(len(a), np.inf), where=b > 0), kind="stable")
    a, b = a[order], b[order]
    above, below = np.cumsum(a[::-1])[::-1], np.concatenate([[0.0], np.cumsum(b)[:-1]])
    inner = np.sqrt(above[below > 0] / below[below > 0])
    candidates = np.concatenate([a[(a > 0) & (b > 0)] / b[(a > 0) & (b > 0)], inner[inner > 0]])
    totals = [np.maximum(0, r * b - a).sum() + np.maximum(0, a / r - b).sum() for r in candidates]
    return float(candidates[int(np.argmin(totals))])


def _codes(values: Ints) -> NDArray[np.intp]:
    codes: NDArray[np.intp] = np.unique(values, return_inverse=True)[1]
    return codes


def _table(rows: Ints, columns: Ints, weights: Floats) -> NDArray[np.float64]:
    shape = int(rows.max()) + 1, int(columns.max()) + 1
    cells = np.bincount(rows * shape[1] + columns, weights, shape[0] * shape[1]).astype(np.float64)
    return cells.reshape(shape)


def _worst(columns: Sequence[tuple[Ints, Ints]], targets: Sequence[Floats], weights: Floats) -> float:
    gaps = (np.abs(_table(*codes, weights) - target).max() for codes, target in zip(columns, targets, strict=True))
    return max(map(float, gaps), default=0.0)


def _clipped(weights: Floats, clip: float) -> NDArray[np.float64]:
    weights = weights / weights.mean()
    for _ in range(100):
        if weights.max() <= clip * (1 + 1e-12):
            break
        weights = np.minimum(weights, clip)
        weights = weights / weights.mean()
    return np.asarray(weights, np.float64)
