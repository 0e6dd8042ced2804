"""The remedies bench: training and test share no photograph, and every condition is what it says."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from audit.data.dataset import Dataset
from tests.bench.remedies import Trained, summarise
from tests.bench.remedy_sets import Study, _even_test

BIASED = {("cat", 1): 18, ("cat", 0): 4, ("dog", 1): 2, ("dog", 0): 20}


@pytest.fixture(scope="module")
def study() -> Study:
    """60 photographs of each class and state; every tenth one is there twice."""
    rows = [(label, state) for label in ("cat", "dog") for state in (0, 1) for _ in range(60)]
    groups = np.arange(240)
    groups[9::10] = groups[8::10]
    images = pd.DataFrame({"label": [label for label, _ in rows], "group": groups})
    dataset = Dataset("pets", None, ("cat", "dog"), (), images, images[:0])
    state = np.array([value for _, value in rows])
    test = _even_test(dataset, state, groups, 12)
    balanced = dict.fromkeys(BIASED, 11)
    watched = np.zeros((240, 2, 2), np.float32)
    return Study("pets", SimpleNamespace(dataset=dataset), state, groups, watched, None, BIASED, balanced, test)


def cells(study: Study, images: np.ndarray) -> dict[tuple[str, int], int]:
    labels = [study.dataset.classes[label] for label in study.dataset.labels[images]]
    return pd.Series(list(zip(labels, study.state[images], strict=True))).value_counts().to_dict()


def test_the_test_set_is_even_and_no_copy_of_it_is_trained_on(study):
    assert set(cells(study, study.test).values()) == {12}
    for seed in range(5):
        for condition in study.conditions(seed).values():
            assert not set(study.groups[condition.images]) & set(study.groups[study.test])
            assert len(set(study.groups[condition.images])) == len(condition.images)


def test_every_condition_is_what_it_says(study):
    drawn = study.conditions(3)
    assert cells(study, drawn["biased"].images) == BIASED
    assert set(cells(study, drawn["balanced"].images).values()) == {11}
    assert cells(study, drawn["drop"].images) == {("cat", 1): 2, ("cat", 0): 4, ("dog", 1): 2, ("dog", 0): 4}
    whole = cells(study, drawn["collect 100%"].images)
    assert whole["cat", 1] / whole["cat", 0] == pytest.approx(whole["dog", 1] / whole["dog", 0], rel=0.1)
    parts = [set(drawn[f"collect {share}"].images) for share in ("25%", "50%", "100%")]
    assert set(drawn["biased"].images) < parts[0] < parts[1] < parts[2]


def test_weights_make_state_and_class_independent(study):
    weighted = study.conditions(0)["weight"]
    assert (weighted.weights > 0).sum() == len(weighted.images)
    table = np.zeros((2, 2))
    np.add.at(table, (study.dataset.labels, study.state), weighted.weights)
    np.testing.assert_allclose(table / table.sum(), np.outer(table.sum(1), table.sum(0)) / table.sum() ** 2, atol=1e-4)


def test_draws_differ_and_repeat(study):
    first, again, other = (study.conditions(seed)["biased"].images for seed in (0, 0, 1))
    assert (first == again).all() and set(first) != set(other)


def test_conditions_are_compared_with_the_same_seeds(study):
    rng = np.random.default_rng(0)

    def trained(share: float) -> Trained:
        right = (rng.random(len(study.test)) < share).tolist()
        return Trained(44, 44.0, 5, right, rng.random(len(study.test)).tolist(), [])

    loaded = {
        "biased": {seed: trained(0.6) for seed in range(4)},
        "balanced": {seed: trained(0.9) for seed in (1, 3)},
    }
    biased, balanced = summarise(study, loaded)
    assert (biased["seeds"], balanced["seeds"]) == (4, 2)
    expected = np.mean([np.mean(loaded["balanced"][seed].correct) for seed in (1, 3)])
    assert balanced["accuracy"]["after"] == pytest.approx(expected)
    assert balanced["accuracy"]["before"] == pytest.approx(
        np.mean([np.mean(loaded["biased"][seed].correct) for seed in (1, 3)])
    )
    assert balanced["accuracy"]["low"] > 0 and biased["accuracy"]["difference"] == 0
