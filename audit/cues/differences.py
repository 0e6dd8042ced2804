"""What differs, in words: the attributes in which some images differ from others, chosen and quoted on different folds.

An attribute is chosen on all folds but one and its shares are read off that one, so that the largest of many chance
differences is not what is quoted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from audit.attributes.attribute import Attribute
from audit.cues.cue_json import Difference
from audit.data.dataset import one_per_group
from audit.detection.detections import MeasuredAttributes
from audit.detectors.cue import Cue
from audit.measures.conditional import remainder, signal_of
from audit.measures.intervals import contrast_interval, wilson
from audit.measures.limits import ALPHA
from audit.measures.measure import Bools, Ints
from audit.measures.permutation import benjamini_hochberg

MOST = 3
# The AUC of an attribute's values must be so far from a half on the folds that choose, or nothing is said.
LEAST = 0.1
# So much of the one side more than of the other must show it where it is quoted: less is no words for what differs.
TOLD_FROM = 0.25
_FEWEST = 10
# A look or a cluster is named by what so many of its images show.
_MOSTLY = 0.5
# Of a difference, so much is left at most among images that are alike in another attribute that explains it.
_EXPLAINED = 1 / 2


@dataclass(frozen=True)
class Trait:
    """An attribute and, of n images, its ``values`` (n,), NaN where unknown, and which show it, boolean (n,)."""

    attribute: Attribute
    values: NDArray[np.floating]
    shown: NDArray[np.bool_]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Of which images it is known, boolean (n,)."""
        known: NDArray[np.bool_] = ~np.isnan(self.values)
        return known


def traits_of(measured: MeasuredAttributes) -> list[Trait]:
    """All attributes of an audit, with the images of the dataset in order."""
    return [Trait(*column) for column in zip(measured.attributes, measured.values.T, measured.shown.T, strict=True)]


def traits_in(cue: Cue, traits: Sequence[Trait], cues: Sequence[Cue]) -> list[Trait]:
    """The attributes that can say what differs in a cue: those of a part and of the parts within it.

    Where a cluster is, only its role says: of the scene for one of the background, of the subject and its parts else.
    """
    if cue.kind == "cluster":
        roles = {"subject", "part"} if cue.role == "subject" else {cue.role}
        return [trait for trait in traits if trait.attribute.role in roles]
    inside = {cue.name, *(other.name for other in cues if other.within == cue.name)}
    return [trait for trait in traits if trait.attribute.within in inside]


def differences(traits: Sequence[Trait], here: Bools, there: Bools, groups: Ints, folds: Ints) -> list[Difference]:
    """In what the images ``here`` differ from those ``there``, the largest difference first, at most MOST.

    ``here`` and ``there``, boolean (n,), share no image; ``groups`` and ``folds`` are those of all n images, of each
    duplicate group one image is counted. For every fold the attributes are ranked on the other folds by how far the AUC
    of their values is from a half, if that is LEAST or more and the p of Mann and Whitney's test below ALPHA
    (Benjamini-Hochberg over all attributes), without those of the topic of a larger one, or of which at most half is
    left among images alike in it. An attribute that most
    folds agree on is told with its shares in the folds that it was not chosen on, if these differ by TOLD_FROM or more
    and the interval of that (Newcombe 1998) leads the same way.
    """
    first = np.zeros(len(here), bool)
    first[one_per_group(np.arange(len(here)), groups)] = True
    chosen: dict[tuple[int, bool], list[int]] = {}
    held_out = np.unique(folds)
    for fold in held_out.tolist():
        rows = first & (folds != fold)
        for key in _ranked(traits, here & rows, there & rows, groups, folds):
            chosen.setdefault(key, []).append(fold)
    agreed = {key: chosen_on for key, chosen_on in chosen.items() if len(chosen_on) > len(held_out) / 2}
    told = [
        difference
        for (place, is_more), chosen_on in agreed.items()
        if (difference := _quoted(traits[place], is_more, here & first, there & first, np.isin(folds, chosen_on)))
    ]
    told.sort(key=lambda difference: (-difference.difference, difference.attribute))
    return told[:MOST]


