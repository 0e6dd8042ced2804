"""Processes apart from where the user stands: their environment, their working folder, their search path."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audit import processes
from audit.processes import (
    NEUTRAL_FOLDER,
    child_environment,
    from_folder,
    safe_children,
    standing_apart,
    trusted_entries,
)
from flows.cli import app
from tests.planted import draw_dataset

# A program that uses the library, not the command line, and stands in a folder that it does not trust.
LIBRARY_USER = """
import sys
from pathlib import Path
from audit.config import parse_config
from audit.data.photo_file import PhotoFile
from audit.detection.workers import Job, looking
from audit.store.audit_folder import file_digest

if __name__ == "__main__":
    photos = sorted(Path(sys.argv[1]).glob("*/*.png"))
    config = parse_config({"dataset": {"photos": sys.argv[1]}, "cues": ["border"], "compute": {"workers": 2}})
    with looking(config, len(photos)) as look:
        print(len(list(look([Job(PhotoFile(path, file_digest(path)), path.name, (0,)) for path in photos]))))
"""


@pytest.mark.parametrize("name", ["PYTHONPATH", "LD_LIBRARY_PATH", "PATH"])
@pytest.mark.parametrize("folders", ["", ":", "/opt/a:", ":/opt/a", "/opt/a::/opt/b", ".:/opt/a", "/opt/a:lib:./x"])
def test_a_child_s_lists_of_folders_hold_no_entry_that_means_its_working_folder(name, folders):
    kept = child_environment({name: folders, "LANG": "C"})
    absolute = [folder for folder in folders.split(":") if folder.startswith("/")]
    assert kept.get(name, "").split(":") == (absolute or [""])
    assert (name in kept) == bool(absolute)
    assert kept["PYTHONSAFEPATH"] == "1" and kept["LANG"] == "C"


def test_the_environment_is_as_before_after_the_block(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ":/opt/a")
    monkeypatch.setenv("LD_LIBRARY_PATH", ":")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    before = dict(os.environ)
    with pytest.raises(RuntimeError), safe_children():
        assert dict(os.environ) == child_environment(before)
        raise RuntimeError
    assert dict(os.environ) == before


def test_standing_apart_ends_where_it_began_and_may_be_nested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with standing_apart():
        with standing_apart():
            assert Path.cwd() == NEUTRAL_FOLDER
        assert Path.cwd() == NEUTRAL_FOLDER
    assert Path.cwd() == tmp_path


def test_a_working_folder_that_is_gone_ends_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with standing_apart():
        assert Path.cwd() == NEUTRAL_FOLDER
    assert trusted_entries(["/opt/a"]) == ["/opt/a"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("~/x.csv", "/home/me/x.csv"),
        ("~", "/home/me"),
        ("~x.jpg", "/data/~x.jpg"),
        ("a/~/x", "/data/a/~/x"),
        ("/x", "/x"),
    ],
)
def test_a_tilde_alone_is_the_user_s_home_and_no_name_is_anybody_else_s(path, expected, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert from_folder(Path("/data"), Path(path)) == Path(expected)


def test_a_command_given_in_a_folder_that_is_gone_says_so(tmp_path):
    program = "import os, sys; os.rmdir(os.getcwd()); from flows.cli import main; main(['check', 'photos'])"
    (tmp_path / "gone").mkdir()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path / "gone", env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (2, "The working folder was removed; change into another one.\n")


def test_the_working_folder_leaves_the_search_path_unless_our_code_lies_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    placeholder = "__editable__.bias_audit-0.1.0.finder.__path_hook__"
    assert trusted_entries([str(tmp_path), "", "/opt/a", placeholder, "."]) == ["/opt/a"]
    monkeypatch.setattr(processes, "__file__", str(tmp_path / "audit" / "processes.py"))
    assert trusted_entries([str(tmp_path), "", "/opt/a"]) == [str(tmp_path), "/opt/a"]


def test_workers_of_a_library_user_import_nothing_from_where_it_stands(tmp_path):
    draw_dataset(tmp_path / "photos", per_class=26)
    (tmp_path / "program.py").write_text(LIBRARY_USER)
    here = tmp_path / "here"
    here.mkdir()
    for name in ("pickle", "multiprocessing", "signal", "threading", "sitecustomize", "cv2", "audit"):
        (here / f"{name}.py").write_text(
            f"open({str(tmp_path / name)!r}, 'w').close()\nraise RuntimeError('planted')\n"
        )
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONSAFEPATH", "PYTHONPATH")}
    environment = kept | {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(tmp_path / "program.py"), str(tmp_path / "photos")]
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout == "52\n", done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "photos", "program.py"]


@pytest.mark.parametrize("how", ["argument", "set", "config"])
def test_relative_paths_start_from_where_the_command_is_given(how, tmp_path, monkeypatch):
    draw_dataset(tmp_path / "photos", per_class=12)
    (tmp_path / "my.yaml").write_text("dataset: {photos: photos}\n")
    monkeypatch.chdir(tmp_path)
    given = {"argument": ["photos"], "set": ["--set", "dataset.photos=photos"], "config": ["--config", "my.yaml"]}
    done = CliRunner().invoke(app, ["check", *given[how]])
    assert done.exit_code == 0, done.output
    assert "These photographs can be audited." in done.output
    assert Path.cwd() == tmp_path


def test_a_result_is_told_from_where_the_command_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["demo", "drawn", "--n", "20"])
    assert done.stdout == "drawn\n"
    assert (tmp_path / "drawn" / "train.csv").exists()
