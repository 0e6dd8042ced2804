"""The (cue, class) pairs to test: which classes a cue is associated with."""

import numpy as np
from numpy.typing import NDArray

EVEN = 0.1


def leaning_classes(present: NDArray[np.bool_], labels: NDArray[np.int64], classes: int) -> list[int]:
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
            leaning += [label] if difference > -EVEN else []
    return leaning
