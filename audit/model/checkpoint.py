"""Loading a given classifier, to be audited as its owner trained it: tensors from a file, never code."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audit.config import Arch, ModelConfig
from audit.errors import ConfigError, ModelFileError
from audit.model.architectures import build, split
from audit.model.device import IMAGENET_MEAN, IMAGENET_STD
from audit.model.pretrained import plain_state, read_untrusted
from audit.store.audit_folder import file_digest
from audit.text import at_most_ten, printable

# Wide enough for every architecture; larger images only take longer.
_PROBED_SIDE = 64


@dataclass(frozen=True)
class GivenModel:
    """The two parts of a given classifier, on the CPU, and the names of its outputs in their order."""

    trunk: nn.Sequential
    rest: nn.Sequential
    classes: tuple[str, ...]
    channels: int
    sha256: str


class GivenHead(nn.Module):
    """The rest of a given classifier, its scores in the order of the dataset's classes: (N, C, h, w) -> (N, classes).

    Outputs for classes that the dataset has not are left out.
    """

    order: Tensor

    def __init__(self, given: GivenModel, classes: int) -> None:
        super().__init__()
        self.rest = copy.deepcopy(given.rest)
        self.names = given.classes
        self.register_buffer("order", torch.zeros(classes, dtype=torch.int64))

    def answer_for(self, classes: Sequence[str]) -> None:
        """Put the outputs into the order of these classes. Raises ConfigError for one that the model does not know."""
        require_outputs(self.names, classes)
        self.order.copy_(torch.tensor([self.names.index(name) for name in classes]))

    def forward(self, activations: Tensor) -> Tensor:
        """Logits (N, classes) in the order asked for, from activations (N, C, h, w) of the explained layer."""
        scores: Tensor = self.rest(activations.float())[:, self.order]
        return scores


def require_outputs(names: Sequence[str], classes: Sequence[str]) -> None:
    """Raise ConfigError unless every class is among the ``names`` of a given classifier's outputs."""
    unknown = [name for name in classes if name not in names]
    if unknown:
        raise ConfigError(
            f"The model in model.checkpoint has no output for {at_most_ten(list(map(printable, unknown)))}; its "
            f"outputs are {at_most_ten(list(map(printable, names)))}. Name the folders or labels as they are."
        )


def load_given(settings: ModelConfig, path: Path) -> GivenModel:
    """The classifier of ``model.checkpoint``, of the form that ``model.arch`` names.

    The file holds a state_dict, or a dictionary of ``state_dict`` and perhaps ``classes``, the names of the outputs;
    ``model.classes`` wins. Raises MissingModelFile, ModelFileError where the tensors do not fit the architecture or
    the classifier gives no answers, and ConfigError where the outputs have no names or not as many as there are, or
    ``model.image_size`` is too small.
    """
    content = read_untrusted(path, "model.checkpoint")
    state, names = _state_and_names(path, content)
    network = build(settings.arch, _outputs(path, state, settings.arch))
    _fill(path, network, state, settings.arch)
    names = settings.classes or names
    classes = _checked_names(path, names, _outputs(path, state, settings.arch))
    trunk, rest = split(network.requires_grad_(False).to(memory_format=torch.channels_last))
    return GivenModel(trunk, rest, classes, _probe(path, trunk, rest, settings), file_digest(path))


def _state_and_names(path: Path, content: Any) -> tuple[dict[str, Tensor], object]:
    if isinstance(content, dict) and "state_dict" in content:
        return plain_state(path, content["state_dict"]), content.get("classes")
    return plain_state(path, content), None


def _outputs(path: Path, state: dict[str, Tensor], arch: Arch) -> int:
    """How many classes the file's last linear layer tells apart."""
    expected = build(arch, 2).state_dict()
    last_linear = [key for key, value in expected.items() if value.ndim == 2][-1]
    if last_linear not in state or state[last_linear].ndim != 2:
        raise ModelFileError(f"{path}: has no layer '{last_linear}', so it is no {arch}; correct model.arch.")
    return len(state[last_linear])


def _fill(path: Path, network: nn.Module, state: dict[str, Tensor], arch: Arch) -> None:
    """Give the network its weights, as float32. Raises ModelFileError unless they fit in every layer."""
    expected = network.state_dict()
    for key in sorted(expected.keys() | state.keys()):
        if key not in expected or key not in state or state[key].shape != expected[key].shape:
            raise ModelFileError(f"{path}: does not fit {arch} at '{printable(key)}'; correct model.arch.")
        if state[key].is_floating_point() and not torch.isfinite(state[key]).all():
            raise ModelFileError(f"{path}: '{key}' does not hold finite decimal numbers; replace the file.")
        if state[key].ndim > 1 and not state[key].any():
            raise ModelFileError(f"{path}: '{key}' holds nothing but zeros, as a damaged file would; replace the file.")
    network.load_state_dict({key: value.to(expected[key].dtype) for key, value in state.items()}, assign=True)


def _probe(path: Path, trunk: nn.Sequential, rest: nn.Sequential, settings: ModelConfig) -> int:
    """The trunk's number of channels, from a forward pass of three images.

    Raises ConfigError where these are too small for the network, ModelFileError where its scores are not finite or do
    not depend on the image.
    """
    images = _probe_images(min(_PROBED_SIDE, settings.image_size))
    try:
        with torch.no_grad():
            activations = trunk(images)
            scores = rest(activations)
    except RuntimeError as error:
        raise ConfigError(
            f"model.image_size: {settings.arch} cannot look at pictures of {images.shape[2]} pixels "
            f"({str(error).splitlines()[0]}); raise it."
        ) from None
    if not (activations.isfinite().all() and scores.isfinite().all()):
        raise ModelFileError(f"{path}: the model answers NaN or infinity instead of scores; replace the file.")
    if (scores == scores[0]).all():
        raise ModelFileError(
            f"{path}: the model answers the same whatever it sees, as one from a damaged file would; replace the file."
        )
    return int(activations.shape[1])


def _probe_images(side: int) -> Tensor:
    """Black, white and noise, normalised as any image: (3, 3, side, side)."""
    noise = torch.rand(3, side, side, generator=torch.Generator().manual_seed(0))
    pixels = torch.stack([torch.zeros_like(noise), torch.ones_like(noise), noise])
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (pixels - mean) / std


def _checked_names(path: Path, names: object, outputs: int) -> tuple[str, ...]:
    if names is None:
        raise ConfigError(
            f"{path}: does not say what its {outputs} outputs mean; name them in their order with model.classes."
        )
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ModelFileError(f"{path}: its 'classes' are no list of names; give model.classes.")
    if len(names) != outputs or len(set(names)) != outputs:
        raise ConfigError(
            f"{path}: has {outputs} outputs, but {len(set(names))} different names; correct model.classes."
        )
    return tuple(names)
