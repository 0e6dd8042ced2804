"""One cause, one finding: which flagged (cue, class) pairs are explained by another one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.cues.overlap import MOSTLY
from audit.detectors.cue import Cue
from audit.measures.conditional import Signal, association, correlation_within_classes, remainder, varies_within_classes
from audit.measures.limits import LEAST_ALIKE
from audit.measures.measure import Ints

# Of an association, so much is left at most where another signal explains it; or so much, if both go together.
_EXPLAINED, _HALVED = 1 / 3, 1 / 2
# Signals go together inside the classes from here on, as value and as lower end of the interval.
_TOGETHER, _TOGETHER_FLOOR = 0.3, 0.1
# What somebody put on a picture, and how it was stored, follows from nothing that it shows.
NEVER_EXPECTED = ("mark", "file", "origin")


@dataclass(frozen=True)
class Suspect:
    """A flagged pair of a cue and a class. ``level``: 0 for the gravest verdicts, then 1 and so on.

    ``declared``: the owner calls the cue relevant, so that it can be a cause and no consequence; its level is that of
    the verdict that it would have otherwise.
    """

    cue: Cue
    label: int
    level: int
    signal: Signal
    declared: bool = False


def consequences(
    suspects: Sequence[Suspect], labels: Ints, groups: Ints, folds: Ints, inside: Mapping[tuple[str, str], float]
) -> dict[int, int]:
    """For each suspect (by its place) that another one explains, the place of that one, which nothing explains.

    ``suspects`` come gravest first; ``labels``, ``groups`` and ``folds`` have shape (n,); ``inside`` is the share of
    the first cue's area that lies on the second (``audit.cues.overlap``).

    A suspect is explained by another one that is as grave if at most a third of its association with the class is left
    among images that are alike in that one; or at most half, if both go together inside the classes or lie on each
    other. Where too few images are alike, lying on each other or going together must do, or that neither tells any
    images of one class apart. A look is explained by the part that it is a look of and by its other looks, for these
    mirror it. Of two that explain each other an attribute is the cause, for it has words, else the first; of one that
    explains another and not the reverse, that one is.

    One that is declared excuses what it explains, so it explains less: at most a third of the association must be
    left, among images enough that are alike in it, and both must go together or lie on each other. Marks, the file and
    its origin are never excused.
    """
    explains = np.zeros((len(suspects), len(suspects)), bool)
    alone = [association(suspect.signal, labels == suspect.label, folds) for suspect in suspects]
    for a, cause in enumerate(suspects):
        for b, effect in enumerate(suspects):
            if a != b and cause.level <= effect.level and not effect.declared:
                explains[a, b] = _explains(cause, effect, labels, groups, folds, inside, alone[b])
    worded = [suspect.cue.kind == "attribute" for suspect in suspects]
    return _under_causes([suspect.level for suspect in suspects], worded, explains)


def _under_causes(levels: Sequence[int], worded: Sequence[bool], explains: NDArray[np.bool_]) -> dict[int, int]:
    left, one_way = list(range(len(levels))), explains & ~explains.T
    under: dict[int, int] = {}
    while left:
        gravest = [place for place in left if levels[place] == levels[left[0]]]
        free = [place for place in gravest if not one_way[gravest, place].any()]
        first = (free or gravest)[0]
        cause = next((place for place in gravest if worded[place] and explains[place, first]), first)
        explained = [place for place in left if place != cause and explains[cause, place]]
        under |= dict.fromkeys(explained, cause)
        left = [place for place in left if place != cause and place not in explained]
    return under


def _explains(
    cause: Suspect,
    effect: Suspect,
    labels: Ints,
    groups: Ints,
    folds: Ints,
    inside: Mapping[tuple[str, str], float],
    alone: float,
) -> bool:
    if cause.declared and effect.cue.role in NEVER_EXPECTED:
        return False
    same_place = cause.cue.whole == effect.cue.whole
    # Looks of one part mirror each other; attributes of one may differ for different reasons.
    if same_place and "attribute" not in (cause.cue.kind, effect.cue.kind):
        return True
    left = remainder(effect.signal, cause.signal, labels == effect.label, groups, folds, alone)
    value, low = correlation_within_classes(cause.signal, effect.signal, labels, folds)
    pair = cause.cue.whole, effect.cue.whole
    overlap = 1.0 if same_place else max(inside.get(pair, 0.0), inside.get(pair[::-1], 0.0))
    related = (value >= _TOGETHER and low > _TOGETHER_FLOOR) or overlap >= MOSTLY
    if cause.declared:
        return related and left.n >= LEAST_ALIKE and left.share <= _EXPLAINED
    if left.n < LEAST_ALIKE:
        return related or not any(varies_within_classes(suspect.signal, labels) for suspect in (cause, effect))
    return left.share <= _EXPLAINED or (related and left.share <= _HALVED)
