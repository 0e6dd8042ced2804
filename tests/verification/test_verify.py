"""Did it help? A planted shortcut is unlearned, nothing is claimed of nothing, and an interruption changes nothing."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from typer.testing import CliRunner

from audit.data.dataset import load_dataset
from audit.errors import AuditFolderError, ConfigError, DatasetError
from audit.findings.schemas import schema_text
from audit.measures.paired_bootstrap import Change
from audit.model.activation_store import ActivationStore, drop_activations
from audit.progress import reporting_to
from audit.store.audit_folder import AuditFolder, file_digest, read_json, read_table
from audit.store.tensors import load_tensors
from audit.verification.retraining import Retraining, answers_path
from audit.verification.strategy import BASELINE, require_verifiable, weights_under
from audit.verification.verify import _points, conclude, judge, prepare
from flows.cli import app
from tests.planted import draw_dataset, draw_picture, finished_audit, tiny_config

SEEDS = 3


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("planted"), per_class=60)


@pytest.fixture(scope="module")
def audit(manifest, tmp_path_factory) -> AuditFolder:
    return finished_audit(tmp_path_factory.mktemp("audit"), tiny_config(manifest))


def verified(audit: AuditFolder, config, strategy: str, source: Path | None = None, seeds: int = SEEDS) -> dict:
    work = prepare(audit, config, strategy, source)
    retraining = Retraining.open(audit, work, config)
    for condition in (BASELINE, strategy):
        for seed in range(seeds):
            retraining.train(condition, seed)
    return read_json(conclude(audit, work, config, strategy, seeds))


def of_sticker(result: dict) -> dict:
    return next(finding for finding in result["findings"] if finding["cue"] == "sticker")


@pytest.fixture(scope="module")
def weighted(audit, manifest) -> dict:
    return verified(audit, tiny_config(manifest), "weight")


def test_a_verification_follows_its_schema_which_lies_beside_it(audit, weighted):
    schema = json.loads(schema_text("verification"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(weighted, schema)
    assert read_json(audit / "verification" / "weight" / "verification.schema.json") == schema
    assert set(weighted) == set(schema["properties"])
    assert set(weighted["findings"][0]) == set(schema["$defs"]["ChangedFinding"]["properties"])


def test_a_verification_that_is_done_needs_no_network(audit, manifest, weighted, monkeypatch):
    """Also when its activations are deleted: the answers are on disk under the same keys."""
    drop_activations(audit)
    monkeypatch.delattr(ActivationStore, "compute")
    again = verified(audit, tiny_config(manifest), "weight")
    assert {**again, "created": ""} == {**weighted, "created": ""}
    assert not list(audit.cache.glob("trunk-*"))


@pytest.mark.parametrize("spoiled", [{"verdict": "perhaps"}, {"overall": {}}, {"findings": [{"id": "f1"}]}])
def test_the_schema_refuses_what_is_no_verification(weighted, spoiled):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(weighted | spoiled, json.loads(schema_text("verification")))


def write_drop(audit: AuditFolder, paths: list[str]) -> None:
    with (audit.plan / "drop.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("path", "class", "reason"), *((path, path[:4], "test") for path in paths)])


def test_weights_close_the_gap_of_a_planted_shortcut(weighted):
    gap = of_sticker(weighted)["gap"]
    assert gap["before"] > 0.5 and gap["high"] < -0.2
    assert of_sticker(weighted)["worst_cell"]["difference"] > 0.1
    assert of_sticker(weighted)["worst"]["before"] == {"words": "not disc, with sticker = yes", "n": 6}


def test_the_sticker_s_place_matters_less_for_the_answer(weighted):
    """No detector knows stickers: a cluster of attention leads to its place."""
    findings = [finding for finding in weighted["findings"] if "top left" in finding["words"]]
    assert findings and all(finding["effect"]["high"] < -0.1 for finding in findings)
    assert of_sticker(weighted)["attention"] is None and of_sticker(weighted)["effect"] is None


def test_without_a_remedy_the_models_are_the_audit_s_own(audit, weighted):
    """The first seed repeats the audit's training; what it says of each image it says again."""
    probabilities = np.zeros((120, 2))
    for fold in range(2):
        tensors, _ = load_tensors(answers_path(audit, BASELINE, 0, fold))
        probabilities[tensors["image"].numpy()] = tensors["probabilities"].numpy()
    np.testing.assert_allclose(probabilities, np.stack(read_table(audit.predictions)["probabilities"]), atol=1e-6)


