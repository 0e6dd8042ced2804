"""Which classes a cue leans towards: the pairs of cue and class that an audit asks about."""

import numpy as np
from numpy.typing import NDArray

EVEN = 0.1


def leaning_classes(present: NDArray[np.bool_], labels: NDArray[np.int64], classes: int) -> list[int]:
    """Classes that show the cue at least as often as the other images do, up to a tolerance of 0.1 in the share.

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
            leaning += [label] if difference > -EVEN else []
    return leaning
