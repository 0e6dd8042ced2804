"""Before and after on the same images: nothing from nothing, planted differences, and intervals that cover."""

import numpy as np
import pytest

from audit.measures.gap import TOWARDS
from audit.measures.paired_bootstrap import Draws, compare


def answers(shares: np.ndarray, seeds: int, rng: np.random.Generator, spread: float = 0.0) -> np.ndarray:
    """Right or wrong (seeds, n), image i with about ``shares[i]``; seeds differ by ``spread``."""
    shifts = rng.normal(0, spread, (seeds, 1))
    return (rng.random((seeds, len(shares))) < np.clip(shares + shifts, 0, 1)).astype(float)


def test_the_same_answers_differ_by_nothing():
    before = answers(np.full(60, 0.7), 5, np.random.default_rng(0))
    change = compare(before, before, np.ones((60, 1)), Draws.of(np.arange(60), 5, 300, 0))
    assert (change.difference, change.low, change.high) == (0, 0, 0)
    assert change.before == pytest.approx(before.mean())


def test_a_planted_difference_is_found_and_the_interval_covers_it():
    covered, above = 0, 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        hard = rng.uniform(0.2, 0.9, 150)
        before, after = answers(hard, 5, rng), answers(hard + 0.08, 5, rng)
        change = compare(before, after, np.ones((150, 1)), Draws.of(np.arange(150), 5, 300, seed))
        covered += change.low <= 0.08 <= change.high
        above += change.low > 0
    assert covered >= 93 and above >= 60


def test_nothing_is_claimed_where_only_the_seeds_differ():
    """Seeds that are better or worse as a whole are no remedy: few of the intervals may exclude 0."""
    wrong = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        shares = rng.uniform(0.2, 0.9, 150)
        pair = answers(shares, 5, rng, 0.05), answers(shares, 5, rng, 0.05)
        change = compare(*pair, np.ones((150, 1)), Draws.of(np.arange(150), 5, 300, seed))
        wrong += not change.low <= 0 <= change.high
    assert wrong <= 10


def test_figures_are_those_of_the_weighted_means():
    rng = np.random.default_rng(3)
    before, after = answers(np.full(40, 0.5), 3, rng), answers(np.full(40, 0.6), 3, rng)
    cells = np.eye(4)[np.arange(40) % 4]
    change = compare(before, after, cells, Draws.of(np.arange(40), 3, 200, 0), lambda means: means @ TOWARDS)
    by_cell = np.array([[one[:, cells[:, k] > 0].mean() for k in range(4)] for one in (before, after)])
    assert (change.before, change.after) == pytest.approx(tuple(by_cell @ TOWARDS))
    assert change.n == 40


def test_what_is_unknown_is_left_out_of_both_sides():
    values = np.array([[1.0, np.nan, 0.0, 1.0], [np.nan, np.nan, 1.0, 1.0]])
    change = compare(
        values, np.where(np.isnan(values), np.nan, 1.0), np.ones((4, 1)), Draws.of(np.arange(4), 2, 200, 0)
    )
    assert (change.before, change.after) == (pytest.approx(0.8), 1.0)
    nothing = compare(values * np.nan, values, np.ones((4, 1)), Draws.of(np.arange(4), 2, 200, 0))
    assert nothing.as_json()["difference"] is None and nothing.as_json()["n"] == 4


def test_copies_are_drawn_together():
    groups = np.repeat(np.arange(20), 3)
    draws = Draws.of(groups, 4, 50, 0)
    assert (draws.images.reshape(50, 20, 3) == draws.images.reshape(50, 20, 3)[:, :, :1]).all()
    assert draws.units == 20
    np.testing.assert_allclose(draws.seeds.sum(1), 1)
