"""How a fact of the file is spread over the photographs of each class: the small histograms of the report."""

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.cues.cue_json import Distribution
from audit.cues.file_cues import is_together, kinds_of, numbers_of
from audit.cues.file_words import KINDS, NUMBERS, fact_of
from audit.data.dataset import Dataset
from audit.detectors.cue import Cue

BINS = 8
# Values beyond these quantiles are counted in the outermost bins, so that one giant does not flatten all others.
_ENDS = (0.01, 0.99)
_OTHERS = "others"


def distribution(cue: Cue, dataset: Dataset) -> Distribution | None:
    """Photographs by class and bin of the fact that a cue of the file is about; None for the file as a whole.

    A number has ``BINS`` bins of equal width, of equal ratio where ratios matter, or one per value where they are few;
    a kind has one bin per value, the rarer ones together. What is unknown is not counted.
    """
    fact, _ = fact_of(cue.name)
    if is_together(cue):
        return None
    names, places = _numbers(dataset.images, fact) if fact in NUMBERS else _kinds(dataset.images, fact)
    counts = {
        label: tuple(np.bincount(places[(dataset.labels == number) & (places >= 0)], minlength=len(names)).tolist())
        for number, label in enumerate(dataset.classes)
    }
    return Distribution(bins=names, counts=counts)


def _numbers(images: pd.DataFrame, fact: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Words of the bins, and the bin of every image, -1 where unknown."""
    values = numbers_of(images)[fact]
    known = np.isfinite(values)
    places = np.full(len(values), -1)
    distinct = np.unique(values[known])
    if len(distinct) <= BINS:
        places[known] = np.searchsorted(distinct, values[known])
        return tuple(f"{value:.3g}" for value in distinct), places
    scaled = np.log(np.maximum(values, 1e-9)) if NUMBERS[fact].logarithmic else values
    low, high = np.quantile(scaled[known], _ENDS)
    edges = np.linspace(low, high, BINS + 1)
    places[known] = np.clip(np.searchsorted(edges, scaled[known], side="right") - 1, 0, BINS - 1)
    shown = np.exp(edges) if NUMBERS[fact].logarithmic else edges
    return tuple(f"{low:.3g} to {high:.3g}" for low, high in pairwise(shown)), places


def _kinds(images: pd.DataFrame, fact: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    column = kinds_of(images)[fact]
    values = [str(value) for value in column.value_counts().index]
    named = values if len(values) <= BINS else values[: BINS - 1]
    number_of = {value: number for number, value in enumerate(named)}
    places = np.array([-1 if value is None else number_of.get(value, len(named)) for value in column], np.int64)
    names = tuple(KINDS[fact].of(value) for value in named)
    return names if len(named) == len(values) else (*names, _OTHERS), places
