"""Which photographs are evened out in a fact of the file, and to what: the facts that lean to a class, and can be."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from audit.cues.file_cues import file_cues, kinds_of, numbers_of
from audit.cues.file_words import fact_of
from audit.data.dataset import Dataset, one_per_group
from audit.data.facts.equalise import CHANGED, ONLY_LESS, SAVED_WELL
from audit.measures.limits import LEAKAGE, UNEVEN
from audit.measures.prevalence import leaning_classes

Side = Literal["own", "others"]
SIDES: tuple[Side, ...] = ("own", "others")
# Of a fact of the file no map shows anything, so that more rests on the answers than where something is hidden.
MORE_THAN_HIDDEN = 3
_COARSENESS = ("4:4:4", "4:2:2", "4:2:0")


@dataclass(frozen=True)
class Evening:
    """What is done to photographs: of the class ("own") the fact is taken, or the "others" are given it.

    ``images`` are those that can be changed, ``target`` is what ``audit.data.facts.equalise.views`` makes of them.
    """

    side: Side
    images: NDArray[np.int64]
    target: float | str


def choose_evenings(dataset: Dataset, seed: int, effect_images: int, min_images: int) -> pd.DataFrame:
    """The photographs to even out: columns cue, class (its index), image, rank (from 0), side, fact, value, target.

    For every fact of the file that can be changed and every class it leans to, at random, from different duplicate
    groups, up to ``MORE_THAN_HIDDEN`` times ``effect_images``; none where there are fewer than ``min_images``.
    """
    rows = []
    for number, fact in enumerate(file_cues(dataset.images)):
        for label in leaning_classes(fact.present[fact.known], dataset.labels[fact.known], len(dataset.classes)):
            evening = evening_of(dataset, fact.cue.name, fact.present, fact.known, label)
            if evening is None:
                continue
            rng = np.random.default_rng((seed, number, label))
            images = one_per_group(rng.permutation(evening.images), dataset.groups)
            if len(images) >= min_images:
                name, _ = fact_of(fact.cue.name)
                values = numbers_of(dataset.images).get(name, np.ones(len(dataset.images)))
                rows += [
                    (fact.cue.name, label, int(image), rank, evening.side, name, float(values[image]), evening.target)
                    for rank, image in enumerate(images[: MORE_THAN_HIDDEN * effect_images])
                ]
    columns = ["cue", "class", "image", "rank", "side", "fact", "value", "target"]
    return pd.DataFrame(rows, columns=columns).astype({"class": "int64", "image": "int64", "rank": "int64"})


def evening_of(
    dataset: Dataset, cue: str, present: NDArray[np.bool_], known: NDArray[np.bool_], label: int
) -> Evening | None:
    """How a cue of the file is evened out for a class (its index); None where it does not lean, or cannot be changed.

    A number leans where it alone tells the class from the others with an AUC of ``LEAKAGE.weak`` or more, one way or
    the other; then the photographs on the class's side of the others' median are brought to that. Where only less can
    be made of it and the class has less, the others above the class's median are brought to that. A kind leans where
    ``UNEVEN`` more of the class show it: then it is taken from the class's photographs or given to the others', as it
    can be done.
    """
    fact, value = fact_of(cue)
    if fact not in CHANGED:
        return None
    in_class = dataset.labels == label
    if value:
        leans = _share(present, in_class & known) - _share(present, ~in_class & known) >= UNEVEN
        return _of_kind(dataset, fact, value, present, known, in_class) if leans else None
    return _of_number(numbers_of(dataset.images)[fact], fact, in_class)


def _of_number(values: NDArray[np.float64], fact: str, in_class: NDArray[np.bool_]) -> Evening | None:
    known = np.isfinite(values)
    own, others = values[known & in_class], values[known & ~in_class]
    if not (len(own) and len(others)):
        return None
    auc = float(mannwhitneyu(own, others).statistic) / (len(own) * len(others))
    if abs(auc - 0.5) < LEAKAGE.weak - 0.5:
        return None
    here, elsewhere = float(np.median(own)), float(np.median(others))
    if auc > 0.5:
        return Evening("own", np.flatnonzero(known & in_class & (values > elsewhere)), elsewhere)
    if fact in ONLY_LESS:
        return Evening("others", np.flatnonzero(known & ~in_class & (values > here)), here)
    return Evening("own", np.flatnonzero(known & in_class & (values < elsewhere)), elsewhere)


def _of_kind(
    dataset: Dataset,
    fact: str,
    value: str,
    present: NDArray[np.bool_],
    known: NDArray[np.bool_],
    in_class: NDArray[np.bool_],
) -> Evening | None:
    taken = Evening("own", np.flatnonzero(present & in_class), "")
    given = Evening("others", np.flatnonzero(known & ~present & ~in_class), "")
    if fact == "colour":
        return given if value == "grey" else taken
    if fact == "format":
        source = in_class if value == "JPEG" else ~in_class
        quality = _median_quality(dataset, source)
        return Evening(given.side, given.images, quality) if value == "JPEG" else Evening("own", taken.images, quality)
    usual = _commonest(kinds_of(dataset.images)["subsampling"][known & ~present & ~in_class])
    if value not in _COARSENESS or usual not in _COARSENESS:
        return None
    if _COARSENESS.index(value) < _COARSENESS.index(usual):
        return Evening("own", taken.images, usual)
    return Evening("others", given.images, value)


def _share(present: NDArray[np.bool_], side: NDArray[np.bool_]) -> float:
    return float(present[side].mean()) if side.any() else float("nan")


def _median_quality(dataset: Dataset, side: NDArray[np.bool_]) -> float:
    qualities = numbers_of(dataset.images)["jpeg_quality"]
    for known in (side & np.isfinite(qualities), np.isfinite(qualities)):
        if known.any():
            return float(np.median(qualities[known]))
    return float(SAVED_WELL)


def _commonest(values: pd.Series) -> str:
    return str(values.mode()[0]) if len(values) else ""
