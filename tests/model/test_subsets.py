"""Nested subsets: each within the next, every class in its share, copies together, nothing that is held out."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.data.dataset import Dataset
from audit.model.cross_fit import split_fold
from audit.model.subsets import nested_subsets

SHARES = (0.25, 0.5, 0.75, 1.0)


def dataset(copies: int = 1) -> Dataset:
    """120 images of "a" and 40 of "b", in groups of so many copies, in three folds."""
    labels = np.repeat(["a", "b"], [120, 40])
    groups = np.arange(160) // copies
    folds = groups % 3
    images = pd.DataFrame({"path": labels, "label": labels, "group": groups, "fold": folds})
    return Dataset("drawn", Path(), ("a", "b"), (), images, images[:0])


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("fold", range(3))
def test_each_is_within_the_next_and_the_last_is_all_but_the_fold(copies, fold):
    drawn = dataset(copies)
    subsets = nested_subsets(drawn, fold, 0.15, 0, SHARES)
    for smaller, larger in itertools.pairwise(subsets):
        assert set(smaller) < set(larger)
    assert subsets[-1].tolist() == np.flatnonzero(drawn.folds != fold).tolist()


def test_every_class_keeps_its_share_of_what_is_fitted_and_of_what_validates():
    drawn = dataset()
    split = split_fold(drawn, 1, 0.15, 0)
    for share, subset in zip(SHARES, nested_subsets(drawn, 1, 0.15, 0, SHARES), strict=True):
        for part in (split.fit, split.validation):
            for label in (0, 1):
                of_class = part[drawn.labels[part] == label]
                assert abs(np.isin(of_class, subset).sum() - share * len(of_class)) < 1


def test_copies_stay_together():
    drawn = dataset(copies=2)
    for subset in nested_subsets(drawn, 0, 0.15, 0, SHARES):
        assert (np.unique(drawn.groups[subset], return_counts=True)[1] == 2).all()


def test_draws_and_seeds_differ_and_are_repeatable():
    def quarter(seed: int, draw: int) -> list[int]:
        return nested_subsets(dataset(), 0, 0.15, seed, SHARES, draw)[0].tolist()

    assert quarter(0, 0) == quarter(0, 0)
    assert quarter(0, 0) != quarter(0, 1) and quarter(0, 0) != quarter(1, 0)
