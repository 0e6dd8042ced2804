"""The intervals of all five kinds of evidence hold the truth as often as they say, on simulated datasets."""

from math import sqrt

import numpy as np
import pytest

from tests.bench.coverage import HIGHEST, LOWEST, SCENARIOS, coverage, main

# One per estimator, and few enough repetitions for every day; the bench runs all of them many times.
CHOSEN = {
    "prevalence, 100 images, copies": 600,
    "prevalence, difference, 20 and 40 images": 600,
    "attention, lift 2, 60 images, copies": 400,
    "leakage, none, 200 features": 150,
    "leakage, as the control": 150,
    "effect, 15 images": 400,
    "effect, weaker of two equal": 400,
    "gap, small cells": 600,
}


@pytest.mark.parametrize("name", CHOSEN)
def test_the_intervals_hold_the_truth_in_95_of_100_datasets(name):
    found = coverage(name, CHOSEN[name])
    chance = 3 * sqrt(0.05 * 0.95 / found.repetitions)
    assert LOWEST - chance <= found.share <= min(1, HIGHEST + chance)


def test_too_narrow_intervals_would_be_noticed(monkeypatch):
    """An interval of two thirds of the width covers about 81 %."""
    whole = SCENARIOS["gap, large cells"]

    def narrowed(rng):
        one = whole(rng)
        ends = (one.value + 2 / 3 * (end - one.value) for end in (one.low, one.high))
        return type(one)(one.value, *ends, one.truth)

    monkeypatch.setitem(SCENARIOS, "gap, large cells", narrowed)
    assert coverage("gap, large cells", 300).share < LOWEST - 3 * sqrt(0.05 * 0.95 / 300)


def test_every_kind_of_evidence_has_a_scenario():
    assert {name.split(",")[0] for name in SCENARIOS} == {"prevalence", "attention", "leakage", "effect", "gap"}


def test_the_table_names_what_is_outside(capsys, monkeypatch):
    never = type(SCENARIOS["gap, large cells"](np.random.default_rng(0)))(0.0, 1.0, 2.0, 0.0)
    monkeypatch.setitem(SCENARIOS, "gap, never", lambda rng: never)
    main(["--repetitions", "20", "--only", "gap, never", "--json"])
    printed = capsys.readouterr().out
    assert "outside 93 to 97 %" in printed and '"truth_below": 1.0' in printed
