"""The table of detectors: every default cue has one, names are unique, and a typo gets a suggestion."""

import pytest

from audit.config import Config
from audit.cues.registry import DETECTORS, choose_cues, choose_detectors, known_cues
from audit.errors import ConfigError


def test_every_default_cue_has_a_detector():
    cues = choose_cues(Config().cues)
    assert [cue.name for cue in cues] == Config().cues
    assert all(cue.kind == "detector" and cue.words for cue in cues)


def test_names_are_unique():
    names = [cue.name for detector in DETECTORS for cue in detector.cues]
    assert len(set(names)) == len(names) == len(known_cues())
    assert len({detector.name for detector in DETECTORS}) == len(DETECTORS)


def test_only_the_detectors_needed_are_made_and_repeats_count_once():
    assert [d.name for d in choose_detectors(["background", "border", "border"])] == ["subject", "border"]
    assert [c.name for c in choose_cues(["border", "face", "border"])] == ["border", "face"]
    assert choose_detectors([]) == () and choose_cues([]) == ()


def test_an_unknown_cue_names_the_nearest():
    with pytest.raises(ConfigError, match="no detector looks for 'harr'; the nearest is 'hair'"):
        choose_cues(["face", "harr"])