def in_words(words: str, different: Sequence[Difference]) -> str:
    """The words for a look or a cluster, then what its images differ in first, where most of them show that.

    >>> long = Difference(attribute="long_hair", words="long hair", n=40, of=50, n_elsewhere=5, of_elsewhere=50,
    ...     difference=0.7, low=0.5, high=0.8)
    >>> in_words("one look of the hair (no. 1 of 2)", [long])
    'one look of the hair (no. 1 of 2), mostly with long hair'
    """
    if not different or different[0].n < _MOSTLY * different[0].of:
        return words
    return f"{words}, mostly with {different[0].words}"


def _ranked(traits: Sequence[Trait], here: Bools, there: Bools, groups: Ints, folds: Ints) -> list[tuple[int, bool]]:
    """Places of the attributes that differ, and whether those ``here`` show more of it; none that another explains."""
    sides = [[trait.values[side & trait.known] for side in (here, there)] for trait in traits]
    counted = np.array([min(map(len, pair)) >= _FEWEST for pair in sides], bool)
    tests = [mannwhitneyu(*pair) if enough else None for pair, enough in zip(sides, counted, strict=True)]
    adjusted = benjamini_hochberg([test and float(test.pvalue) for test in tests])
    apart = np.array(
        [
            test.statistic / (len(pair[0]) * len(pair[1])) - 0.5 if test else 0.0
            for pair, test in zip(sides, tests, strict=True)
        ]
    )
    told: list[int] = []
    for place in np.argsort(-np.abs(apart), kind="stable").tolist():
        is_large = counted[place] and adjusted[place] < ALPHA and abs(apart[place]) >= LEAST
        if is_large and not any(_explains(traits[other], traits[place], here, there, groups, folds) for other in told):
            told.append(place)
    return [(place, bool(apart[place] > 0)) for place in told[:MOST]]


def _table(trait: Trait, here: Bools, there: Bools) -> list[list[int]]:
    """How many show it and how many lack it, here and there."""
    return [
        [int((side & trait.known & (trait.shown == is_shown)).sum()) for is_shown in (True, False)]
        for side in (here, there)
    ]


def _explains(cause: Trait, effect: Trait, here: Bools, there: Bools, groups: Ints, folds: Ints) -> bool:
    if cause.attribute.topic == effect.attribute.topic:
        return True
    rows = (here | there) & cause.known & effect.known
    if not (here[rows].any() and there[rows].any()):
        return False
    one_fold = np.zeros_like(folds[rows])
    of, given = (signal_of(trait.shown[rows], trait.known[rows], None, one_fold) for trait in (effect, cause))
    left = remainder(of, given, here[rows], groups[rows], one_fold)
    return left.n >= _FEWEST and left.share <= _EXPLAINED


def _quoted(trait: Trait, is_more: bool, here: Bools, there: Bools, rows: Bools) -> Difference | None:
    """The difference in the ``rows`` that it was not chosen on; None where it is not certain there."""
    (shown, lacking), (shown_there, lacking_there) = _table(trait, here & rows, there & rows)
    if not is_more:
        shown, lacking, shown_there, lacking_there = lacking, shown, lacking_there, shown_there
    n, n_there = shown + lacking, shown_there + lacking_there
    if min(n, n_there) < _FEWEST:
        return None
    shares = np.array([shown / n, shown_there / n_there])
    lows, highs = np.array([wilson(shown, n), wilson(shown_there, n_there)]).T
    low, high = contrast_interval(np.array([1.0, -1.0]), shares, lows, highs)
    if low <= 0 or shares[0] - shares[1] < TOLD_FROM:
        return None
    attribute = trait.attribute
    return Difference(
        attribute=attribute.name,
        words=attribute.words if is_more else attribute.opposite,
        n=shown,
        of=n,
        n_elsewhere=shown_there,
        of_elsewhere=n_there,
        difference=float(shares[0] - shares[1]),
        low=low,
        high=high,
    )
