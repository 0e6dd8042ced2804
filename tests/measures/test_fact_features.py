"""Features of one number: whatever its relation with the class, a linear probe finds it, and no unit matters."""

import numpy as np
import pytest

from audit.measures.fact_features import BUMPS, WIDTH, kind_features, number_features
from audit.measures.leakage import fold_auc
from audit.measures.ridge_probe import Probes


def auc(features: np.ndarray, labels: np.ndarray) -> float:
    folds = np.arange(len(labels)) % 3
    return float(fold_auc(Probes.of(features, folds).scores(labels[:, None]), labels[:, None], folds)[0])


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, 600)


def test_a_monotone_change_of_the_unit_changes_nothing(values):
    assert np.array_equal(number_features(values), number_features(np.exp(values)))


@pytest.mark.parametrize(
    "rule",
    [lambda x: x > 0, lambda x: x < 0, lambda x: np.abs(x) < 0.67, lambda x: (np.floor(x * 1.5) % 2) > 0],
    ids=["more", "less", "the middle", "stripes"],
)
def test_every_shape_of_relation_is_found(values, rule):
    labels = np.where(np.random.default_rng(1).random(600) < 0.8, rule(values), ~rule(values))
    assert auc(number_features(values), labels) > 0.65


def test_without_a_relation_nothing_is_found(values):
    aucs = [auc(number_features(values), np.random.default_rng(seed).random(600) < 0.5) for seed in range(20)]
    assert abs(np.mean(aucs) - 0.5) < 0.02


def test_equal_values_are_described_alike_and_unknown_ones_as_such():
    features = number_features(np.array([1.0, 1.0, 2.0, np.nan, 2.0, np.nan]))
    assert np.array_equal(features[0], features[1]) and np.array_equal(features[3], features[5])
    assert features[:, -1].tolist() == [0, 0, 0, 1, 0, 1]
    assert not features[3, :-1].any()


def test_a_value_is_near_the_ranks_around_its_own():
    features = number_features(np.arange(1200.0))
    tops = (np.arange(BUMPS) + 0.5) / BUMPS
    for place in (0, 70, 600, 1199):
        rank = (place + 0.5) / 1200
        expected = [np.exp(-((rank - top) ** 2) / (2 * WIDTH**2)) for top in tops]
        assert features[place, 2:-1] == pytest.approx(expected, abs=1e-5)


def test_a_value_has_a_column_for_showing_it_and_one_for_not():
    assert kind_features(np.array([True, False])).tolist() == [[1, 0], [0, 1]]
