"""Which photographs of a pool fit an order, in the order of how surely they do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from audit.plan.picking.told_cues import State
from audit.plan.plan_json import Order

Images = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Classes:
    """The class of n photographs: ``labels`` int64 (n,), -1 where it cannot be told, ``guessed`` boolean (n,).

    ``probability`` float (n,) is that of the label where it is guessed, and 1 where somebody said it; ``said`` (n,) is
    the same as the models gave it.
    """

    labels: NDArray[np.int64]
    guessed: NDArray[np.bool_]
    probability: NDArray[np.float64]
    said: NDArray[np.float64]


def in_state(order: Order, states: Mapping[str, State]) -> NDArray[np.bool_]:
    """Which photographs are known to be in the state of every cue that the order asks for, (n,)."""
    return np.asarray(np.logical_and.reduce([states[cue.cue].fits(cue.present) for cue in order.cues or ()]), bool)


def ranked(order: Order, label: int, states: Mapping[str, State], classes: Classes) -> Images:
    """The photographs of a class that fit an order, the surest first; of equally sure ones the earlier.

    A photograph is as sure as the least sure of what makes it fit: of each cue's state, and of the class where that is
    guessed. How sure is the share of the photographs in the same state whose value is not further on its side, so that
    values of different scales can be compared.
    """
    fitting = in_state(order, states) & (classes.labels == label)
    images = np.flatnonzero(fitting)
    sure = [_shares_of(states[cue.cue].sureness(cue.present))[images] for cue in order.cues or ()]
    if classes.guessed[images].any():
        of_class = np.where(classes.guessed & (classes.labels == label), classes.probability, np.nan)
        sure.append(np.where(classes.guessed, _shares_of(of_class), 1.0)[images])
    table = np.stack(sure).round(9)
    order_of = np.lexsort((images, -table.mean(0), -table.min(0)))
    return np.asarray(images[order_of], np.int64)


def pick_each_once(rankings: Sequence[Images], asked: Sequence[int]) -> list[Images]:
    """Of each ranking the first so many photographs, none that an earlier ranking got."""
    taken: set[int] = set()
    picked = []
    for images, number in zip(rankings, asked, strict=True):
        free = [image for image in images.tolist() if image not in taken][:number]
        taken.update(free)
        picked.append(np.array(free, np.int64))
    return picked


def _shares_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each value the share of the known values that are not above it, 0..1 (ties in the middle); NaN if unknown."""
    known = ~np.isnan(values)
    shares = np.full(len(values), np.nan)
    shares[known] = rankdata(values[known]) / max(1, known.sum())
    return shares
