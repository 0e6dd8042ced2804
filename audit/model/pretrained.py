"""VGG-16's pretrained weights, from the first file of them on this machine; nothing is ever downloaded here."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision.models import vgg16

from audit.config import Config, model_folder
from audit.errors import MissingModelFile, ModelFileError
from audit.store.digest_memory import digest_once
from audit.store.model_files import TORCHVISION_NAME, TORCHVISION_SHA256, VGG16, fetch_command, require, require_intact

_FEATURES, _CLASSIFIER = "features.", "classifier."


@dataclass(frozen=True)
class VggWeights:
    """Tensors of VGG-16, on the CPU.

    ``features`` holds the 13 convolutions under torchvision's names (``features.0.weight``), ``classifier`` the fully
    connected layers under their names inside torchvision's classifier (``0.weight``, ``3.weight``, ``6.weight``), or
    None where the file has none of VGG-16's shapes. ``origin`` is a phrase for the report, ``sha256`` the file's.
    """

    features: dict[str, Tensor]
    classifier: dict[str, Tensor] | None
    origin: str
    sha256: str


def load_vgg16_weights(config: Config) -> VggWeights:
    """Weights from ``model.weights``, else torchvision's cached file, else the small file of ``bias-audit fetch``.

    Raises MissingModelFile when none of them is there, and ModelFileError for a file that is not VGG-16's.
    """
    if config.model.weights is not None:
        return _load(config.model.weights, f"the file {config.model.weights.name} (model.weights)")
    models = model_folder(config)
    for folder in (models, Path(torch.hub.get_dir()) / "checkpoints"):
        if (folder / TORCHVISION_NAME).exists():
            return _load_torchvision(folder / TORCHVISION_NAME, models)
    origin = f"the Oxford VGG-16's ImageNet convolutions, from {VGG16.requirement} on the package index"
    return _load(require(models, VGG16.name), origin)


def read_state(path: Path) -> Mapping[str, Tensor]:
    """Tensors by name from a .safetensors file, or from a .pth or .pt file read without running code from it.

    Raises MissingModelFile when there is no such file and ModelFileError when it is anything else than tensors by name.
    """
    return plain_state(path, read_untrusted(path, "model.weights"))


def read_untrusted(path: Path, setting: str) -> Any:
    """What a weights file holds, tensors and plain values alone; ``setting`` is what named it.

    Raises MissingModelFile when there is no such file and ModelFileError when it holds more, or cannot be read.
    """
    if not path.is_file():
        raise MissingModelFile(f"{path}: there is no such file; correct {setting}.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ModelFileError(
            f"{path}: refused, since it holds more than tensors and could run code; save its state_dict alone."
        ) from None
    except (SafetensorError, OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise ModelFileError(f"{path}: cannot be read as weights ({error.__class__.__name__}); replace it.") from None


def plain_state(path: Path, state: Any) -> dict[str, Tensor]:
    """Tensors by name, freed of the prefix that DataParallel adds. Raises ModelFileError for anything else."""
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelFileError(f"{path}: holds no plain state_dict of tensors; save model.state_dict() alone.")
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def _load_torchvision(path: Path, models: Path) -> VggWeights:
    require_intact(path, TORCHVISION_SHA256, fetch_command(models, "--full-vgg"))
    return _load(path, f"torchvision's VGG-16, IMAGENET1K_V1 ({path.name})")


def _load(path: Path, origin: str) -> VggWeights:
    state = read_state(path)
    expected = _expected_shapes()
    features = {key: _checked(path, key, state, shape) for key, shape in expected.items() if key.startswith(_FEATURES)}
    return VggWeights(features, _classifier(state, expected), origin, digest_once(path))


def _expected_shapes() -> dict[str, torch.Size]:
    with torch.device("meta"):
        state = vgg16(weights=None, init_weights=False).state_dict()
    return {key: value.shape for key, value in state.items()}


def _checked(path: Path, key: str, state: Mapping[str, Tensor], shape: torch.Size) -> Tensor:
    if key not in state:
        raise ModelFileError(f"{path}: has no tensor '{key}'; give weights of torchvision's vgg16.")
    value = state[key]
    if value.shape != shape:
        raise ModelFileError(
            f"{path}: '{key}' has the shape {tuple(value.shape)}, expected {tuple(shape)}; "
            "give weights of torchvision's vgg16."
        )
    if not value.is_floating_point() or not torch.isfinite(value).all():
        raise ModelFileError(f"{path}: '{key}' does not hold finite decimal numbers; replace the file.")
    if value.ndim > 1 and not value.any():
        raise ModelFileError(f"{path}: '{key}' holds nothing but zeros, as a damaged file would; replace the file.")
    return value


def _classifier(state: Mapping[str, Tensor], expected: Mapping[str, torch.Size]) -> dict[str, Tensor] | None:
    """The fully connected layers; fc8 (``6``) may have any number of classes or be missing, since it is made anew."""
    layers = {key.removeprefix(_CLASSIFIER): value for key, value in state.items() if key.startswith(_CLASSIFIER)}
    needed = [f"{layer}.{part}" for layer in (0, 3) for part in ("weight", "bias")]
    fits = all(key in layers and layers[key].shape == expected[_CLASSIFIER + key] for key in needed)
    return layers if fits else None
