"""Which attributes are measured: those of the regions that are looked for, unless the settings say otherwise."""

import pytest

from audit.attributes import registry
from audit.attributes.attribute import Attribute
from audit.attributes.registry import built_in, choose_attributes, choose_readers, known_attributes
from audit.config import Config, parse_config
from audit.detection.registry import known_cues
from audit.errors import ConfigError


class Kimono:
    """A reader as a package of somebody else would bring it."""

    name, models, keepable, version = "kimono", (), True, 1
    attributes = (Attribute("kimono", "a kimono", "other clothing", "clothing", 0.5, "it is one", "garment"),)

    def measure(self, photo):
        return {"kimono": 1.0}


@pytest.fixture
def plugin(monkeypatch):
    monkeypatch.setattr(registry, "plugins", lambda: (Kimono,))


def names(cues, **settings):
    return [one.name for one in choose_attributes(parse_config(settings), cues)]


def test_all_of_the_regions_that_are_looked_for_by_default():
    assert set(names(["clothing"])) == {one.name for one in built_in().values() if one.within == "clothing"}
    assert names([]) == [] == names(["clothing"], attributes=[])


def test_only_those_that_are_named():
    assert names(["clothing", "face"], attributes=["smile", "white_clothing"]) == ["smile", "white_clothing"]
    assert [reader.name for reader in choose_readers(Config(attributes=["smile"]), ["face"])] == ["smile"]


def test_an_unknown_one_names_the_nearest():
    with pytest.raises(ConfigError, match="nothing measures 'smiles'; the nearest is 'smile'"):
        names(["face"], attributes=["smiles"])


def test_a_plugin_is_asked_when_it_is_named(plugin):
    assert "kimono" not in names(["clothing"])
    assert names(["clothing"], attributes=["kimono"]) == ["kimono"]
    assert set(names(["clothing"], attributes=["default", "kimono"])) > {"kimono", "white_clothing"}


def test_a_plugin_may_not_take_a_name(monkeypatch):
    taken = Attribute("smile", "a grin", "none", "face", 0.5, "", "")
    monkeypatch.setattr(Kimono, "attributes", (taken,))
    monkeypatch.setattr(registry, "plugins", lambda: (Kimono,))
    with pytest.raises(ConfigError, match="Two readers measure 'smile'"):
        known_attributes()


def test_each_is_within_a_cue_that_some_detector_looks_for_and_no_name_is_a_cues():
    cues = known_cues()
    assert {one.within for one in built_in().values()} <= set(cues)
    assert not set(built_in()) & set(cues)


def test_the_words_of_both_ends_differ_and_fit_a_sentence():
    for one in built_in().values():
        assert one.words != one.opposite and one.check and one.topic
        assert one.words[0].islower() and one.opposite[0].islower() and not one.words.endswith(".")
