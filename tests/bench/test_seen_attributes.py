"""The attributes that were looked up by eye: known names, and one answer each."""

from pathlib import Path

import pandas as pd

from audit.attributes.registry import built_in

SEEN = pd.read_csv(Path(__file__).with_name("seen_attributes.csv"))


def test_every_row_says_whether_a_photograph_shows_an_attribute():
    assert list(SEEN.columns) == ["set", "path", "attribute", "shows"]
    assert set(SEEN["attribute"]) <= built_in().keys()
    assert set(SEEN["shows"]) == {0, 1}
    assert not SEEN.duplicated(["set", "path", "attribute"]).any()
