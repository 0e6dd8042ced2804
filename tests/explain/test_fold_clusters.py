"""Clusters without each fold: matched as well as any matching does, and blind to the images of the fold."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from audit.explain.fold_clusters import NOWHERE, as_columns, from_columns, match, without_each_fold
from audit.explain.stable_kmeans import group, refit


def blobs(rng: np.random.Generator, count: int = 3, each: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Points (count * each, 4) around centres that lie far apart, in random order, and which centre each has."""
    truth = rng.permutation(np.repeat(np.arange(count), each))
    return rng.normal(size=(len(truth), 4)) + 20 * np.eye(count, 4)[truth], truth


@pytest.mark.parametrize("seed", range(20))
def test_no_matching_leaves_more_rows_where_they_were(seed):
    rng = np.random.default_rng(seed)
    ours, theirs = rng.integers(4, size=40), rng.integers(4, size=40)
    kept = (match(ours, theirs)[ours] == theirs).sum()
    assert kept == max((np.array(numbers)[ours] == theirs).sum() for numbers in permutations(range(4)))


def test_clusters_without_a_counterpart_are_nowhere():
    assert match(np.array([0, 1, 2, 2]), np.array([0, 0, 0, 0])).tolist() == [NOWHERE, NOWHERE, 0]
    assert match(np.array([0, 0, 0]), np.array([0, 1, 1])).tolist() == [1]


def test_planted_groups_keep_their_numbers_outside_each_fold():
    rng = np.random.default_rng(0)
    features, _ = blobs(rng)
    folds, assigned = rng.integers(3, size=90), group(features, 3, seed=0).assigned
    numbers = without_each_fold(lambda rows: features[rows], assigned, folds, 3, seed=0)
    for fold in range(3):
        assert np.array_equal(numbers[:, fold], np.where(folds == fold, NOWHERE, assigned))


def test_what_the_images_of_a_fold_show_does_not_change_the_clusters_without_it():
    rng = np.random.default_rng(1)
    features, folds = rng.normal(size=(120, 5)), rng.integers(3, size=120)
    other = np.where((folds == 1)[:, None], 50 * rng.normal(size=features.shape), features)
    assigned = group(features, 4, seed=0).assigned
    before, after = (
        without_each_fold(lambda rows, f=f: f[rows], assigned, folds, 3, seed=0) for f in (features, other)
    )
    assert np.array_equal(before[:, 1], after[:, 1])
    assert not np.array_equal(before[:, 0], after[:, 0])


def test_a_fold_without_regions_leaves_all_of_them():
    features, _ = blobs(np.random.default_rng(2))
    numbers = without_each_fold(lambda rows: features[rows], group(features, 3, 0).assigned, np.zeros(90, int), 2, 0)
    assert (numbers[:, 0] == NOWHERE).all() and (numbers[:, 1] != NOWHERE).all()


def test_no_regions_have_no_clusters():
    none = np.zeros(0, int)
    assert without_each_fold(lambda rows: np.zeros((rows.sum(), 1)), none, none, 3, seed=0).shape == (0, 3)


def test_fewer_distinct_rows_than_clusters_make_fewer_clusters():
    assert set(refit(np.repeat([[0.0], [5.0]], 10, axis=0), 4, seed=0)) == {0, 1}
    assert refit(np.ones((10, 2)), 3, seed=0).tolist() == [0] * 10


def test_columns_come_back_in_the_order_of_folds():
    numbers = np.arange(24).reshape(2, 12)
    table = pd.DataFrame({"cluster": [0, 1], **as_columns(numbers)})
    assert np.array_equal(from_columns(table[sorted(table)]), numbers)
