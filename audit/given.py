"""A classifier that its owner has trained, to be audited as it is: tensors from a file, never code."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audit.architectures import build, split
from audit.config import Config
from audit.errors import ConfigError, ModelFileError
from audit.folder import file_digest
from audit.listing import at_most_ten, printable
from audit.weights import plain_state, read_untrusted


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
        unknown = [name for name in classes if name not in self.names]
        if unknown:
            raise ConfigError(
                f"The model in model.checkpoint has no output for {at_most_ten(list(map(printable, unknown)))}; its "
                f"outputs are {at_most_ten(list(map(printable, self.names)))}. Name the folders or labels as they are."
            )
        self.order.copy_(torch.tensor([self.names.index(name) for name in classes]))

    def forward(self, activations: Tensor) -> Tensor:
        scores: Tensor = self.rest(activations.float())[:, self.order]
        return scores


def load_given(config: Config, path: Path) -> GivenModel:
    """The classifier of ``model.checkpoint``, of the form that ``model.arch`` names.

    The file holds a state_dict, or a dictionary of ``state_dict`` and perhaps ``classes``, the names of the outputs;
    ``model.classes`` wins. Raises MissingModelFile, ModelFileError where the tensors do not fit the architecture, and
    ConfigError where the outputs have no names or not as many as there are.
    """
    content = read_untrusted(path, "model.checkpoint")
    state, names = _state_and_names(path, content)
    network = build(config.model.arch, _outputs(path, state, config))
    _fill(path, network, state, config)
    names = config.model.classes or names
    classes = _checked_names(path, names, _outputs(path, state, config))
    trunk, rest = split(network.requires_grad_(False).to(memory_format=torch.channels_last))
    with torch.no_grad():
        channels = trunk(torch.zeros(1, 3, 64, 64)).shape[1]
    return GivenModel(trunk, rest, classes, channels, file_digest(path))


def _state_and_names(path: Path, content: Any) -> tuple[dict[str, Tensor], object]:
    if isinstance(content, dict) and "state_dict" in content:
        return plain_state(path, content["state_dict"]), content.get("classes")
    return plain_state(path, content), None


def _outputs(path: Path, state: dict[str, Tensor], config: Config) -> int:
    """How many classes the file's last linear layer tells apart."""
    expected = build(config.model.arch, 2).state_dict()
    last = [key for key, value in expected.items() if value.ndim == 2][-1]
    if last not in state or state[last].ndim != 2:
        raise ModelFileError(f"{path}: has no layer '{last}', so it is no {config.model.arch}; correct model.arch.")
    return len(state[last])


def _fill(path: Path, network: nn.Module, state: dict[str, Tensor], config: Config) -> None:
    """Give the network its weights, as float32. Raises ModelFileError unless they fit in every layer."""
    expected = network.state_dict()
    for key in sorted(expected.keys() | state.keys()):
        if key not in expected or key not in state or state[key].shape != expected[key].shape:
            raise ModelFileError(f"{path}: does not fit {config.model.arch} at '{printable(key)}'; correct model.arch.")
        if state[key].is_floating_point() and not torch.isfinite(state[key]).all():
            raise ModelFileError(f"{path}: '{key}' does not hold finite decimal numbers; replace the file.")
    network.load_state_dict({key: value.to(expected[key].dtype) for key, value in state.items()}, assign=True)


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
