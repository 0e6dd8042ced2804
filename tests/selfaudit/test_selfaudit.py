"""The audit of the audit: nothing to find gives few findings, a plain mark is noticed, an even one is not."""

import json
import shutil

import jsonschema
import numpy as np
import pytest

from audit.cues.cue_table import load_cues
from audit.data.dataset import load_dataset
from audit.errors import ConfigError
from audit.findings.finding import Finding
from audit.findings.schemas import schema_text
from audit.findings.self_audit_json import SelfAudit
from audit.measures.permutation import permuted_order
from audit.selfaudit.forms import forms_of
from audit.selfaudit.planted_copies import mark_photographs, spread
from audit.selfaudit.power import noticed
from audit.selfaudit.selfaudit import NOT_RUN, SelfAuditor, build, left_out
from audit.selfaudit.trial import Trial, run_trial
from audit.selfaudit.trial_inputs import TrialInputs
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder, read_json, read_record, read_records, read_table
from tests.planted import draw_dataset, run_audit, tiny_config

SETTINGS = {"permutations": 2, "power_images": 60, "kinds": ["border"], "forms": 1, "pairs": 4}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("planted"), per_class=40)


@pytest.fixture(scope="module")
def config(manifest):
    return tiny_config(manifest, self_audit=SETTINGS)


@pytest.fixture(scope="module")
def audit(config, tmp_path_factory):
    return run_audit(tmp_path_factory.mktemp("audit"), config)


def test_random_labels_give_few_findings_and_a_plain_border_is_noticed(audit):
    record = read_json(audit.self_audit)
    assert record["status"] == "done"
    assert (record["null"]["audits"], record["null"]["images"]) == (2, 80)
    data, model = record["null"]["data"], record["null"]["model"]
    assert data["strong"]["value"] <= 0.1
    assert data["strong"]["n"] >= 6
    # Two deals of the sticker, the coin and facts of the file, and of eight made-up attributes.
    assert (model["deals"], model["images"]) == (2, 80)
    assert model["permuted"]["cases"] >= 4 and model["permuted"]["cases"] % 2 == 0
    assert model["attributes"]["cases"] == 16
    (border,) = record["power"]["marks"]
    assert border["weakest"]["cue"] == "a border or frame"
    assert (border["kind"], border["form"]) == ("border", "frame")
    assert (record["power"]["n"], record["power"]["classes"]) == (60, ["disc", "square"])
    assert "On 60 of these 80 photographs" in record["sentence"]


def test_the_record_follows_its_schema(audit):
    jsonschema.validate(read_json(audit.record), json.loads(schema_text("audit")))
    assert read_json(audit.record)["self_audit"] == read_json(audit.self_audit)


def test_a_mark_is_in_the_data_at_95_to_5_and_not_at_50_to_50(audit, config, tmp_path, monkeypatch):
    """Only the data are asked: a model may lean on a frame that every other photograph has."""
    store = SelfAuditor.of(audit, config).store
    monkeypatch.setattr("audit.selfaudit.planted_copies.PAIRS", ((0.95, 0.05), (0.5, 0.5)))
    (frame,) = forms_of(["border"], 1)
    marked = mark_photographs(store, ["border"], [frame], tmp_path / "marked")
    plain = run_trial(marked.inputs, marked.plain(), True, tmp_path / "plain")
    for share, is_strong in ((0.95, True), (0.5, False)):
        planted = spread(marked.labels, share, 1 - share, seed=0)
        outcome = run_trial(marked.inputs, marked.trial(frame, planted), True, tmp_path / f"{share}")
        np.testing.assert_array_equal(outcome.present["border"], planted)
        border = next(finding for finding in outcome.findings if finding.cue == "border")
        difference = border.evidence.prevalence.difference
        assert abs(difference) == pytest.approx(abs(2 * share - 1), abs=0.05)
        assert (border.evidence.prevalence.p_adjusted < 0.05) == is_strong
        assert not is_strong or noticed(outcome, plain, "border", planted, marked.labels).in_data == "strong"


def test_nothing_of_the_trials_is_left(audit):
    assert not (audit / "self-audit").exists()


