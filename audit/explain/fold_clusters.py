"""Clusters found again without the images of each fold, so that a cluster is tested on images that did not make it."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from audit.explain.stable_kmeans import refit

NOWHERE = -1
_COLUMN = "without_fold_"


def without_each_fold(
    features: Callable[[NDArray[np.bool_]], NDArray[np.float64]],
    assigned: NDArray[np.integer],
    folds: NDArray[np.integer],
    count: int,
    seed: int,
) -> NDArray[np.int64]:
    """The cluster of every region where the clustering is done without a fold, int (regions, count) for so many folds.

    ``features`` gives what regions (a boolean row mask) are compared by, worked out from these regions alone;
    ``assigned`` (regions,) is the clustering of all, ``folds`` (regions,) the fold of each region's image. Without each
    fold k-means is fitted anew with as many clusters, and each of its clusters gets the number of the one of all
    regions that it stands for: the matching one to one that leaves most of the shared regions where they were (Kuhn
    1955). ``NOWHERE`` for the regions of the fold itself, and for those whose cluster stands for none.
    """
    k = int(assigned.max(initial=-1)) + 1
    numbers = np.full((len(assigned), count), NOWHERE, np.int64)
    for fold in range(count):
        outside = folds != fold
        if outside.any():
            anew = refit(features(outside), k, seed)
            numbers[outside, fold] = match(anew, assigned[outside])[anew]
    return numbers


def match(anew: NDArray[np.integer], reference: NDArray[np.integer]) -> NDArray[np.int64]:
    """The cluster of ``reference`` that each cluster of ``anew``, both (n,), stands for; ``NOWHERE`` without overlap.

    One to one, with the largest number of rows in matched clusters.

    >>> match(np.array([0, 0, 1, 1, 1]), np.array([1, 1, 1, 0, 0])).tolist()
    [1, 0]
    """
    overlap = np.zeros((int(anew.max(initial=-1)) + 1, int(reference.max(initial=-1)) + 1), np.int64)
    np.add.at(overlap, (anew, reference), 1)
    matched = np.full(len(overlap), NOWHERE, np.int64)
    for row, column in zip(*linear_sum_assignment(overlap, maximize=True), strict=True):
        if overlap[row, column]:
            matched[row] = column
    return matched


def as_columns(numbers: NDArray[np.int64]) -> dict[str, NDArray[np.int16]]:
    """``without_each_fold`` as columns of a table, one per fold."""
    return {f"{_COLUMN}{fold}": column.astype(np.int16) for fold, column in enumerate(numbers.T)}


def from_columns(table: pd.DataFrame) -> NDArray[np.int64]:
    """``without_each_fold`` from a table that has the columns of ``as_columns``, (regions, K)."""
    names = sorted((name for name in table if name.startswith(_COLUMN)), key=lambda name: int(name[len(_COLUMN) :]))
    numbers: NDArray[np.int64] = table[names].to_numpy(np.int64)
    return numbers
