"""An attribute is asked for as a cue is, and unknown stays unknown."""

import math

import numpy as np
import pytest

from audit.attributes.attribute import UNKNOWN, Attribute, AttributeDetector
from audit.attributes.registry import PEOPLE_READERS, READERS, built_in
from audit.detectors.photo import Networks, Photo

LONG = Attribute("long_hair", "long hair", "short hair", "hair", 0.1, "hair hangs below the chin", "hair length")


class Reader:
    """Says what it was told to say."""

    name, attributes, models, keepable, version = "stand_in", (LONG,), (), True, 1

    def __init__(self, values):
        self.values = values

    def measure(self, photo):
        return self.values


def sighted(tmp_path, values):
    photo = Photo(np.zeros((8, 8, 3), np.uint8), Networks(tmp_path))
    return AttributeDetector(Reader(values)).detect(photo)["long_hair"]


@pytest.mark.parametrize(("value", "present"), [(0.1, True), (0.3, True), (0.0999, False)])
def test_shows_from_its_value_on(tmp_path, value, present):
    seen = sighted(tmp_path, {"long_hair": value})
    assert (seen.present, seen.score, seen.mask) == (present, value, None)


@pytest.mark.parametrize("values", [{}, {"long_hair": UNKNOWN}])
def test_what_cannot_be_told_is_unknown_and_not_absent(tmp_path, values):
    seen = sighted(tmp_path, values)
    assert math.isnan(seen.score)
    assert not seen.present


def test_the_version_changes_with_the_value_from_which_on_it_shows(monkeypatch):
    before = AttributeDetector(Reader({})).version
    raised = Attribute("long_hair", "long hair", "short hair", "hair", 0.2, LONG.check, LONG.topic)
    monkeypatch.setattr(Reader, "attributes", (raised,))
    assert AttributeDetector(Reader({})).version != before


def test_every_attribute_has_a_name_of_its_own():
    assert len(built_in()) == sum(len(reader.attributes) for reader in (*READERS, *PEOPLE_READERS))
