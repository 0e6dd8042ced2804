"""Folds that keep copies of a picture together and share out every class evenly."""

import numpy as np
from numpy.typing import NDArray

# The fold of an image that is never held out.
ADDED = -1


def assign_folds(
    labels: NDArray[np.integer], groups: NDArray[np.integer], folds: int, seed: int = 0
) -> NDArray[np.int8]:
    """Give every image a fold, int8 in 0..folds-1, so that no duplicate group is split.

    ``labels`` and ``groups`` are integers of shape (n,), labels in 0..classes-1. Groups are placed one by one, those
    with several classes first and larger ones before smaller ones, each into the fold that has least of its classes.
    Among groups of one class that leaves the folds' counts of a class apart by at most the size of its largest group,
    and a class with at least ``folds`` such groups is in every fold. Deterministic for a seed, which only decides
    between groups of equal size.

    >>> assign_folds(np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 2, 3, 3]), folds=2).tolist()
    [0, 0, 1, 0, 1, 1]
    """
    counts = _class_counts(labels, groups)
    totals = np.maximum(counts.sum(axis=0), 1)
    held = np.zeros((folds, counts.shape[1]), np.int64)
    chosen = np.zeros(len(counts), np.int8)
    for group in _placing_order(counts, seed):
        chosen[group] = _least_loaded(held, counts[group], totals)
        held[chosen[group]] += counts[group]
    _, rows = np.unique(groups, return_inverse=True)
    return chosen[rows]


def _class_counts(labels: NDArray[np.integer], groups: NDArray[np.integer]) -> NDArray[np.int64]:
    """Images per group and class, int64 (groups, classes); groups in ascending order of their number."""
    names, rows = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), int(labels.max(initial=-1)) + 1), np.int64)
    np.add.at(counts, (rows, labels), 1)
    return counts


def _placing_order(counts: NDArray[np.int64], seed: int) -> NDArray[np.intp]:
    """Groups of several classes first, since the others can make up for them; then by size; ties at random."""
    chance = np.random.default_rng(seed).permutation(len(counts))
    return np.lexsort((chance, -counts.sum(axis=1), -(counts > 0).sum(axis=1)))


def _least_loaded(held: NDArray[np.int64], group: NDArray[np.int64], totals: NDArray[np.int64]) -> int:
    """The fold that lacks most of the group's classes, then has the smallest share of them, then of all images."""
    present = group > 0
    lacking = (held[:, present] == 0).sum(axis=1)
    load = (held[:, present] / totals[present]).sum(axis=1).round(12)
    return int(np.lexsort((held.sum(axis=1), load, -lacking))[0])
