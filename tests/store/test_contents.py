"""Settings count by the bytes of the files that they name."""

import hashlib
import os
import shutil

import pytest

from audit.config import Config, parse_config
from audit.stages import STAGES
from audit.steps import stage_key
from audit.store import contents, digest_memory
from audit.store.audit_folder import AuditFolder, file_digest
from audit.store.contents import by_content, path_digest


def test_a_file_counts_by_its_bytes_and_everything_else_as_it_is(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"weights")
    config = parse_config({"model": {"weights": str(tmp_path / "w.pth")}, "dataset": {"photos": str(tmp_path)}})
    tree = by_content(config)
    plain = config.model_dump(mode="json")
    assert tree["model"].pop("weights") == file_digest(tmp_path / "w.pth")
    assert plain["model"].pop("weights") == str(tmp_path / "w.pth")
    assert tree == plain


def test_settings_without_files_are_what_they_were():
    assert by_content(Config()) == Config().model_dump(mode="json")


def test_a_folder_counts_by_names_and_bytes_wherever_it_lies(tmp_path):
    for name in ("a", "b/c"):
        file = tmp_path / "masks" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    before = path_digest(tmp_path / "masks")
    shutil.copytree(tmp_path / "masks", tmp_path / "moved")
    assert path_digest(tmp_path / "moved") == before
    (tmp_path / "moved" / "a").rename(tmp_path / "moved" / "z")
    assert path_digest(tmp_path / "moved") != before
    assert path_digest(tmp_path / "nothing") == "missing"


@pytest.mark.parametrize("remembered", [1, 10**9])
def test_an_edited_file_counts_anew_even_with_its_old_size_and_time(remembered, tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "REMEMBERED_BYTES", remembered)
    monkeypatch.setattr(digest_memory, "SETTLED_NS", -1)
    file = tmp_path / "boxes.csv"
    file.write_bytes(b"first")
    before, times = path_digest(file), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    assert before == path_digest(file) == hashlib.sha256(b"first").hexdigest()
    with file.open("r+b") as handle:
        handle.write(b"other")
    os.utime(file, ns=times)
    assert path_digest(file) == hashlib.sha256(b"other").hexdigest()


@pytest.mark.parametrize(("size", "kept"), [(99, False), (100, True)])
def test_large_files_are_remembered_and_small_ones_read(size, kept, tmp_path, monkeypatch, own_digests):
    monkeypatch.setattr(contents, "REMEMBERED_BYTES", 100)
    monkeypatch.setattr(digest_memory, "SETTLED_NS", -1)
    (tmp_path / "w.pth").write_bytes(b"w" * size)
    assert path_digest(tmp_path / "w.pth") == hashlib.sha256(b"w" * size).hexdigest()
    assert own_digests.exists() == kept


@pytest.mark.parametrize(
    ("stage", "settings"),
    [
        ("features", {"model": {"arch": "resnet18", "checkpoint": "FILE"}}),
        ("training", {"model": {"weights": "FILE"}}),
        ("detect", {"own_cues": [{"name": "lesion", "boxes": "FILE"}]}),
        ("dataset", {"dataset": {"manifest": "FILE"}}),
    ],
)
def test_a_stage_is_done_again_when_a_file_that_its_settings_name_was_edited(stage, settings, tmp_path):
    """Boxes or a checkpoint edited between two runs were ignored: only their path counted."""
    (one,) = (candidate for candidate in STAGES if candidate.name == stage)
    keys = []
    for name, content in (("a", "first"), ("a", "edited"), ("b", "first")):
        (tmp_path / name).write_text(content)
        config = parse_config(_named(settings, str(tmp_path / name)))
        keys.append(stage_key(one, AuditFolder(tmp_path / "audit"), config))
    assert keys[0] != keys[1] and keys[0] == keys[2]


def _named(settings: object, path: str) -> object:
    match settings:
        case dict():
            return {key: _named(value, path) for key, value in settings.items()}
        case list():
            return [_named(value, path) for value in settings]
    return path if settings == "FILE" else settings
