import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare, kstest

from audit.measures.intervals import (
    cluster_bootstrap_totals,
    cluster_bootstrap_weights,
    contrast_interval,
    effective_count,
    mean_bounds,
    percentile_interval,
    share_interval,
    wilson,
)
from audit.measures.permutation import benjamini_hochberg, permutation_p, permuted_labels, refined_p

PAIRS = np.repeat(np.arange(40), 2)


@given(st.integers(1, 400), st.data())
def test_wilson_is_scipys_and_stays_inside(n, data):
    successes = data.draw(st.integers(0, n))
    low, high = wilson(successes, n)
    exact = binomtest(successes, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert 0 <= low <= successes / n <= high <= 1


def test_wilson_of_nothing_is_everything():
    assert wilson(0, 0) == (0.0, 1.0)


def test_effective_count_counts_copies_once():
    assert effective_count(np.arange(7)) == 7
    assert effective_count(PAIRS) == 40
    assert effective_count(np.zeros(9)) == 1
    assert effective_count(np.array([])) == 0


def test_shares_of_copies_have_the_interval_of_one_copy_each():
    hits = np.random.default_rng(0).random(40) < 0.3
    assert share_interval(np.repeat(hits, 2), PAIRS) == pytest.approx(wilson(hits.sum(), 40))


def test_contrast_of_two_shares_is_newcombes():
    # Newcombe 1998, table II, method 10: 56/70 against 48/80.
    (a, b), (c, d) = wilson(56, 70), wilson(48, 80)
    bounds = contrast_interval(np.array([1.0, -1]), np.array([0.8, 0.6]), np.array([a, c]), np.array([b, d]))
    assert bounds == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_weights_keep_duplicates_together_and_draw_as_many_groups_as_there_are():
    groups = np.array([3, 9, 3, 4, 9, 7])
    weights = cluster_bootstrap_weights(groups, 200, 0)
    assert weights.shape == (200, 6)
    for group in np.unique(groups):
        assert np.all(np.ptp(weights[:, groups == group].astype(int), axis=1) == 0)
    first = np.unique(groups, return_index=True)[1]
    assert np.all(weights[:, first].sum(axis=1) == 4)


def test_weights_have_multinomial_moments():
    weights = cluster_bootstrap_weights(np.arange(20), 20_000, 1).astype(float)
    assert weights.mean(axis=0) == pytest.approx(np.ones(20), abs=0.04)
    assert np.cov(weights.T)[0, 0] == pytest.approx(0.95, abs=0.05)
    assert np.cov(weights.T)[0, 1:].mean() == pytest.approx(-1 / 20, abs=0.02)


def test_strata_keep_their_size():
    strata = np.repeat([0, 1, 2], [4, 10, 26]).repeat(2)
    weights = cluster_bootstrap_weights(PAIRS, 100, 0, strata)
    assert np.all(weights[:, strata == 0].sum(axis=1) == 8)
    assert np.all(weights[:, strata == 2].sum(axis=1) == 52)


def test_totals_are_weights_times_columns():
    rng = np.random.default_rng(3)
    groups, columns = rng.integers(30, size=50), rng.normal(size=(50, 3))
    weights = cluster_bootstrap_weights(groups, 300, 5)
    assert np.allclose(cluster_bootstrap_totals(columns, groups, 300, 5), weights.astype(float) @ columns)


def test_same_seed_same_draws():
    assert np.array_equal(cluster_bootstrap_weights(PAIRS, 50, 7), cluster_bootstrap_weights(PAIRS, 50, 7))
    labels = PAIRS % 3 == 0
    assert np.array_equal(permuted_labels(labels, PAIRS, 50, 7), permuted_labels(labels, PAIRS, 50, 7))


def test_large_sets_stay_within_memory():
    groups = np.arange(20_000)
    tracemalloc.start()
    cluster_bootstrap_weights(groups, 1000, 0)
    permuted_labels(groups % 2 == 0, groups, 500, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6


def test_percentiles_leave_nan_out_and_widen_for_few_units():
    samples = np.append(np.linspace(0, 1, 1001), np.nan)
    assert percentile_interval(samples) == pytest.approx((0.025, 0.975))
    low, high = percentile_interval(samples, units=10)
    assert low < 0.025 and high > 0.975
    assert all(math.isnan(bound) for bound in percentile_interval(np.full(3, np.nan)))


@pytest.mark.parametrize("n", [12, 60])
def test_bootstrap_of_a_mean_covers(n):
    covered = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        columns = np.stack([rng.normal(1.0, 1.0, n), np.ones(n)], axis=1)
        totals = cluster_bootstrap_totals(columns, np.arange(n), 400, rng)
        low, high = percentile_interval(totals[:, 0] / totals[:, 1], units=n)
        covered += low <= 1.0 <= high
    assert 0.90 <= covered / 300 <= 0.985


def test_ignoring_duplicates_gives_intervals_that_are_too_narrow():
    def coverage(keep_together):
        covered = 0
        for seed in range(300):
            rng = np.random.default_rng(seed)
            columns = np.stack([np.repeat(rng.normal(size=25), 4), np.ones(100)], axis=1)
            groups = np.repeat(np.arange(25), 4) if keep_together else np.arange(100)
            totals = cluster_bootstrap_totals(columns, groups, 300, rng)
            low, high = percentile_interval(totals[:, 0] / totals[:, 1], units=len(np.unique(groups)))
            covered += low <= 0 <= high
        return covered / 300

    assert 0.90 <= coverage(keep_together=True) <= 0.985
    assert coverage(keep_together=False) < 0.80


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30), st.sampled_from([0.005, 0.05]))
def test_bounds_of_a_mean_are_those_of_every_distribution_in_the_band(values, miss):
    """Anderson's limits by his own formula: integrals over the empirical distribution, lowered and raised by e."""
    copies = np.repeat(values, 2)
    low, high = mean_bounds(copies, np.repeat(np.arange(len(values)), 2), -1, 1, miss)
    e = math.sqrt(math.log(1 / miss) / 2 / len(values))
    edges = np.concatenate([[-1.0], np.sort(values), [1.0]])
    shares = np.arange(len(values) + 1) / len(values)
    assert high == pytest.approx(1 - np.diff(edges) @ np.maximum(0, shares - e), abs=1e-9)
    assert low == pytest.approx(1 - np.diff(edges) @ np.minimum(1, shares + e), abs=1e-9)
    assert -1 - 1e-9 <= low <= np.mean(values) + 1e-9 and np.mean(values) - 1e-9 <= high <= 1 + 1e-9


