import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, norm, permutation_test

from audit.measures.effect import Answers, effect, may_show_more, weaker
from audit.measures.intervals import ratio_interval
from audit.measures.measure import Measure, unmeasured


def measured(difference, groups=None, rng=0, **others):
    """The effect of images whose probability drops by 0.1 for the control and by ``difference`` more for the cue."""
    n = len(difference)
    before, control, zeros = np.full(n, 0.9), np.full(n, 0.8), np.zeros(n, int)
    groups = np.arange(n) if groups is None else groups
    views = (Answers(p, zeros) for p in (before, control - difference, control))
    return effect(*views, zeros, groups, rng, **others)


def test_planted_effect_is_found():
    difference = 0.4 + 0.1 * np.random.default_rng(0).normal(size=60)
    measure = measured(difference)
    assert measure.value == pytest.approx(difference.mean()) and measure.low > 0.35 and measure.high < 0.45
    assert measure.p == pytest.approx(1 / 5001) and measure.n == 60
    assert measure.extra["control_drop"] == pytest.approx(0.1)
    assert measure.extra["drop"] == pytest.approx(0.1 + difference.mean())


def test_an_effect_on_few_of_the_images_has_no_interval_up_to_all_there_could_be():
    """As seen: a sticker that decides 2 of 15 photographs, and the model is sure of the others without it."""
    difference = np.append(np.geomspace(1e-6, 0.07, 13), (0.39, 0.43))
    alone = ratio_interval(difference, np.ones(15), np.arange(15), 1000, 0)
    measure = measured(difference)
    assert alone[1] > 0.55 and measure.high < 0.5
    assert measure.low == pytest.approx(alone[0], abs=0.01) and measure.low < measure.value < measure.high


def test_flips_and_accuracies():
    n = 20
    before, masked, control = np.zeros(n, int), np.repeat([1, 0], [8, 12]), np.repeat([0, 1], [18, 2])
    label = np.repeat([0, 1], [15, 5])
    p = np.full(n, 0.5)
    extra = effect(*(Answers(p, predicted) for predicted in (before, masked, control)), label, np.arange(n), 0).extra
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


def test_the_weaker_filling_counts_and_both_are_shown():
    rng = np.random.default_rng(0)
    blur, mean = measured(0.3 + 0.05 * rng.normal(size=30)), measured(0.1 + 0.2 * rng.normal(size=30))
    both = weaker({"blur": blur, "mean": mean})
    assert (both.value, both.low, both.p) == (mean.value, mean.low, max(blur.p, mean.p))
    assert both.high - both.value == pytest.approx(norm.ppf(0.9875) / norm.ppf(0.975) * (mean.high - mean.value))
    assert both.extra["filling"] == "mean" and both.extra["flip_rate"] == mean.extra["flip_rate"]
    assert both.extra["blur"] == {"value": blur.value, "low": blur.low, "high": blur.high, "p": blur.p}
    assert both.as_json()["mean"]["value"] == mean.value


def test_an_effect_of_one_filling_alone_is_none():
    rng = np.random.default_rng(1)
    measure = weaker({"blur": measured(rng.normal(0.4, 0.1, 20)), "mean": measured(rng.normal(0, 0.1, 20))})
    assert measure.low < 0 < measure.high and measure.p > 0.05


def test_a_filling_that_was_not_measured_leaves_the_whole_unmeasured():
    nothing = unmeasured("Only 3.", 3)
    for fillings in ({"blur": Measure(0.5, 0.4, 0.6, 20, 0.01), "mean": nothing}, {"blur": nothing, "mean": nothing}):
        assert weaker(fillings) == nothing


@pytest.mark.parametrize(
    ("mean", "spread", "n", "more"),
    [
        (0.2, 0.05, 10, True),
        (0.02, 0.01, 10, True),  # certain, if small
        (0.0, 0.3, 10, True),  # so uncertain that 0.1 is not ruled out
        (0.0, 0.02, 9, True),  # too few
        (0.0, 0.02, 10, False),
        (-0.2, 0.05, 10, False),
    ],
)
def test_more_images_are_worth_it_unless_the_first_rule_an_effect_out(mean, spread, n, more):
    even = np.linspace(-1.5, 1.5, n)
    assert may_show_more(mean + spread * even, 0.1, 0) == more


@settings(max_examples=30, deadline=None)
@given(mean=st.floats(-0.1, 0.2), spread=st.floats(0.001, 0.3), seed=st.integers(0, 10**6))
def test_stopping_early_finds_nothing_that_all_images_would_not(mean, spread, seed):
    drops = np.random.default_rng(seed).normal(mean, spread, 15)
    if not may_show_more(drops[:10], 0.1, 0):
        stopped = measured(drops[:10])
        assert stopped.value <= 0 or stopped.p > 0.05


def test_the_interval_of_the_weaker_of_two_equal_effects_covers():
    covered, truth = 0, 0.2
    for seed in range(300):
        rng = np.random.default_rng(seed)
        shared = rng.normal(truth, 0.1, 16)
        measure = weaker({name: measured(shared + rng.normal(0, 0.1, 16), rng=rng, permutations=1) for name in "ab"})
        covered += measure.low <= truth <= measure.high
    assert 0.90 <= covered / 300 <= 0.99
