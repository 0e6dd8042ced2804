"""What the file and the frame give away of the class, and what it costs the model to even them out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.config import EvidenceConfig
from audit.cues.file_cues import FileCue, is_together
from audit.cues.file_words import fact_of
from audit.data.dataset import Dataset
from audit.data.facts.equalise import CHANGED
from audit.detectors.cue import Cue
from audit.measures.effect import Answers, effect
from audit.measures.fact_features import kind_features, number_features
from audit.measures.leakage import fold_auc, leakage
from audit.measures.measure import Measure, unmeasured
from audit.measures.ridge_probe import Probes

NOWHERE = "It is a fact of the whole picture, of which nothing can be hidden."
UNCHANGED = "No photograph can be evened out in it."
ALIKE = "The classes differ too little in it, or too few photographs do, for it to be evened out."
EVERY = "Every photograph has a file and a frame, so that there is none without to compare with."
COUNTED = "A photograph shows it or does not: how often each class does says it all."


def file_leakage(
    facts: Sequence[FileCue],
    cue: Cue,
    in_class: NDArray[np.bool_],
    dataset: Dataset,
    settings: EvidenceConfig,
    rng: np.random.Generator,
) -> Measure:
    """Leakage of a number over the images of which it is known, or of the file and the frame together over all.

    ``facts`` are all that is known of the file, ``in_class`` (images,). A single value, such as a format, is counted
    instead. The control of all together is the single fact that tells most: what one fact says is its own finding.
    """
    rows, inside = file_views(facts, cue)
    if inside is None:
        return unmeasured(COUNTED, len(in_class))
    control = _clearest(_single(facts), in_class, dataset) if is_together(cue) else None
    return leakage(
        inside[rows],
        None,
        in_class[rows],
        dataset.groups[rows],
        dataset.folds[rows],
        rng,
        settings.resamples,
        settings.permutations,
        settings.min_images,
        control=control,
    )


def file_views(facts: Sequence[FileCue], cue: Cue) -> tuple[NDArray[np.bool_], NDArray[np.float32] | None]:
    """What a probe sees of a cue of the file: the images (n,) of which it is known, and the features (n, d) of all.

    None for a value that is counted. ``facts`` are all that is known of the file.
    """
    if is_together(cue):
        return np.ones(len(facts[0].known), bool), np.hstack(_single(facts))
    fact = next(fact for fact in facts if fact.cue == cue)
    return fact.known, number_features(fact.noticed) if fact.is_number else None


def _single(facts: Sequence[FileCue]) -> list[NDArray[np.float32]]:
    """Features of each fact that the file and the frame at once are made of."""
    return [_features(fact) for fact in facts if fact.cue.role == "file" and not is_together(fact.cue)]


def file_effect(
    cue: Cue, asked: pd.DataFrame, dataset: Dataset, settings: EvidenceConfig, rng: np.random.Generator
) -> Measure:
    """What evening out a fact of the file costs the model, beyond changing it as much the other way round; [-1, 1].

    ``asked`` are the rows of ``equalised.parquet`` of the cue and a class. Estimator: mean(p_control - p_equalised)
    over photographs that were brought to what is typical of the other side, and changed as much away from it; p is the
    probability of the class where the fact was taken, and of all others together where it was given. A change that
    destroys content was made in as many photographs of the class as of the others, so that this cancels. Interval, p
    and ``extra`` as ``audit.measures.effect.effect`` has them: where the model does not read the fact, the two changes
    can change roles. ``extra`` also holds ``evened_out``: whether the fact was taken or given.
    """
    if not len(asked):
        changed = fact_of(cue.name)[0] in CHANGED
        return unmeasured(ALIKE if changed else UNCHANGED, 0)
    images = asked["image"].to_numpy()
    before, equalised, control = (
        Answers(asked[f"p_{view}"].to_numpy(np.float64), asked[f"predicted_{view}"].to_numpy(np.int64))
        for view in ("before", "equalised", "control")
    )
    measure = effect(
        before,
        equalised,
        control,
        label=dataset.labels[images],
        groups=dataset.groups[images],
        rng=rng,
        resamples=settings.resamples,
        permutations=settings.permutations,
        min_images=settings.min_images,
    )
    return replace(measure, extra={**measure.extra, "evened_out": str(asked["way"].iloc[0])})


def _features(fact: FileCue) -> NDArray[np.float32]:
    return number_features(fact.noticed) if fact.is_number else kind_features(fact.present)


def _clearest(
    seen: Sequence[NDArray[np.float32]], in_class: NDArray[np.bool_], dataset: Dataset
) -> NDArray[np.float32]:
    """The features by which a probe tells the class best."""
    labels, folds = in_class[:, None], dataset.folds
    aucs = [np.nan_to_num(fold_auc(Probes.of(features, folds).scores(labels), labels, folds)[0]) for features in seen]
    return seen[int(np.argmax(aucs))]