@pytest.mark.parametrize("chance", [0.02, 0.1, 0.5])
def test_bounds_of_a_mean_are_passed_no_more_often_than_said(chance):
    rng, passed = np.random.default_rng(0), np.zeros(2)
    for _ in range(2000):
        low, high = mean_bounds((rng.random(15) < chance).astype(float), np.arange(15), 0, 1, 0.05)
        passed += low > chance, high < chance
    assert (passed / 2000 <= 0.05).all()


def test_permutations_move_whole_groups_among_groups_of_their_size():
    groups = np.array([0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6])
    labels = np.array([1, 0, 0, 0, 1, 1, 1, 0, 1, 0, 0], bool)
    permuted = permuted_labels(labels, groups, 400, 0)
    assert np.all(permuted[:, :4].sum(axis=1) == 1)
    pairs = {tuple(row) for row in permuted[:, 4:8].astype(int)}
    assert pairs == {(1, 1, 1, 0), (1, 0, 1, 1)}
    assert np.all(permuted[:, 8:] == labels[8:])


def test_permutations_are_uniform():
    labels = np.array([1, 1, 0, 0], bool)
    codes = permuted_labels(labels, np.arange(4), 6000, 2) @ np.array([8, 4, 2, 1])
    counts = np.unique(codes, return_counts=True)[1]
    assert len(counts) == 6 and chisquare(counts).pvalue > 0.001


def test_permutations_stay_inside_strata():
    strata = np.repeat([0, 1], 20)
    labels = np.arange(40) < 26
    permuted = permuted_labels(labels, np.arange(40), 50, 0, strata)
    assert np.all(permuted[:, :20]) and np.all(permuted[:, 20:].sum(axis=1) == 6)


def test_p_counts_the_observed_statistic():
    assert permutation_p(3.0, np.array([1.0, 2.0, 3.0])) == 0.5
    assert permutation_p(9.0, np.zeros(99)) == 0.01


def test_only_a_p_near_the_least_that_there_can_be_is_refined():
    asked = []

    def more(count):
        asked.append(count)
        return np.arange(count) % 2.0

    assert refined_p(1.0, np.array([1.0] * 10 + [0.0] * 89), more) == 11 / 100 and not asked
    assert refined_p(1.0, np.array([1.0] * 9 + [0.0] * 90), more) == (1 + 9 + 445) / 991 and asked == [891]
    assert refined_p(9.0, np.zeros(99), more) == 1 / 991


@pytest.mark.parametrize("level", [0.002, 0.01, 0.05, 11 / 100, 0.3])
def test_a_refined_p_is_below_a_level_no_more_often_than_the_level_says(level):
    rng = np.random.default_rng(0)
    p_values = [refined_p(rng.random(), rng.random(99), rng.random) for _ in range(4000)]
    assert np.mean(np.array(p_values) <= level) <= level + 3 * (level * (1 - level) / 4000) ** 0.5


@given(st.lists(st.none() | st.floats(0, 1), max_size=40))
def test_benjamini_hochberg_is_its_definition_and_monotone(raw):
    """Adjusted: the least m q / #{p <= q} over the p-values q from one's own on, of the m that there are."""
    adjusted, known = benjamini_hochberg(raw), [p for p in raw if p is not None]
    expected = [min(1, *(len(known) * q / sum(p <= q for p in known) for q in known if q >= own)) for own in known]
    tested = np.array([p is not None for p in raw], bool)
    assert np.isnan(adjusted[~tested]).all() and adjusted[tested] == pytest.approx(expected, abs=1e-12)
    assert np.all(np.diff(adjusted[tested][np.argsort(known)]) >= -1e-12)


def test_what_is_no_p_value_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        benjamini_hochberg([0.5, 1.5])


def test_benjamini_hochberg_ignores_what_was_not_tested():
    adjusted = benjamini_hochberg([None, 0.02, float("nan"), 0.01])
    assert np.isnan(adjusted[[0, 2]]).all()
    assert adjusted[[1, 3]] == pytest.approx([0.02, 0.02])
    assert len(benjamini_hochberg([])) == 0


def test_p_values_of_a_null_are_uniform():
    p = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        values, labels = rng.normal(size=30), np.arange(30) < 10
        permuted = permuted_labels(labels, np.arange(30), 99, rng)
        p.append(permutation_p(values[labels].sum(), permuted @ values))
    assert kstest(p, "uniform").pvalue > 0.001
