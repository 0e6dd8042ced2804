"""SHA-256 of large files, worked out once per size and change time and remembered in the cache folder."""

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from audit.config import cache_folder
from audit.store.audit_folder import write_atomically

# A file that was changed this recently may be changed again without its times showing it.
SETTLED_NS = 2_000_000_000
Identity = list[int]


def digest_once(path: Path) -> str:
    """SHA-256 of a file in hexadecimal; its bytes are read only if it is not the file that was read last time.

    The same file has the same size, times of modification and of change (ns), inode and device. Where the memory
    cannot be read or written the bytes are read again. Raises OSError for a file that cannot be read.
    """
    remembered = _memory().get(str(path.absolute()))
    if remembered is not None and remembered[0] == _identity(path.stat()):
        return str(remembered[1])
    with path.open("rb") as handle:
        before = _identity(os.fstat(handle.fileno()))
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
        after = _identity(os.fstat(handle.fileno()))
    if before == after and _is_settled(after):
        _remember(path, after, digest)
    return digest


def memory_path() -> Path:
    """The file in which digests are remembered."""
    return cache_folder() / "digests.json"


def _identity(status: os.stat_result) -> Identity:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev]


def _is_settled(identity: Identity) -> bool:
    return time.time_ns() - max(identity[1:3]) > SETTLED_NS


def _memory() -> dict[str, tuple[Identity, str]]:
    """By absolute path, what a file was and its digest; empty where the memory is missing or damaged."""
    try:
        entries = json.loads(memory_path().read_text(encoding="utf-8"))
        return {str(path): (list(identity), str(digest)) for path, (identity, digest) in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _remember(path: Path, identity: Identity, digest: str) -> None:
    """Add a file to the memory; files that are gone leave it."""
    entries = {file: entry for file, entry in _memory().items() if Path(file).exists()}
    entries[str(path.absolute())] = (identity, digest)
    with suppress(OSError):
        write_atomically(memory_path(), lambda aside: _fill(aside, json.dumps(entries, indent=1)))


def _fill(path: Path, text: str) -> None:
    # Who else may write it decides what passes for intact.
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
