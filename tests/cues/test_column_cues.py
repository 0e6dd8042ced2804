"""Attribute columns as cues: which value counts as showing it, and what is not known stays unknown."""

import numpy as np
import pandas as pd
import pytest

from audit.cues.column_cues import column_cues


def column(*values: str | None, name: str = "site") -> pd.DataFrame:
    return pd.DataFrame({f"attribute:{name}": pd.Series(values, dtype=object)})


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (("yes", "no"), "yes"),
        (("No ", "Yes"), "Yes"),
        (("0", "1"), "1"),
        (("true", "FALSE"), "true"),
        (("beard", "none"), "beard"),
        (("without", "with"), "with"),
        (("female", "male"), "female"),
        (("a", "b"), "a"),
    ],
)
def test_two_values_are_one_cue(values, shown):
    (found,) = column_cues(column(*values, values[0]), ("site",))
    assert (found.cue.name, found.cue.words) == ("site", f"site = {shown}")
    assert (found.cue.kind, found.cue.role) == ("attribute", "attribute")
    assert found.present.tolist() == [value == shown for value in (*values, values[0])]
    assert found.known.all()


def test_three_values_are_three_cues():
    found = column_cues(column("b", "c", "a", "b"), ("site",))
    assert [one.cue.name for one in found] == ["site=a", "site=b", "site=c"]
    assert np.stack([one.present for one in found]).sum(0).tolist() == [1, 1, 1, 1]
    assert found[1].present.tolist() == [True, False, False, True]


def test_what_is_missing_is_unknown_and_not_shown():
    (found,) = column_cues(column("yes", None, "no"), ("site",))
    assert found.known.tolist() == [True, False, True]
    assert found.present.tolist() == [True, False, False]
    assert found.present.dtype == found.known.dtype == bool


@pytest.mark.parametrize("values", [(None, None), ("a", "a"), ("a", None)])
def test_a_column_that_tells_nothing_apart_is_no_cue(values):
    assert column_cues(column(*values), ("site",)) == []


def test_the_table_read_back_from_disk_gives_the_same(tmp_path):
    table = column("yes", None, "no")
    table.to_parquet(tmp_path / "t.parquet")
    (found,) = column_cues(pd.read_parquet(tmp_path / "t.parquet"), ("site",))
    assert found.known.tolist() == [True, False, True] and found.present.tolist() == [True, False, False]


def test_only_the_named_columns_and_in_their_order():
    table = pd.concat([column("x", "y", name=name) for name in ("a", "b", "c")], axis=1)
    assert [one.cue.name for one in column_cues(table, ("c", "a"))] == ["c", "a"]


def test_a_column_called_like_another_cue_gets_a_name_of_its_own():
    table = pd.concat([column("x", "y", name="face"), column("x", "y", name="face (column)")], axis=1)
    found = column_cues(table, ("face", "face (column)"), taken=["face", "hair"])
    names = [one.cue.name for one in found]
    assert names[0] == "face (column)" and len({*names, "face", "hair"}) == 4
    assert found[0].cue.words == "face = x"
