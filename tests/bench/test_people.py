"""The benchmark of apparent gender and age: what its lines count."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from audit.attributes.people.apparent import LOOKS_FEMALE, LOOKS_OLD
from audit.attributes.people.apparent_accuracy import GroupAccuracy
from audit.measures.intervals import wilson
from tests.bench.people import ALL, COLUMNS, DOCTORS, WORDS, is_quoted, line, measured_rows

VALUES = pd.Series([0.9, 0.5, 0.2, np.nan, 0.1, 0.7])
TRUTH = pd.Series([True, True, True, True, False, False])


def _people(copies=range(6)) -> pd.DataFrame:
    return pd.DataFrame({"group": ["a", "a", "a", "a", "b", "b"], "copies": list(copies)})


def test_right_and_unknown_are_counted_for_all_and_by_group():
    rows = list(measured_rows("looks_female", "drawings", VALUES, 0.5, TRUTH, _people()))
    assert [(row.group, row.right, row.of, row.untold) for row in rows] == [
        (ALL, 3, 5, 1),
        ("a", 2, 3, 1),
        ("b", 1, 2, 0),
    ]
    for row in rows:
        assert (row.low, row.high) == pytest.approx(wilson(row.right, row.of))


def test_copies_of_a_photograph_do_not_make_the_interval_narrower():
    alone, copied = (
        next(measured_rows("looks_female", "drawings", VALUES, 0.5, TRUTH, _people(copies)))
        for copies in (range(6), (0, 0, 0, 0, 1, 1))
    )
    assert copied.low < alone.low and alone.high < copied.high
    assert (copied.right, copied.of) == (alone.right, alone.of)


@pytest.mark.parametrize(
    ("attribute", "group", "right", "bar", "met"),
    [
        (LOOKS_FEMALE.name, ALL, 93, "≥ 0.93", "yes"),
        (LOOKS_FEMALE.name, ALL, 92, "≥ 0.93", "**no**"),
        (LOOKS_FEMALE.name, "dark men", 90, "≥ 0.9", "yes"),
        (LOOKS_FEMALE.name, "dark men", 89, "≥ 0.9", "**no**"),
        (LOOKS_OLD.name, "dark men", 10, "", ""),
    ],
)
def test_a_line_says_whether_the_bar_is_met(attribute, group, right, bar, met):
    cells = line(GroupAccuracy(attribute, WORDS[DOCTORS], group, right, 100, 0.0, 1.0, 7))
    assert len(cells) == len(COLUMNS)
    assert cells[2] == group and cells[4:] == (7, bar, met)
    assert cells[3] == {"count": right, "of": 100, "low": 0.0, "high": 1.0}


def test_every_photograph_is_in_one_half_for_ever():
    paths = [f"images/{number:06d}.jpg" for number in range(400)]
    assert [is_quoted(path) for path in paths] == [hashlib.sha256(p.encode()).digest()[-1] % 2 == 1 for p in paths]
    assert 150 < sum(map(is_quoted, paths)) < 250
