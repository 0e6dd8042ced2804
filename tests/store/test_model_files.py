"""A model file is what it was, over all its bytes, and is hashed once per size and change time."""

import hashlib
import os
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from audit.config import cache_folder, model_folder, parse_config
from audit.detection.registry import missing_cues
from audit.detectors.marks import text
from audit.errors import ModelFileError
from audit.model.pretrained import load_vgg16_weights
from audit.store import digest_memory, model_files
from audit.store.digest_memory import digest_once
from audit.store.model_files import (
    IMAGENET_WORDS,
    MODEL_FILES,
    TORCHVISION_NAME,
    VGG16,
    ModelFile,
    fetch_command,
    is_intact,
    require,
)
from audit.store.tensors import save_tensors

SIZE = 40_000


@pytest.fixture
def file(tmp_path, monkeypatch) -> ModelFile:
    """A converted model file in tmp_path, the only one of the table."""
    path = tmp_path / "own.safetensors"
    save_tensors(path, {"weight": torch.randn(SIZE // 4, generator=torch.Generator().manual_seed(0))}, {"origin": "x"})
    known = ModelFile(path.name, "w", "1", "m", "MIT", "0" * 64, converted_sha256=_sha256(path))
    monkeypatch.setattr(model_files, "BY_NAME", {known.name: known})
    return known


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _damages(content: bytes) -> dict[str, bytes]:
    """The file with a bit changed at many places, halves of zeros, cut short, and grown."""
    half, rng = len(content) // 2, np.random.default_rng(5)
    places = [0, 7, 8, 20, half, len(content) - 1, *rng.integers(0, len(content), 40)]
    flips = {f"flip at {at}": content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :] for at in places}
    return flips | {
        "first half zeros": bytes(half) + content[half:],
        "second half zeros": content[:half] + bytes(len(content) - half),
        "cut by one": content[:-1],
        "cut by half": content[:half],
        "empty": b"",
        "grown": content + b"\0",
    }


def test_damage_anywhere_is_noticed_and_the_command_that_mends_it_named(file, tmp_path):
    path = require(tmp_path, file.name)
    content = path.read_bytes()
    for damage, damaged in _damages(content).items():
        path.write_bytes(damaged)
        assert not is_intact(tmp_path, file), damage
        with pytest.raises(ModelFileError, match=r"own\.safetensors: damaged .* run `bias-audit fetch .*` to replace"):
            require(tmp_path, file.name)
    path.write_bytes(content)
    assert require(tmp_path, file.name) == path


def test_a_converted_file_is_not_believed_for_what_its_header_says(tmp_path):
    zeros = {"features.0.weight": torch.zeros(64, 3, 3, 3, dtype=torch.float16)}
    save_tensors(tmp_path / VGG16.name, zeros, {"source_sha256": VGG16.sha256})
    with pytest.raises(ModelFileError, match="damaged"):
        require(tmp_path, VGG16.name)


@pytest.mark.skipif(not (cache_folder() / VGG16.name).exists(), reason="run `bias-audit fetch` first")
def test_every_fetched_file_is_refused_under_the_name_of_another_and_with_a_bit_changed(tmp_path):
    rng = np.random.default_rng(3)
    for file, other in zip(MODEL_FILES, (*MODEL_FILES[1:], MODEL_FILES[0]), strict=True):
        content = (model_folder() / file.name).read_bytes()
        for at in (0, len(content) // 2, len(content) - 1, *rng.integers(0, len(content), 3)):
            changed = bytearray(content)
            changed[at] ^= 1 << int(rng.integers(8))
            (tmp_path / file.name).write_bytes(changed)
            assert not is_intact(tmp_path, file)
        (tmp_path / other.name).write_bytes(content)
        assert not is_intact(tmp_path, other)
        (tmp_path / file.name).write_bytes(content)
        assert is_intact(tmp_path, file)


def test_torchvisions_file_is_checked_beyond_the_digits_in_its_name(tmp_path, monkeypatch):
    save_file({"features.0.weight": torch.ones(1)}, tmp_path / TORCHVISION_NAME)
    other = "397923af" + "0" * 56
    monkeypatch.setattr(model_files, "digest_once", lambda path: other)
    with pytest.raises(ModelFileError, match=r"damaged .* fetch --full-vgg"):
        load_vgg16_weights(parse_config({"compute": {"models": str(tmp_path)}}))


def test_the_command_that_mends_is_whole(tmp_path):
    assert fetch_command(cache_folder()) == "bias-audit fetch"
    (tmp_path / IMAGENET_WORDS.name).write_bytes(b"damaged")
    with pytest.raises(ModelFileError) as caught:
        require(tmp_path, IMAGENET_WORDS.name)
    command = shlex.split(str(caught.value).split("`")[1])
    assert command == ["bias-audit", "fetch", "--words", "--set", f"compute.models={tmp_path}"]


@pytest.fixture
def hashed(monkeypatch) -> list[str]:
    """The names of files whose bytes were read."""
    names: list[str] = []
    really = hashlib.file_digest

    def count(handle, name):
        names.append(Path(handle.name).name)
        return really(handle, name)

    monkeypatch.setattr(digest_memory.hashlib, "file_digest", count)
    return names


@pytest.fixture
def large(tmp_path, monkeypatch) -> Path:
    """A file, taken for one that has not been changed for a while."""
    monkeypatch.setattr(digest_memory, "SETTLED_NS", -1)
    path = tmp_path / "large.bin"
    path.write_bytes(b"a" * 1000)
    return path


def test_an_unchanged_file_is_hashed_once(large, hashed, own_digests):
    assert {digest_once(large) for _ in range(5)} == {_sha256(large)}
    assert hashed == ["large.bin"]
    assert own_digests.stat().st_mode & 0o777 == 0o600


def test_a_changed_file_is_hashed_again_even_with_its_old_size_and_time(large, hashed):
    digest_once(large)
    before = large.stat()
    with large.open("r+b") as handle:
        handle.write(b"b")
    os.utime(large, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (large.stat().st_size, large.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert digest_once(large) == _sha256(large)
    large.replace(large.with_name("old.bin"))
    large.write_bytes(b"c" * 1000)
    assert digest_once(large) == _sha256(large)
    assert len(hashed) == 3


def test_a_file_that_was_just_written_is_not_remembered(large, hashed, monkeypatch):
    monkeypatch.setattr(digest_memory, "SETTLED_NS", 10**18)
    assert digest_once(large) == digest_once(large) == _sha256(large)
    assert len(hashed) == 2


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b"{", b'{"a": 1}', b'{"a": [1, 2, 3]}'])
def test_a_damaged_memory_only_costs_time(content, large, own_digests, hashed):
    own_digests.parent.mkdir(parents=True)
    own_digests.write_bytes(content)
    assert digest_once(large) == digest_once(large) == _sha256(large)
    assert len(hashed) == 1


def test_a_memory_that_cannot_be_written_only_costs_time(large, own_digests, hashed):
    own_digests.parent.write_bytes(b"a file where a folder should be")
    assert digest_once(large) == digest_once(large) == _sha256(large)
    assert len(hashed) == 2


def test_files_that_are_gone_are_forgotten(large, own_digests, tmp_path):
    digest_once(large)
    large.unlink()
    other = tmp_path / "other.bin"
    other.write_bytes(b"other")
    digest_once(other)
    assert "large.bin" not in own_digests.read_text() and "other.bin" in own_digests.read_text()


def test_networks_of_another_package_are_checked_against_its_own_list(tmp_path, monkeypatch):
    if text.missing_reader():
        pytest.skip(text.missing_reader())
    assert missing_cues(["text"]) == {}
    real = text.networks_folder()
    for name in (text.DETECTION, text.RECOGNITION):
        (tmp_path / name).write_bytes((real / name).read_bytes())
    monkeypatch.setattr(text, "networks_folder", lambda: tmp_path)
    assert missing_cues(["text"]) == {}
    with (tmp_path / text.RECOGNITION).open("r+b") as handle:
        handle.seek(1_000_000)
        byte = handle.read(1)[0]
        handle.seek(1_000_000)
        handle.write(bytes([byte ^ 1]))
    assert missing_cues(["text"]) == {"text": f"rapidocr's file {text.RECOGNITION} is damaged (reinstall rapidocr)"}
