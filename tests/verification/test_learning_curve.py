"""Learning curves of whole small audits: what is trained, what is said, and that nothing is done twice."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from audit.cues.cue_table import load_cues
from audit.findings.audit_json import read_audit
from audit.model.activation_store import ActivationStore
from audit.plan.learning_curve_json import LearningCurve
from audit.store.audit_folder import AuditFolder, read_record, read_table
from audit.store.shards import ShardStore
from audit.verification.curve_views import plain, unaided
from audit.verification.learning_curve import DRAWS, SHARES, Trainings, build, reason_against
from tests.bare_records import bare_finding
from tests.planted import draw_dataset, run_audit, tiny_config


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Discs and squares of which nine in ten, and one in ten, have a sticker; a column of the table names them."""
    return tiny_config(draw_dataset(tmp_path_factory.mktemp("photos"), per_class=60))


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory) -> AuditFolder:
    return run_audit(tmp_path_factory.mktemp("audit"), config)


@pytest.fixture
def audit(finished, tmp_path) -> AuditFolder:
    shutil.copytree(finished.path, tmp_path / "audit")
    return AuditFolder(tmp_path / "audit")


@pytest.fixture
def written(monkeypatch) -> list[str]:
    """The names of the shards that are written."""
    names, write = [], ShardStore.write

    def noted(store, shard, *arrays, **header):
        names.append(f"{store.folder.name}/{shard.name}")
        return write(store, shard, *arrays, **header)

    monkeypatch.setattr(ShardStore, "write", noted)
    return names


def test_audit_json_has_the_curves_with_and_without_the_shortcut(finished):
    record = read_audit(finished)
    assert record.learning_curve == read_record(finished.learning_curve, LearningCurve)
    plain_curve, unaided_curve = record.learning_curve.curves
    assert record.learning_curve.status == "done"
    assert plain_curve.points[-1].accuracy == record.model.accuracy
    assert unaided_curve.points[-1].accuracy.value == pytest.approx(record.model.balanced[0].value)
    assert unaided_curve.finding == next(finding.id for finding in record.findings if finding.is_cause)
    for curve in record.learning_curve.curves:
        assert [point.share for point in curve.points] == list(SHARES)
        assert [point.n_train for point in curve.points] == pytest.approx([15, 30, 45, 60], abs=1)
        assert all(point.accuracy.low <= point.accuracy.value <= point.accuracy.high for point in curve.points)
        assert (curve.projections[0].more, curve.projections[-1].more) == ("quarter", "double")


def test_the_sticker_is_learned_sooner_than_the_shapes(finished):
    """The shortcut is planted: with it the model is right nine times in ten, without it not much more than half."""
    curves = read_record(finished.learning_curve, LearningCurve).curves
    assert curves[0].points[-1].accuracy.value > curves[1].points[-1].accuracy.value + 0.15


def test_the_sentence_names_the_order_and_its_figures(finished):
    record = read_audit(finished)
    collecting = record.plan.ways.collect
    assert record.learning_curve.sentence.startswith(
        f"A quarter of the ordered photographs first ({collecting.first} of {collecting.images}): the accuracy"
    )
    for curve in record.learning_curve.curves:
        assert f"{curve.points[-1].accuracy.value * 100:.0f} %" in record.learning_curve.sentence


def test_no_image_was_trained_on_by_what_answers_about_it(config, finished):
    trainings = Trainings(ActivationStore.open(finished, config))
    for fold in range(config.training.folds):
        for subset in trainings.subsets(0, fold):
            assert (trainings.store.dataset.folds[subset] != fold).all()
    assert trainings.correct.shape == (DRAWS, len(SHARES), 120)
    assert (trainings.correct[:, -1] == read_table(finished.predictions)["correct"].to_numpy()).all()
    assert (trainings.correct[0, 0] != trainings.correct[0, -1]).any()
    assert (trainings.correct[0, 0] != trainings.correct[1, 0]).any()


def test_nothing_is_trained_twice(audit, config, written):
    before = audit.learning_curve.read_bytes()
    build(audit, config)
    assert written == [] and audit.learning_curve.read_bytes() == before


