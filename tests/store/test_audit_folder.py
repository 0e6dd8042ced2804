"""The audit folder: whole files or none, one owner at a time, digests that notice change."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from audit.errors import AuditFolderError
from audit.store.audit_folder import (
    AuditFolder,
    digests,
    read_json,
    read_table,
    value_digest,
    write_atomically,
    write_json,
    write_table,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old")

    def half(aside):
        aside.write_text("ha")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, half)
    assert path.read_text() == "old"
    assert [child.name for child in path.parent.iterdir()] == ["file.txt"]


def test_json_keeps_letters_and_refuses_what_json_has_not(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"name": "Ärztin", "n": 1})
    assert read_json(path) == {"name": "Ärztin", "n": 1}
    assert "Ärztin" in path.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"value": float("nan")})
    assert read_json(path)["n"] == 1


@pytest.mark.parametrize(("content", "told"), [(None, "missing"), ("{", "damaged"), ("\xff\xfe", "damaged")])
def test_an_unreadable_json_file_is_told_with_its_path(tmp_path, content, told):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(AuditFolderError, match=rf"a\.json: {told}"):
        read_json(path)


def test_tables_return_as_written(tmp_path):
    table = pd.DataFrame({"image": pd.Series([0, 1], dtype="int32"), "label": ["a", None]})
    write_table(tmp_path / "t.parquet", table)
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet"), table)
    with pytest.raises(AuditFolderError, match="missing"):
        read_table(tmp_path / "no.parquet")


def test_digests_are_by_relative_path_sorted_and_notice_change(tmp_path):
    folder = AuditFolder(tmp_path)
    paths = [folder / "b" / "x.txt", folder / "a.txt"]
    for path in paths:
        write_text(path, "one")
    before = digests(folder, paths)
    assert list(before) == ["a.txt", "b/x.txt"]
    assert before["a.txt"] == before["b/x.txt"]
    write_text(paths[0], "two")
    assert digests(folder, paths)["b/x.txt"] != before["b/x.txt"]


def test_equal_values_have_equal_digests():
    assert value_digest({"a": 1, "b": [2]}) == value_digest({"b": [2], "a": 1})
    assert value_digest("a", "b") != value_digest("ab")
    assert value_digest(1) != value_digest("1")


def test_names_are_paths_inside_the_folder(tmp_path):
    folder = AuditFolder(tmp_path)
    assert folder.report == tmp_path / "report.html"
    assert folder.relative(folder.explain / "fold-0.safetensors") == "explain/fold-0.safetensors"
    assert folder.stage_record("explain") == tmp_path / "stages" / "explain.json"


LOCKER = "import sys; from pathlib import Path; from audit.store.audit_folder import AuditFolder\n"
LOCKER += "with AuditFolder(Path(sys.argv[1])).locked(): print('held', flush=True); sys.stdin.read()"


def test_a_folder_has_one_owner_until_the_owner_dies(tmp_path):
    folder = AuditFolder(tmp_path)
    command = [sys.executable, "-c", LOCKER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(AuditFolderError, match="another run"), folder.locked():
            pass
        owner.kill()
    with folder.locked():
        pass


def test_the_owner_may_lock_again_and_lets_go_at_the_end(tmp_path):
    folder = AuditFolder(tmp_path)
    command = [sys.executable, "-c", LOCKER, str(tmp_path)]
    with folder.locked():
        with folder.locked():
            pass
        refused = subprocess.run(command, input="", capture_output=True, text=True)
        assert "another run" in refused.stderr
    assert subprocess.run(command, input="", capture_output=True, text=True).stdout == "held\n"


def test_records_are_plain_json(tmp_path):
    write_json(tmp_path / "a.json", [1])
    assert json.loads((tmp_path / "a.json").read_text()) == [1]
