"""Leaks given what is declared: against brute force over pairs, and among planted facts."""

from types import SimpleNamespace

import numpy as np
import pytest

from audit.detectors.cue import Cue
from audit.evidence.given_declared import leaks_given_declared
from audit.measures.limits import LEAKAGE
from tests.measures.test_conditional import N, world

CLOTHING, SKIN = Cue("clothing", "the clothing", "part"), Cue("skin", "bare skin", "part")


def given(of, declared, in_class, folds, cue=SKIN, names=("clothing",), shown=None):
    """The AUC of a leak with the scores ``of``, given the scores of the declared clothing; None where there is none."""
    scores = {(cue.name, "b"): of, ("clothing", "b"): declared}
    seen = np.isfinite(declared)
    table = SimpleNamespace(
        cues=[CLOTHING, cue],
        named=lambda name: CLOTHING if name == "clothing" else cue,
        present=lambda one: seen if one is CLOTHING else np.isfinite(of),
        known=lambda one: np.ones(N, bool),
    )
    dataset = SimpleNamespace(labels=in_class.astype(int), classes=["a", "b"], folds=folds, groups=np.arange(N))
    return leaks_given_declared(scores, dataset, table, names).get((cue.name, "b"))


def fifths(scores, folds):
    """In which fifth of its fold a score is, and 5 where there is none."""
    bins = np.full(len(scores), 5)
    for fold in np.unique(folds):
        rows = np.flatnonzero((folds == fold) & np.isfinite(scores))
        order = rows[np.argsort(scores[rows])]
        bins[order] = [int(5 * (place + 0.5) / len(rows)) for place in range(len(rows))]
    return bins


def test_it_is_the_share_of_pairs_in_order_among_those_alike_in_the_declared_cue():
    in_class, folds, _, _, (view, again) = world()
    view[:90], again[40:140] = np.nan, np.nan
    alike, wins, pairs = fifths(view, folds), 0.0, 0
    for i in np.flatnonzero(in_class & np.isfinite(again)):
        for j in np.flatnonzero(~in_class & np.isfinite(again) & (folds == folds[i]) & (alike == alike[i])):
            wins, pairs = wins + (again[i] > again[j]), pairs + 1
    # Ranks are those inside a fold, which are in the order of the scores there.
    assert given(again, view, in_class, folds) == pytest.approx(wins / pairs)


def test_a_leak_that_only_shows_what_is_declared_says_little_beyond_it_and_another_fact_says_all():
    for seed in range(5):
        in_class, folds, _, other, (view, again) = world(seed)
        beside = np.where(other, 1.0, -1.0) + np.random.default_rng(seed).normal(0, 0.5, N)
        assert (
            given(again, view, in_class, folds)
            < LEAKAGE.ruled_out
            < LEAKAGE.strong
            < given(beside, view, in_class, folds)
        )


def test_a_leak_of_both_keeps_what_is_its_own():
    for seed in range(5):
        in_class, folds, _, other, (view, again) = world(seed)
        assert given(again + 1.5 * np.where(other, 1.0, -1.0), view, in_class, folds) > LEAKAGE.strong


def test_a_leak_of_nothing_stays_at_a_coin_toss_and_a_declared_cue_without_one_takes_nothing_away():
    rng = np.random.default_rng(0)
    in_class, folds, _, _, (view, again) = world()
    assert given(rng.normal(0, 1, N), view, in_class, folds) == pytest.approx(0.5, abs=0.08)
    alone = given(again, rng.normal(0, 1, N), in_class, folds)
    assert alone == pytest.approx(0.84, abs=0.04)


@pytest.mark.parametrize("role", ["mark", "file", "origin"])
def test_of_marks_and_files_and_where_nothing_is_declared_there_is_none(role):
    in_class, folds, _, _, (view, again) = world()
    assert given(again, view, in_class, folds, Cue("one", "one", role)) is None
    assert given(again, view, in_class, folds, names=()) is None
    assert given(again, view, in_class, folds, names=("clothing", "skin")) is None


def test_where_too_few_are_alike_there_is_none():
    in_class, folds, _, _, (view, again) = world()
    assert given(again, np.where(in_class, view, np.nan), in_class, folds) is None
