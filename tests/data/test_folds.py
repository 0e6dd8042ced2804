"""Folds: no group is split, every class is shared out evenly, and the seed decides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.data.folds import assign_folds


@st.composite
def pure_datasets(draw):
    """Labels and groups where every group has one label."""
    sizes = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 5)), min_size=1, max_size=60))
    labels = np.concatenate([np.full(size, label) for label, size in sizes])
    groups = np.repeat(np.arange(len(sizes)), [size for _, size in sizes])
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(len(labels))
    return labels[order], groups[order]


@st.composite
def mixed_datasets(draw):
    n = draw(st.integers(1, 80))
    labels = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    groups = draw(st.lists(st.integers(-5, 40), min_size=n, max_size=n))
    return np.array(labels), np.array(groups)


@given(pure_datasets(), st.integers(2, 6), st.integers(0, 5))
def test_pure_groups_are_balanced_and_reach_every_fold(dataset, folds, seed):
    labels, groups = dataset
    chosen = assign_folds(labels, groups, folds, seed)
    for label in np.unique(labels):
        mine = labels == label
        counts = np.bincount(chosen[mine], minlength=folds)
        largest = np.bincount(groups[mine]).max()
        assert counts.max() - counts.min() <= largest
        if len(np.unique(groups[mine])) >= folds:
            assert counts.min() > 0


@given(mixed_datasets(), st.integers(2, 6), st.integers(0, 5))
def test_no_group_is_split(dataset, folds, seed):
    labels, groups = dataset
    chosen = assign_folds(labels, groups, folds, seed)
    assert chosen.dtype == np.int8 and chosen.shape == labels.shape
    assert ((chosen >= 0) & (chosen < folds)).all()
    for group in np.unique(groups):
        assert len(np.unique(chosen[groups == group])) == 1


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(2, 5))
def test_single_images_spread_to_within_one(seed, folds):
    labels = np.random.default_rng(seed).integers(0, 3, 97)
    chosen = assign_folds(labels, np.arange(97), folds, seed)
    for label in range(3):
        counts = np.bincount(chosen[labels == label], minlength=folds)
        assert counts.max() - counts.min() <= 1
    totals = np.bincount(chosen, minlength=folds)
    assert totals.max() - totals.min() <= 3


def test_groups_of_two_classes_are_spread_as_well():
    labels = np.array([0, 1] * 6 + [0] * 30 + [1] * 30)
    groups = np.concatenate([np.repeat(np.arange(6), 2), np.arange(6, 66)])
    chosen = assign_folds(labels, groups, 3)
    assert np.bincount(chosen[:12:2], minlength=3).tolist() == [2, 2, 2]
    assert np.bincount(chosen * 2 + labels, minlength=6).tolist() == [12] * 6


def test_deterministic_under_a_seed_and_different_under_another():
    labels = np.arange(60) % 2
    groups = np.arange(60)
    first = assign_folds(labels, groups, 3, seed=1)
    assert (first == assign_folds(labels, groups, 3, seed=1)).all()
    assert (first != assign_folds(labels, groups, 3, seed=2)).any()


@pytest.mark.parametrize("n", [0, 1])
def test_hardly_any_images(n):
    assert assign_folds(np.zeros(n, int), np.arange(n), 3).tolist() == [0] * n


def test_one_large_group_does_not_unbalance_the_rest():
    groups = np.concatenate([np.zeros(30, int), np.arange(1, 61)])
    counts = np.bincount(assign_folds(np.zeros(90, int), groups, 3), minlength=3)
    assert counts.tolist() == [30, 30, 30]
