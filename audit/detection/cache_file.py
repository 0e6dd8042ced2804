"""The file in which detectors' answers are kept: an SQLite database that may be damaged, locked or lost at any time.

It only saves time. Whatever is wrong with it, no audit ends, and no answer comes out that was not put in.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from audit.progress import note
from audit.store.private import claim

T = TypeVar("T")
Row = tuple[str, str, bytes]

WAIT_SECONDS = 60.0
# Files put aside that are kept, the latest ones.
KEPT_COPIES = 3
_TABLE = "CREATE TABLE IF NOT EXISTS answers (photo TEXT, detector TEXT, answer BLOB, PRIMARY KEY (photo, detector))"
_SELECT = "SELECT answer FROM answers WHERE photo = ? AND detector = ?"
_REPLACE = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?)"
_COMPANIONS = ("-journal", "-wal", "-shm")
_SEAL_BYTES = 16
# Model files lie in the same folder, and may be shared.
_OTHERS_READ = 0o755
# What SQLite says of places, locks and disks; all else it says is about the content of the file.
_NOT_DAMAGE = (
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_AUTH,
)
_PLENTY_BYTES = 64_000_000
_ATTEMPTS = 4
# SQLite quotes damaged content in its messages, which then are no text: that raises a ValueError instead.
_FAILURES = (sqlite3.Error, MemoryError, ValueError)


class AnswerFile:
    """Contents by photograph and detector, as they were written or not at all. Several audits may use one file.

    A damaged file is put aside with a note, whenever the damage shows, and begun anew; one that cannot be used is left
    alone, with a note. ``losses`` counts how often what was in it got out of reach.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.losses = 0
        self._is_readable = self._is_writable = True
        self._database: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._read(lambda database: None)

    def get(self, photo: str, detector: str) -> bytes | None:
        """What was put last under these two names; None if there is nothing, or it is damaged."""
        row = self._read(lambda database: database.execute(_SELECT, (photo, detector)).fetchone())
        return _unsealed(photo, detector, row[0]) if row else None

    def put(self, rows: Sequence[Row]) -> None:
        """Write (photograph, detector, content) rows in one short transaction."""
        if not rows or not self._is_writable:
            return
        sealed = [(photo, detector, _seal(photo, detector, content) + content) for photo, detector, content in rows]
        try:
            self._do(lambda database: _insert(database, sealed))
        except _Unusable as error:
            self._is_writable = False
            note(f"{self.path}: cannot be written ({error}), so what detectors see now is not kept.")

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            with suppress(*_FAILURES):
                self._database.close()
        self._database = None

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        if not self._is_readable:
            return None
        try:
            return self._do(work)
        except _Unusable as error:
            self._is_readable = self._is_writable = False
            self.losses += 1
            self.close()
            note(f"{self.path}: cannot be used ({error}), so every photograph is looked at anew.")
            return None

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the database, with a new one if this one proves to be damaged. Raises _Unusable."""
        for _ in range(_ATTEMPTS):
            try:
                return work(self._database or self._open())
            except (*_FAILURES, OSError) as error:
                reason = str(error)
                if not is_damage(error, self.path):
                    break
            self._begin_anew()
        raise _Unusable(reason)

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if doubt := claim(self.path.parent, _OTHERS_READ):
            raise _Unusable(f"its folder {doubt}")
        # What detectors saw and read in private photographs is nobody else's business.
        if not self.path.exists():
            self.path.touch(0o600)
        self.path.chmod(0o600)
        self._database = sqlite3.connect(self.path, timeout=WAIT_SECONDS)
        self._identity = _identity(self.path)
        self._database.execute(_TABLE)
        return self._database

    def _begin_anew(self) -> None:
        """Put the file aside, unless another audit has done so since this one opened it. Raises _Unusable."""
        self.close()
        self.losses += 1
        try:
            with _alone(self.path):
                if _identity(self.path) == self._identity:
                    put_aside(self.path)
        except OSError as error:
            raise _Unusable(str(error)) from None


class _Unusable(Exception):
    """The file can be neither used nor begun anew; the text says why."""


def _insert(database: sqlite3.Connection, rows: Sequence[Row]) -> None:
    with database:
        database.executemany(_REPLACE, rows)


def _seal(photo: str, detector: str, content: bytes) -> bytes:
    """A checksum over all columns: a damaged name must not make one photograph's answer another's."""
    return hashlib.sha256(json.dumps([photo, detector]).encode() + content).digest()[:_SEAL_BYTES]


def _unsealed(photo: str, detector: str, answer: object) -> bytes | None:
    if not isinstance(answer, bytes):
        return None
    seal, content = answer[:_SEAL_BYTES], answer[_SEAL_BYTES:]
    return content if seal == _seal(photo, detector, content) else None


def is_damage(error: Exception, path: Path) -> bool:
    """Whether a failure comes of the file's content, not of its place, its disk or another audit's lock on it."""
    if not isinstance(error, _FAILURES):
        return False
    # The low byte is the kind of error, the others say more about it.
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF:
        case sqlite3.SQLITE_READONLY:
            return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        case sqlite3.SQLITE_FULL:
            return shutil.disk_usage(path.parent).free > _PLENTY_BYTES
        case code:
            return code not in _NOT_DAMAGE


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one audit at a time put the file aside."""
    with path.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def put_aside(path: Path) -> None:
    """Rename the file, and what SQLite keeps beside it first: a new database must not find an old one's journal."""
    aside = _copies_aside(path)
    number = _number(aside[-1]) + 1 if aside else 1
    place = path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")
    for companion in (*_COMPANIONS, ""):
        with suppress(FileNotFoundError):
            Path(f"{path}{companion}").replace(f"{place}{companion}")
    note(f"{path}: damaged, so it was put aside as {place.name} and begun anew.")
    for old in aside[: 1 - KEPT_COPIES]:
        for companion in (*_COMPANIONS, ""):
            Path(f"{old}{companion}").unlink(missing_ok=True)
        note(f"{old}: deleted; only the last {KEPT_COPIES} damaged ones are kept.")


def _copies_aside(path: Path) -> list[Path]:
    """Earlier files that were put aside, oldest first."""
    return sorted(path.parent.glob(f"{path.stem}.damaged-*{path.suffix}"), key=_number)


def _number(aside: Path) -> int:
    """The number in the name of a file that was put aside.

    >>> _number(Path("detections.damaged-12.sqlite"))
    12
    """
    digits = aside.stem.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0
