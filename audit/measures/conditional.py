"""Conditional association: what a signal says about the class among images that are alike in another one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from audit.measures.leakage import fold_auc
from audit.measures.measure import Bools, Floats, Ints, distinct
from audit.measures.ridge_probe import midranks

_BINS = 5


@dataclass(frozen=True)
class Signal:
    """What a cue shows in every image: ``values`` (n,), in 0..1, and ``strata`` (n,), images that are alike in it."""

    values: NDArray[np.float64]
    strata: NDArray[np.int64]


def signal_of(present: Bools, known: Bools, scores: Floats | None, folds: Ints) -> Signal:
    """The signal of a cue, all arrays (n,).

    By presence where there are no ``scores``: 1 with the cue, 0 without, 0.5 unknown. Otherwise the midrank of the
    out-of-fold probe's score inside its fold, for scores of different folds are of different probes, and 0.5 without a
    score. Strata are presence and, where there are scores, their fifths.
    """
    shown = np.where(known, present.astype(float), 0.5)
    if scores is None:
        return Signal(shown, (2 * shown).astype(np.int64))
    ranks = midranks(scores, folds)
    scored = np.isfinite(ranks)
    bins = np.where(scored, np.minimum(_BINS - 1, np.nan_to_num(ranks) * _BINS), _BINS).astype(np.int64)
    return Signal(np.where(scored, ranks, 0.5), 3 * bins + (2 * shown).astype(np.int64))


@dataclass(frozen=True)
class Remainder:
    """``alone``: the AUC of a signal; ``given``: among pairs of images alike in another signal; ``n`` distinct images
    of the smaller side that are in such a pair, on which ``given`` rests."""

    alone: float
    given: float
    n: int

    @property
    def share(self) -> float:
        """How much of the association is left, 0 where there was none."""
        apart = abs(self.alone - 0.5)
        sign = 1.0 if self.alone >= 0.5 else -1.0
        return max(0.0, sign * (self.given - 0.5)) / apart if apart > 0 and np.isfinite(self.given) else 0.0


def association(of: Signal, in_class: Bools, folds: Ints) -> float:
    """The AUC of a signal for a class, 0..1, over the pairs (one image of it, one not) inside a fold; all (n,)."""
    return float(fold_auc(of.values[:, None], in_class[:, None], folds)[0])


def remainder(
    of: Signal, given: Signal, in_class: Bools, groups: Ints, folds: Ints, alone: float | None = None
) -> Remainder:
    """What is left of a signal's association with a class among images that are alike in another signal.

    The AUC over the pairs (one image of the class, one not) inside a fold, and over those of them that are in one
    stratum of the other signal: Mann-Whitney stratified by a confounder (van Elteren 1960). All arrays (n,). ``alone``
    is the former where it is known already (``association``).
    """
    together = np.unique(np.stack([given.strata, folds]), axis=1, return_inverse=True)[1].ravel()
    matched = np.zeros(len(in_class), bool)
    for stratum in np.unique(together):
        rows = together == stratum
        if in_class[rows].any() and not in_class[rows].all():
            matched |= rows
    smaller = min(distinct(groups[matched & side]) for side in (in_class, ~in_class))
    alone = association(of, in_class, folds) if alone is None else alone
    return Remainder(alone, association(of, in_class, together), smaller)


def varies_within_classes(signal: Signal, labels: Ints) -> bool:
    """Whether a signal tells images of one class apart at all."""
    return any(np.ptp(signal.values[labels == label]) > 0 for label in np.unique(labels))


def correlation_within_classes(first: Signal, second: Signal, labels: Ints, folds: Ints) -> tuple[float, float]:
    """Spearman's correlation of two signals inside class and fold, and the lower end of its 95 % interval; 0, -1 if
    either does not vary.

    Signals that only share the class have none. Pooled over the cells from centred ranks; interval by Fisher's z with
    one degree of freedom less for every cell.
    """
    cells = np.unique(np.stack([labels, folds]), axis=1, return_inverse=True)[1].ravel()
    centred = np.zeros((2, len(labels)))
    for cell in np.unique(cells):
        rows = cells == cell
        for number, signal in enumerate((first, second)):
            ranks = rankdata(signal.values[rows]) / rows.sum()
            centred[number, rows] = ranks - ranks.mean()
    square = (centred**2).sum(axis=1)
    freedom = len(labels) - 2 * len(np.unique(cells)) - 1
    if square.min() < 1e-9 or freedom < 1:
        return 0.0, -1.0
    r = float(centred[0] @ centred[1] / np.sqrt(square.prod()))
    z = np.arctanh(np.clip(r, -0.999999, 0.999999)) - 1.96 / np.sqrt(freedom)
    return r, float(np.tanh(z))
