"""Facts as features: what a linear probe must see of one number to find whatever relation it has with the class."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

# Bumps overlap, as values do not fall into shapes and sizes with sharp edges.
BUMPS, WIDTH = 12, 0.08


def number_features(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Features of one number of n images, NaN where unknown: float32 (n, 2 + BUMPS + 1), label-independent.

    The rank among the known, -1..1, its square, how near it is to each of ``BUMPS`` evenly spaced ranks (a normal
    density of standard deviation ``WIDTH`` of all ranks, 1 at its top), and whether it is unknown, 0 or 1. So a linear
    probe finds a class that has more of it, or the middle, or some values; monotone changes of the unit change nothing,
    and equal values are described alike.
    """
    known = np.isfinite(values)
    rank = np.zeros(len(values))
    if (n := int(known.sum())) > 1:
        rank[known] = 2 * (rankdata(values[known]) - 0.5) / n - 1
    tops = (np.arange(BUMPS) + 0.5) / BUMPS
    bumps = np.exp(-((((rank[:, None] + 1) / 2 - tops) / WIDTH) ** 2) / 2) * known[:, None]
    columns = [rank[:, None], (rank**2 * known)[:, None], bumps, ~known[:, None]]
    return np.hstack([column.astype(np.float32) for column in columns])


def kind_features(present: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Features of a value that n images show or do not: one column for either, 0 or 1, float32 (n, 2)."""
    return np.stack([present, ~present], axis=1).astype(np.float32)
