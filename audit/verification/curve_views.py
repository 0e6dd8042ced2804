"""What a learning curve is of: all images as they are, or so counted that the shortcut of a finding is of no help."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from audit.cues.cue_table import CueTable
from audit.data.dataset import Dataset
from audit.findings.finding import Finding
from audit.measures.balanced_accuracy import balanced_accuracy
from audit.measures.figures import Share
from audit.measures.intervals import share_interval
from audit.measures.measure import Bools, Floats, distinct
from audit.plan.learning_curve_json import Kind

# Fewer different images of the class without the cue than this say too little to draw a curve of them.
_LEAST = 10


@dataclass(frozen=True)
class View:
    """Images that an accuracy is of: ``weights`` (n,) are what each counts, 0 for those that are none of them.

    ``accuracy`` works it out with its interval from the share of draws in which each of all n images is taken for its
    class; ``about`` names the finding.
    """

    kind: Kind
    weights: NDArray[np.float64]
    accuracy: Callable[[Floats], Share]
    about: dict[str, str] = field(default_factory=dict)


def plain(dataset: Dataset) -> View:
    """All images, each once."""
    return View("plain", np.ones(len(dataset.images)), lambda correct: _share(correct, dataset.groups))


def unaided(dataset: Dataset, cues: CueTable, finding: Finding) -> View | None:
    """Images on which the cue of a finding does not help; None where there are too few.

    As many with as without the cue in every class, by the weights of ``balanced_accuracy``; where a cell is too small
    for that, the images of the finding's class that lack the cue.
    """
    cue = cues.named(finding.cue)
    present, known = cues.present(cue), cues.known(cue)
    about = {"finding": finding.id, "cue": cue.name, "words": cue.words, "label": finding.label}
    rows = known, dataset.labels[known], present[known], dataset.groups[known]
    if balanced_accuracy(np.ones(int(known.sum()), bool), *rows[1:]).value is not None:
        weights = np.zeros(len(known))
        weights[known] = _independent(rows[1], rows[2])
        return View("balanced", weights, lambda correct: _balanced(correct[known], *rows[1:]), about)
    lacking = known & ~present & (dataset.labels == dataset.classes.index(finding.label))
    if distinct(dataset.groups[lacking]) < _LEAST:
        return None
    groups = dataset.groups[lacking]
    return View("without", lacking.astype(float), lambda correct: _share(correct[lacking], groups), about)


def _share(correct: Floats, groups: NDArray[np.int64]) -> Share:
    low, high = share_interval(correct, groups)
    return Share(value=float(correct.mean()), low=low, high=high, n=len(correct))


def _balanced(correct: Floats, labels: NDArray[np.int64], present: Bools, groups: NDArray[np.int64]) -> Share:
    return Share.model_validate(
        {name: getattr(balanced_accuracy(correct, labels, present, groups), name) for name in Share.model_fields}
    )


def _independent(labels: NDArray[np.int64], present: Bools) -> NDArray[np.float64]:
    """Weights P(y) P(s) / P(y, s) under which the cue says nothing about the class."""
    cells = np.zeros((labels.max() + 1, 2))
    np.add.at(cells, (labels, present.astype(int)), 1)
    shares = cells / cells.sum()
    ideal = np.outer(shares.sum(1), shares.sum(0))
    return np.asarray((ideal / np.where(shares > 0, shares, 1))[labels, present.astype(int)], np.float64)
