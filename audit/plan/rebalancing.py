"""The fewest images to add, or to leave out, so that each of several cues is independent of the class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array, vstack

from audit.measures.measure import Floats, Ints
from audit.plan.reweighting import shopping_list

# Where the lower bound of the convex programme ends below the plan that it bounds, in images.
_GAP = 1e-3
_ROUNDS = 200
# A total this little above a whole number of images is rounding.
_SNAP = 0.01
# How much of all images it is worth at most to leave a cue as common as it is.
_HINT = 1e-4
# How much rarity, in natural logarithms, an image further from the target is worth.
_EXACT = 1e4
_NODES = 5000


@dataclass(frozen=True)
class JointTable:
    """Images counted by class and joint state of k cues.

    ``states`` (S, k) are the joint states that occur, ``counts`` (classes, S) the images in each, and ``row`` (n,) is
    each image's row of ``states``.
    """

    states: NDArray[np.int64]
    counts: NDArray[np.int64]
    row: NDArray[np.int64]

    @classmethod
    def of(cls, labels: Ints, states: Ints, n_classes: int) -> "JointTable":
        """Count ``labels`` (n,) in 0..n_classes-1 by the rows of ``states`` (n, k)."""
        occurring, row = np.unique(np.asarray(states, np.int64), axis=0, return_inverse=True)
        row = row.reshape(-1).astype(np.int64)
        counts = np.bincount(labels * len(occurring) + row, minlength=n_classes * len(occurring))
        return cls(occurring, counts.reshape(n_classes, len(occurring)).astype(np.int64), row)


def fewest_to_add(table: JointTable) -> NDArray[np.int64]:
    """How many images of each class and joint state there should be (classes, S), so that each cue is as common in
    every class.

    States are 0 and 1. Nothing is removed and only states that occur somewhere are asked for, so that nobody has to
    look for an image that is in two looks at once. Let class c end with M_c images, the share q_cs of them in state s;
    then M_c >= h_cs / q_cs for the h_cs images that it has, and the sum of s_j q_cs over s is the same p_j in every
    class. That is a convex programme in q, p and M. Its least sum of M_c is found by cutting planes (Kelley 1960) to
    within a thousandth of an image. Of equally cheap shares p_j those are taken that are nearest to the dataset's own.
    Each class then gets the next whole number of images, so the total is less than one image per class above the least,
    and an integer programme spreads them over the states: so that the cue furthest from its share p_j M_c is as near as
    whole images allow, within one image or so, and, of equally near solutions, into the states that are common in the
    whole dataset and so the easiest to find.

    One cue alone has a closed form (``shopping_list``). Each cue by itself becomes independent of the class, as under
    raked weights; how cues go together may still differ.

    >>> labels, cue = np.repeat([0, 1], 10), np.array([1] * 9 + [0] + [1] + [0] * 9)
    >>> fewest_to_add(JointTable.of(labels, cue[:, None], 2)).tolist()
    [[9, 9], [9, 9]]
    """
    need, occupied = table.counts.copy(), table.counts.sum(1) > 0
    if len(table.states) == 1:
        return need
    if table.states.shape[1] == 1:
        return _one_cue(table)
    have = table.counts[occupied]
    need[occupied] = _whole(have, table.states, _shares(have, table.states))
    return need


def fewest_to_drop(table: JointTable, min_per_class: int) -> NDArray[np.int64] | None:
    """Images to keep of each class and joint state (classes, S); None if a class falls below ``min_per_class``.

    An integer programme: of the tables below the counts, the largest in which all classes keep one and the same part of
    their images and each state of each cue is as common in every class, both to within half an image of each class.
    Were the classes free to shrink unequally, fewer images would often do, but at the price of a nearly empty class.

    >>> labels, cue = np.repeat([0, 1], 50), np.array([1] * 40 + [0] * 10 + [1] * 10 + [0] * 40)
    >>> fewest_to_drop(JointTable.of(labels, cue[:, None], 2), min_per_class=10).sum(1).tolist()
    [21, 21]
    """
    counts = table.counts[table.counts.sum(1) > 0]
    classes, width = counts.shape
    # Row r of `groups` says which states belong to the r-th sum that is to be the same part of every class.
    groups = np.array([np.ones(width, bool), *(column == value for column in table.states.T for value in set(column))])
    sums = np.kron(np.eye(classes), groups)
    parts = -np.kron(counts.sum(1, keepdims=True), np.eye(len(groups)))
    sizes = np.hstack([np.kron(np.eye(classes), np.ones(width)), np.zeros((classes, len(groups)))])
    total = int(counts.sum())
    solved = milp(
        np.concatenate([-np.ones(counts.size), np.zeros(len(groups))]),
        integrality=np.concatenate([np.ones(counts.size), np.zeros(len(groups))]),
        bounds=Bounds(0, np.concatenate([counts.ravel(), np.ones(len(groups))])),
        constraints=[
            LinearConstraint(csr_array(np.hstack([sums, parts])), -0.5, 0.5),
            LinearConstraint(csr_array(sizes), min_per_class, np.inf),
        ],
        options={"mip_rel_gap": 0.5 / total, "node_limit": _NODES},
    )
    if solved.x is None:
        return None
    keep = np.zeros_like(table.counts)
    keep[table.counts.sum(1) > 0] = np.rint(solved.x[: counts.size]).reshape(counts.shape)
    return keep


def _one_cue(table: JointTable) -> NDArray[np.int64]:
    labels, columns = (np.repeat(index.ravel(), table.counts.ravel()) for index in np.indices(table.counts.shape))
    cells = shopping_list(labels, table.states[columns, 0], len(table.counts))
    return np.array([cell.need for cell in cells], np.int64).reshape(-1, 2)[:, ::-1]


def _shares(counts: NDArray[np.int64], states: Ints) -> NDArray[np.float64]:
    """The cheapest shares q (classes, S): rows sum to 1, each cue equally common in all of them.

    The unknowns are M, q, and how far each p_j is from the cue's share in the whole dataset, which decides between
    plans of equal cost. Every round adds tangents of h / q where q is now: M >= h (2 / q_0 - q / q_0^2).
    """
    have = counts / counts.sum()
    (classes, width), cues = have.shape, states.shape[1]
    cost = np.concatenate([np.ones(classes), np.zeros(counts.size), np.full(cues, _HINT)])
    sums, common = np.kron(np.eye(classes), np.ones(width)), np.kron(np.eye(classes) - np.eye(classes)[0], states.T)
    equal = np.pad(np.vstack([sums, common]), ((0, 0), (classes, cues)))
    first = np.pad(states.T, ((0, 0), (classes, counts.size - width))).astype(np.float64)
    apart = np.vstack([np.hstack([first, -np.eye(cues)]), np.hstack([-first, -np.eye(cues)])])
    usual = have.sum(0) @ states
    cuts = [_tangents(have, np.full(have.shape, 0.5**exponent), have > 0, cues) for exponent in range(12)]
    for _ in range(_ROUNDS):
        x = linprog(
            cost,
            vstack([csr_array(apart), *cuts]),
            np.concatenate([usual, -usual, np.full(sum(cut.shape[0] for cut in cuts), -2.0)]),
            csr_array(equal),
            np.repeat([1.0, 0.0], [len(sums), len(common)]),
        ).x
        sizes_bound, shares = x[:classes], np.maximum(x[classes : classes + counts.size].reshape(have.shape), 1e-9)
        sizes = have / shares
        if (sizes.max(1) - sizes_bound).sum() * counts.sum() <= _GAP:
            break
        cuts.append(_tangents(have, shares, sizes > sizes_bound[:, None], cues))
    return np.asarray(shares / shares.sum(1, keepdims=True), np.float64)


def _tangents(have: Floats, at: Floats, cells: NDArray[np.bool_], cues: int) -> csr_array:
    """One row per marked cell for `rows @ x <= -2`: the tangent of h / q at ``at``, divided by h / q_0."""
    label, state = np.nonzero(cells)
    classes, width = have.shape
    entries = np.concatenate([-at[cells] / have[cells], -1 / at[cells]])
    columns = np.concatenate([label, classes + label * width + state])
    rows = np.tile(np.arange(len(label)), 2)
    return csr_array((entries, (rows, columns)), shape=(len(label), classes * (1 + width) + cues))


def _whole(counts: NDArray[np.int64], states: Ints, shares: Floats) -> NDArray[np.int64]:
    """Whole images (classes, S), none fewer than there are, each class as few as ``shares`` allow."""
    common, rarity = (shares @ states).mean(0), -np.log(counts.sum(0) / counts.sum())
    totals = np.ceil((counts / shares).max(1) - _SNAP)
    per_class = zip(counts, totals, strict=True)
    return np.stack([_whole_class(have, states, total, common * total, rarity) for have, total in per_class])


def _whole_class(
    have: NDArray[np.int64], states: Ints, total: float, shown: Floats, rarity: Floats
) -> NDArray[np.int64]:
    """``total`` images of which as nearly as possible ``shown`` (k,) show each cue, and then with the least rarity."""
    cues = np.ones((states.shape[1], 1))
    counted = np.append(np.ones(len(have)), 0)
    solved = milp(
        np.append(rarity, _EXACT),
        integrality=counted,
        bounds=Bounds(np.append(have, 0.5), np.inf),
        constraints=[
            LinearConstraint(counted, total, total),
            LinearConstraint(np.hstack([states.T, -cues]), -np.inf, shown),
            LinearConstraint(np.hstack([states.T, cues]), shown, np.inf),
        ],
    )
    return np.asarray(np.rint(solved.x[:-1]), np.int64)
