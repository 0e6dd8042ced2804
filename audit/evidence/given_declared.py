"""Leaks beside what was declared: what a cue gives away among photographs that are alike in the declared ones."""

from collections.abc import Collection, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from audit.cues.cue_table import CueTable
from audit.data.dataset import Dataset
from audit.evidence.causes import NEVER_EXPECTED
from audit.measures.conditional import Signal, remainder, signal_of
from audit.measures.limits import LEAST_ALIKE

# Out-of-fold scores of the probes of leakages, (images,) each, by cue and class.
Scores = Mapping[tuple[str, str], NDArray[np.float64]]


def leaks_given_declared(
    scores: Scores, dataset: Dataset, cues: CueTable, declared: Collection[str]
) -> dict[tuple[str, str], float]:
    """For every cue and class (by their names) with ``scores``: the AUC of the leak, 0..1, given what is ``declared``.

    It is taken over pairs of images that show the cue, inside a fold, which are alike in a declared cue: in its
    presence and in fifths of its own probe's score (``remainder``). With several declared cues it is the smallest.
    A pair has none where every declared cue leaves too few such images (``LEAST_ALIKE``), and neither have declared
    cues themselves, nor what follows from nothing that a picture shows (``NEVER_EXPECTED``).
    """
    left: dict[tuple[str, str], float] = {}
    for (name, label), score in scores.items():
        cue = cues.named(name)
        if cue.role in NEVER_EXPECTED or {name, cue.whole} & set(declared):
            continue
        everywhere = np.ones(len(score), bool)
        own = signal_of(everywhere, everywhere, score, dataset.folds)
        signals = _signals(scores, dataset, cues, declared, label)
        given = [_given(own, signal, np.isfinite(score), dataset, label) for signal in signals]
        if told := [auc for auc in given if auc is not None]:
            left[name, label] = min(told)
    return left


def _signals(
    scores: Scores, dataset: Dataset, cues: CueTable, declared: Collection[str], label: str
) -> Iterator[Signal]:
    """The declared detectors' cues, with the probe's score for this class or, of two, for the other."""
    for cue in cues.cues:
        if cue.name in declared and cue.kind == "detector":
            sides = [label, *(dataset.classes if len(dataset.classes) == 2 else ())]
            score = next((scores[cue.name, side] for side in sides if (cue.name, side) in scores), None)
            yield signal_of(cues.present(cue), cues.known(cue), score, dataset.folds)


def _given(of: Signal, given: Signal, rows: NDArray[np.bool_], dataset: Dataset, label: str) -> float | None:
    in_class = dataset.labels[rows] == dataset.classes.index(label)
    left = remainder(_of_rows(of, rows), _of_rows(given, rows), in_class, dataset.groups[rows], dataset.folds[rows])
    return left.given if left.n >= LEAST_ALIKE else None


def _of_rows(signal: Signal, rows: NDArray[np.bool_]) -> Signal:
    return Signal(signal.values[rows], signal.strata[rows])
