"""Nobody else reads what an audit writes, and nothing is read from a folder that somebody else could have prepared."""

import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from audit.config import parse_config
from audit.detection import cache
from audit.detectors.cue import ABSENT
from audit.progress import reporting_to
from audit.run.open_audit import open_audit
from audit.store.audit_folder import AuditFolder
from audit.store.private import claim, make_private, open_own, outsiders, private_files
from flows.environment import doubt_about, prefect_home, usual_home, warning_about
from flows.server import EmbeddedServer
from tests.notes import Notes

STANDIN = Path(__file__).parents[1].joinpath("standin_stages.py")
SOMEBODY = 12345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def mask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """A shared temporary folder."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def no_cache(temporary, monkeypatch) -> dict[str, str]:
    """An environment whose cache cannot be written."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    return {"XDG_CACHE_HOME": "/nowhere"}


def test_without_a_cache_to_write_prefect_lives_in_a_temporary_folder_of_the_user_s_own(no_cache, temporary):
    home = prefect_home(no_cache)
    assert home == temporary / f"bias-audit-{os.geteuid()}" / "prefect"
    assert mode(home.parent) == 0o700
    assert prefect_home(no_cache) == home


def test_an_own_temporary_folder_that_was_left_open_is_closed(no_cache, temporary):
    folder = temporary / f"bias-audit-{os.geteuid()}"
    folder.mkdir()
    folder.chmod(0o755)
    assert prefect_home(no_cache).parent == folder
    assert mode(folder) == 0o700


def is_fresh(home: Path, temporary: Path) -> bool:
    place = home.parent
    private = mode(place) == 0o700 and place.stat().st_uid == os.geteuid() and not place.is_symlink()
    return private and place.parent == temporary and list(place.iterdir()) == []


