"""Shards are made again when anything changes that their arrays depend on, and only then."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audit import steps
from audit.config import Config
from audit.data.dataset_json import DatasetSummary
from audit.stages import STAGES
from audit.steps import finished_record_of, stage_key
from audit.store.audit_folder import AuditFolder, read_record, read_table, write_record, write_table
from audit.store.shards import SUFFIX, Shard, ShardStore
from audit.store.tensors import load_arrays, load_header, save_tensors
from audit.verification.retraining import Retraining
from audit.verification.strategy import BASELINE
from tests.planted import draw_dataset, finished_audit, tiny_config

KEEPING = ("detect", "features", "training", "explain", "cues", "masking")


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Config:
    manifest = draw_dataset(tmp_path_factory.mktemp("photos"), per_class=40)
    model = {"arch": "tiny", "image_size": 64, "fine_tune": "conv5"}
    return tiny_config(manifest, model=model, training={"folds": 2, "epochs": 2, "batch_size": 16})


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory) -> AuditFolder:
    """An audit, verified for one seed, with a cluster that became a cue."""
    audit = finished_audit(tmp_path_factory.mktemp("finished"), config)
    Retraining.open(audit, audit, config).train(BASELINE, 0)
    assert list((audit / "look-alikes").iterdir()) and list(audit.cache.glob("trunk-views-*"))
    return audit


@pytest.fixture
def audit(finished, tmp_path) -> AuditFolder:
    shutil.copytree(finished.path, tmp_path / "audit")
    return AuditFolder(tmp_path / "audit")


@pytest.fixture
def written(monkeypatch) -> set[str]:
    """The names of the shards that are written."""
    names: set[str] = set()
    write = ShardStore.write

    def noted(store: ShardStore, shard: Shard, *arrays, **header) -> Path:
        names.add(shard.name)
        return write(store, shard, *arrays, **header)

    monkeypatch.setattr(ShardStore, "write", noted)
    return names


def work_again(name: str, audit: AuditFolder, config: Config) -> None:
    """Do a stage as if it had been interrupted just before its end."""
    next(stage for stage in STAGES if stage.name == name).load()(audit, config)


def shards_of(name: str, audit: AuditFolder) -> set[str]:
    """Those that the stage handed on and that are there, since none was deleted as asking what nobody asks now."""
    outputs = [audit / path for path in finished_record_of(name, audit).outputs if path.endswith(SUFFIX)]
    there = {path.stem for path in outputs if path.exists()}
    assert there
    return there


def released(monkeypatch, name: str) -> None:
    """A new version of a stage."""
    changed = (replace(step, version=step.version + 1) if step.name == name else step for step in steps.STEPS)
    monkeypatch.setattr(steps, "STEPS", tuple(changed))


def rename_classes(audit: AuditFolder) -> None:
    """Other words for the same classes, whose photographs and order stay."""
    summary = read_record(audit.dataset, DatasetSummary)
    write_record(audit.dataset, summary.model_copy(update={"classes": tuple(f"a {name}" for name in summary.classes)}))
    table = read_table(audit.images)
    write_table(audit.images, table.assign(label="a " + table["label"]))


def relabel(audit: AuditFolder) -> None:
    table = read_table(audit.images)
    write_table(audit.images, table.assign(label=table["label"].to_numpy()[::-1]))


def refold(audit: AuditFolder) -> None:
    table = read_table(audit.images)
    write_table(audit.images, table.assign(fold=(1 - table["fold"]).astype(table["fold"].dtype)))


def other_photographs(audit: AuditFolder) -> None:
    """The same files in another order, so that every image is another photograph."""
    table = read_table(audit.images)
    write_table(audit.images, table.assign(**{name: table[name].to_numpy()[::-1] for name in ("path", "sha256")}))


def rewrite(path: Path, **changes: Callable[[np.ndarray], np.ndarray]) -> None:
    arrays = {name: changes.get(name, np.asarray)(array) for name, array in load_arrays(path).items()}
    save_tensors(path, arrays, load_header(path))


def move_look_alikes(audit: AuditFolder) -> None:
    """Clusters are elsewhere, as large as they were."""
    for path in (audit / "look-alikes").iterdir():
        rewrite(path, masks=lambda masks: masks[..., ::-1])


def move_detections(audit: AuditFolder) -> None:
    for path in audit.detections.glob(f"shard-*{SUFFIX}"):
        rewrite(path, masks=lambda masks: ~masks)


def other_answers(audit: AuditFolder) -> None:
    table = read_table(audit.predictions)
    write_table(audit.predictions, table.assign(p_label=table["p_label"] / 2))


def other_network(audit: AuditFolder) -> None:
    for path in audit.model.glob(f"fold-*{SUFFIX}"):
        rewrite(path, **{"head.linear.bias": lambda bias: bias + 1})


PLACES = (move_look_alikes, move_detections)


@pytest.mark.parametrize("name", KEEPING)
def test_equal_questions_are_not_asked_again(audit, config, written, name):
    work_again(name, audit, config)
    assert shards_of(name, audit) and written == set()


@pytest.mark.parametrize("name", KEEPING)
def test_what_an_older_release_left_is_not_taken_up(audit, config, written, monkeypatch, name):
    released(monkeypatch, name)
    work_again(name, audit, config)
    assert shards_of(name, audit) <= written


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("features", other_photographs),
        ("training", rename_classes),
        ("training", relabel),
        ("training", refold),
        ("explain", other_network),
        ("explain", move_detections),
        ("cues", refold),
        ("masking", move_look_alikes),
        ("masking", move_detections),
        ("masking", other_answers),
        ("masking", other_network),
    ],
)
def test_what_a_stage_was_made_from_has_changed(audit, config, written, name, change):
    change(audit)
    work_again(name, audit, config)
    # Nothing of a file lies anywhere in the picture.
    untouched = {path.stem for path in (audit / "equalising").glob(f"*{SUFFIX}")} if change in PLACES else set()
    assert shards_of(name, audit) - untouched <= written and not untouched & written


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("detect", {"cues": ["patch"]}),
        ("features", {"seed": 1}),
        ("features", {"model": {"arch": "tiny", "image_size": 48, "fine_tune": "conv5"}}),
        ("features", {"compute": {"workers": 0, "device": "cpu", "precision": "bfloat16"}}),
        ("training", {"seed": 1}),
        ("training", {"training": {"folds": 2, "epochs": 1, "batch_size": 16}}),
        ("training", {"compute": {"workers": 0, "device": "cpu", "precision": "bfloat16"}}),
        ("explain", {"seed": 1}),
        ("explain", {"attention": {"threshold": 0.5}}),
        ("explain", {"compute": {"workers": 0, "device": "cpu", "precision": "bfloat16"}}),
        ("cues", {"seed": 1}),
        ("cues", {"compute": {"workers": 0, "device": "cpu", "precision": "bfloat16"}}),
        ("masking", {"seed": 1}),
        ("masking", {"compute": {"workers": 0, "device": "cpu", "precision": "bfloat16"}}),
    ],
)
def test_the_settings_have_changed(audit, config, written, name, settings):
    work_again(name, audit, Config.model_validate(config.model_dump() | settings))
    assert shards_of(name, audit) <= written


RETRAINED = {"seed-0-fold-0", "seed-0-fold-1"}
VIEWED = "trunk-views-00000"


def test_equal_trainings_are_not_done_again(audit, config, written):
    Retraining.open(audit, audit, config).train(BASELINE, 0)
    assert written == set()


@pytest.mark.parametrize("change", [move_look_alikes, move_detections])
def test_what_is_occluded_is_elsewhere(audit, config, written, change):
    change(audit)
    Retraining.open(audit, audit, config).train(BASELINE, 0)
    assert written >= {*RETRAINED, VIEWED}


@pytest.mark.parametrize(("name", "made"), [("training", RETRAINED), ("masking", {*RETRAINED, VIEWED})])
def test_a_verification_of_an_older_release_is_not_taken_up(audit, config, written, monkeypatch, name, made):
    released(monkeypatch, name)
    Retraining.open(audit, audit, config).train(BASELINE, 0)
    assert written >= made


def test_trials_are_done_again_when_a_stage_that_they_repeat_is_a_new_one(finished, config, monkeypatch):
    """Their scratch goes by the key of their stage, and no file of the audit tells that other code judges now."""
    (stage,) = (stage for stage in STAGES if stage.name == "self-audit")
    before = stage_key(stage, finished, config)
    for name in ("training", "explain", "regions", "clusters", "cues", "evidence", "findings"):
        with monkeypatch.context() as patch:
            released(patch, name)
            assert stage_key(stage, finished, config) != before, name
    assert stage_key(stage, finished, config) == before
