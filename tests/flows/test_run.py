"""From settings to a finished folder: which folder, which stages, the manifest last, and what Prefect is told of it."""

import json
import sqlite3
import time
from pathlib import Path

import pytest

from audit import stages
from audit.config import dump_config, load_config, parse_config
from audit.detection.registry import default_cues
from audit.errors import AuditFolderError, BiasAuditError, ConfigError, DatasetError, OutputError, StageError
from audit.run import run_here
from audit.run.open_audit import dataset_name, find_unfinished, open_audit
from audit.steps import STEPS, stage_key
from audit.store.audit_folder import AuditFolder, file_digest, read_json
from flows.run import check_finished, render_again, run_audit

CREATED = "2026-01-02T03:04:05+00:00"


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder to audit with stand-in stages."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    import standin_stages

    monkeypatch.setattr(stages, "STAGES", standin_stages.STAGES)
    monkeypatch.setattr(stages, "REPORT", standin_stages.REPORT)
    monkeypatch.setattr(run_here, "require_ready", lambda config: None)
    folder = tmp_path / "My photos"
    folder.mkdir()
    return folder


@pytest.fixture
def config(photos):
    return parse_config({"dataset": {"photos": photos}})


@pytest.fixture
def audit(config, tmp_path, api_url, monkeypatch):
    """Run the audit with the tests' server."""
    monkeypatch.setenv("PREFECT_API_URL", api_url)
    return lambda changed=config, **options: run_audit(changed, tmp_path / "audits", **options)


def test_an_audit_ends_with_a_report_and_a_manifest_of_every_file(audit):
    folder = audit()
    manifest = read_json(folder.manifest)
    assert folder.report.read_text() == "<p>report</p>"
    assert (manifest["schema_version"], manifest["audit_id"], manifest["created"]) == (2, folder.path.name, CREATED)
    assert manifest["config_digest"] == file_digest(folder.config)
    assert [stage["name"] for stage in manifest["stages"]] == ["dataset", "work", "self-audit", "record", "report"]
    for stage in manifest["stages"]:
        assert stage["outputs"] == {name: file_digest(folder / name) for name in stage["outputs"]}
    assert not (folder / "error.log").exists()


def test_a_finished_audit_is_not_taken_up_again(audit):
    assert audit().path != audit().path


def test_prefect_records_one_task_per_stage(audit, prefect_home):
    name = audit().path.name
    query = (
        "select t.name from task_run t join flow_run f on t.flow_run_id = f.id where f.name = ? and t.state_type = ?"
    )
    deadline = time.monotonic() + 10
    recorded: set[str] = set()
    while len(recorded) < 5 and time.monotonic() < deadline:
        connection = sqlite3.connect(prefect_home / "prefect.db")
        recorded = {row[0] for row in connection.execute(query, (name, "COMPLETED"))}
        connection.close()
        time.sleep(0.1)
    assert {"dataset", "work", "record", "report"} < recorded


def test_a_broken_stage_is_named_with_its_image_and_the_audit_resumes(audit, monkeypatch, capfd):
    monkeypatch.setenv("STANDIN", "broken")
    with pytest.raises(
        StageError, match=r"^Stage 'work' failed \(image cats/7\.jpg\): ValueError: wrong colour"
    ) as caught:
        audit()
    (path,) = (word for note in caught.value.__notes__ for word in note.split() if word.endswith("error.log"))
    assert "raise error" in Path(path).read_text()
    assert "Traceback" not in capfd.readouterr().err
    folder = AuditFolder(Path(path).parent)
    assert not folder.manifest.exists()
    monkeypatch.delenv("STANDIN")
    assert audit().path == folder.path
    assert folder.manifest.exists() and not Path(path).exists()


def test_a_resumed_audit_keeps_its_stages_unless_the_photographs_changed(audit, photos, capfd):
    folder = audit()
    for changed in (False, True):
        folder.manifest.unlink()
        if changed:
            (photos / "new.jpg").touch()
        capfd.readouterr()
        assert audit().path == folder.path
        assert ("work began" in capfd.readouterr().err) == changed


def test_fresh_begins_anew(audit, monkeypatch):
    monkeypatch.setenv("STANDIN", "broken")
    with pytest.raises(StageError):
        audit()
    monkeypatch.delenv("STANDIN")
    folder = audit(fresh=True)
    assert len(list(folder.path.parent.iterdir())) == 2


def test_other_settings_are_another_audit(audit, photos, monkeypatch):
    monkeypatch.setenv("STANDIN", "broken")
    with pytest.raises(StageError):
        audit()
    monkeypatch.delenv("STANDIN")
    folder = audit(parse_config({"dataset": {"photos": photos}, "training": {"epochs": 2}}))
    assert (folder / "work.txt").read_text() == "2\n"
    assert len(list(folder.path.parent.iterdir())) == 2