def test_a_link_in_the_place_of_the_temporary_folder_is_not_followed(no_cache, temporary, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (temporary / f"bias-audit-{os.geteuid()}").symlink_to(elsewhere)
    assert is_fresh(prefect_home(no_cache), temporary)
    assert list(elsewhere.iterdir()) == []


def test_a_file_in_the_place_of_the_temporary_folder_is_passed_over(no_cache, temporary):
    (temporary / f"bias-audit-{os.geteuid()}").touch()
    assert is_fresh(prefect_home(no_cache), temporary)


@as_root
def test_a_temporary_folder_that_somebody_prepared_is_not_used(no_cache, temporary):
    prepared = temporary / f"bias-audit-{os.geteuid()}"
    (prepared / "prefect").mkdir(parents=True)
    (prepared / "prefect" / "logging.yml").write_text("version: 1")
    os.chown(prepared, SOMEBODY, SOMEBODY)
    assert is_fresh(prefect_home(no_cache), temporary)


@as_root
@pytest.mark.parametrize("part", ["", "prefect"])
def test_a_cache_of_somebody_else_s_is_not_used_and_that_is_told(part, temporary, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    usual_home().mkdir(parents=True)
    prepared = tmp_path / "bias-audit" / part
    os.chown(prepared, SOMEBODY, SOMEBODY)
    home = prefect_home({"XDG_CACHE_HOME": str(tmp_path)})
    assert home.parent.parent == temporary
    assert f"{prepared} belongs to another user" in warning_about(home)
    assert str(home) in warning_about(home)


@as_root
def test_a_cache_that_others_wrote_into_is_not_used(temporary, tmp_path):
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    home = usual_home(environment)
    home.mkdir(parents=True)
    home.chmod(0o777)
    (home / "profiles.toml").touch()
    os.chown(home / "profiles.toml", SOMEBODY, SOMEBODY)
    assert prefect_home(environment).parent.parent == temporary


def test_a_cache_that_others_could_write_into_but_did_not_is_closed(tmp_path):
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    home = usual_home(environment)
    home.mkdir(parents=True)
    (home / "prefect.db").touch()
    home.chmod(0o777)
    home.parent.chmod(0o775)
    assert prefect_home(environment) == home
    assert (mode(home), mode(home.parent)) == (0o700, 0o755)
    assert doubt_about(home) is None


@pytest.mark.parametrize(("opened", "told"), [(0o700, 0), (0o755, 0), (0o775, 1), (0o777, 1)])
def test_a_home_that_the_user_chose_is_kept_and_it_is_told_when_others_can_write_there(tmp_path, opened, told):
    tmp_path.chmod(opened)
    notes = Notes()
    with reporting_to(notes), EmbeddedServer(tmp_path):
        pass
    assert len(notes.said) == told
    assert all("PREFECT_HOME" in line and "can be written by other users" in line for line in notes.said)
    assert mode(tmp_path) == opened


def test_files_of_the_server_are_not_written_through_links(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "log").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        open_own(tmp_path / "log", os.O_WRONLY | os.O_TRUNC)
    assert victim.read_text() == "precious"


@as_root
def test_answers_are_not_taken_from_a_cache_of_somebody_else_s(tmp_path, own_answers):
    own_answers.parent.mkdir()
    with cache.kept_answers(parse_config({})) as kept:
        kept.keep("photo", [("key", cache.Answer.of([ABSENT]))])
        kept.flush()
        assert kept.get("photo", "key") is not None
    os.chown(own_answers.parent, SOMEBODY, SOMEBODY)
    notes = Notes()
    with reporting_to(notes), cache.kept_answers(parse_config({})) as kept:
        assert kept.get("photo", "key") is None
    (told,) = notes.said
    assert told.startswith(f"{own_answers}: cannot be used (its folder belongs to another user)")


@as_root
def test_a_link_of_somebody_else_s_is_no_folder_of_ours(tmp_path):
    own = tmp_path / "own"
    own.mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to(own)
    assert claim(link) is None
    os.lchown(link, SOMEBODY, SOMEBODY)
    assert claim(link) == "belongs to another user"
    os.chown(own, SOMEBODY, SOMEBODY)
    assert outsiders(own) == "belongs to another user"


def everything(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


def open_to_others(folder: Path) -> list[Path]:
    return [path for path in everything(folder) if mode(path) != (0o700 if path.is_dir() else 0o600)]


def test_whatever_the_mask_a_run_leaves_nothing_that_others_can_read(standin_environment, tmp_path):
    (tmp_path / "photos").mkdir()
    home = tmp_path / "prefect"
    done = subprocess.run(
        [sys.executable, str(STANDIN), "run", "photos"],
        env=standin_environment | {"PREFECT_HOME": str(home)},
        cwd=tmp_path,
        umask=0o022,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    (audit,) = (tmp_path / "audits").iterdir()
    assert (audit / "report.html").exists() and (home / "prefect.db").exists()
    assert len(everything(audit)) > 10
    assert open_to_others(audit) == open_to_others(home) == []
    assert mode(tmp_path / "audits") == 0o755


def test_an_old_folder_is_closed_when_it_is_opened_again_and_links_lead_nowhere(tmp_path):
    outside = tmp_path / "outside"
    outside.touch()
    outside.chmod(0o644)
    folder = AuditFolder(tmp_path / "audit")
    (folder / "explain").mkdir(parents=True)
    for name in ("report.html", "explain/fold-0"):
        (folder / name).touch()
    (folder / "link").symlink_to(outside)
    for path in everything(folder.path):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with folder.locked():
        assert [path for path in open_to_others(folder.path) if not path.is_symlink()] == []
    assert mode(outside) == 0o644


def test_the_user_s_mask_holds_again_after_the_block_and_overlapping_ones(tmp_path):
    before = os.umask(0o022)
    try:
        first, second = threading.Event(), threading.Event()

        def overlap() -> None:
            with private_files():
                first.set()
                second.wait(30)

        other = threading.Thread(target=overlap)
        with private_files():
            other.start()
            first.wait(30)
            assert mask() == 0o077
        assert mask() == 0o077
        second.set()
        other.join()
        assert mask() == 0o022
    finally:
        os.umask(before)


def test_a_new_audit_is_closed_from_its_first_moment_and_its_parent_left_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    seen: list[int] = []
    locked = AuditFolder.locked
    monkeypatch.setattr(AuditFolder, "locked", lambda folder: (seen.append(mode(folder.path)), locked(folder))[1])
    with open_audit(parse_config({"dataset": {"photos": tmp_path / "photos"}}), tmp_path / "audits"):
        pass
    assert seen == [0o700]
    assert mode(tmp_path / "audits") == 0o777 & ~mask()


@as_root
def test_what_belongs_to_others_does_not_end_the_audit(tmp_path, monkeypatch):
    (tmp_path / "theirs").touch()
    refused = []

    def refuse(path: Path, *_: object) -> None:
        refused.append(path)
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuse)
    make_private(tmp_path)
    assert refused
