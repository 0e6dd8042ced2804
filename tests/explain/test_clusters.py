"""Clusters: planted groups are found with their number, noise is called unstable, and fixed places are recognised."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from audit.explain.clusters import is_fixed, lies_on_subject
from audit.explain.stable_kmeans import group


def blobs(count: int, each: int = 40, dimensions: int = 6, apart: float = 20.0) -> tuple[np.ndarray, np.ndarray]:
    """Points around ``count`` centres that lie ``apart`` standard deviations from the origin, on different axes."""
    rng = np.random.default_rng(count)
    truth = np.repeat(np.arange(count), each)
    return rng.normal(size=(count * each, dimensions)) + apart * np.eye(count, dimensions)[truth], truth


@pytest.mark.parametrize("count", [2, 3, 5])
def test_planted_groups_are_found(count):
    features, truth = blobs(count)
    grouping = group(features, count, seed=0)
    assert len(grouping.stability) == count
    assert adjusted_rand_score(truth, grouping.assigned) == 1.0
    assert (grouping.stability > 0.99).all()


@pytest.mark.parametrize("count", [2, 3, 5])
def test_planted_groups_are_never_merged(count):
    """Given room for more, a group may be halved, but the halves are then known to be less stable."""
    features, truth = blobs(count)
    grouping = group(features, 8, seed=0)
    crossed = pd.crosstab(grouping.assigned, truth)
    assert ((crossed > 0).sum(axis=1) == 1).all()
    halves = (crossed > 0).sum(axis=0) > 1
    for cluster, row in crossed.iterrows():
        assert (grouping.stability[cluster] < 0.75) or not halves[row.idxmax()]


def test_no_more_groups_than_allowed():
    assert len(group(blobs(5)[0], 3, seed=0).stability) <= 3


def test_the_largest_comes_first():
    features, truth = blobs(3)
    kept = np.concatenate([np.flatnonzero(truth == label)[:size] for label, size in ((0, 14), (1, 40), (2, 25))])
    grouping = group(features[kept], 4, seed=0)
    assert np.bincount(grouping.assigned).tolist() == [40, 25, 14]


def test_distance_is_that_to_the_mean_of_the_own_cluster():
    features, _ = blobs(3)
    grouping = group(features, 3, seed=0)
    centres = np.stack([features[grouping.assigned == cluster].mean(0) for cluster in range(3)])
    expected = np.sqrt(((features - centres[grouping.assigned]) ** 2).sum(1))
    np.testing.assert_allclose(grouping.distance, expected, rtol=1e-6)


def test_one_round_cloud_is_not_called_stable():
    """Null case: there are no groups to find, so whatever is returned must be known to be arbitrary."""
    cloud = np.random.default_rng(0).normal(size=(240, 12))
    assert group(cloud, 8, seed=0).stability.mean() < 0.6


@pytest.mark.parametrize("rows", [0, 1, 23])
def test_too_few_regions_are_one_group(rows):
    grouping = group(np.random.default_rng(0).normal(size=(rows, 3)), 8, seed=0)
    assert grouping.assigned.tolist() == [0] * rows
    assert grouping.stability.tolist() == [1.0] * min(rows, 1)


def test_equal_regions_are_one_group():
    assert group(np.ones((60, 3)), 8, seed=0).stability.tolist() == [1.0]


def test_copies_of_a_few_regions_leave_no_group_empty():
    """A folder that holds the same two pictures again and again."""
    features = np.repeat([[0.0, 0.0], [1.0, 5.0]], [60, 40], axis=0)
    grouping = group(features, 8, seed=0)
    assert np.bincount(grouping.assigned).tolist() == [60, 40]
    assert grouping.stability.tolist() == [1.0, 1.0]


def test_the_same_seed_gives_the_same_groups():
    features = np.random.default_rng(1).normal(size=(120, 4))
    first, again = group(features, 6, seed=3), group(features, 6, seed=3)
    assert np.array_equal(first.assigned, again.assigned) and np.array_equal(first.stability, again.stability)


def centres(x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"cx": x, "cy": y})


@pytest.mark.parametrize(
    ("x", "y", "spread", "fixed"),
    [(0.1, 0.1, 0.02, True), (0.5, 0.95, 0.02, True), (0.5, 0.5, 0.02, False), (0.1, 0.1, 0.3, False)],
)
def test_fixed_is_one_place_away_from_the_middle(x, y, spread, fixed):
    rng = np.random.default_rng(0)
    assert is_fixed(centres(rng.normal(x, spread, 50), rng.normal(y, spread, 50))) is fixed


def test_a_few_stray_regions_do_not_hide_a_fixed_place():
    x = np.r_[np.full(40, 0.1), np.linspace(0, 1, 9)]
    assert is_fixed(centres(x, x))


@pytest.mark.parametrize(
    ("on_object", "own"),
    [([0.5] * 10, True), ([0.3] * 10, False), ([0.6] * 5 + [np.nan] * 5, False), ([0.6] * 6 + [np.nan] * 4, True)],
)
def test_regions_on_the_main_object_of_most_photographs_lie_on_the_subject(on_object, own):
    assert lies_on_subject(np.array(on_object)) is own


def test_no_regions_lie_nowhere():
    assert not lies_on_subject(np.zeros(0))