def test_what_is_hidden_is_what_the_audit_hid(audit, manifest, weighted):
    """Without a remedy, and with the audit's own seed, hiding a cue does to the answers what it did in the audit."""
    retraining = Retraining.open(audit, audit, tiny_config(manifest))
    asked = retraining.pairs.merge(read_table(audit.masking), on=["cue", "image", "filling"], how="left")
    occluded = retraining.answers(BASELINE, 1).occluded[0]
    assert len(asked) >= 15 and asked["p_masked"].notna().all()
    np.testing.assert_allclose(occluded, asked[["p_masked", "p_control"]].to_numpy(), atol=0.01)


def test_pictures_are_the_first_examples_with_maps_before_and_after(audit, weighted):
    tensors, header = load_tensors(audit / "verification" / "weight" / "maps.safetensors")
    assert header["paths"] == weighted["pictures"]
    assert weighted["pictures"][0] == read_json(audit.findings)[0]["exemplars"][0]
    for maps in tensors.values():
        assert len(maps) == len(weighted["pictures"]) and (maps >= 0).all() and (maps.sum((1, 2)) <= 1.001).all()
    assert not np.allclose(tensors["before"], tensors["after"])


def test_leaving_out_closes_the_gap_too(audit, manifest):
    images = read_table(audit.images)
    marked = images["attribute:sticker"] == "yes"
    with_cue = (images["label"] == "disc") == marked
    dropped = [
        path for label in ("disc", "square") for path in images["path"][with_cue & (images["label"] == label)][12:]
    ]
    write_drop(audit, dropped)
    result = verified(audit, tiny_config(manifest), "drop")
    assert result["images"] == {"n": 120, "dropped": len(dropped), "added": {"disc": 0, "square": 0}, "effective_n": 36}
    assert of_sticker(result)["gap"]["high"] < -0.1


def test_new_photographs_close_the_gap_too(audit, manifest, tmp_path):
    rng = np.random.default_rng(5)
    for label, marked in (("disc", False), ("square", True)):
        (tmp_path / "new" / label).mkdir(parents=True)
        for number in range(48):
            draw_picture(label, marked, rng).save(tmp_path / "new" / label / f"{number}.png")
    result = verified(audit, tiny_config(manifest), "collect", tmp_path / "new")
    assert result["images"]["added"] == {"disc": 48, "square": 48}
    assert of_sticker(result)["gap"]["high"] < -0.3
    assert of_sticker(result)["worst_cell"]["difference"] > 0.1


def test_nothing_is_claimed_where_nothing_was_mended(manifest, audit):
    """Ten photographs taken at random are no remedy: every interval covers 0."""
    paths = read_table(audit.images)["path"]
    write_drop(audit, [str(path) for path in np.random.default_rng(0).permutation(paths)[:10]])
    result = verified(audit, tiny_config(manifest), "drop")
    assert result["verdict"] == "unclear" and "cannot be told" in result["sentence"]
    for change in (result["overall"]["balanced"], of_sticker(result)["gap"], of_sticker(result)["worst_cell"]):
        assert change["low"] <= 0 <= change["high"]


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    source = "from flows.cli import main; main()"
    words = [sys.executable, "-c", source, "verify", *map(str, arguments)]
    return subprocess.run(words, env=os.environ | environment, capture_output=True, text=True, timeout=240)