def test_refused_photographs_are_told_without_prefect_and_leave_no_folder(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("flows.run.run_flow", lambda *_: pytest.fail("Prefect was asked"))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with pytest.raises(DatasetError, match="no such folder"):
        run_audit(parse_config({"dataset": {"photos": photos / "no"}}), tmp_path / "audits")
    assert list((tmp_path / "audits").iterdir()) == []


def test_an_absent_server_is_told(config, photos, tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with pytest.raises(BiasAuditError, match="no server answers"):
        run_audit(config, tmp_path / "audits")


def test_a_report_is_rendered_again_and_the_manifest_follows(audit):
    folder = audit()
    folder.report.write_text("spoiled")
    assert render_again(folder.path) == folder.report
    assert folder.report.read_text() == "<p>report</p>"
    (report,) = (stage for stage in read_json(folder.manifest)["stages"] if stage["name"] == "report")
    assert report["outputs"]["report.html"] == file_digest(folder.report)


def test_a_finished_audit_audits_itself_again_and_keeps_the_rest(audit):
    folder = audit()
    before = read_json(folder.manifest)["stages"]
    assert check_finished(folder.path, ["self_audit.permutations=7", "self_audit.power_images=30"]) == folder
    assert read_json(folder.self_audit)["sentence"] == "7 deals, 30 marked."
    assert load_config(folder.config).self_audit.permutations == 7
    after = {stage["name"]: stage for stage in read_json(folder.manifest)["stages"]}
    assert read_json(folder.manifest)["config_digest"] == file_digest(folder.config)
    assert all(after[stage["name"]] == stage for stage in before if stage["name"] in ("dataset", "work"))
    with pytest.raises(AuditFolderError, match="no finished audit"):
        check_finished(folder.path.parent, [])


def test_an_unfinished_audit_has_no_report_to_render(tmp_path):
    with pytest.raises(AuditFolderError, match="no finished audit"):
        render_again(tmp_path)


def test_settings_are_kept_with_paths_that_hold_anywhere(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = [{"name": "lesion", "masks": "masks"}]
    relative = parse_config({"dataset": {"photos": photos.name}, "own_cues": own})
    with open_audit(relative, Path("audits")) as audit:
        assert load_config(audit.folder.config).dataset.photos == photos
        assert load_config(audit.folder.config).own_cues[0].masks == tmp_path / "masks"
        assert audit.folder.path.is_absolute()
        assert not audit.resumed
    with open_audit(relative, Path("audits")) as audit:
        assert audit.resumed


def test_an_audit_keeps_the_default_cues_by_name_so_that_a_later_detector_changes_it_in_nothing(config, tmp_path):
    names = default_cues()
    with open_audit(config, tmp_path) as audit:
        stored = load_config(audit.folder.config)
        assert stored.cues == audit.config.cues == names
    (detect,) = (step for step in STEPS if step.name == "detect")
    spelt_out = parse_config({"cues": names})
    assert stage_key(detect, audit.folder, stored) == stage_key(detect, audit.folder, spelt_out)
    with open_audit(config.model_copy(update={"cues": names}), tmp_path) as again:
        assert again.resumed


def test_two_audits_of_one_second_get_two_folders(config, tmp_path):
    names = set()
    for _ in range(3):
        with open_audit(config, tmp_path / "audits", fresh=True) as audit:
            names.add(audit.folder.path.name)
    assert len(names) == 3
    assert all(name.startswith("My-photos-2") for name in names)


def test_the_newest_unfinished_audit_is_found_and_damaged_ones_passed_over(config, tmp_path):
    for name in ("My-photos-1", "My-photos-2", "My-photos-3", "My-photos-4", "other-9"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(dump_config(config))
    (tmp_path / "My-photos-3" / "config.yaml").write_bytes(b"\xff")
    (tmp_path / "My-photos-4" / "manifest.json").write_text(json.dumps({}))
    assert find_unfinished(config, tmp_path).path.name == "My-photos-2"
    assert find_unfinished(config, tmp_path / "nowhere") is None


def test_audits_do_not_go_among_the_photographs(config, photos):
    with pytest.raises(OutputError, match="--out"), open_audit(config, photos / "audits"):
        pass


def test_a_place_that_cannot_be_written_is_told(config, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="--out"), open_audit(config, tmp_path / "file"):
        pass


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ({"photos": "/data/Ärzte & Pfleger/"}, "Ärzte-Pfleger"),
        ({"photos": "/"}, "audit"),
        ({"photos": "/data/..."}, "audit"),
        ({"photos": "/data/" + "x" * 200}, "x" * 60),
        ({"manifest": "/data/scans/index.csv"}, "scans"),
        ({"manifest": "/data/scans/train.csv"}, "train"),
    ],
)
def test_a_folder_is_named_after_the_dataset(dataset, name):
    assert dataset_name(parse_config({"dataset": dataset}).dataset) == name


def test_no_photographs_is_told():
    with pytest.raises(ConfigError, match="No photographs"):
        dataset_name(parse_config({}).dataset)
