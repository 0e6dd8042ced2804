"""Settings by their content: a file that they name counts by its bytes, wherever it lies, and not by its path."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from audit.store.audit_folder import file_digest, value_digest
from audit.store.digest_memory import digest_once

# Settings whose files enter a result. Images are told by the dataset stage, which reads each of them anyway.
FILES = frozenset({"manifest", "checkpoint", "weights", "boxes", "masks"})

# A smaller file is read sooner than it is looked up.
REMEMBERED_BYTES = 16_000_000


def by_content(settings: object) -> Any:
    """Settings, or a part of them, as plain JSON values in which every named file is replaced by its SHA-256.

    A folder of files is replaced by a digest of their names and bytes, what is not there by the word "missing".
    """
    match settings:
        case BaseModel():
            return by_content(settings.model_dump())
        case dict():
            return {name: _setting(name, value) for name, value in settings.items()}
        case list() | tuple():
            return [by_content(value) for value in settings]
        case Path():
            return str(settings)
    return settings


def _setting(name: str, value: object) -> Any:
    return path_digest(value) if name in FILES and isinstance(value, Path) else by_content(value)


def path_digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and bytes of all files below a folder; "missing" where nothing is."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return value_digest([(file.relative_to(path).as_posix(), path_digest(file)) for file in files])
    if not path.is_file():
        return "missing"
    return digest_once(path) if path.stat().st_size >= REMEMBERED_BYTES else file_digest(path)
