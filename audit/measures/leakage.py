"""Leakage: cross-validated AUC of a linear probe for the class, from the activations inside the cue."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm, rankdata, t

from audit.measures.intervals import LEVEL, cluster_bootstrap_weights, percentile_interval, wilson
from audit.measures.measure import Bools, Floats, Ints, Measure, Random, distinct, too_few, unmeasured
from audit.measures.permutation import permuted_labels, refined_p
from audit.measures.ridge_probe import Probes

# Enough to tell how much training adds to the variance of the AUC of everything else, which gets no p-value.
REST_PERMUTATIONS = 100


def leakage(
    inside: Floats,
    rest: Floats | None,
    in_class: Bools,
    groups: Ints,
    folds: Ints,
    rng: Random,
    resamples: int = 1000,
    permutations: int = 500,
    min_images: int = 10,
    max_rows: int = 3000,
    control: Floats | None = None,
) -> Measure:
    """Cross-validated AUC of a linear probe that sees only the activations inside the cue; 0.5 = chance, range [0, 1].

    ``inside`` and ``rest`` (n, d): activations pooled over the cue's region and over everything else, one row per image
    that shows the cue, ``rest`` None where nothing else is to be compared; ``in_class``, ``groups``, ``folds`` (n,),
    folds keeping duplicate groups whole. The AUC is the share of pairs (one image of the class, one not, both of the
    same fold) that the probe orders rightly: a pair's labels can be swapped without touching what its probe was trained
    on, so the expectation under no leakage is exactly 0.5, while pairs across folds would compare the scores of
    different probes and push it below.

    p: one-sided, labels permuted over duplicate groups inside the folds and all probes trained anew. Interval:
    percentile bootstrap of the held-out scores over duplicate groups. The probes stay as trained there, which alone
    covers 0.5 in only 86 % of null sets, so the variance of training is added, on the scale of the normal deviate
    z = Phi^-1(A), where it does not shrink as A nears 1: 2 pi (the slope of z at 0.5, squared) times that of the
    permuted AUCs above that of the same scores with permuted labels, times ``training_share``, for the noise that a
    clear direction leaves to a probe is less. Where the classes are fully separated: Wilson's with the smaller class
    for n, as the variance of an AUC is at most A(1 - A) / min(n+, n-) (Birnbaum & Klose 1957). Near that the few pairs
    in the wrong order are drawn too rarely, so the lower end is no higher than that of Student's interval of logit A
    (Qin & Hotilovac 2008) with the standard error of DeLong et al. (1988) over duplicate groups.
    Above ``max_rows`` images a random part is used, the smaller class first.

    ``extra``: ``rest`` (AUC of the same probe on everything else), ``rest_low``, ``rest_high``. With ``control``
    (n, d), the activations in a region of the same size and shape elsewhere (rows of zeros where there is no room for
    one), and enough images that have one: ``control``, its AUC, and ``above_control``, the cue's AUC on these images
    minus it, each with ``_low`` and ``_high``.
    """
    for side, where in ((in_class, "of the class show the cue"), (~in_class, "of the other classes show the cue")):
        if reason := too_few(distinct(groups[side]), min_images, where):
            return unmeasured(reason, len(in_class))
    rng = np.random.default_rng(rng)
    rows = _spread_rows(in_class, max_rows, rng)
    labels, groups, folds = in_class[rows], groups[rows], folds[rows]
    if not _pairs(labels[:, None], folds).sum():
        return unmeasured("No fold has images of the class and of the others that show the cue.", len(rows))
    labelings = np.vstack([labels, permuted_labels(labels, groups, permutations, rng, strata=folds)]).T
    rest_labelings = labelings[:, : 1 + REST_PERMUTATIONS]
    weights = cluster_bootstrap_weights(groups, resamples, rng)
    probes = Probes.of(inside[rows], folds)
    scores = probes.scores(labelings)
    aucs, low, high = _auc_and_interval(scores, labelings, groups, folds, weights)
    extra: dict[str, float] = {}
    if rest is not None:
        rest_scores = Probes.of(rest[rows], folds).scores(rest_labelings)
        rest_aucs, rest_low, rest_high = _auc_and_interval(rest_scores, rest_labelings, groups, folds, weights)
        extra = {"rest": float(rest_aucs[0]), "rest_low": rest_low, "rest_high": rest_high}
    if control is not None:
        # Where every image has room for a control, the cue's probes need not be trained again.
        cue_scores = scores[:, : rest_labelings.shape[1]] if control[rows].any(axis=1).all() else None
        extra |= _control_figures(
            inside[rows], cue_scores, control[rows], rest_labelings, groups, folds, weights, min_images
        )

    def permuted(count: int) -> Floats:
        parts = (min(permutations, count - start) for start in range(0, count, permutations))
        anew = (permuted_labels(labels, groups, part, rng, strata=folds).T for part in parts)
        return np.concatenate([fold_auc(probes.scores(drawn), drawn, folds) for drawn in anew])

    p = refined_p(float(aucs[0]), aucs[1:], permuted)
    return Measure(float(aucs[0]), low, high, len(rows), p, extra=extra)


def out_of_fold_scores(
    inside: Floats, in_class: Bools, folds: Ints, rng: Random, max_rows: int = 3000
) -> NDArray[np.float64]:
    """The scores (n,) whose AUC ``leakage`` gives: of the probe that saw none of the fold's images, about -1..1.

    NaN for images that are not used: all where a probe cannot be trained, and those beyond ``max_rows``.
    """
    scores = np.full(len(in_class), np.nan)
    rows = _spread_rows(in_class, max_rows, np.random.default_rng(rng))
    labels = in_class[rows]
    if labels.any() and not labels.all() and len(np.unique(folds[rows])) > 1:
        scores[rows] = Probes.of(inside[rows], folds[rows]).scores(labels[:, None])[:, 0]
    return scores


def _auc_and_interval(
    scores: Floats, labelings: Bools, groups: Ints, folds: Ints, weights: Ints
) -> tuple[Floats, float, float]:
    """AUC for the labels and for each permutation of them (1 + permutations,), and the interval of the first."""
    aucs = fold_auc(scores, labelings, folds)
    as_trained = fold_auc(scores[:, :1], labelings[:, 1:], folds)
    training = max(0.0, float(aucs[1:].var() - as_trained.var())) * training_share(scores, labelings[:, 0], folds)
    return aucs, *_auc_interval(scores[:, 0], labelings[:, 0], groups, folds, weights, training)


def _control_figures(
    inside: Floats,
    cue_scores: Floats | None,
    control: Floats,
    labelings: Bools,
    groups: Ints,
    folds: Ints,
    weights: Ints,
    min_images: int,
) -> dict[str, float]:
    """The control's AUC, and how far the cue's is above it, on the images that have room for a control.

    ``cue_scores`` are the scores of the cue's probes if these are all images.
    """
    room = control.any(axis=1)
    labelings, groups, folds, weights = labelings[room], groups[room], folds[room], weights[:, room]
    smaller = min(distinct(groups[labelings[:, 0] == side]) for side in (True, False))
    if smaller < min_images or not _pairs(labelings[:, :1], folds).sum():
        return {}
    of_cue = Probes.of(inside[room], folds).scores(labelings) if cue_scores is None else cue_scores
    of_control = Probes.of(control[room], folds).scores(labelings)
    aucs, low, high = _auc_and_interval(of_control, labelings, groups, folds, weights)
    above, above_low, above_high = _difference(of_cue, of_control, labelings, folds, weights, smaller)
    return {
        "control": float(aucs[0]),
        "control_low": low,
        "control_high": high,
        "above_control": above,
        "above_control_low": above_low,
        "above_control_high": above_high,
    }


def _difference(
    first: Floats, second: Floats, labelings: Bools, folds: Ints, weights: Ints, smaller: int
) -> tuple[float, float, float]:
    """AUC of one set of scores minus that of another on the same images, with its interval.

    As in ``leakage``, but on the scale of the AUC: each AUC for permuted labels is scaled by phi(z) / phi(0) times the
    root of its ``training_share`` before they are subtracted.
    """
    value, training, drawn = 0.0, np.zeros((2, labelings.shape[1] - 1)), np.zeros(len(weights))
    for sign, scores in ((1, first), (-1, second)):
        aucs = fold_auc(scores, labelings, folds)
        fade = math.exp(-(float(norm.ppf(aucs[0])) ** 2) / 2) * training_share(scores, labelings[:, 0], folds) ** 0.5
        training += sign * fade * np.stack([aucs[1:], fold_auc(scores[:, :1], labelings[:, 1:], folds)])
        drawn += sign * weighted_fold_auc(scores[:, 0], labelings[:, 0], folds, weights)
        value += sign * float(aucs[0])
    anew, as_trained = training.var(axis=1)
    return value, *_widened(value, *percentile_interval(drawn, units=smaller), max(0.0, float(anew - as_trained)))


def training_share(scores: Floats, labels: Bools, folds: Ints) -> float:
    """Variance that training adds to z = Phi^-1(AUC) of the first ``scores``, over what it adds without a leak.

    ``scores`` (n, 1 + k): of the probes for the ``labels`` (n,), then of k sets of probes for permuted labels. The
    share of noise in the first, f: the mean variance of the others across them (their residuals from a regression on
    the first), over the variance of the first, all among the images of one class and fold. Along the first they do not
    count: an error of a probe along its own direction only scales its scores.

    The share is that of K folds and classes that differ in the mean of normal features. With 1 for the variance of z as
    trained, 1 - f of it comes of how well the images show the direction that leaks; they also train the probes, which
    lean to them by f: (1 - f)(1 + f)^2. The rest comes of pairs of images that agree by chance, and each pair counts
    twice: 2 f, less what such pairs also add to the length of the probes, by which z is divided:
    1 - 2 c (K - 2)/(K - 1) + c^2 (K^2 - 3 K + 3)/(K - 1)^2 of 2 f, c = (1 - f)/2.
    """
    total = noise = 0.0
    for fold in np.unique(folds):
        centred, in_class = scores[folds == fold], labels[folds == fold]
        for side in (in_class, ~in_class):
            if side.any():
                centred[side] -= centred[side].mean(axis=0)
        first, permuted = centred[:, 0], centred[:, 1:]
        square = float(first @ first)
        total += square
        along = (first @ permuted) ** 2 / square if square > 0 else 0.0
        noise += float(((permuted**2).sum(axis=0) - along).mean())
    if total == 0:
        return 1.0
    f, k = min(1.0, max(0.0, noise) / total), len(np.unique(folds))
    c = (1 - f) / 2
    pairs = 1 - 2 * c * (k - 2) / (k - 1) + c**2 * (k**2 - 3 * k + 3) / (k - 1) ** 2
    return (1 - f) * (1 + f) ** 2 + 2 * f * pairs - 1


def fold_auc(scores: Floats, labels: Bools, folds: Ints) -> NDArray[np.float64]:
    """AUC over the pairs inside folds, (k,) in 0..1 or NaN, for ``scores`` (n, k or 1) and ``labels`` (n, k).

    Mann-Whitney, ties half: per fold, U = sum of the ranks of the class - n+(n+ + 1)/2; AUC = sum U / sum n+ n-.
    """
    wins = np.zeros(labels.shape[1])
    for fold in np.unique(folds):
        held_out = folds == fold
        positive = labels[held_out].sum(axis=0)
        ranks = rankdata(scores[held_out], axis=0)
        wins += np.where(labels[held_out], ranks, 0.0).sum(axis=0) - positive * (positive + 1) / 2
    pairs = _pairs(labels, folds)
    return _quotient(wins, pairs)


def weighted_fold_auc(scores: Floats, labels: Bools, folds: Ints, weights: Ints) -> NDArray[np.float64]:
    """As ``fold_auc`` for one set of ``scores`` and ``labels`` (n,), with ``weights`` (r, n) of the images: (r,)."""
    wins, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    for fold in np.unique(folds):
        held_out = np.flatnonzero(folds == fold)
        held_out = held_out[np.argsort(scores[held_out], kind="stable")]
        levels = np.unique(scores[held_out], return_index=True)[1]
        drawn = weights[:, held_out].astype(float)
        positive = np.add.reduceat(drawn * labels[held_out], levels, axis=1)
        negative = np.add.reduceat(drawn * ~labels[held_out], levels, axis=1)
        wins += (positive * (np.cumsum(negative, axis=1) - negative / 2)).sum(axis=1)
        pairs += positive.sum(axis=1) * negative.sum(axis=1)
    return _quotient(wins, pairs)


def _quotient(wins: Floats, pairs: Floats) -> NDArray[np.float64]:
    auc = np.full(len(wins), np.nan)
    np.divide(wins, pairs, out=auc, where=pairs > 0)
    return auc


def _auc_interval(
    scores: Floats, labels: Bools, groups: Ints, folds: Ints, weights: Ints, training: float
) -> tuple[float, float]:
    """Bootstrap interval, widened on the scale of z by the variance ``training``, which is in AUC at 0.5."""
    smaller = min(distinct(groups[labels]), distinct(groups[~labels]))
    value = float(fold_auc(scores[:, None], labels[:, None], folds)[0])
    low, high = percentile_interval(weighted_fold_auc(scores, labels, folds, weights), units=smaller)
    if low == high and value in (0.0, 1.0):
        return wilson(value * smaller, smaller)
    low = min(low, logit_lower_end(scores, labels, groups, folds))
    z, z_low, z_high = (float(norm.ppf(auc)) for auc in (value, low, high))
    low, high = (float(norm.cdf(end)) for end in _widened(z, z_low, z_high, 2 * math.pi * training))
    return low, high


def logit_lower_end(scores: Floats, labels: Bools, groups: Ints, folds: Ints) -> float:
    """Lower end of Student's interval of an AUC inside folds, on the scale of the logit; 1 for an AUC not in (0.5, 1).

    All arrays have shape (n,). Standard error: DeLong et al. (1988), summed over duplicate ``groups``.
    """
    influence, pairs, value = np.zeros(len(labels)), 0, float(fold_auc(scores[:, None], labels[:, None], folds)[0])
    if not 0.5 < value < 1:
        return 1.0
    for fold in np.unique(folds):
        ours, others = (np.flatnonzero((folds == fold) & side) for side in (labels, ~labels))
        beyond = (np.sign(scores[ours][:, None] - scores[others][None]) + 1) / 2 - value
        influence[ours] += beyond.sum(axis=1)
        influence[others] += beyond.sum(axis=0)
        pairs += beyond.size
    of_groups = np.bincount(np.unique(groups, return_inverse=True)[1], influence)
    error = float(np.sqrt((of_groups**2).sum())) / pairs / (value * (1 - value))
    smaller = min(distinct(groups[labels]), distinct(groups[~labels]))
    return float(expit(logit(value) - t.ppf((1 + LEVEL) / 2, max(1, smaller - 1)) * error))


def _widened(value: float, low: float, high: float, training: float) -> tuple[float, float]:
    """An interval with the variance that training adds."""
    wider = float(norm.ppf((1 + LEVEL) / 2)) * math.sqrt(training)
    return value - math.hypot(value - low, wider), value + math.hypot(high - value, wider)


def _pairs(labels: Bools, folds: Ints) -> Floats:
    """Pairs of one image of the class and one of the rest in the same fold, (k,) for ``labels`` (n, k)."""
    positive = np.stack([labels[folds == fold].sum(axis=0) for fold in np.unique(folds)]).astype(float)
    sizes = np.unique(folds, return_counts=True)[1][:, None]
    pairs: Floats = (positive * (sizes - positive)).sum(axis=0)
    return pairs


def _spread_rows(in_class: Bools, max_rows: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """At most ``max_rows`` rows, sorted: all of them, or a random part in which the smaller class loses least."""
    if len(in_class) <= max_rows:
        return np.arange(len(in_class))
    sides = sorted((np.flatnonzero(in_class), np.flatnonzero(~in_class)), key=len)
    smaller = min(len(sides[0]), max_rows // 2)
    return np.sort(
        np.concatenate([rng.choice(sides[0], smaller, False), rng.choice(sides[1], max_rows - smaller, False)])
    )
