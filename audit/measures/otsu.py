"""Otsu's threshold of a set of scores, and the standardised separation of the two groups that it makes."""

import numpy as np
from numpy.typing import NDArray


def otsu_threshold(scores: NDArray[np.floating]) -> float:
    """Otsu's threshold: the value that parts scores (n,) into two groups with the least variance within them.

    It lies half way between two neighbouring scores; the score itself where all are equal, 0 where there are none.

    >>> otsu_threshold(np.array([0.0, 0.1, 0.9, 1.0]))
    0.5
    """
    ordered = np.sort(scores.astype(np.float64))
    if len(ordered) < 2 or ordered[0] == ordered[-1]:
        return float(ordered[0]) if len(ordered) else 0.0
    low = np.arange(1, len(ordered))
    sums = np.cumsum(ordered)[:-1]
    between = low * (len(ordered) - low) * (sums / low - (ordered.sum() - sums) / (len(ordered) - low)) ** 2
    cut = int(np.argmax(between))
    return float((ordered[cut] + ordered[cut + 1]) / 2)


def standardised_separation(scores: NDArray[np.floating], threshold: float) -> float:
    """Standardised separation: the difference of the means of scores (n,) from a threshold on and below it, >= 0.

    In units of the standard deviation within the groups. A normal density that is cut in its middle gives 2.6; 0 where
    one side is empty or neither varies.

    >>> standardised_separation(np.array([0.0, 0.2, 0.8, 1.0]), 0.5).__round__(6)
    8.0
    """
    high, low = scores[scores >= threshold].astype(np.float64), scores[scores < threshold].astype(np.float64)
    if not len(high) or not len(low):
        return 0.0
    within = np.sqrt((len(high) * high.var() + len(low) * low.var()) / len(scores))
    return float((high.mean() - low.mean()) / within) if within > 0 else 0.0
