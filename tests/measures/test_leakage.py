from collections import Counter

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import kstest, norm, t
from sklearn.metrics import roc_auc_score

from audit.detectors.cue import Cue
from audit.findings.caveats import Measures
from audit.findings.severity import judge
from audit.measures.intervals import cluster_bootstrap_weights, percentile_interval
from audit.measures.leakage import fold_auc, leakage, logit_lower_end, training_share, weighted_fold_auc
from audit.measures.limits import Evidence
from audit.measures.permutation import permuted_labels
from audit.measures.ridge_probe import Probes


def drawn(seed, n=120, d=16, strength=0.0, share=0.4, copies=1):
    """Features whose first column leans ``strength`` standard deviations towards the class; stratified folds."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) < share * n)
    features = rng.normal(size=(n, d))
    features[:, 0] += strength * labels
    folds = np.empty(n, int)
    for side in (labels, ~labels):
        folds[side] = rng.permutation(np.arange(side.sum())) % 3
    return tuple(np.repeat(array, copies, axis=0) for array in (features, labels, np.arange(n), folds))


def pairs_auc(scores, labels, folds, weights):
    """AUC over pairs inside folds, by loops."""
    wins = pairs = 0.0
    for i in np.flatnonzero(labels):
        for j in np.flatnonzero(~labels & (folds == folds[i])):
            weight = float(weights[i]) * float(weights[j])
            pairs += weight
            wins += weight * ((scores[i] > scores[j]) + 0.5 * (scores[i] == scores[j]))
    return wins / pairs


def test_auc_is_scikit_learns_within_one_fold():
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(5, size=(80, 3)).astype(float), rng.random((80, 3)) < 0.3
    expected = [roc_auc_score(labels[:, k], scores[:, k]) for k in range(3)]
    assert fold_auc(scores, labels, np.zeros(80)) == pytest.approx(expected)


def test_weighted_auc_is_that_of_all_pairs():
    rng = np.random.default_rng(0)
    scores, labels, folds = rng.integers(6, size=60).astype(float), rng.random(60) < 0.4, rng.integers(3, size=60)
    weights = rng.integers(0, 4, size=(5, 60))
    expected = [pairs_auc(scores, labels, folds, row) for row in weights]
    assert weighted_fold_auc(scores, labels, folds, weights) == pytest.approx(expected)
    plain = weighted_fold_auc(scores, labels, folds, np.ones((1, 60), int))
    assert plain == pytest.approx(fold_auc(scores[:, None], labels[:, None], folds))


def test_auc_without_pairs_is_nan():
    labels, folds = np.array([True, True, False, False]), np.array([0, 0, 1, 1])
    assert np.isnan(fold_auc(np.arange(4.0)[:, None], labels[:, None], folds)).all()
    assert np.isnan(weighted_fold_auc(np.arange(4.0), labels, folds, np.ones((1, 4), int))).all()


def test_planted_leak_is_found_inside_and_not_in_the_rest():
    features, labels, groups, folds = drawn(0, n=300, strength=2.0)
    rest = np.random.default_rng(1).normal(size=features.shape)
    measure = leakage(features, rest, labels, groups, folds, 0, permutations=199)
    assert measure.value > 0.85 and measure.low > 0.8 and measure.p == pytest.approx(1 / 1991) and measure.n == 300
    assert measure.extra["rest_low"] < 0.5 < measure.extra["rest_high"]


def beside(seed, inside=0.0, control=0.0, n=200, **settings):
    """The measure where the cue and the control lean ``inside`` and ``control`` standard deviations to the class."""
    features, labels, groups, folds = drawn(seed, n=n, strength=inside)
    elsewhere = np.random.default_rng(seed + 1000).normal(size=features.shape)
    elsewhere[:, 0] += control * labels
    return leakage(features, features[:, :1], labels, groups, folds, seed, control=elsewhere, **settings)


def test_a_leak_of_the_cue_is_above_that_of_its_control():
    extra = beside(1, inside=2.0, n=300, resamples=300, permutations=100).extra
    assert extra["above_control_low"] > 0.15 and extra["control_low"] < 0.5 < extra["control_high"]


def test_a_leak_of_the_whole_scene_is_not():
    extra = beside(1, inside=2.0, control=2.0, resamples=300, permutations=100).extra
    assert extra["control_low"] > 0.7 and extra["above_control_low"] < 0 < extra["above_control_high"]


def test_controls_are_compared_where_there_are_any():
    features, labels, groups, folds = drawn(0, strength=1.5)
    control, room = features.copy(), np.arange(120) < 80
    control[~room] = 0
    extra = leakage(features, features, labels, groups, folds, 0, control=control).extra
    alone = [array[room] for array in (features, features, labels, groups, folds)]
    assert extra["control"] == pytest.approx(leakage(*alone, 0).value)
    assert extra["above_control"] == 0
    control[8:] = 0
    assert "control" not in leakage(features, features, labels, groups, folds, 0, control=control).extra


@pytest.mark.parametrize(("inside", "control"), [(0.0, 0.0), (1.5, 1.5), (2.0, 1.0)])
def test_the_difference_to_the_control_covers(inside, control):
    settings = {"n": 100, "resamples": 200, "permutations": 60}
    extras = [beside(seed, inside, control, **settings).extra for seed in range(150)]
    truth = np.mean([extra["above_control"] for extra in extras]) if inside > control else 0.0
    covered = np.mean([extra["above_control_low"] <= truth <= extra["above_control_high"] for extra in extras])
    assert 0.89 <= covered <= 1


def test_null_auc_is_one_half_its_interval_covers_and_p_is_uniform():
    measures = []
    for seed in range(300):
        features, labels, groups, folds = drawn(seed, n=60, copies=1 + seed % 2)
        measure = leakage(features, features[:, :1], labels, groups, folds, seed, resamples=150, permutations=59)
        measures.append((measure.value, measure.low <= 0.5 <= measure.high, measure.p))
    values, covered, p = np.array(measures, float).T
    assert abs(values.mean() - 0.5) < 4 * values.std() / 300**0.5
    assert 0.90 <= covered.mean() <= 0.99
    assert np.mean(p <= 0.05) < 0.09 and kstest(p, "uniform").pvalue > 0.001


def test_interval_covers_the_expected_auc_of_a_probe_with_many_features():
    measures = []
    for seed in range(200):
        features, labels, groups, folds = drawn(seed, n=90, d=100, strength=2.5)
        measures.append(leakage(features, features, labels, groups, folds, seed, resamples=200, permutations=60))
    truth = np.mean([measure.value for measure in measures])
    assert 0.60 < truth < 0.90
    assert 0.90 <= np.mean([measure.low <= truth <= measure.high for measure in measures]) <= 0.99


def test_interval_covers_a_known_auc_of_one_feature():
    truth, covered = float(norm.cdf(1.2 / 2**0.5)), 0
    for seed in range(200):
        features, labels, groups, folds = drawn(seed, n=80, d=1, strength=1.2)
        measure = leakage(features, features, labels, groups, folds, seed, resamples=200, permutations=20)
        covered += measure.low <= truth <= measure.high
    assert 180 <= covered <= 198


def scored(seed, **settings):
    """Scores of the probes for the labels and for 50 permutations of them, the labels and the folds."""
    features, labels, groups, folds = drawn(seed, **settings)
    tried = np.vstack([labels, permuted_labels(labels, groups, 50, seed, strata=folds)]).T
    return Probes.of(features, folds).scores(tried), labels, folds


def formula(f, k):
    """Share of training for k folds: variances of fold averages of e_ab, the mean products of folds a and b.

    z = mean of S / root Q over the folds; its slopes are 1 in S and -(1 - f)/2 in Q, noise of S of variance f in all.
    """
    share = np.zeros((k, k))
    for held_out in range(k):
        train = [a for a in range(k) if a != held_out]
        share[held_out, train] += 1 / (k * (k - 1))
        share[np.ix_(train, train)] -= (1 - f) / 2 / (k * (k - 1) ** 2)
    symmetric = share + share.T
    # e_ab and e_ba are one; within a fold every pair is counted twice, so e_aa has twice the variance.
    variance = (np.triu(symmetric, 1) ** 2).sum() + 2 * (np.diag(share) ** 2).sum()
    alone = 2 / (k * (k - 1))
    return (1 - f) * (1 + f) ** 2 + 2 * f * variance / alone - 1


@pytest.mark.parametrize(("d", "strength"), [(3, 0.5), (16, 2.0), (200, 2.0)])
def test_the_share_of_training_is_that_of_regressions_on_the_probe_and_the_class(d, strength):
    scores, labels, folds = scored(3, d=d, strength=strength)
    noise = total = 0.0
    for fold in range(3):
        held_out = folds == fold
        classes = np.stack([labels[held_out], ~labels[held_out]], axis=1).astype(float)
        total += np.linalg.lstsq(classes, scores[held_out, 0], rcond=None)[1][0]
        design = np.column_stack([classes, scores[held_out, 0]])
        noise += np.linalg.lstsq(design, scores[held_out, 1:], rcond=None)[1].mean()
    assert training_share(scores, labels, folds) == pytest.approx(formula(min(1.0, noise / total), 3))


def test_training_adds_nothing_where_a_probe_has_one_direction_and_all_where_it_has_only_noise():
    assert training_share(*scored(0, d=1, strength=1.0)) == pytest.approx(0.0, abs=1e-12)
    assert training_share(*scored(0, n=400, d=16, strength=2.0)) < 0.6
    assert np.mean([training_share(*scored(seed, d=400)) for seed in range(10)]) == pytest.approx(1, abs=0.1)
    _, labels, folds = scored(0)
    assert training_share(np.zeros((120, 5)), labels, folds) == 1


@pytest.mark.parametrize("k", [2, 3, 10])
@pytest.mark.parametrize(("f", "strength"), [(1.0, 0.0), (0.5, 2.0), (0.2, 2.0)])
def test_training_adds_what_the_formula_says_for_normal_features(f, strength, k):
    """60 pairs of an image of the class and one of the rest, whose differences lean in the first of d directions.

    The probe of a fold is the mean difference outside it, f the share of noise in its squared length.
    """
    rng, n = np.random.default_rng(0), 60
    noise = strength**2 * f / (1 - f) if strength else 4.0
    d, folds = round(noise * n * (k - 1) / k / 2), np.arange(n) % k
    shares, as_trained = [], []
    for _ in range(1000):
        differences = rng.normal(0, 2**0.5, (n, d)) + strength * (np.arange(d) == 0)
        probes = np.stack([differences[folds != fold].mean(axis=0) for fold in range(k)])
        z = (differences * (probes / np.linalg.norm(probes, axis=1, keepdims=True))[folds]).sum(axis=1)
        shares.append(z.mean())
        as_trained.append(z.var(ddof=1) / n)
    assert np.var(shares) / np.mean(as_trained) == pytest.approx(1 + formula(f, k), rel=0.12)


def test_the_interval_is_the_bootstraps_and_widened_on_the_scale_of_the_normal_deviate():
    features, labels, groups, folds = drawn(0, n=60, d=40, strength=2.0)
    measure = leakage(features, features, labels, groups, folds, 5, resamples=100, permutations=60)
    rng, ones = np.random.default_rng(5), np.ones(60)
    tried = np.vstack([labels, permuted_labels(labels, groups, 60, rng, strata=folds)]).T
    weights = cluster_bootstrap_weights(groups, 100, rng)
    scores = Probes.of(features, folds).scores(tried)
    anew = [pairs_auc(scores[:, k], tried[:, k], folds, ones) for k in range(1, 61)]
    before = [pairs_auc(scores[:, 0], tried[:, k], folds, ones) for k in range(1, 61)]
    training = (np.var(anew) - np.var(before)) / norm.pdf(0) ** 2 * training_share(scores, labels, folds)
    resampled = np.array([pairs_auc(scores[:, 0], labels, folds, row) for row in weights])
    ends = list(percentile_interval(resampled, units=24))
    ends[0] = min(ends[0], logit_lower_end(scores[:, 0], labels, groups, folds))
    z = norm.ppf(measure.value)
    below, above = (np.sqrt((z - norm.ppf(end)) ** 2 + 1.96**2 * training) for end in ends)
    assert training > 0
    assert (measure.low, measure.high) == pytest.approx(norm.cdf([z - below, z + above]), abs=1e-5)


def test_the_lower_end_is_no_higher_than_that_of_the_logit():
    """DeLong's variance of an AUC by its textbook formula, from the placements of both sides, in one fold."""
    rng = np.random.default_rng(2)
    labels = np.arange(40) < 18
    scores = np.where(labels, 2.2, 0.0) + rng.normal(size=40)
    groups, folds = np.arange(40), np.zeros(40, int)
    better = (scores[labels][:, None] > scores[~labels][None]).astype(float)
    auc = better.mean()
    v10, v01 = better.mean(axis=1), better.mean(axis=0)
    # With n and not n - 1 below the sums.
    error = np.sqrt(((v10 - auc) ** 2).sum() / 18**2 + ((v01 - auc) ** 2).sum() / 22**2)
    expected = expit(logit(auc) - t.ppf(0.975, 17) * error / (auc * (1 - auc)))
    assert 0.8 < auc < 1 and logit_lower_end(scores, labels, groups, folds) == pytest.approx(expected)
    copies = (np.repeat(values, 3) for values in (scores, labels, groups, folds))
    assert logit_lower_end(*copies) == pytest.approx(expected)
    assert logit_lower_end(scores, ~labels, groups, folds) == 1.0


