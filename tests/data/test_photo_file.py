"""Bytes of photographs: read once, bounded, never waited for, and told when they are not those that are known."""

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.data import photo_file
from audit.data.decode import open_photo
from audit.data.duplicates import fingerprint
from audit.data.photo_file import CHANGED, PhotoFile, most_bytes, read_content
from audit.errors import ChangedImage, RejectedImage


def known(path: Path) -> PhotoFile:
    return PhotoFile(path, hashlib.sha256(path.read_bytes()).hexdigest())


def test_known_bytes_come_and_others_are_told(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    file = known(path)
    assert read_content(file, 100) == read_content(path, 100) == b"one"
    path.write_bytes(b"two")
    with pytest.raises(ChangedImage) as caught:
        read_content(file, 100)
    again = pickle.loads(pickle.dumps(caught.value))  # As it comes back from a worker.
    for error in (caught.value, again):
        assert (error.path, error.reason) == (str(path), CHANGED)
        assert str(error) == (
            f"{path}: {CHANGED}; put back the file that was audited, or run the audit again: it begins with the "
            "photographs as they are now."
        )
    path.unlink()
    with pytest.raises(ChangedImage, match=r"a\.png: the file is missing; put back"):
        read_content(file, 100)


def test_what_is_larger_than_any_picture_is_not_read(tmp_path):
    """Its bytes are never allocated: the file claims a terabyte."""
    assert most_bytes(100.0) == 864_000_000
    path = tmp_path / "a.tiff"
    with path.open("wb") as handle:
        handle.truncate(10**12)
    with pytest.raises(RejectedImage, match=r"too large: the file has 1000000 megabytes, .* 100 megapixels"):
        read_content(path, 100)
    assert fingerprint(path, 100).reason.startswith("too large")


def test_a_picture_of_the_most_bytes_per_pixel_fits(tmp_path):
    """16 bits in four channels, not compressed, is the largest that any of the formats holds."""
    side = 400
    Image.fromarray(np.zeros((side, side, 4), np.uint8)).save(tmp_path / "a.tiff")
    assert 2 * (tmp_path / "a.tiff").stat().st_size < most_bytes(side * side / 1e6) - photo_file.METADATA_BYTES + 10_000


def test_a_pipe_that_takes_the_file_s_place_is_not_waited_for(tmp_path, monkeypatch):
    """The first look sees a file; what is opened is a pipe into which nobody writes."""
    path, file = tmp_path / "a.png", tmp_path / "file"
    os.mkfifo(path)
    file.write_bytes(b"one")
    status = file.stat()
    monkeypatch.setattr(Path, "stat", lambda self: status)
    with pytest.raises(RejectedImage, match="not a regular file"):
        read_content(path, 100)


def test_a_file_that_is_written_while_it_is_read_is_told(tmp_path, monkeypatch):
    path, fstat = tmp_path / "a.png", os.fstat
    path.write_bytes(b"one")

    def grows(handle):
        status = fstat(handle)
        path.write_bytes(b"longer than before")
        return status

    monkeypatch.setattr(photo_file.os, "fstat", grows)
    with pytest.raises(RejectedImage, match="changed while it was read"):
        read_content(path, 100)


def test_size_digest_and_picture_are_of_one_reading(tmp_path, monkeypatch):
    """The file becomes another one as soon as it was read: nothing of that one shows."""
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 30), "red").save(path)
    content, read = path.read_bytes(), photo_file.read_content

    def read_and_replace(*arguments):
        found = read(*arguments)
        Image.effect_noise((90, 80), 50).save(path)
        return found

    monkeypatch.setattr("audit.data.duplicates.read_content", read_and_replace)
    found = fingerprint(path, 100)
    assert (found.width, found.height, found.bytes) == (40, 30, len(content))
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    with pytest.raises(ChangedImage):
        open_photo(PhotoFile(path, found.sha256))