def test_what_is_missing_alone_is_trained_and_comes_out_the_same(audit, config, written):
    before, lost = audit.learning_curve.read_bytes(), audit / "learning-curve" / "draw-0-share-1-fold-0.safetensors"
    answers = lost.read_bytes()
    lost.unlink()
    build(audit, config)
    assert {name for name in written if not name.startswith("unfinished")} == {"learning-curve/draw-0-share-1-fold-0"}
    assert lost.read_bytes() == answers and audit.learning_curve.read_bytes() == before
    assert sorted(path.name for path in lost.parent.iterdir() if path.is_dir()) == []


def test_a_killed_training_goes_on_at_its_epoch(audit, config, written, monkeypatch):
    lost = audit / "learning-curve" / "draw-0-share-1-fold-0.safetensors"
    answers = lost.read_bytes()
    lost.unlink()
    noted = ShardStore.write

    def killed(store, shard, *arrays, **header):
        path = noted(store, shard, *arrays, **header)
        if len(written) == 3:
            raise KeyboardInterrupt
        return path

    with monkeypatch.context() as patch:
        patch.setattr(ShardStore, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            build(audit, config)
    build(audit, config)
    epochs = sum(name.startswith("unfinished") for name in written)
    assert lost.read_bytes() == answers
    written.clear()
    lost.unlink()
    build(audit, config)
    assert epochs == sum(name.startswith("unfinished") for name in written)


@pytest.mark.parametrize(
    ("setting", "depth", "told"),
    [
        (False, "head", "plan.learning_curve is false"),
        ("auto", "conv5", "plan.learning_curve: true asks for it"),
        ("auto", "head", ""),
        (True, "conv5", ""),
    ],
)
def test_it_is_left_out_where_nobody_wants_it_or_it_takes_long(audit, config, setting, depth, told):
    model = config.model.model_copy(update={"fine_tune": depth})
    wish = config.model_copy(
        update={"plan": config.plan.model_copy(update={"learning_curve": setting}), "model": model}
    )
    reason = reason_against(ActivationStore.open(audit, wish))
    assert told in reason and bool(told) == bool(reason)


def test_what_is_left_out_says_why(audit, config):
    wish = config.model_copy(update={"plan": config.plan.model_copy(update={"learning_curve": False})})
    assert build(audit, wish) == [audit.learning_curve]
    learning = read_record(audit.learning_curve, LearningCurve)
    assert learning.status == "left_out" and learning.sentence.endswith("is false.") and not learning.curves


def test_too_few_photographs_are_told(tmp_path):
    config = tiny_config(draw_dataset(tmp_path / "photos", per_class=24))
    audit = run_audit(tmp_path / "audit", config, until="training")
    told = reason_against(ActivationStore.open(audit, config))
    assert "“disc”" in told and "5 are needed" in told


def test_deeper_training_gives_a_curve_where_it_is_asked_for(tmp_path):
    model = {"arch": "tiny", "image_size": 64, "fine_tune": "conv5"}
    training = {"folds": 2, "epochs": 2, "batch_size": 16}
    manifest = draw_dataset(tmp_path / "photos", per_class=50)
    config = tiny_config(manifest, model=model, training=training, plan={"learning_curve": True})
    audit = run_audit(tmp_path / "audit", config, until="learning-curve")
    assert read_record(audit.learning_curve, LearningCurve).status == "done"


def test_views_weigh_as_their_accuracy_does(config, finished):
    """Where every disc shows the cue it cannot be balanced: the squares without it are left, and no disc is."""
    store = ActivationStore.open(finished, config)
    dataset, cues, correct = store.dataset, load_cues(finished), Trainings(store).correct[0, 0]
    cue, discs = cues.named("sticker"), np.flatnonzero(dataset.labels == 0)
    rows = cues.rows.copy()
    rows.loc[[(cue.name, image) for image in discs], "present"] = True
    everywhere = replace(cues, rows=rows)
    disc, square = (bare_finding(cue=cue.name, label=label) for label in ("disc", "square"))
    views = [plain(dataset), unaided(dataset, cues, disc), unaided(dataset, everywhere, square)]
    assert [view.kind for view in views] == ["plain", "balanced", "without"]
    for view in views:
        assert view.weights @ correct / view.weights.sum() == pytest.approx(view.accuracy(correct).value)
    lacking = (dataset.labels == 1) & ~cues.present(cue)
    assert (views[2].weights > 0).tolist() == lacking.tolist()
    assert unaided(dataset, everywhere, disc) is None
