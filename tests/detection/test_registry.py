"""The table of detectors: every default cue has one, names are unique, a typo gets a suggestion, plugins join in."""

from types import SimpleNamespace

import pytest

from audit.attributes.registry import READERS
from audit.config import Config, parse_config
from audit.detection import registry
from audit.detection.registry import DETECTORS, choose_cues, choose_detectors, default_cues, known_cues, listed_cues
from audit.detectors.cue import Cue
from audit.detectors.marks.border import BorderDetector
from audit.detectors.marks.printed_mark import OVERLAY
from audit.errors import ConfigError


class BowTieDetector(BorderDetector):
    """What a package might bring."""

    name = "bow-tie"
    cues = (Cue("bow_tie", "the bow tie", "part"),)


@pytest.fixture
def install(monkeypatch):
    """Pretend that a package brought an entry point called ``tie`` that loads so."""

    def pretend(load):
        point = SimpleNamespace(name="tie", value="bow_ties:Detector", load=load)
        monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.PLUGINS else [])
        registry.plugins.cache_clear()

    yield pretend
    registry.plugins.cache_clear()


def _asking_for(*names, **tree):
    return parse_config({"cues": list(names), **tree})


def test_every_detector_of_the_table_is_asked_by_default():
    cues = choose_cues(Config())
    assert {*(cue.name for cue in cues), OVERLAY} == {*known_cues(), OVERLAY} == set(listed_cues(Config()))
    assert all(cue.kind == "detector" and cue.words for cue in cues)
    asked = choose_detectors(Config())
    assert [type(detector) for detector in asked][: len(DETECTORS)] == list(DETECTORS)
    assert [type(detector.reader) for detector in asked[len(DETECTORS) :]] == list(READERS)


def test_a_row_is_all_that_a_new_detector_needs(monkeypatch):
    before = default_cues()
    monkeypatch.setattr(registry, "DETECTORS", (BowTieDetector, *DETECTORS))
    assert sorted(default_cues()) == sorted([*before, "bow_tie"])
    assert "bow_tie" in [cue.name for cue in choose_cues(Config())]
    assert BowTieDetector in map(type, choose_detectors(Config()))
    assert BowTieDetector not in map(type, choose_detectors(_asking_for("border")))


def test_the_default_lists_cues_in_the_order_that_stored_audits_have_in_their_keys():
    first = [
        "face",
        "glasses",
        "eyes",
        "hair",
        "skin",
        "person",
        "main_object",
        "clothing",
        "background",
        "border",
        "text",
        "patch",
        "overlay",
    ]
    assert [name for name in default_cues() if name in first] == first


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        (["default"], default_cues()),
        (["bow_tie", "default"], ["bow_tie", *default_cues()]),
        (["default", "text", "default"], default_cues()),
        (["hair", "face"], ["hair", "face"]),
        ([], []),
    ],
)
def test_default_stands_for_its_cues_where_it_is_and_a_list_of_names_for_these(setting, names):
    assert listed_cues(_asking_for(*setting)) == names


def test_the_nearest_name_may_be_the_word_default():
    with pytest.raises(ConfigError, match="no detector looks for 'defualt'; the nearest is 'default'"):
        choose_cues(_asking_for("defualt"))


def test_names_are_unique_and_parts_are_within_cues_that_exist():
    names = [cue.name for detector in DETECTORS for cue in detector.cues]
    assert len(set(names)) == len(names) == len(known_cues())
    assert len({detector.name for detector in DETECTORS}) == len(DETECTORS)
    assert {cue.within for cue in known_cues().values()} <= {"", *names}


def test_only_the_detectors_needed_are_made_and_repeats_count_once():
    assert [d.name for d in choose_detectors(_asking_for("vignette", "border", "border"))] == ["border", "vignette"]
    whole = [d.name for d in choose_detectors(_asking_for("background"))]
    assert whole == ["subject", "attributes.background"]
    assert [d.name for d in choose_detectors(_asking_for("background", attributes=[]))] == ["subject"]
    assert [c.name for c in choose_cues(_asking_for("border", "face", "border"))] == ["border", "face"]
    assert choose_detectors(_asking_for()) == () and choose_cues(_asking_for()) == ()


def test_an_unknown_cue_names_the_nearest():
    with pytest.raises(ConfigError, match="no detector looks for 'harr'; the nearest is 'hair'"):
        choose_cues(_asking_for("face", "harr"))


def test_a_plugin_is_used_when_it_is_asked_for(install):
    install(lambda: BowTieDetector)
    assert [cue.name for cue in choose_cues(_asking_for("bow_tie", "border"))] == ["bow_tie", "border"]
    assert [d.name for d in choose_detectors(_asking_for("bow_tie"))] == ["bow-tie"]
    assert [d.name for d in choose_detectors(_asking_for("border"))] == ["border"]


def test_a_plugin_may_not_take_a_name(install):
    install(lambda: BorderDetector)
    with pytest.raises(ConfigError, match="Two detectors look for 'border'"):
        choose_cues(_asking_for("bow_tie"))


def _missing():
    raise ModuleNotFoundError("No module named 'bow_ties'")


@pytest.mark.parametrize(("load", "reason"), [(_missing, "No module named"), (lambda: object, "no attribute 'name'")])
def test_a_broken_plugin_is_named_and_only_where_plugins_matter(install, load, reason):
    install(load)
    assert choose_detectors(_asking_for("border"))
    with pytest.raises(ConfigError, match=rf"detector 'tie' \(bow_ties:Detector\).*{reason}.*update or uninstall it"):
        choose_cues(_asking_for("bow_tie"))


def test_own_cues_follow_and_bring_their_outside(tmp_path):
    (tmp_path / "boxes.csv").write_text("path,x0,y0,x1,y1\na.jpg,0,0,9,9\n")
    config = _asking_for("border", own_cues=[{"name": "lesion", "boxes": str(tmp_path / "boxes.csv")}])
    assert [cue.name for cue in choose_cues(config)] == ["border", "lesion", "outside_lesion"]
    assert [cue.role for cue in choose_cues(config)][1:] == ["part", "scene"]
    assert len(choose_detectors(config)) == 2


@pytest.mark.parametrize("name", ["border", "face"])
def test_an_own_cue_may_not_take_a_name(tmp_path, name):
    with pytest.raises(ConfigError, match=f"own_cues: the name '{name}' is taken"):
        choose_cues(_asking_for("border", own_cues=[{"name": name, "masks": str(tmp_path)}]))
