"""A reviewer's name stands in audit.json and the report, and goes over to the next audit by who belongs to it."""

import shutil

import numpy as np
import pytest

from audit.cues.cue_table import load_cues
from audit.cues.names import GivenName, give_name, read_names, renamed
from audit.errors import ConfigError
from audit.findings.audit_json import read_audit
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder
from flows.run import name_cue
from tests.planted import draw_dataset, finished_audit, tiny_config


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A finished audit in which attention forms at least one cluster that no detector names."""
    root = tmp_path_factory.mktemp("named")
    config = tiny_config(draw_dataset(root / "photos"))
    return finished_audit(root / "audits" / "first", config), config


@pytest.fixture
def audit(first, tmp_path):
    """A copy of it, and the name of its first cluster."""
    folder, config = first
    copy = AuditFolder(shutil.copytree(folder.path, tmp_path / "audits" / "first"))
    return copy, config, next(cue for cue in load_cues(copy).cues if cue.kind == "cluster")


def test_the_name_takes_the_place_of_the_number(audit):
    folder, _, cluster = audit
    created = read_audit(folder)
    assert cluster.words in folder.record.read_text(encoding="utf-8")
    given = name_cue(folder.path, cluster.name.replace(" ", "-"), "a blue  corner", "A. Reviewer")
    assert (given.cue, given.words, given.own_words) == (cluster.name, "a blue corner", cluster.words)
    record = read_audit(folder)
    (cue,) = (entry for entry in record.cues if entry.name == cluster.name)
    assert cue.words == "a blue corner" and record.names == (given,)
    assert cluster.words not in folder.record.read_text(encoding="utf-8").replace(f'"{cluster.words}"', "", 1)
    assert [finding.severity for finding in record.findings] == [finding.severity for finding in created.findings]
    assert record.created == created.created
    folder.require_finished()
    assert "a blue corner" in folder.report.read_text(encoding="utf-8")


def test_a_second_name_replaces_the_first_and_keeps_the_audits_own_words(audit):
    folder, _, cluster = audit
    give_name(folder, cluster.name, "a blue corner", "")
    again = give_name(folder, cluster.name, "a sticker", "B")
    assert list(read_names(folder)) == [again] and again.own_words == cluster.words


def test_a_later_audit_takes_the_name_over_by_membership(audit):
    folder, config, cluster = audit
    given = give_name(folder, cluster.name, "a blue corner", "A")
    later = AuditFolder(folder.path.parent / "second")
    shutil.copytree(folder.path, later.path)
    for path in (later.names, later.manifest, later.stage_record("record")):
        path.unlink()
    run_stage(next(stage for stage in STAGES if stage.name == "record"), later, config)
    (carried,) = read_audit(later).names
    assert (carried.words, carried.by, carried.on) == ("a blue corner", "A", given.on)
    np.testing.assert_array_equal(
        load_cues(later).present(load_cues(later).named(carried.cue)), load_cues(folder).present(cluster)
    )


@pytest.mark.parametrize(
    ("cue", "words", "said"),
    [
        ("border", "a frame", "has words already"),
        ("cluster 99", "x", "nearest is"),
        ("", "x", "nearest is"),
        ("cluster", "", None),
        ("cluster", "x" * 81, None),
    ],
)
def test_what_cannot_be_named_is_said(audit, cue, words, said):
    folder, _, cluster = audit
    with pytest.raises(ConfigError, match=said or "1 to 80 characters"):
        give_name(folder, cluster.name if cue == "cluster" else cue, words, "")
    assert not folder.names.exists()


def test_a_hostile_name_is_text(audit):
    folder, _, cluster = audit
    name_cue(folder.path, cluster.name, "<script>alert(1)</script>", "<b>\u202ex</b>")
    assert "<script>alert(1)" not in folder.report.read_text(encoding="utf-8")
    assert "\u202e" not in folder.report.read_text(encoding="utf-8")


def test_only_the_audits_own_words_are_replaced():
    name = GivenName(cue="c", words="tied hair", own_words="one look of the hair", by="", on="")
    content = {"one look of the hair": ["one look of the hair or a hat", 3, None, True]}
    assert renamed(content, [name]) == {"one look of the hair": ["tied hair or a hat", 3, None, True]}
