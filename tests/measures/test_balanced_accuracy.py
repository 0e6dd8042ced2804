"""Balanced accuracy: the weights' formula, the truth in simulations, and what a really balanced test set says."""

import numpy as np
import pytest

from audit.measures.balanced_accuracy import balanced_accuracy
from audit.plan.reweighting import rake

ACCURACY = np.array([[0.95, 0.55], [0.5, 0.9]])


def sample(n: int, shares: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(correct, labels, state) of images drawn with the shares (2, 2) of class and state."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(4, size=n, p=shares.ravel())
    correct = rng.random(n) < ACCURACY.ravel()[cells]
    return correct, cells // 2, cells % 2


BIASED = np.array([[0.42, 0.10], [0.06, 0.42]])


def test_equals_importance_weighting_in_numpy():
    correct, labels, state = sample(800, BIASED, 0)
    measured = balanced_accuracy(correct, labels, state, np.arange(800))
    counts = np.zeros((2, 2))
    np.add.at(counts, (labels, state), 1)
    weights = counts.sum(1)[labels] * counts.sum(0)[state] / (800 * counts[labels, state])
    assert measured.value == pytest.approx((weights * correct).sum() / weights.sum())
    assert measured.extra["effective_n"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert measured.extra["plain"] == correct.mean()
    np.testing.assert_allclose(weights, rake(labels, state, clip=np.inf).weights)


def test_a_biased_sample_tells_what_a_balanced_one_shows():
    """The interval covers the truth, the accuracy under independence, in about 95 of 100 samples."""
    margins = np.outer(BIASED.sum(1), BIASED.sum(0))
    truth = float((margins * ACCURACY).sum())
    balanced, _, _ = sample(200_000, margins, 99)
    assert balanced.mean() == pytest.approx(truth, abs=0.005)
    covered, off = 0, []
    for seed in range(200):
        correct, labels, state = sample(500, BIASED, seed)
        measured = balanced_accuracy(correct, labels, state, np.arange(500))
        covered += measured.low <= truth <= measured.high
        off.append(measured.value - truth)
    assert 0.91 <= covered / 200 <= 0.995
    assert abs(np.mean(off)) < 0.01
    assert abs(np.mean([sample(500, BIASED, seed)[0].mean() for seed in range(200)]) - truth) > 0.1


def test_where_cue_and_class_are_independent_it_is_the_plain_accuracy():
    labels, state = np.repeat([0, 1], 40), np.tile([0, 1], 40)
    correct = np.random.default_rng(0).random(80) < 0.7
    measured = balanced_accuracy(correct, labels, state, np.arange(80))
    assert measured.value == pytest.approx(correct.mean())
    assert measured.extra["effective_n"] == pytest.approx(80)


def test_copies_count_once_in_the_interval():
    correct, labels, state = sample(300, BIASED, 1)
    once = balanced_accuracy(correct, labels, state, np.arange(300))
    four = [np.repeat(values, 4) for values in (correct, labels, state, np.arange(300))]
    copied = balanced_accuracy(*four)
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert copied.extra["effective_n"] == pytest.approx(once.extra["effective_n"])


def test_a_cell_that_is_all_right_keeps_an_interval():
    labels, state = np.repeat([0, 0, 1, 1], [60, 6, 6, 60]), np.repeat([0, 1, 0, 1], [60, 6, 6, 60])
    measured = balanced_accuracy(np.ones(132, bool), labels, state, np.arange(132))
    assert measured.value == 1 and measured.high == 1 and measured.low < 0.9


def test_a_combination_with_too_few_photographs_is_told():
    labels, state = np.repeat([0, 0, 1, 1], [60, 4, 6, 60]), np.repeat([0, 1, 0, 1], [60, 4, 6, 60])
    measured = balanced_accuracy(np.ones(130, bool), labels, state, np.arange(130))
    assert measured.value is None and measured.reason.startswith("Only 4 distinct images of the rarest combination")
