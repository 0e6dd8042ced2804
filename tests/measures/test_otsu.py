"""Thresholds: Otsu's against brute force, and how far apart what it parts is."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.measures.otsu import otsu_threshold, standardised_separation


def within(scores: np.ndarray, threshold: float) -> float:
    """Sum of squared distances to the mean of the own side."""
    sides = [scores[scores < threshold], scores[scores >= threshold]]
    return sum(float(((side - side.mean()) ** 2).sum()) for side in sides if len(side))


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=30).filter(lambda values: len(set(values)) > 1))
def test_equals_otsu_by_brute_force(values):
    scores = np.array(values) / 50
    threshold = otsu_threshold(scores)
    distinct = np.unique(scores)
    every = [within(scores, (a + b) / 2) for a, b in pairwise(distinct)]
    assert within(scores, threshold) == pytest.approx(min(every), abs=1e-9)
    assert 0 < (scores >= threshold).sum() < len(scores)


def test_two_planted_heaps_are_parted_between_them():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0.1, 0.03, 300), rng.normal(0.8, 0.03, 40)]).astype(np.float32)
    assert 0.25 < otsu_threshold(scores) < 0.7


@pytest.mark.parametrize(("scores", "threshold"), [([], 0.0), ([0.3], 0.3), ([0.5, 0.5, 0.5], 0.5)])
def test_nothing_to_part(scores, threshold):
    assert otsu_threshold(np.array(scores)) == threshold


def test_one_bell_curve_cut_in_its_middle_is_not_far_apart():
    scores = np.random.default_rng(0).normal(size=100_000)
    # Each half has its mean at sqrt(2 / pi) and the variance 1 - 2 / pi.
    assert standardised_separation(scores, 0.0) == pytest.approx(
        2 * np.sqrt(2 / np.pi) / np.sqrt(1 - 2 / np.pi), rel=0.01
    )


def test_two_heaps_are_as_far_apart_as_they_were_planted():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0, 1, 50_000), rng.normal(10, 1, 20_000)])
    assert standardised_separation(scores, otsu_threshold(scores)) == pytest.approx(10, rel=0.02)


@pytest.mark.parametrize(
    ("scores", "threshold"), [([], 0.0), ([0.3, 0.4], 0.0), ([0.3, 0.4], 1.0), ([0, 0, 1, 1], 0.5)]
)
def test_nothing_is_apart_where_one_side_is_empty_or_nothing_varies(scores, threshold):
    assert standardised_separation(np.array(scores, float), threshold) == 0.0
