"""Effect: drop of the label's probability when the cue is occluded, minus that for a control region."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from audit.measures.intervals import CHUNK, LEVEL, mean_bounds, ratio_interval
from audit.measures.measure import Floats, Ints, Measure, Random, distinct, too_few, unmeasured
from audit.measures.permutation import refined_p

_MISSED_BEYOND = (1 - LEVEL) / 10


@dataclass(frozen=True)
class Answers:
    """The model's answers for n views: ``p`` (n,), 0..1, of the image's own label; ``predicted`` (n,) classes."""

    p: Floats
    predicted: Ints


def effect(
    before: Answers,
    occluded: Answers,
    control: Answers,
    label: Ints,
    groups: Ints,
    rng: Random,
    resamples: int = 1000,
    permutations: int = 500,
    min_images: int = 10,
) -> Measure:
    """Drop of the label's probability when the cue is occluded, minus the drop for a control region; range [-1, 1].

    Answers about n images before occlusion, with the cue occluded, and with an equal area elsewhere occluded; ``label``
    (n,) is the true class. Estimator: mean((p_before - p_occluded) - (p_before - p_control)) = mean(p_control -
    p_occluded), so p_before cancels. Interval: studentised bootstrap over duplicate ``groups``, which reaches very far
    where few images show an effect and the others none; so it ends at limits that hold for any numbers in [-1, 1], each
    with a chance of 99.5 % (``mean_bounds``). p: two-sided sign-flip permutation over groups, for if the cue is no
    different from any other place, occluded and control could change roles. Images with a NaN are left out.

    ``extra``: ``drop`` and ``control_drop`` of the probability; ``flip_rate`` and ``control_flip_rate``, the shares of
    images whose prediction changes; ``accuracy``, ``accuracy_masked``, ``accuracy_control``.
    """
    used = np.isfinite(before.p) & np.isfinite(occluded.p) & np.isfinite(control.p)
    n = int(used.sum())
    if reason := too_few(distinct(groups[used]), min_images, "could be masked"):
        return unmeasured(reason, n)
    p_before, p_occluded, p_control = (answers.p[used].astype(float) for answers in (before, occluded, control))
    predicted, predicted_occluded, predicted_control = (
        answers.predicted[used] for answers in (before, occluded, control)
    )
    groups, truth, rng = groups[used], label[used], np.random.default_rng(rng)
    difference = p_control - p_occluded
    bounds = mean_bounds(difference, groups, -1.0, 1.0, _MISSED_BEYOND)
    low, high = ratio_interval(difference, np.ones(n), groups, resamples, rng)
    extra = {
        "drop": float((p_before - p_occluded).mean()),
        "control_drop": float((p_before - p_control).mean()),
        "flip_rate": float((predicted != predicted_occluded).mean()),
        "control_flip_rate": float((predicted != predicted_control).mean()),
        "accuracy": float((predicted == truth).mean()),
        "accuracy_masked": float((predicted_occluded == truth).mean()),
        "accuracy_control": float((predicted_control == truth).mean()),
    }
    p = _sign_flip_p(difference, groups, rng, permutations)
    return Measure(float(difference.mean()), max(bounds[0], low), min(bounds[1], high), n, p, extra=extra)


def may_show_more(drops: Floats, ruled_out: float, rng: Random, resamples: int = 1000, min_images: int = 10) -> bool:
    """Sequential design: whether to occlude the cue in more images, or to stop for futility.

    ``drops`` (n,), -1..1, are p_control - p_occluded of one image per duplicate group.

    It is not where ``min_images`` or more rule out an effect of ``ruled_out`` or above (by the interval of ``effect``)
    and do not hint at a smaller one: the mean is no more than half way from nothing to what would be certain. To stop
    for futility alone adds no false alarm (Jennison & Turnbull 2000, chapter 10).
    """
    if len(drops) < min_images:
        return True
    low, high = ratio_interval(drops, np.ones(len(drops)), np.arange(len(drops)), resamples, rng)
    return high >= ruled_out or bool(drops.mean() > (high - low) / 4)


def weaker(fillings: Mapping[str, Measure]) -> Measure:
    """The smallest of the effects under several fillings: what is occluded must matter whatever replaces it.

    p is the largest of theirs, so it holds for "there is an effect under each filling" without correction
    (intersection-union test: Berger 1982). The interval is that of the smallest effect, its upper limit moved out as
    Bonferroni would for so many fillings, since the smallest of several estimates falls below its mean more often.

    ``extra``: that of the smallest, ``filling`` (its name), and under each filling's name its ``value``, ``low``,
    ``high`` and ``p``.
    """
    lowest = min(fillings, key=lambda name: _least_if_unmeasured(fillings[name].value))
    smallest, p = fillings[lowest], [measure.p for measure in fillings.values() if measure.p is not None]
    if smallest.value is None:
        return smallest
    per_filling = {
        name: {"value": measure.value, "low": measure.low, "high": measure.high, "p": measure.p}
        for name, measure in fillings.items()
    }
    outwards = float(norm.ppf(1 - (1 - LEVEL) / 2 / len(fillings)) / norm.ppf((1 + LEVEL) / 2))
    high = None if smallest.high is None else min(1.0, smallest.value + outwards * (smallest.high - smallest.value))
    return replace(smallest, high=high, p=max(p), extra={**smallest.extra, "filling": lowest, **per_filling})


def _least_if_unmeasured(value: float | None) -> float:
    # One filling that could not be measured leaves the whole unmeasured.
    return -np.inf if value is None else value


def _sign_flip_p(difference: Floats, groups: Ints, rng: np.random.Generator, permutations: int) -> float:
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], difference)
    step = max(1, CHUNK // len(sums))

    def flipped(count: int) -> Floats:
        totals = np.empty(count)
        for start in range(0, count, step):
            rows = min(step, count - start)
            totals[start : start + rows] = (2.0 * rng.integers(2, size=(rows, len(sums))) - 1) @ sums
        return np.abs(totals)

    return refined_p(float(abs(sums.sum())), flipped(permutations), flipped)
