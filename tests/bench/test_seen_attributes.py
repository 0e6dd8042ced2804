"""The attributes that were looked up by eye: known names, one answer each, and only photographs nothing was set on."""

from hashlib import sha256
from pathlib import Path

import pandas as pd

from audit.attributes.registry import built_in

SEEN = pd.read_csv(Path(__file__).with_name("seen_attributes.csv"))


def test_every_row_says_whether_a_photograph_shows_an_attribute():
    assert list(SEEN.columns) == ["set", "path", "attribute", "shown"]
    assert set(SEEN["attribute"]) <= built_in().keys()
    assert set(SEEN["shown"]) == {"yes", "no"}
    assert not SEEN.duplicated(["set", "path", "attribute"]).any()


def test_no_limit_was_set_on_a_photograph_of_the_table():
    assert all(int(sha256(path.encode()).hexdigest(), 16) % 2 for path in SEEN["path"])
