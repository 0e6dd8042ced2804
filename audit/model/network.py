"""The classifier: a frozen trunk, a trained tail that ends at the explained layer, and a head."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import vgg16

from audit.config import Config, Head, ModelConfig
from audit.errors import ConfigError
from audit.model.checkpoint import GivenHead, GivenModel, load_given
from audit.model.device import Runtime
from audit.model.pretrained import VggWeights, load_vgg16_weights

# Index of the first trained layer in torchvision's vgg16().features; layer 29 is the rectified conv5_3.
_VGG16_TAIL = {"head": 30, "conv5": 24, "all": 0}
_VGG16_TARGET_END = 30
_TINY_CHANNELS = (16, 32, 48)


class GapHead(nn.Module):
    """Global average pool, fixed standardisation, linear layer: (N, C, h, w) -> (N, classes).

    The standardisation is affine, so Grad-CAM equals CAM with the weights ``linear.weight / std`` (paper, section 3.1).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))
        self.linear = nn.Linear(channels, classes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def standardise(self, pooled: Tensor) -> None:
        """Take mean and standard deviation from pooled activations (N, C) of the training images."""
        self.mean.copy_(pooled.mean(0))
        self.std.copy_(pooled.std(0).clamp(min=1e-3))

    def forward(self, activations: Tensor) -> Tensor:
        """Logits (N, classes) from activations (N, C, h, w): averaged over positions, standardised, linear layer."""
        scores: Tensor = self.linear((activations.float().mean((2, 3)) - self.mean) / self.std)
        return scores


class FcHead(nn.Module):
    """VGG-16's own fc6-fc7-fc8 behind pool5, with a new fc8 for the dataset's classes."""

    def __init__(self, classifier: dict[str, Tensor], classes: int) -> None:
        super().__init__()
        layers = list(vgg16(weights=None, init_weights=False).classifier)
        self.pool = nn.Sequential(nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(7))
        self.layers = nn.Sequential(*layers[:-1])
        # Fine-tuned files may end in layers of their own; fc6 and fc7 are all that is taken over.
        self.layers.load_state_dict({key: classifier[key] for key in self.layers.state_dict()})
        self.fc8 = nn.Linear(4096, classes)
        nn.init.normal_(self.fc8.weight, std=0.01)
        nn.init.zeros_(self.fc8.bias)

    def forward(self, activations: Tensor) -> Tensor:
        """Logits (N, classes) from activations (N, 512, h, w) of the last convolution."""
        output: Tensor = self.fc8(self.layers(self.pool(activations.float()).flatten(1)))
        return output


class Network(nn.Module):
    """trunk (frozen, shared by all folds) -> tail (trained; its output is the explained layer) -> head."""

    def __init__(self, trunk: nn.Sequential, tail: nn.Sequential, head: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk.requires_grad_(False)
        self.tail = tail
        self.head = head

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (N, classes) from normalised pixels (N, 3, height, width)."""
        scores: Tensor = self.head(self.tail(self.trunk(pixels)))
        return scores

    def trained_state(self) -> dict[str, Tensor]:
        """What differs between folds: the tail's and the head's tensors."""
        return {key: value for key, value in self.state_dict().items() if not key.startswith("trunk.")}

    def load_trained_state(self, state: dict[str, Tensor]) -> None:
        """Inverse of ``trained_state``."""
        self.load_state_dict({**{k: v for k, v in self.state_dict().items() if k.startswith("trunk.")}, **state})


@dataclass(frozen=True)
class Origin:
    """Where the pretrained weights came from."""

    sentence: str
    sha256: str


@dataclass(frozen=True)
class Backbone:
    """Pretrained layers in two parts: the frozen trunk, and the tail that every fold trains a copy of.

    ``given`` is a classifier that is audited as its owner trained it; nothing of it is trained, and its tail is empty.
    """

    trunk: nn.Sequential
    tail: nn.Sequential
    channels: int
    classifier: dict[str, Tensor] | None
    origin: Origin
    given: GivenModel | None = None

    def on(self, runtime: Runtime) -> "Backbone":
        """The same layers on the runtime's device."""
        return replace(self, trunk=self.trunk.to(runtime.device), tail=self.tail.to(runtime.device))

    def network(self, head: Head, classes: int, runtime: Runtime) -> Network:
        """A network whose tail is a copy of the pretrained one and whose head is new or given, on the runtime's device.

        ``head`` is ``model.head``. Raises ConfigError for ``fc`` when the weights hold no fully connected layers.
        """
        tail = copy.deepcopy(self.tail).requires_grad_(True)
        return Network(self.trunk, tail, self._head(head, classes)).to(runtime.device)

    def _head(self, head: Head, classes: int) -> nn.Module:
        if self.given is not None:
            return GivenHead(self.given, classes)
        if head == "gap":
            return GapHead(self.channels, classes)
        if self.classifier is None:
            raise ConfigError(
                "model.head: fc needs weights with fully connected layers, and these have none; "
                "use head: gap, or fetch torchvision's file with `bias-audit fetch --full-vgg`."
            )
        return FcHead(self.classifier, classes)


def load_backbone(config: Config) -> Backbone:
    """The pretrained layers that the settings name.

    Raises MissingModelFile or ModelFileError for a file of weights, ConfigError for an arch that needs a checkpoint.
    """
    if config.model.checkpoint is not None:
        return _given(config.model, config.model.checkpoint)
    if config.model.arch == "tiny":
        return _tiny(config)
    if config.model.arch != "vgg16":
        raise ConfigError(
            f"model.arch: {config.model.arch} is only audited as its owner trained it: give its weights as "
            "model.checkpoint, or let bias-audit train a vgg16."
        )
    return _vgg16(load_vgg16_weights(config), _VGG16_TAIL[config.model.fine_tune])


def _vgg16(weights: VggWeights, first_trained: int) -> Backbone:
    layers = vgg16(weights=None, init_weights=False).features[:_VGG16_TARGET_END]
    state = {key.removeprefix("features."): value.float() for key, value in weights.features.items()}
    layers.load_state_dict(state)
    origin = Origin(weights.origin, weights.sha256)
    return Backbone(*_split(layers, first_trained), 512, weights.classifier, origin)


def _given(settings: ModelConfig, path: Path) -> Backbone:
    given = load_given(settings, path)
    origin = Origin(f"a {settings.arch} that was trained elsewhere, from the file {path.name}", given.sha256)
    return Backbone(given.trunk, nn.Sequential(), given.channels, None, origin, given)


def _tiny(config: Config) -> Backbone:
    """Three convolutions with seeded random weights: stride 4, for tests and dry runs."""
    generator = torch.Generator().manual_seed(config.seed)
    modules: list[nn.Module] = []
    before = 3
    for channels in _TINY_CHANNELS:
        convolution = nn.Conv2d(before, channels, 3, padding=1)
        nn.init.kaiming_normal_(convolution.weight, generator=generator)
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        modules += [convolution, nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        before = channels
    layers = nn.Sequential(*modules[:-1])
    split = {"head": len(layers), "conv5": len(layers) - 2, "all": 0}[config.model.fine_tune]
    origin = Origin("three convolutions with random weights (a test network, not for real audits)", "")
    return Backbone(*_split(layers, split), before, None, origin)


def _split(layers: nn.Sequential, first_trained: int) -> tuple[nn.Sequential, nn.Sequential]:
    # In-place ReLUs would overwrite activations that were just handed out to be cached or explained.
    for module in layers:
        if isinstance(module, nn.ReLU):
            module.inplace = False
    layers = layers.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return layers[:first_trained], layers[first_trained:]
