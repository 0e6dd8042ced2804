"""The benchmark of attributes: halves, what is counted, and groups."""

import csv

import numpy as np
import pytest

from audit.attributes.registry import built_in
from tests.bench.attributes import (
    COLUMNS,
    EVERYBODY,
    SEEN,
    TRUTHS,
    Measured,
    auc,
    in_half,
    read_rows,
    table_rows,
    truths_of,
)

LONG = next(truth for truth in TRUTHS if truth.attribute == "long_hair" and truth.collection == "doctor-nurse")
LEAST = built_in()["long_hair"].shown_from
HIGH, LOW, UNKNOWN = LEAST + 0.1, LEAST - 0.1, float("nan")


def told(values, has, *groups):
    return [Measured(LONG, frozenset({EVERYBODY, *groups}), value, has) for value in values]


def named(row):
    return dict(zip([column.title for column in COLUMNS], row, strict=True))


def test_shares_count_what_is_unknown_as_neither_right_nor_wrong_but_as_not_found():
    figures = told([HIGH] * 6 + [LOW, UNKNOWN], True) + told([LOW] * 8 + [HIGH] * 2 + [UNKNOWN] * 2, False)
    (row,) = map(named, table_rows(figures))
    assert (row["n"], row["have it"], row["of whom"]) == (20, 8, EVERYBODY)
    assert row["right"]["value"] == pytest.approx(14 / 17)
    assert row["recall"]["value"] == pytest.approx(6 / 8)
    assert row["precision"]["value"] == pytest.approx(6 / 8)
    assert row["unknown"] == pytest.approx(3 / 20)


def test_a_group_has_a_row_once_where_enough_have_it_and_lack_it():
    figures = told([HIGH] * 5, True, "women") + told([LOW] * 5, False, "women") + told([LOW] * 9, False, "men")
    assert [named(row)["of whom"] for row in table_rows(figures)] == [EVERYBODY, "women"]


def test_auc_is_the_share_of_pairs_in_order_and_needs_some_of_both():
    has = np.repeat((True, False), 8)
    values = np.concatenate((np.arange(8) + 4.5, np.arange(8)))
    figure = auc(values, has)
    pairs = (values[:8, None] > values[None, 8:]).mean()
    assert figure["value"] == pytest.approx(pairs)
    assert figure["low"] < pairs < figure["high"]
    assert auc(values[5:], has[5:]) is None


def test_the_halves_share_nothing_and_leave_out_nothing(tmp_path):
    folder = tmp_path / "celeba-dev"
    folder.mkdir()
    paths = [f"images/{i}.jpg" for i in range(40)]
    (folder / "index.csv").write_text("path\n" + "\n".join(paths), "utf-8")
    halves = [[row["path"] for row in read_rows(folder, half, None)] for half in ("choose", "quote")]
    assert min(map(len, halves)) > 5
    assert sorted(halves[0] + halves[1]) == sorted(paths)
    assert all(in_half(path, "all") for path in paths)
    assert len(read_rows(folder, "all", 7)) <= 7


def test_every_truth_is_of_an_attribute_that_is_read_and_what_was_seen_is_asked_for():
    assert all(truth in truths_of(truth.collection) for truth in TRUTHS)
    with SEEN.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert {row["shows"] for row in rows} == {"0", "1"}
    keys = [(row["set"], row["path"], row["attribute"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert {row["attribute"] for row in rows} <= built_in().keys()
