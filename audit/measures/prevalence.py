"""Prevalence: share of a class's images that show the cue, beside the share elsewhere."""

import numpy as np

from audit.measures.intervals import contrast_interval, share_interval
from audit.measures.limits import UNEVEN
from audit.measures.measure import Bools, Floats, Ints, Measure, Random, distinct, too_few, unmeasured
from audit.measures.permutation import permuted_labels, refined_p


def prevalence(
    present: Bools, in_class: Bools, groups: Ints, rng: Random, permutations: int = 500, min_images: int = 10
) -> Measure:
    """Share of a class's images that show the cue, in [0, 1], beside the share elsewhere.

    ``present``, ``in_class`` and ``groups`` (duplicate group) have shape (n,). Intervals are Wilson's, with duplicate
    groups counted by their effective number; that of the difference is Newcombe's. p: labels permuted over duplicate
    groups, statistic |difference|; as in every measure, a small p is refined (``refined_p``). Measured when the class
    and the rest have ``min_images`` distinct images each.

    ``extra``: ``elsewhere``, ``elsewhere_low``, ``elsewhere_high``, ``elsewhere_n``; ``difference`` (share in the
    class minus elsewhere, -1 to 1) with ``difference_low`` and ``difference_high``; ``cramers_v``.
    """
    reason = too_few(distinct(groups[in_class]), min_images, "in the class") or too_few(
        distinct(groups[~in_class]), min_images, "in the other classes"
    )
    n = int(in_class.sum())
    if reason:
        return unmeasured(reason, n)
    sides = [in_class, ~in_class]
    shares = np.array([present[side].mean() for side in sides])
    bounds = np.array([share_interval(present[side], groups[side]) for side in sides])
    low, high = contrast_interval(np.array([1.0, -1.0]), shares, bounds[:, 0], bounds[:, 1])
    extra = {
        "elsewhere": float(shares[1]),
        "elsewhere_low": float(bounds[1, 0]),
        "elsewhere_high": float(bounds[1, 1]),
        "elsewhere_n": len(present) - n,
        "difference": float(shares[0] - shares[1]),
        "difference_low": low,
        "difference_high": high,
        "cramers_v": cramers_v(_crossed(present, in_class)),
    }
    p = _permutation_p(present, in_class, groups, rng, permutations)
    return Measure(float(shares[0]), float(bounds[0, 0]), float(bounds[0, 1]), n, p, extra=extra)


def cramers_v(table: Floats) -> float:
    """Bias-corrected Cramér's V of a table of counts (r, c), in [0, 1] (Bergsma 2013, equations 2 to 4).

    phi2 = chi2 / n; V = sqrt(max(0, phi2 - (r-1)(c-1)/(n-1)) / (min(r~, c~) - 1)) with k~ = k - (k-1)^2/(n-1).
    Rows and columns that are all zero do not count; with fewer than two of either, V is 0.
    """
    table = np.asarray(table, float)
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    if min(table.shape) < 2:
        return 0.0
    n = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi2 = ((table - expected) ** 2 / expected).sum() / n
    rows, columns = table.shape
    corrected = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    smaller = min(size - (size - 1) ** 2 / (n - 1) for size in (rows, columns)) - 1
    return float(min(1.0, np.sqrt(corrected / smaller))) if smaller > 0 else 0.0


def _crossed(present: Bools, in_class: Bools) -> Floats:
    return np.bincount(2 * in_class.astype(int) + present, minlength=4).reshape(2, 2).astype(float)


def _permutation_p(present: Bools, in_class: Bools, groups: Ints, rng: Random, permutations: int) -> float:
    rng = np.random.default_rng(rng)
    inside, shown, n = int(in_class.sum()), int(present.sum()), len(present)

    def spread(hits: Ints | int) -> Floats:
        # The number of labels never changes, so the difference depends on the permutation through these hits alone.
        return np.abs(np.asarray(hits) / inside - (shown - np.asarray(hits)) / (n - inside))

    def permuted(count: int) -> Floats:
        return spread(np.count_nonzero(permuted_labels(in_class, groups, count, rng)[:, present], axis=1))

    return refined_p(float(spread(int((present & in_class).sum()))), permuted(permutations), permuted)


def leaning_classes(present: Bools, labels: Ints, classes: int) -> list[int]:
    """Classes to test the cue against: those whose share with the cue is at most 0.1 below the other images'.

    A cue that is shown about equally often everywhere leans towards every class, since its appearance may still
    differ. ``present`` and ``labels`` have shape (n,); images where the cue is unknown are left out beforehand.

    >>> leaning_classes(np.array([1, 1, 1, 0, 0, 0], bool), np.array([0, 0, 0, 1, 1, 1]), 2)
    [0]
    """
    leaning = []
    for label in range(classes):
        inside = labels == label
        if inside.any() and (~inside).any() and present[inside].any():
            difference = present[inside].mean() - present[~inside].mean()
            leaning += [label] if difference > -UNEVEN else []
    return leaning
