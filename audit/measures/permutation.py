"""P-values from permutations of images that come in duplicate groups, and their correction for many tests."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from audit.measures.intervals import CHUNK
from audit.measures.measure import Bools, Floats, Ints, Random

# A p-value from fewer permuted statistics that reach the observed one is made more precise, by so many times as many.
FEW, FURTHER = 10, 9


def permuted_labels(
    labels: Bools, groups: Ints, permutations: int, rng: Random, strata: Ints | None = None
) -> NDArray[np.bool_]:
    """Permute the labels (n,) within the exchangeable blocks that duplicate ``groups`` (n,) make: (permutations, n).

    The labels of a whole group move together to another group of the same size (and, with ``strata``, of the same
    stratum), so dependence inside groups, groups with mixed labels and the number of labels stay as they are and the
    test is exact (exchangeable blocks: Winkler et al. 2015). A group that has no counterpart keeps its labels.
    """
    rng = np.random.default_rng(rng)
    permuted = np.tile(np.asarray(labels, bool), (permutations, 1))
    for rows in _exchangeable_blocks(groups, strata):
        step = max(1, CHUNK // rows.size)
        for start in range(0, permutations, step):
            stop = min(start + step, permutations)
            order = rng.permuted(np.tile(np.arange(len(rows)), (stop - start, 1)), axis=1)
            permuted[start:stop, rows.ravel()] = labels[rows][order].reshape(stop - start, -1)
    return permuted


def permuted_order(groups: Ints, rng: Random, strata: Ints | None = None) -> NDArray[np.intp]:
    """One permutation (n,) of the images under the null hypothesis, to permute labels by: ``labels[order]``.

    As ``permuted_labels``, for labels of any number of classes.
    """
    rng, order = np.random.default_rng(rng), np.arange(len(groups))
    for rows in _exchangeable_blocks(groups, strata):
        order[rows.ravel()] = rows[rng.permutation(len(rows))].ravel()
    return order


def _exchangeable_blocks(groups: Ints, strata: Ints | None) -> Iterator[NDArray[np.intp]]:
    """Yield the rows of all groups of one size and stratum, shape (groups, size); lone groups are left out."""
    _, first, unit, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    by_unit = np.argsort(unit, kind="stable")
    starts = np.cumsum(sizes) - sizes
    stratum = np.zeros(len(first), int) if strata is None else np.asarray(strata)[first]
    kinds = np.unique(np.stack([sizes, stratum], axis=1), axis=0)
    for size, value in kinds:
        units = np.flatnonzero((sizes == size) & (stratum == value))
        if len(units) > 1:
            yield by_unit[starts[units][:, None] + np.arange(size)]


def permutation_p(observed: float, permuted: Floats) -> float:
    """Share of the ``permuted`` statistics (k,) at least as large as the observed one, which counts as one of them.

    In (0, 1]: never below 1 / (1 + k).
    """
    return (1 + _reaching(observed, permuted)) / (1 + len(permuted))


def _reaching(observed: float, permuted: Floats) -> int:
    # Statistics that are equal in exact arithmetic differ in the last bits.
    return int(np.sum(permuted >= observed - 1e-12))


def refined_p(observed: float, permuted: Floats, more: Callable[[int], Floats]) -> float:
    """As ``permutation_p``; where fewer than ``FEW`` of ``permuted`` (k,) reach ``observed``, of ``FURTHER`` * k others
    from ``more``, too.

    The least p of k permutations, 1 / (1 + k), may be too large to survive a correction for many tests. Sequential
    Monte Carlo as by Besag & Clifford (1991), looked at once: never more p-values below a level than it says, for below
    (1 + FEW) / (1 + k) only the test with all permutations gets, and above it the one with k is passed, too.
    """
    if _reaching(observed, permuted) < FEW:
        permuted = np.concatenate([permuted, more(FURTHER * len(permuted))])
    return permutation_p(observed, permuted)


def benjamini_hochberg(p: Sequence[float | None] | Floats) -> NDArray[np.float64]:
    """Adjusted p-values (Benjamini & Hochberg 1995), in the order given; None and NaN stay NaN and do not count.

    Raises ValueError for a p-value outside 0..1.

    >>> benjamini_hochberg([0.01, None, 0.04, 0.03]).tolist()
    [0.03, nan, 0.04, 0.04]
    """
    raw = np.array([math.nan if value is None else float(value) for value in p])
    given = ~np.isnan(raw)
    raw[given] = false_discovery_control(raw[given])
    return raw