def test_a_trial_of_the_true_labels_is_the_audit_itself(audit, config, tmp_path):
    """Only what is filled in differs, so a trial must come to the audit's own figures."""
    store = SelfAuditor.of(audit, config).store
    every = np.arange(len(store.dataset.images))
    outcome = run_trial(TrialInputs.of(store, every), Trial(every, store.dataset.labels), True, tmp_path)
    trial = AuditFolder(tmp_path)
    ours, theirs = (read_table(folder.predictions)["p_label"] for folder in (trial, audit))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    for name in ("sticker", "coin", "border"):
        np.testing.assert_array_equal(outcome.present[name], load_cues(audit).present(load_cues(audit).named(name)))
    figures = {
        (row.cue, row[2], row.kind): row.value
        for folder in (trial, audit)
        for row in read_table(folder.evidence).itertuples()
    }
    for row in read_table(trial.evidence).itertuples():
        if not row.cue.startswith("cluster") and np.isfinite(row.value):
            assert row.value == pytest.approx(figures[row.cue, row[2], row.kind], abs=0.02)
    for findings in (outcome.findings, read_records(audit.findings, Finding)):
        assert next(one.severity for one in findings if one.cue == "sticker") in ("high", "medium")


def test_labels_are_dealt_out_over_whole_groups_inside_folds():
    rng = np.random.default_rng(0)
    groups, folds = np.repeat(np.arange(30), 2), np.repeat(np.arange(3), 20)
    labels = np.repeat(rng.integers(0, 3, 30), 2)
    dealt = labels[permuted_order(groups, rng, strata=folds)]
    assert (dealt[::2] == dealt[1::2]).all()
    assert (dealt != labels).any()
    for fold in range(3):
        np.testing.assert_array_equal(np.sort(dealt[folds == fold]), np.sort(labels[folds == fold]))


def test_two_runs_give_the_same_record(audit, config):
    before = audit.self_audit.read_bytes()
    build(audit, config)
    assert audit.self_audit.read_bytes() == before


def test_an_interrupted_run_does_not_repeat_finished_trials(audit, config, monkeypatch):
    auditor, ran = SelfAuditor.of(audit, config), []

    def counting(*given):
        if len(ran) == 1:
            ran.clear()
            raise KeyboardInterrupt
        ran.append(given[-1].name)
        return run_trial(*given)

    monkeypatch.setattr("audit.selfaudit.selfaudit.run_trial", counting)
    with pytest.raises(KeyboardInterrupt):
        auditor.null(lambda count: None)
    null = auditor.null(lambda count: None)
    assert ran == ["null-1"]
    assert null == read_record(audit.self_audit, SelfAudit).null


def test_other_settings_are_another_key(audit, config, manifest):
    other = tiny_config(manifest, self_audit={**SETTINGS, "permutations": 4})
    assert SelfAuditor.of(audit, config).key != SelfAuditor.of(audit, other).key
    stage = next(stage for stage in STAGES if stage.name == "self-audit")
    assert run_stage(stage, audit, config).key == SelfAuditor.of(audit, config).key


def test_a_handful_of_marked_photographs_is_refused(manifest):
    with pytest.raises(ConfigError, match=r"fewer than 20 photographs show nothing"):
        tiny_config(manifest, self_audit={"power_images": 8})


def test_switched_off_it_says_so(manifest, tmp_path):
    folder = AuditFolder(tmp_path)
    off = tiny_config(manifest, self_audit={"permutations": 0, "power_images": 0})
    assert build(folder, off) == [folder.self_audit]
    assert read_record(folder.self_audit, SelfAudit) == NOT_RUN


def test_too_few_photographs_have_no_power_and_the_record_says_so(audit, manifest, tmp_path):
    """Ten of each class where fifteen are asked for."""
    settings = {"permutations": 0, "power_images": 20, "kinds": ["border"], "forms": 1}
    few = tiny_config(manifest, self_audit=settings, evidence={"min_images": 15, "effect_images": 16})
    folder = AuditFolder(shutil.copytree(audit.path, tmp_path / "audit"))
    build(folder, few)
    record = read_json(folder.self_audit)
    assert record["power"]["marks"][0]["weakest"] is None
    assert record["null"] is None
    assert record["sentence"].startswith(
        "On 20 of these 80 photographs we would have missed a white frame even in 95 %"
    )


def test_null_labels_keep_the_classes_as_large_as_they_are(audit, config):
    dataset = load_dataset(audit)
    order = permuted_order(dataset.groups, 0, strata=dataset.folds)
    assert np.bincount(dataset.labels[order]).tolist() == np.bincount(dataset.labels).tolist()


def test_what_the_trials_leave_out_is_said(config, manifest):
    deep = tiny_config(manifest, model={"arch": "tiny", "image_size": 64, "fine_tune": "conv5"})
    assert len(left_out(deep, 2)) == len(left_out(config, 2)) + 1
    assert "two largest classes" in left_out(config, 3)[-1]
