import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from audit.measures.ridge_probe import RIDGE, Probes


def drawn(seed, d=16):
    """Features of 120 images whose first column leans a standard deviation towards a class of 48; three folds."""
    rng = np.random.default_rng(seed)
    labels, folds = rng.permutation(np.arange(120) < 48), rng.permutation(np.arange(120)) % 3
    features = rng.normal(size=(120, d))
    features[:, 0] += labels
    return features, labels, folds


@pytest.mark.parametrize("d", [5, 200])
def test_scores_are_those_of_scikit_learns_ridge(d):
    features, labels, folds = drawn(0, d)
    scores = Probes.of(features.astype(np.float32), folds).scores(labels[:, None])[:, 0]
    standard = StandardScaler().fit_transform(features)
    for fold in range(3):
        train, test = folds != fold, folds == fold
        centred = standard[train] - standard[train].mean(axis=0)
        ridge = Ridge(alpha=RIDGE * (centred**2).sum() / train.sum()).fit(standard[train], 2.0 * labels[train] - 1)
        offset = (2.0 * labels[train] - 1).mean()
        assert scores[test] == pytest.approx(ridge.predict(standard[test]) - offset, abs=1e-4)


def test_scores_of_many_labelings_are_those_of_each_alone():
    features, labels, folds = drawn(1)
    others = np.random.default_rng(0).permutation(labels)
    both = Probes.of(features, folds).scores(np.stack([labels, others], axis=1))
    assert both[:, 1] == pytest.approx(Probes.of(features, folds).scores(others[:, None])[:, 0])


def test_constant_channels_and_single_folds_are_harmless():
    features, labels, folds = drawn(1)
    features[:, 3] = 1 / 3
    assert np.isfinite(Probes.of(features, folds).scores(labels[:, None])).all()
    assert not Probes.of(np.ones((120, 4)), folds).scores(labels[:, None]).any()
    assert not Probes.of(features, np.zeros(120)).scores(labels[:, None]).any()