def test_ignoring_duplicates_gives_intervals_that_are_too_narrow():
    widths = []
    for together in (True, False):
        features, labels, groups, folds = drawn(0, strength=1.5, copies=4)
        groups = groups if together else np.arange(len(groups))
        measure = leakage(features, features, labels, groups, folds, 0, resamples=400, permutations=20)
        widths.append(measure.high - measure.low)
    assert widths[0] > 1.5 * widths[1]


def test_full_separation_keeps_an_interval():
    features, labels, groups, folds = drawn(0, n=40, d=1)
    features[:, 0] = labels + 0.01 * features[:, 0]
    measure = leakage(features, features, labels, groups, folds, 0)
    assert measure.value == 1 and measure.high == 1 and 0.7 < measure.low < 0.9


def test_large_sets_are_thinned_and_stay_deterministic():
    features, labels, groups, folds = drawn(0, n=400, strength=1.0, share=0.1)
    measures = [
        leakage(features, features, labels, groups, folds, 3, resamples=100, permutations=20, max_rows=150)
        for _ in range(2)
    ]
    assert measures[0] == measures[1] and measures[0].n == 150 and measures[0].value > 0.6


def test_inputs_are_left_as_they_were():
    features, labels, groups, folds = drawn(0)
    kept = features.copy(), labels.copy(), folds.copy()
    leakage(features, features, labels, groups, folds, 0, resamples=100, permutations=20)
    assert all(np.array_equal(a, b) for a, b in zip(kept, (features, labels, folds), strict=True))


