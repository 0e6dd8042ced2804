import numpy as np
import pytest
from scipy.stats import kstest, permutation_test

from audit.evidence.effect import effect


def measured(difference, groups=None, rng=0, **settings):
    """The effect of images whose probability drops by 0.1 for the control and by ``difference`` more for the cue."""
    n = len(difference)
    before, control, zeros = np.full(n, 0.9), np.full(n, 0.8), np.zeros(n, int)
    groups = np.arange(n) if groups is None else groups
    return effect(before, control - difference, control, zeros, zeros, zeros, zeros, groups, rng, **settings)


def test_planted_effect_is_found():
    difference = 0.4 + 0.1 * np.random.default_rng(0).normal(size=60)
    measure = measured(difference)
    assert measure.value == pytest.approx(difference.mean()) and measure.low > 0.35 and measure.high < 0.45
    assert measure.p == pytest.approx(1 / 501) and measure.n == 60
    assert measure.extra["control_drop"] == pytest.approx(0.1)
    assert measure.extra["drop"] == pytest.approx(0.1 + difference.mean())


def test_flips_and_accuracies():
    n = 20
    before, masked, control = np.zeros(n, int), np.repeat([1, 0], [8, 12]), np.repeat([0, 1], [18, 2])
    label = np.repeat([0, 1], [15, 5])
    p = np.full(n, 0.5)
    extra = effect(p, p, p, before, masked, control, label, np.arange(n), 0).extra
    assert extra["flip_rate"] == 0.4 and extra["control_flip_rate"] == 0.1
    assert extra["accuracy"] == 0.75 and extra["accuracy_control"] == 0.85
    assert extra["accuracy_masked"] == pytest.approx(np.mean(masked == label))


def test_p_is_scipys_sign_flip():
    difference = np.random.default_rng(5).normal(0.02, 0.1, 12)
    exact = permutation_test((difference,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert measured(difference, permutations=20_000).p == pytest.approx(exact, abs=0.015)


def test_null_interval_covers_and_p_is_uniform_with_duplicates():
    groups, covered, p = np.repeat(np.arange(25), 3), 0, []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        measure = measured(rng.normal(0, 0.1, 25)[groups], groups, rng, resamples=300, permutations=99)
        covered += measure.low <= 0 <= measure.high
        p.append(measure.p)
    assert 0.90 <= covered / 300 <= 0.99
    assert kstest(p, "uniform").pvalue > 0.001


def test_ignoring_duplicates_raises_false_alarms():
    false_alarms = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        false_alarms += measured(np.repeat(rng.normal(0, 0.1, 20), 4), rng=rng, permutations=99).p <= 0.05
    assert false_alarms >= 30


def test_images_without_a_control_are_left_out():
    measure = measured(np.append(np.full(12, 0.2), np.nan))
    assert measure.n == 12 and measure.value == pytest.approx(0.2)
    assert measured(np.full(13, np.nan)).reason == "No images could be masked; 10 more would do."


def test_no_change_at_all_has_p_one():
    measure = measured(np.zeros(15))
    assert (measure.value, measure.low, measure.high, measure.p) == (0, 0, 0, 1)
