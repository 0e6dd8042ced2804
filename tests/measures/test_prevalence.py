import numpy as np
import pytest
from scipy.stats import chi2_contingency, fisher_exact, kstest

from audit.measures.prevalence import cramers_v, prevalence


def drawn(rng, n, share, elsewhere):
    in_class = np.arange(n) < n // 2
    return rng.random(n) < np.where(in_class, share, elsewhere), in_class


def reference_v(table):
    """Bergsma 2013 by loops over scipy's chi-square."""
    table = np.asarray(table)
    n, (r, c) = table.sum(), table.shape
    phi2 = max(0, chi2_contingency(table, correction=False)[0] / n - (r - 1) * (c - 1) / (n - 1))
    r, c = (size - (size - 1) ** 2 / (n - 1) for size in (r, c))
    return (phi2 / (min(r, c) - 1)) ** 0.5


@pytest.mark.parametrize("table", [[[30, 10], [12, 40]], [[5, 6], [7, 8]], [[20, 3, 4], [2, 30, 6]]])
def test_cramers_v_is_the_published_formula(table):
    assert cramers_v(np.array(table)) == pytest.approx(reference_v(table))


def test_cramers_v_of_degenerate_tables():
    assert cramers_v(np.array([[10, 0], [7, 0]])) == 0
    assert cramers_v(np.array([[50, 0], [0, 50]])) == pytest.approx(1)
    assert cramers_v(np.array([[1, 0], [0, 1]])) == 0


def test_planted_difference_is_found():
    present, in_class = drawn(np.random.default_rng(0), 200, 0.9, 0.2)
    measure = prevalence(present, in_class, np.arange(200), 0)
    assert measure.value == present[:100].mean() and measure.n == 100
    assert measure.extra["elsewhere"] == present[100:].mean() and measure.extra["elsewhere_n"] == 100
    assert measure.extra["difference_low"] > 0.5 and measure.extra["cramers_v"] > 0.5
    assert measure.p == pytest.approx(1 / 5001)


def test_p_agrees_with_the_exact_test():
    present = np.repeat([True, False, True, False], [14, 6, 8, 12])
    in_class = np.arange(40) < 20
    measure = prevalence(present, in_class, np.arange(40), 0, permutations=20_000)
    assert measure.p == pytest.approx(fisher_exact([[14, 6], [8, 12]]).pvalue, abs=0.01)


def test_full_separation_keeps_an_interval():
    in_class = np.arange(40) < 20
    measure = prevalence(in_class, in_class, np.arange(40), 0)
    assert measure.high == 1 and 0.8 < measure.low < 0.9
    assert 0.7 < measure.extra["difference_low"] < 0.9 and measure.extra["difference_high"] == pytest.approx(1)


def test_a_cue_in_every_image_is_no_difference():
    in_class = np.arange(40) < 20
    measure = prevalence(np.ones(40, bool), in_class, np.arange(40), 0)
    assert measure.p == 1 and measure.extra["difference"] == 0 and measure.extra["cramers_v"] == 0


def test_intervals_cover_and_p_is_uniform_under_the_null_with_duplicates():
    covered, between, p = 0, 0, []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        groups = np.concatenate([np.arange(60), np.repeat(np.arange(60, 80), 3)])
        in_class = rng.permutation(80)[groups] < 32
        present = (rng.random(80) < 0.3)[groups]
        measure = prevalence(present, in_class, groups, rng, permutations=99)
        covered += measure.low <= 0.3 <= measure.high
        between += measure.extra["difference_low"] <= 0 <= measure.extra["difference_high"]
        p.append(measure.p)
    assert 0.90 <= covered / 300 <= 0.99
    assert 0.90 <= between / 300 <= 0.99
    # Ties between the few possible differences make p too large at times, never too small.
    assert np.mean(np.array(p) <= 0.05) < 0.09 and kstest(p, "uniform", alternative="greater").pvalue > 0.001


def test_ignoring_duplicates_raises_false_alarms():
    false_alarms = {True: 0, False: 0}
    for seed in range(150):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(30), 4)
        present, in_class = (rng.random(30) < 0.5)[groups], (rng.permutation(30) < 15)[groups]
        for together in false_alarms:
            measure = prevalence(present, in_class, groups if together else np.arange(120), rng, permutations=99)
            false_alarms[together] += measure.p <= 0.05
    assert false_alarms[True] <= 15 and false_alarms[False] >= 30


def test_groups_with_mixed_labels_are_handled():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 2)
    in_class = np.tile([True, False], 60)
    measure = prevalence(rng.random(120) < 0.4, in_class, groups, 0)
    assert 0 < measure.p <= 1 and measure.n == 60


@pytest.mark.parametrize("few", [0, 7])
def test_too_few_images_are_said(few):
    in_class = np.arange(40) < few
    measure = prevalence(np.ones(40, bool), in_class, np.arange(40), 0)
    assert measure.value is None and f"{10 - few} more would do" in measure.reason


def test_copies_of_one_photograph_are_not_enough():
    groups = np.where(np.arange(40) < 20, 0, np.arange(40))
    assert prevalence(np.ones(40, bool), np.arange(40) < 20, groups, 0).reason.startswith("Only 1 distinct image in")
