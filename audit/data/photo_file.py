"""The bytes of a photograph: read once, never more than a picture can have, and those that were fingerprinted."""

import errno
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from audit.errors import ChangedImage, RejectedImage

# A file may have as many bytes as an uncompressed picture with four channels of 16 bits, and this much beside it.
BYTES_PER_PIXEL = 8
METADATA_BYTES = 64_000_000
CHANGED = "the file has changed since the audit read it"
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


@dataclass(frozen=True)
class PhotoFile:
    """A photograph that an audit knows: where it is, and the SHA-256, in hexadecimal, that its bytes must have."""

    path: Path
    sha256: str


Source = Path | PhotoFile
"""A file that nobody has read before, or one whose bytes are known."""


def read_content(source: Source, max_megapixels: float) -> bytes:
    """All bytes of a file, read once; those of a ``PhotoFile`` are the ones that were fingerprinted.

    Raises RejectedImage, with the reason but not the path, for a path at which there is no regular file that may be
    read, or one with more bytes than ``most_bytes``; and ChangedImage for a PhotoFile that is another one by now.
    """
    if isinstance(source, Path):
        return _read(source, max_megapixels)
    try:
        content = _read(source.path, max_megapixels)
    except RejectedImage as error:
        raise ChangedImage(str(source.path), str(error)) from None
    if content_digest(content) != source.sha256:
        raise ChangedImage(str(source.path), CHANGED)
    return content


def content_digest(content: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def most_bytes(max_megapixels: float) -> int:
    """The size of the largest file that is read: 864 MB at the default of 100 megapixels."""
    return METADATA_BYTES + round(BYTES_PER_PIXEL * max_megapixels * 1e6)


def _read(path: Path, max_megapixels: float) -> bytes:
    try:
        # Opening a device may move it, and is therefore not even tried; what is opened is judged again.
        _require_readable(path.stat(), max_megapixels)
        with open(path, "rb", opener=_open_at_once) as handle:
            size = _require_readable(os.fstat(handle.fileno()), max_megapixels)
            content = handle.read(size + 1)
    except (OSError, ValueError) as error:
        raise RejectedImage(_reason(error)) from error
    if len(content) != size:
        raise RejectedImage("the file changed while it was read")
    return content


def _open_at_once(path: str, flags: int) -> int:
    """Do not wait for somebody to write into a pipe that took the file's place."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _require_readable(status: os.stat_result, max_megapixels: float) -> int:
    """The size in bytes of what is a file with something in it, but not more than a picture has."""
    if not S_ISREG(status.st_mode):
        raise RejectedImage("not a regular file")
    if not status.st_size:
        raise RejectedImage("the file is empty")
    if status.st_size > most_bytes(max_megapixels):
        raise RejectedImage(
            f"too large: the file has {status.st_size / 1e6:.0f} megabytes, more than a picture of "
            f"{max_megapixels:g} megapixels (dataset.max_megapixels) takes"
        )
    return status.st_size


def _reason(error: OSError | ValueError) -> str:
    """A path that no file can have raises ValueError."""
    if isinstance(error, ValueError) or error.errno in _MISSING:
        return "the file is missing"
    if isinstance(error, PermissionError):
        return "the file may not be read (permission denied)"
    return f"the file cannot be read ({error.strerror})"
