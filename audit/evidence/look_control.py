"""The control of looks: groups formed in the same way from a region of the same size elsewhere in the picture."""

import numpy as np
from numpy.typing import NDArray

from audit.explain.clusters import unit_components
from audit.explain.stable_kmeans import refit
from audit.measures.intervals import cluster_bootstrap_totals, percentile_interval
from audit.measures.measure import Bools, Floats, Ints, Random, distinct

NO_ROOM = -1


def control_groups(control: NDArray[np.floating], looks: int, seed: int) -> NDArray[np.int64]:
    """The group of each image, int (n,), 0 to ``looks`` - 1; ``NO_ROOM`` where there is no control.

    ``control`` (n, C) are the activations pooled in the control region, rows of zeros where there is no room for one.
    The groups are formed as looks are (``appearance_groups.sort_looks``): k-means on the principal components of the
    unit descriptors, of as many groups. Unlike looks they need not be stable.
    """
    assigned, room = np.full(len(control), NO_ROOM, np.int64), control.any(axis=1)
    if room.any():
        assigned[room] = refit(unit_components(control[room]), looks, seed)
    return assigned


def beside_control_groups(
    present: Bools, in_class: Bools, assigned: Ints, groups: Ints, rng: Random, resamples: int, min_images: int
) -> dict[str, float]:
    """How far a look leans beyond what groups of control regions do, for one class.

    ``present`` (whether an image has the look), ``in_class``, ``assigned`` (``control_groups``) and ``groups``
    (duplicate group) have shape (n,). Only images that have a control count, and there must be ``min_images`` distinct
    ones of the class and of the others; else nothing is returned.

    ``control_difference``: the largest |share in the class - share elsewhere| of a control group, 0 to 1: with several
    groups the largest is above 0 by chance alone, which is in the look's disfavour. ``above_control``: |share in the
    class - share elsewhere| of the look minus that, -1 to 1. Each with ``_low`` and ``_high``: percentile bootstrap
    over duplicate groups, the groups of looks and controls staying as they were formed.
    """
    room = assigned != NO_ROOM
    present, in_class, assigned, groups = present[room], in_class[room], assigned[room], groups[room]
    smaller = min(distinct(groups[side]) for side in (in_class, ~in_class))
    if smaller < max(1, min_images):
        return {}
    shown = np.column_stack([present, *(assigned == group for group in range(int(assigned.max()) + 1))])
    columns = np.column_stack([in_class, ~in_class, shown & in_class[:, None], shown & ~in_class[:, None]])
    control, above = _compared(columns.sum(axis=0, keepdims=True).astype(np.float64))
    drawn = cluster_bootstrap_totals(columns.astype(np.float64), groups, resamples, rng)
    figures = {"control_difference": float(control[0]), "above_control": float(above[0])}
    samples = _compared(drawn[(drawn[:, :2] > 0).all(axis=1)])
    for name, values in zip(tuple(figures), samples, strict=True):
        figures[f"{name}_low"], figures[f"{name}_high"] = percentile_interval(values, units=smaller)
    return figures


def _compared(totals: Floats) -> tuple[Floats, Floats]:
    """The control's difference and how far the look's is above it, (r,) each.

    From totals (r, 2 + 2 (1 + k)): images of the class, others; those of the class with the look and of each of k
    control groups; the same of the others.
    """
    inside, outside = np.split(totals[:, 2:], 2, axis=1)
    apart = np.abs(inside / totals[:, :1] - outside / totals[:, 1:2])
    control = apart[:, 1:].max(axis=1)
    return control, apart[:, 0] - control
