"""A stage is done when something it depends on changed, and only then."""

import pytest

from audit.config import Config, parse_config
from audit.errors import DatasetError, StageError
from audit.stages import STAGES, Stage, run_stage
from audit.steps import done_already, finished_record, setting_of
from audit.store.audit_folder import AuditFolder, read_json, write_text

DEFAULTS = Config()
CHAIN = (
    Stage("first", (), ("seed",), entry="counting:first"),
    Stage("second", ("first",), ("training.epochs",), entry="counting:second"),
    Stage("third", ("second",), ("report",), entry="counting:third"),
)


@pytest.fixture
def done(monkeypatch):
    """The names of the stages that really ran, in order."""
    ran = []

    def load(stage):
        def work(folder, config):
            ran.append(stage.name)
            path = folder / f"{stage.name}.txt"
            write_text(path, {"first": str(config.seed), "second": str(config.training.epochs)}.get(stage.name, ""))
            return [path]

        return work

    monkeypatch.setattr(Stage, "load", load)
    return ran


def run_chain(folder, config=DEFAULTS):
    return [run_stage(stage, folder, config) for stage in CHAIN]


def test_a_finished_stage_is_not_done_again(tmp_path, done):
    folder = AuditFolder(tmp_path)
    first = run_chain(folder)
    assert run_chain(folder) == first
    assert done == ["first", "second", "third"]
    assert read_json(folder.stage_record("first"))["outputs"].keys() == {"first.txt"}


@pytest.mark.parametrize(
    ("settings", "again"),
    [
        ({"seed": 7}, ["first", "second"]),
        ({"training": {"epochs": 2}}, ["second", "third"]),
        ({"report": {"title": "x"}}, ["third"]),
        ({"compute": {"workers": 0}}, []),
    ],
)
def test_a_changed_setting_redoes_what_depends_on_it_until_files_are_equal(tmp_path, done, settings, again):
    folder = AuditFolder(tmp_path)
    run_chain(folder)
    done.clear()
    run_chain(folder, parse_config(settings))
    assert done == again


@pytest.mark.parametrize("tamper", [lambda path: path.write_text("x"), lambda path: path.unlink()])
def test_a_lost_or_changed_file_is_made_again_and_equal_files_spare_the_rest(tmp_path, done, tamper):
    folder = AuditFolder(tmp_path)
    run_chain(folder)
    done.clear()
    tamper(folder / "second.txt")
    run_chain(folder)
    assert done == ["second"]


def test_a_new_version_is_done_again(tmp_path, done):
    folder = AuditFolder(tmp_path)
    run_chain(folder)
    done.clear()
    run_stage(Stage("second", ("first",), ("training.epochs",), version=2, entry="counting:second"), folder, Config())
    assert done == ["second"]


def test_done_already_tells_without_doing(tmp_path, done):
    folder = AuditFolder(tmp_path)
    assert done_already(CHAIN[0], folder, Config()) is None
    record = run_stage(CHAIN[0], folder, Config())
    assert done_already(CHAIN[0], folder, Config()) == record
    assert done == ["first"]


def failing(error):
    def work(folder, config):
        write_text(folder / "half.txt", "half")
        raise error

    return work


def test_a_failed_stage_is_named_with_the_image_and_leaves_no_record(tmp_path, monkeypatch):
    error = ValueError("bad colour")
    error.add_note("image cats/7.jpg")
    monkeypatch.setattr(Stage, "load", lambda stage: failing(error))
    with pytest.raises(StageError) as caught:
        run_stage(CHAIN[0], AuditFolder(tmp_path), Config())
    assert str(caught.value) == "Stage 'first' failed (image cats/7.jpg): ValueError: bad colour"
    assert caught.value.__cause__ is error
    assert finished_record(CHAIN[0], AuditFolder(tmp_path)) is None


def test_an_error_for_the_user_keeps_its_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(Stage, "load", lambda stage: failing(DatasetError("No photographs.")))
    with pytest.raises(DatasetError, match=r"^No photographs\.$"):
        run_stage(CHAIN[0], AuditFolder(tmp_path), Config())


def test_stages_follow_what_they_read_and_name_settings_that_exist():
    names = [stage.name for stage in STAGES]
    assert len(set(names)) == len(names)
    for place, stage in enumerate(STAGES):
        assert set(stage.after) <= set(names[:place])
        for setting in stage.settings:
            setting_of(Config(), setting)
