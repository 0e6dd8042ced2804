"""What changed since the last audit: which audit that is, and what became of each finding."""

import csv
import shutil

import pytest

from audit.cues.cue_table import load_cues
from audit.data.dataset_json import DatasetSummary
from audit.findings.audit_json import read_audit
from audit.findings.finding import Finding
from audit.findings.previous_audit import _counterparts, _kind, _pairs, changes, find_former
from audit.store.audit_folder import AuditFolder, read_json, write_json, write_record
from tests.bare_records import bare_finding
from tests.planted import draw_dataset, run_audit, tiny_config


def finding(cue: str, label: str, severity: str, kind: str = "detector") -> Finding:
    return bare_finding(cue=cue, label=label, severity=severity, words=f"the {cue}", cue_kind=kind)


@pytest.mark.parametrize(
    ("then", "now", "kind"),
    [
        (None, "high", "new"),
        ("cleared", "low", "new"),
        (None, "cleared", ""),
        ("high", None, "gone"),
        ("medium", "expected", "gone"),
        ("low", "not_enough_data", "gone"),
        ("low", "high", "graver"),
        ("high", "medium", "milder"),
        ("medium", "medium", ""),
        ("expected", "cleared", ""),
    ],
)
def test_what_became_of_a_finding(then, now, kind):
    assert _kind(*(severity and finding("hair", "nurse", severity) for severity in (then, now))) == kind


def test_of_two_classes_the_cue_is_enough():
    then, now = [finding("hair", "nurse", "high")], [finding("hair", "doctor", "low"), finding("face", "nurse", "low")]
    assert list(_pairs(then, now, {})) == [(then[0], now[0]), (None, now[1])]


def test_of_three_classes_it_is_not():
    then = [finding("hair", label, "high") for label in "abc"]
    now = [finding("hair", label, "low") for label in "cba"]
    assert list(_pairs(then, now, {})) == [(then[2], now[0]), (then[1], now[1]), (then[0], now[2])]


def test_numbered_cues_are_never_compared_by_their_number():
    then = [finding("cluster 1", "a", "high", "cluster"), finding("cluster 2", "b", "low", "cluster")]
    now = [finding("cluster 1", "b", "high", "cluster"), finding("cluster 2", "a", "low", "cluster")]
    assert list(_pairs(then, now, {"cluster 2": "cluster 1"})) == [(None, now[0]), (then[0], now[1]), (then[1], None)]


def neighbour(parent, name: str, dataset: str, created: str | None) -> AuditFolder:
    folder = AuditFolder(parent / name)
    summary = {
        "name": dataset,
        "root": "",
        "classes": (),
        "attributes": (),
        "n_images": 0,
        "n_rejected": 0,
        "digest": "",
    }
    record = DatasetSummary(**summary, cross_class_duplicates=(), n_duplicates=0, warnings=())
    write_record(folder.dataset, record)
    if created:
        write_json(folder.manifest, {"created": created})
    return folder


def test_the_newest_finished_audit_of_the_same_dataset_counts(tmp_path):
    mine = neighbour(tmp_path, "mine", "people", None)
    assert find_former(mine) is None
    neighbour(tmp_path, "a", "people", "2026-01-02T00:00:00+00:00")
    newest = neighbour(tmp_path, "b", "people", "2026-03-01T00:00:00+00:00")
    neighbour(tmp_path, "c", "people", "2026-02-01T00:00:00+00:00")
    neighbour(tmp_path, "unfinished", "people", None)
    neighbour(tmp_path, "other", "animals", "2026-04-01T00:00:00+00:00")
    damaged = neighbour(tmp_path, "damaged", "people", "2026-05-01T00:00:00+00:00")
    damaged.manifest.write_text("{")
    assert find_former(mine) == newest
    write_json(mine.manifest, {"created": "2026-06-01T00:00:00+00:00"})
    assert find_former(mine) == newest


@pytest.fixture(scope="module")
def audits(tmp_path_factory) -> tuple[AuditFolder, AuditFolder]:
    """An audit of stickered discs, and one of the same pictures with as many stickered squares added."""
    root = tmp_path_factory.mktemp("history")
    manifest = draw_dataset(root / "drawn", per_class=40)
    first = run_audit(root / "audits" / "first", tiny_config(manifest))
    write_json(first.manifest, {"created": "2026-01-01T00:00:00+00:00"})
    more = draw_dataset(root / "more", per_class=40, sticker=(0.1, 0.9), seed=1)
    shutil.move(root / "more", root / "drawn" / "more")
    with (root / "drawn" / "more" / more.name).open(newline="") as added, manifest.open("a", newline="") as handle:
        csv.writer(handle).writerows([f"more/{row[0]}", *row[1:]] for row in list(csv.reader(added))[1:])
    return first, run_audit(root / "audits" / "second", tiny_config(manifest))


def test_an_enlarged_dataset_is_compared_with_the_former_audit(audits):
    first, second = (read_json(folder.record) for folder in audits)
    assert first["former"] is None
    former = second["former"]
    assert former["id"] == "first" and former["same_settings"] is True
    assert former["images"] == {"then": 80, "now": 160}
    assert former["classes"] == {"disc": {"then": 40, "now": 80}, "square": {"then": 40, "now": 80}}
    assert former["accuracy"] == {"then": first["model"]["accuracy"], "now": second["model"]["accuracy"]}
    severities = {
        finding["cue"]: (kind, finding["then"]) for kind, some in former["findings"].items() for finding in some
    }
    severity = next(finding["severity"] for finding in first["findings"] if finding["cue"] == "sticker")
    assert severity in ("high", "medium") and severities["sticker"] == ("gone", severity)


def test_clusters_and_looks_are_recognised_by_the_photographs_that_show_them(audits):
    cues = load_cues(audits[0])
    numbered = [cue.name for cue in cues.cues if cue.kind == "cluster" and 0 < cues.present(cue).mean() < 1]
    assert numbered and _counterparts(audits[0], audits[0]) == {name: name for name in numbered}


def test_a_former_audit_that_cannot_be_read_is_none(audits, tmp_path):
    copies = [AuditFolder(tmp_path / folder.path.name) for folder in audits]
    for folder, copy in zip(audits, copies, strict=True):
        shutil.copytree(folder.path, copy.path)
    copies[0].record.unlink()
    assert changes(copies[1], read_audit(copies[1])) is None
