"""Conditional association, against brute force over pairs and against planted causes."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from audit.measures.conditional import Signal, correlation_within_classes, remainder, signal_of

N = 600


def world(seed=0):
    """One hidden fact that leans to the class, two noisy views of it, and another fact that leans by itself."""
    rng = np.random.default_rng(seed)
    in_class, folds = np.arange(N) < N // 2, rng.integers(3, size=N)
    fact = rng.random(N) < np.where(in_class, 0.85, 0.15)
    other = rng.random(N) < np.where(in_class, 0.8, 0.2)
    views = [np.where(fact, 1.0, -1.0) + rng.normal(0, 0.5, N) for _ in range(2)]
    return in_class, folds, fact, other, views


def by_presence(present, folds):
    return signal_of(present, np.ones(N, bool), None, folds)


def by_scores(scores, folds):
    return signal_of(np.ones(N, bool), np.ones(N, bool), scores, folds)


def left(of, given, in_class, folds):
    return remainder(of, given, in_class, np.arange(N), folds)


def test_the_auc_given_another_signal_is_that_over_all_pairs_alike_in_it():
    in_class, folds, fact, _, (view, _) = world()
    of, given = by_scores(view, folds), by_presence(fact, folds)
    wins, pairs = 0.0, 0
    for i in np.flatnonzero(in_class):
        for j in np.flatnonzero(~in_class & (folds == folds[i]) & (fact == fact[i])):
            wins += float(of.values[i] > of.values[j]) + 0.5 * float(of.values[i] == of.values[j])
            pairs += 1
    measured = left(of, given, in_class, folds)
    assert measured.given == pytest.approx(wins / pairs) and measured.n == min((in_class).sum(), (~in_class).sum())


def test_a_view_of_a_fact_says_nothing_more_given_the_fact():
    in_class, folds, fact, other, (view, again) = world()
    for of in (by_scores(view, folds), by_scores(again, folds)):
        assert left(of, by_presence(fact, folds), in_class, folds).share < 0.2
        assert left(by_presence(other, folds), of, in_class, folds).share > 0.7
        assert left(of, by_presence(other, folds), in_class, folds).share > 0.7


def test_views_of_one_fact_go_together_inside_the_classes_and_facts_that_only_share_the_class_do_not():
    in_class, folds, fact, other, (view, again) = world()
    labels = in_class.astype(int)
    r, low = correlation_within_classes(by_scores(view, folds), by_scores(again, folds), labels, folds)
    assert r > 0.3 and low > 0.2
    r, low = correlation_within_classes(by_presence(fact, folds), by_presence(other, folds), labels, folds)
    assert abs(r) < 0.15 and low < 0.1
    assert spearmanr(fact, other).statistic > 0.3


def test_one_cell_gives_spearmans_correlation():
    rng = np.random.default_rng(1)
    first, second = (Signal(rng.random(50), np.zeros(50, int)) for _ in range(2))
    zeros = np.zeros(50, int)
    r, _ = correlation_within_classes(first, second, zeros, zeros)
    assert r == pytest.approx(spearmanr(first.values, second.values).statistic)


def test_a_signal_that_does_not_vary_goes_with_nothing():
    same = Signal(np.full(20, 0.5), np.zeros(20, int))
    zeros = np.zeros(20, int)
    assert correlation_within_classes(same, Signal(np.arange(20.0), zeros), zeros, zeros) == (0.0, -1.0)


def test_scores_of_different_probes_are_compared_by_rank_and_absence_is_a_toss():
    folds = np.array([0, 0, 1, 1, 0])
    signal = signal_of(np.array([1, 1, 1, 1, 0], bool), np.ones(5, bool), np.array([0.1, 0.2, 10, 20, np.nan]), folds)
    assert signal.values.tolist() == [0.25, 0.75, 0.25, 0.75, 0.5]
    assert len(set(signal.strata[[0, 1]])) == 2 and signal.strata[0] == signal.strata[2]


def test_where_no_images_are_alike_nothing_rests_on_any():
    in_class, folds, *_ = world()
    measured = left(by_presence(in_class, folds), by_presence(in_class, folds), in_class, folds)
    assert measured.n == 0 and measured.share == 0.0 and measured.alone == 1.0
