"""Which photographs are evened out in a fact of the file, and to what: the facts that lean to a class, and can be."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from audit.cues.file_cues import FileCue, file_cues, kinds_of, numbers_of
from audit.cues.file_words import fact_of
from audit.data.dataset import Dataset, one_per_group
from audit.data.facts.equalise import CHANGED, DESTROYING, SAVED_WELL
from audit.measures.limits import LEAKAGE, UNEVEN
from audit.measures.prevalence import leaning_classes

Way = Literal["taken", "given"]
# Of a fact of the file no map shows anything, so that more rests on the answers than where something is hidden.
MORE_THAN_HIDDEN = 3
_COARSENESS = ("4:4:4", "4:2:2", "4:2:0")
_COLUMNS = ["cue", "class", "image", "rank", "way", "fact", "value", "target"]


@dataclass(frozen=True)
class Evening:
    """What is done to photographs: the fact that points to a class is "taken" from them, or they are "given" it.

    ``target`` is what ``audit.data.facts.equalise.views`` brings them to; ``can_change`` (n,) are those of all images
    in which that changes something, and which may be asked about.
    """

    way: Way
    can_change: NDArray[np.bool_]
    target: float | str


def choose_evenings(dataset: Dataset, seed: int, effect_images: int, min_images: int) -> pd.DataFrame:
    """The photographs to even out: columns cue, class (its index), image, rank (from 0), way, fact, value, target.

    For every fact of the file that can be changed and every class it leans to, at random, from different duplicate
    groups, up to ``MORE_THAN_HIDDEN`` times ``effect_images``; none where there are fewer than ``min_images``. A change
    that destroys content (``balanced``) is made in as many photographs of the class as of the others, in turn.
    """
    rows = []
    for number, fact in enumerate(file_cues(dataset.images)):
        name, _ = fact_of(fact.cue.name)
        values = numbers_of(dataset.images).get(name, np.ones(len(dataset.images)))
        for label in leaning_classes(fact.present[fact.known], dataset.labels[fact.known], len(dataset.classes)):
            evening = evening_of(dataset, fact, label)
            if evening is None:
                continue
            images = _drawn(dataset, evening, label, name, np.random.default_rng((seed, number, label)))
            if len(images) >= min_images:
                rows += [
                    (fact.cue.name, label, int(image), rank, evening.way, name, float(values[image]), evening.target)
                    for rank, image in enumerate(images[: MORE_THAN_HIDDEN * effect_images])
                ]
    return pd.DataFrame(rows, columns=_COLUMNS).astype({"class": "int64", "image": "int64", "rank": "int64"})


def _drawn(dataset: Dataset, evening: Evening, label: int, fact: str, rng: np.random.Generator) -> NDArray[np.integer]:
    images = one_per_group(rng.permutation(np.flatnonzero(evening.can_change)), dataset.groups)
    in_class = dataset.labels[images] == label
    return balanced(images[in_class], images[~in_class]) if fact in DESTROYING else images[in_class]


def balanced(own: NDArray[np.integer], others: NDArray[np.integer]) -> NDArray[np.integer]:
    """As many of the one as of the other, in turn.

    >>> balanced(np.array([1, 2, 3]), np.array([8, 9])).tolist()
    [1, 8, 2, 9]
    """
    count = min(len(own), len(others))
    return np.stack([own[:count], others[:count]], axis=1).ravel()


def evening_of(dataset: Dataset, fact: FileCue, label: int) -> Evening | None:
    """How a fact of the file is evened out for a class (its index); None where it does not lean, or cannot be changed.

    A number leans where it alone tells the class from the others with an AUC of ``LEAKAGE.weak`` or more, one way or
    the other; then the class's photographs on its side of the others' median are brought to that. Where only less can
    be made of it, all photographs above the middle of both medians are, or to the class's if the class has less. A kind
    leans where ``UNEVEN`` more of the class show it: then it is taken from, or given to, the photographs in which that
    can be done.
    """
    name, value = fact_of(fact.cue.name)
    in_class = dataset.labels == label
    if name not in CHANGED:
        return None
    if not value:
        return _of_number(numbers_of(dataset.images)[name], name, in_class)
    leans = _share(fact.present, in_class & fact.known) - _share(fact.present, ~in_class & fact.known) >= UNEVEN
    return _of_kind(dataset, name, value, fact, in_class) if leans else None


def _of_number(values: NDArray[np.float64], name: str, in_class: NDArray[np.bool_]) -> Evening | None:
    known = np.isfinite(values)
    own, others = values[known & in_class], values[known & ~in_class]
    if not (len(own) and len(others)):
        return None
    auc = float(mannwhitneyu(own, others).statistic) / (len(own) * len(others))
    if abs(auc - 0.5) < LEAKAGE.weak - 0.5:
        return None
    here, elsewhere = float(np.median(own)), float(np.median(others))
    if name in DESTROYING:
        # Of either class those that have much to lose, as much is destroyed in them.
        much = known & (values > (here + elsewhere) / 2)
        return Evening("taken", much, elsewhere) if auc > 0.5 else Evening("given", much, here)
    beyond = values > elsewhere if auc > 0.5 else values < elsewhere
    return Evening("taken", known & beyond, elsewhere)


def _of_kind(dataset: Dataset, name: str, value: str, fact: FileCue, in_class: NDArray[np.bool_]) -> Evening | None:
    present, absent = fact.present, fact.known & ~fact.present
    if name == "colour":
        return Evening("given", absent, "") if value == "grey" else Evening("taken", present, "")
    if name == "format" and value == "JPEG":
        return Evening("given", absent, _median_quality(dataset, in_class))
    if name == "format":
        return Evening("taken", present, _median_quality(dataset, ~in_class))
    usual = _commonest(kinds_of(dataset.images)[name][absent & ~in_class])
    if value not in _COARSENESS or usual not in _COARSENESS:
        return None
    coarser = _COARSENESS.index(usual) > _COARSENESS.index(value)
    return Evening("taken", present, usual) if coarser else Evening("given", absent, value)


def _share(present: NDArray[np.bool_], side: NDArray[np.bool_]) -> float:
    return float(present[side].mean()) if side.any() else float("nan")


def _median_quality(dataset: Dataset, side: NDArray[np.bool_]) -> float:
    """Of the JPEG files of a side, or of all, or a good one where there is none."""
    qualities = numbers_of(dataset.images)["jpeg_quality"]
    for known in (side & np.isfinite(qualities), np.isfinite(qualities)):
        if known.any():
            return float(np.median(qualities[known]))
    return float(SAVED_WELL)


def _commonest(values: pd.Series) -> str:
    return str(values.mode()[0]) if len(values) else ""
