"""Effect: does the prediction depend on the cue?"""

import numpy as np

from audit.evidence.intervals import CHUNK, cluster_bootstrap_totals, percentile_interval, permutation_p
from audit.evidence.measure import Floats, Ints, Measure, Random, distinct, too_few, unmeasured


def effect(
    p_before: Floats,
    p_masked: Floats,
    p_control: Floats,
    predicted_before: Ints,
    predicted_masked: Ints,
    predicted_control: Ints,
    label: Ints,
    groups: Ints,
    rng: Random,
    resamples: int = 1000,
    permutations: int = 500,
    min_images: int = 10,
) -> Measure:
    """Drop of the label's probability when the cue is masked, minus the drop for a control region; range [-1, 1].

    All arrays (n,): ``p_*`` is the probability of the image's own label before masking, with the cue masked, with an
    equal area elsewhere masked; ``predicted_*`` the class predicted then; ``label`` the true one. Estimator:
    mean((p_before - p_masked) - (p_before - p_control)) = mean(p_control - p_masked), so p_before cancels. Interval:
    percentile bootstrap over duplicate ``groups``. p: two-sided sign-flip permutation over groups, for if the cue
    is no different from any other place, masked and control could change roles. Images with a NaN are left out.

    ``extra``: ``drop`` and ``control_drop`` of the probability; ``flip_rate`` and ``control_flip_rate``, the shares of
    images whose prediction changes; ``accuracy``, ``accuracy_masked``, ``accuracy_control``.
    """
    used = np.isfinite(p_before) & np.isfinite(p_masked) & np.isfinite(p_control)
    n = int(used.sum())
    if reason := too_few(distinct(groups[used]), min_images, "could be masked"):
        return unmeasured(reason, n)
    before, masked, control = (p[used].astype(float) for p in (p_before, p_masked, p_control))
    first, hidden, moved, truth = (x[used] for x in (predicted_before, predicted_masked, predicted_control, label))
    groups, rng = groups[used], np.random.default_rng(rng)
    difference = control - masked
    totals = cluster_bootstrap_totals(np.stack([difference, np.ones(n)], axis=1), groups, resamples, rng)
    low, high = percentile_interval(totals[:, 0] / totals[:, 1], units=distinct(groups))
    extra = {
        "drop": float((before - masked).mean()),
        "control_drop": float((before - control).mean()),
        "flip_rate": float((first != hidden).mean()),
        "control_flip_rate": float((first != moved).mean()),
        "accuracy": float((first == truth).mean()),
        "accuracy_masked": float((hidden == truth).mean()),
        "accuracy_control": float((moved == truth).mean()),
    }
    p = _sign_flip_p(difference, groups, rng, permutations)
    return Measure(float(difference.mean()), low, high, n, p, extra=extra)


def _sign_flip_p(difference: Floats, groups: Ints, rng: np.random.Generator, permutations: int) -> float:
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], difference)
    step = max(1, CHUNK // len(sums))
    flipped = [
        (2.0 * rng.integers(2, size=(min(step, permutations - start), len(sums))) - 1) @ sums
        for start in range(0, permutations, step)
    ]
    return permutation_p(float(abs(sums.sum())), np.abs(np.concatenate(flipped)))