def test_what_cannot_be_measured_is_said():
    features, labels, groups, folds = drawn(0, n=40, share=0.1)
    measure = leakage(features, features, labels, groups, folds, 0)
    assert measure.value is None and "Only 4 distinct images of the class" in measure.reason
    assert "6 more would do" in measure.reason
    assert "other classes" in leakage(features, features, ~labels, groups, folds, 0).reason
    features, labels, groups, _ = drawn(0)
    assert "No fold" in leakage(features, features, labels, groups, labels.astype(int), 0).reason


def strengths(inside: float, control: float) -> Counter:
    """What 30 audits say of a part that leaks, beside a control that leaks as much or not."""
    counts = Counter()
    for seed in range(30):
        measure = beside(seed, inside, control, n=300, resamples=200, permutations=100)
        above = (measure.extra[f"above_control{end}"] for end in ("", "_low", "_high"))
        measures = Measures(
            leakage=Evidence(measure.value, measure.low, measure.high, measure.p),
            difference=Evidence(0.0, -0.05, 0.05, 1.0),
            above_control=Evidence(*above, None),
        )
        counts[judge(Cue("hair", "the hair", "part"), measures).data] += 1
    return counts


def test_a_planted_leak_of_the_part_is_strong_and_one_of_the_whole_scene_is_not():
    assert strengths(1.6, 0.0)["strong"] >= 28
    assert strengths(1.6, 0.8)["strong"] >= 25
    everywhere = strengths(1.6, 1.6)
    assert everywhere["strong"] <= 5 and everywhere["strong"] + everywhere["weak"] == 30
