"""Which images show a look-alike: the cut comes from the cluster's own members, precision before recall."""

import numpy as np
from numpy.typing import NDArray

# How much recall counts for beside precision (van Rijsbergen 1979): half as much is the usual choice of who wants
# precision first.
_RECALL = 0.5


def is_member(
    likeness: NDArray[np.floating], folds: NDArray[np.integer], members: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Whether each image shows a look-alike, (n,).

    ``likeness`` (n, K) is that of each image to the cluster as it is without each fold (and without the image itself),
    ``folds`` (n,) the images' own folds, ``members`` (n, K) the images of which the cluster is made without each fold.
    The cut for the images of a fold is ``precise_cut`` of the images outside it by their likeness to the same cluster.
    So neither the cluster nor the cut is made of the images that are judged by it.
    """
    shown = np.zeros(len(likeness), bool)
    for fold, (alike, made) in enumerate(zip(likeness.T, members.T, strict=True)):
        inside = folds == fold
        shown[inside] = alike[inside] >= precise_cut(alike[~inside], made[~inside])
    return shown


def precise_cut(scores: NDArray[np.floating], members: NDArray[np.bool_]) -> float:
    """The score from which on images are most nearly the members: the highest F measure, recall counting half.

    F = (1 + b^2) P R / (b^2 P + R) with b = 0.5 (van Rijsbergen 1979), where P is the share of the images from the cut
    on that are members and R the share of the members that are there. An image that shows the thing and is not attended
    to counts as wrong, which errs towards precision. ``scores`` and ``members`` have shape (n,); of equal F the highest
    cut; infinity where there is no member.

    >>> precise_cut(np.array([0.9, 0.8, 0.7, 0.2, 0.1]), np.array([True, True, False, True, False]))
    0.8
    """
    if not members.any():
        return float("inf")
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], np.cumsum(members[order])
    # F with P = right / above and R = right / all: images of one score are above a cut together.
    f = (1 + _RECALL**2) * right / (_RECALL**2 * right[-1] + np.arange(1, len(ranked) + 1))
    f[:-1][ranked[:-1] == ranked[1:]] = -1
    return float(ranked[f.argmax()])
