"""Linear probes: cross-fitted ridge regressions of the class on descriptors of images."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.stats import rankdata

from audit.measures.measure import Bools, Floats, Ints

RIDGE = 1.0


@dataclass(frozen=True)
class Probes:
    """Ridge regressions on labels of +-1, one per fold, trained on the other folds; they are linear in the labels.

    Features are standardised over all rows (no labels are used for that), then centred on the training rows, as are the
    labels: the unpenalised intercept. The penalty is ``RIDGE`` times the mean squared norm of a training row, which
    is right for features of any number and scale if they explain as much of the label as they leave open, and does not
    depend on the labels. So one factorisation a fold serves any number of labelings.

    ``hats``: per fold its rows (n,) and what makes scores of them, (t, n - t), out of the labels of all others.
    """

    hats: tuple[tuple[NDArray[np.bool_], NDArray[np.float64]], ...]

    @classmethod
    def of(cls, features: Floats, folds: Ints) -> "Probes":
        """For ``features`` (n, d), which are read as float64, and ``folds`` (n,)."""
        return cls(tuple(_hats(_standardised(features), folds)))

    def scores(self, labels: Bools) -> NDArray[np.float64]:
        """Held-out scores (n, k), about -1..1, for k sets of ``labels``, boolean (n, k); 0 for a single fold."""
        targets = np.where(labels, 1.0, -1.0)
        scores = np.zeros(targets.shape)
        for held_out, hat in self.hats:
            # Centred training rows have no part in a constant, so the labels need not be centred.
            scores[held_out] = hat @ targets[~held_out]
        return scores


def midranks(scores: Floats, cells: Ints) -> NDArray[np.float64]:
    """Midranks (n,), in (0, 1), of scores inside their cells (n,): those of different folds are of different probes.

    NaN for images without a score (NaN), which are not counted.
    """
    ranks = np.full(len(scores), np.nan)
    for cell in np.unique(cells):
        rows = (cells == cell) & np.isfinite(scores)
        if rows.any():
            ranks[rows] = (rankdata(scores[rows]) - 0.5) / rows.sum()
    return ranks


def _hats(standard: Floats, folds: Ints) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
    for fold in np.unique(folds):
        held_out = folds == fold
        if not held_out.all():
            centre = standard[~held_out].mean(axis=0)
            yield held_out, _hat(standard[~held_out] - centre, standard[held_out] - centre)


def _hat(train: Floats, test: Floats) -> NDArray[np.float64]:
    """Predictions for test rows (t, d) per label of centred training rows (m, d): (t, m).

    X'(XX' + cI)^-1 = (X'X + cI)^-1 X': the kernel or the primal form, whichever is smaller.
    """
    rows, columns = train.shape
    penalty = RIDGE * float((train**2).sum()) / rows
    if penalty == 0:
        return np.zeros((len(test), rows))
    wide = columns > rows
    gram = train @ train.T if wide else train.T @ train
    gram[np.diag_indices_from(gram)] += penalty
    solved = solve(gram, train @ test.T if wide else test.T, assume_a="pos", overwrite_a=True)
    hat: NDArray[np.float64] = solved.T if wide else solved.T @ train.T
    return hat


def _standardised(features: Floats) -> Floats:
    features = features.astype(np.float64)
    spread = features.std(axis=0)
    centred: Floats = features - features.mean(axis=0)
    # A channel that is constant up to rounding would be blown up to pure noise.
    constant = spread <= 1e-9 * np.abs(features).max(axis=0, initial=0.0)
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, spread))
