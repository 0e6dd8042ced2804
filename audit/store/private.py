"""Permissions: what an audit writes is its user's alone, and no folder is read that others may have prepared."""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WRITTEN_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
USER_ONLY = stat.S_IRWXU

_holders = 0
_before = 0
_holding = threading.Lock()


@contextmanager
def private_files() -> Iterator[None]:
    """What this process, and every process started in the block, makes there is readable for the user alone.

    The mask belongs to the whole process: blocks may overlap in threads, and the last to end restores what was found.
    """
    _hold(1)
    try:
        yield
    finally:
        _hold(-1)


def _hold(step: int) -> None:
    global _holders, _before
    with _holding:
        if _holders == 0:
            _before = os.umask(0o077)
        _holders += step
        if _holders == 0:
            os.umask(_before)


def open_own(path: Path, flags: int) -> int:
    """Open a file for the user alone, made if need be; never through a link that somebody put in its place.

    Returns the descriptor. Raises OSError.
    """
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def make_private(folder: Path) -> None:
    """Close a folder and all that lies in it to other users; links, and what somebody else owns, stay as they are."""
    _close(folder)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            _close(Path(parent, name))


def _close(path: Path) -> None:
    mode = path.lstat().st_mode
    if not stat.S_ISLNK(mode) and mode & ~USER_ONLY & 0o777:
        with suppress(PermissionError):
            path.chmod(mode & USER_ONLY)


def claim(folder: Path, mode: int = USER_ONLY) -> str | None:
    """Take from a folder of the user's the permissions beyond ``mode``.

    Returns why the folder cannot be trusted, as the end of a sentence about it: somebody else owns it or the link that
    leads to it, or others could write there and did. None when it can.
    """
    if any(status.st_uid != os.geteuid() for status in (folder.lstat(), folder.stat())):
        return "belongs to another user"
    status = folder.stat()
    if status.st_mode & 0o777 & ~mode:
        with suppress(OSError):
            folder.chmod(status.st_mode & mode)
    if status.st_mode & WRITTEN_BY_OTHERS and any(entry.lstat().st_uid != os.geteuid() for entry in folder.iterdir()):
        return "was open to other users and holds files of theirs"
    return None


def outsiders(folder: Path) -> str | None:
    """Why somebody else may have put files into a folder, as the end of a sentence about it; None when nobody could."""
    status = folder.stat()
    if status.st_uid != os.geteuid():
        return "belongs to another user"
    return "can be written by other users" if status.st_mode & WRITTEN_BY_OTHERS else None