def test_the_command_answers_and_writes_the_report_anew(audit, weighted, api_url):
    done = command(audit.path, "--seeds", SEEDS, "--quiet", PREFECT_API_URL=api_url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [weighted["sentence"], str(audit.report)]
    page = audit.report.read_text(encoding="utf-8")
    assert "Rare combinations count more" in page and "Nobody has tried yet" not in page
    listed = {stage["name"]: stage["outputs"] for stage in read_json(audit.manifest)["stages"]}
    assert listed["report"] == {"report.html": file_digest(audit.report)}
    assert not list(audit.cache.glob("trunk-*"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--strategy", "collect"], "--strategy collect and --with belong together"),
        (["--strategy", "drop", "--with", "."], "--strategy collect and --with belong together"),
        (["--strategy", "pray"], "pray"),
        (["--seeds", "1"], "--seeds"),
    ],
)
def test_bad_requests_are_told_in_a_sentence_with_exit_code_2(audit, arguments, told):
    done = CliRunner().invoke(app, ["verify", str(audit.path), *arguments])
    assert done.exit_code == 2
    assert told in done.stderr and "Traceback" not in done.stderr


def test_a_folder_without_new_photographs_is_told(audit, tmp_path, api_url):
    (tmp_path / "empty").mkdir()
    done = command(audit.path, "--with", tmp_path / "empty", "--quiet", PREFECT_API_URL=api_url)
    assert done.returncode == 2
    assert "no photograph to add" in done.stderr and "Traceback" not in done.stderr


class Interrupted:
    """A listener that stops the work once so many folds are done."""

    def __init__(self, folds: int) -> None:
        self.left = folds
        self.units: list[str] = []

    def started(self, task, total, unit):
        self.units.append(unit)

    def finished(self):
        self.units.pop()

    def note(self, message): ...

    def advanced(self, count):
        self.left -= count * (self.units[-1] == "folds")
        if self.left == 0:
            raise KeyboardInterrupt


def test_an_interruption_leaves_equal_files(audit, manifest, weighted):
    config, folder = tiny_config(manifest), audit / "verification" / "weight"
    files = [answers_path(audit, "weight", seed, fold) for seed in range(SEEDS) for fold in range(2)]
    before = [path.read_bytes() for path in files]
    for path in files[1:]:
        path.unlink()
    retraining = Retraining.open(audit, prepare(audit, config, "weight", None), config)
    with reporting_to(Interrupted(2)), pytest.raises(KeyboardInterrupt):
        retraining.train("weight", 0)
    kept = files[0].stat().st_mtime_ns, files[1].stat().st_mtime_ns
    again = verified(audit, config, "weight")
    assert (files[0].stat().st_mtime_ns, files[1].stat().st_mtime_ns) == kept
    assert [path.read_bytes() for path in files] == before
    assert {**again, "created": ""} == {**weighted, "created": ""}
    assert not list(folder.glob(".*"))


def test_other_weights_are_trained_anew(audit, manifest):
    config = tiny_config(manifest)
    retraining = Retraining.open(audit, audit, config)
    retraining.train("weight", 0)
    table, kept = audit.plan / "weights.csv", (audit.plan / "weights.csv").read_text(encoding="utf-8")
    before = answers_path(audit, "weight", 0, 0).read_bytes()
    try:
        rows = [(row["path"], 1.0) for row in csv.DictReader(kept.splitlines())]
        with table.open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle).writerows([("path", "weight"), *rows])
        retraining.train("weight", 0)
        assert answers_path(audit, "weight", 0, 0).read_bytes() != before
    finally:
        table.write_text(kept, encoding="utf-8")


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([("nowhere.png", "1")], "names a photograph that the audit has not"),
        ([("disc/000.png", "many")], "'many' is no weight"),
        ([("disc/000.png", "-1")], "'-1' is no weight"),
        ([("disc/000.png", "nan")], "'nan' is no weight"),
    ],
)
def test_a_spoiled_plan_is_told(audit, rows, complaint, tmp_path):
    plan = AuditFolder(tmp_path)
    plan.plan.mkdir()
    with (plan.plan / "weights.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("path", "weight"), *rows])
    with pytest.raises(AuditFolderError, match=complaint):
        weights_under("weight", plan, load_dataset(audit))


def test_a_plan_that_leaves_too_few_photographs_is_told(audit, manifest):
    write_drop(audit, [str(path) for path in read_table(audit.images)["path"]][2:])
    with pytest.raises(DatasetError, match="Too few photographs are left"):
        verified(audit, tiny_config(manifest), "drop")


def test_a_plan_without_drop_list_is_told(audit, tmp_path):
    with pytest.raises(AuditFolderError, match=r"drop\.csv: missing; this audit's plan does not offer"):
        weights_under("drop", AuditFolder(tmp_path), load_dataset(audit))


def test_what_cannot_be_verified_is_told(audit, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="--with"):
        require_verifiable(audit, "collect", None)
    with pytest.raises(ConfigError, match="--with"):
        require_verifiable(audit, "weight", tmp_path)
    with pytest.raises(AuditFolderError, match="no finished audit"):
        require_verifiable(AuditFolder(tmp_path), "weight", None)
    monkeypatch.setattr("audit.verification.strategy.flagged", lambda folder: [])
    with pytest.raises(ConfigError, match="nothing to mend"):
        require_verifiable(audit, "weight", None)


@pytest.mark.parametrize(
    ("low", "high", "verdict", "words"),
    [
        (0.01, 0.1, "helped", "It helped: "),
        (-0.1, -0.01, "harmed", "It did harm: "),
        (-0.01, 0.1, "unclear", "It cannot be told that it helped: "),
        (np.nan, np.nan, "unclear", "Too few photographs"),
    ],
)
def test_the_interval_decides(low, high, verdict, words):
    outcome, sentence = judge(Change(0.7, 0.75, 0.05, low, high, 100))
    assert outcome == verdict and sentence.startswith(words)


def test_no_difference_is_not_negative():
    assert [_points(value) for value in (-0.004, 0.0, -0.016, 0.021)] == ["+0", "+0", "−2", "+2"]
