"""Words for crops: the ImageNet classes that EfficientNet-Lite0 finds likeliest.

An optional extra: it is used only where ``bias-audit fetch --words`` has put the weights. Tan & Le, "EfficientNet"
(ICML 2019); Lite0 is Google's variant without squeeze-and-excitation, whose weights come in TensorFlow's layout.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad
from torchvision.models._meta import _IMAGENET_CATEGORIES

from audit.model.pretrained import read_state
from audit.store.model_files import IMAGENET_WORDS, require

SIDE = 224
_TOP = 3
_LEAST_SHARE = 1 / 3
# Expansion, channels, kernel, stride and repeats of each stage (EfficientNet, table 1; the same for Lite0).
_STAGES = (
    (1, 16, 3, 1, 1),
    (6, 24, 3, 2, 2),
    (6, 40, 5, 2, 2),
    (6, 80, 3, 2, 3),
    (6, 112, 5, 1, 3),
    (6, 192, 5, 2, 4),
    (6, 320, 3, 1, 1),
)


@dataclass(frozen=True)
class Resemblance:
    """A word, and in how many of the crops it was among the three likeliest."""

    word: str
    n: int
    of: int


def can_find_words(models: Path) -> bool:
    """Whether the weights were fetched."""
    return (models / IMAGENET_WORDS.name).exists()


def resemblances(models: Path, crops: Sequence[NDArray[np.uint8]]) -> list[Resemblance]:
    """Words that fit at least a third of some crops, uint8 RGB (224, 224, 3); most frequent first, at most three.

    Empty where the weights were not fetched. Raises ModelFileError when they are damaged.
    """
    if not crops or not can_find_words(models):
        return []
    return _vote(_top_words(load(models), crops), len(crops))


def load(models: Path) -> "EfficientNetLite0":
    """The network with the fetched weights, in evaluation mode. Raises MissingModelFile or ModelFileError."""
    state = read_state(require(models, IMAGENET_WORDS.name))
    network = EfficientNetLite0()
    network.load_state_dict({_renamed(key): value for key, value in state.items()})
    return network.eval().requires_grad_(False)


class EfficientNetLite0(nn.Module):
    """(N, 3, 224, 224) in [-1, 1] -> (N, 1000) scores of the ImageNet classes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem, self.bn0 = _SameConv(3, 32, 3, 2), _norm(32)
        blocks, before = [], 32
        for expansion, channels, kernel, stride, repeats in _STAGES:
            for repeat in range(repeats):
                blocks.append(_Block(before, channels, expansion, kernel, stride if repeat == 0 else 1))
                before = channels
        self.blocks = nn.Sequential(*blocks)
        self.conv_head, self.bn1 = _SameConv(before, 1280, 1, 1), _norm(1280)
        self.fc = nn.Linear(1280, 1000)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of the ImageNet classes, (N, 1000), from normalised pixels (N, 3, height, width)."""
        stem = self.bn0(self.conv_stem(pixels)).clamp(0, 6)
        head = self.bn1(self.conv_head(self.blocks(stem))).clamp(0, 6)
        scores: Tensor = self.fc(head.mean((2, 3)))
        return scores


class _SameConv(nn.Conv2d):
    """TensorFlow's padding "same": at stride 2 the odd pixel goes to the lower right."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        margins: list[int] = []
        for length in (inputs.shape[3], inputs.shape[2]):
            stride, kernel = self.stride[0], self.kernel_size[0]
            total = max(0, (-(-length // stride) - 1) * stride + kernel - length)
            margins += [total // 2, total - total // 2]
        return super().forward(pad(inputs, margins))


class _Block(nn.Module):
    """Inverted residual: widen by 1x1, filter each channel, project."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.widens = expansion > 1
        if self.widens:
            self.expand_conv, self.bn0 = _SameConv(inputs, wide, 1, 1), _norm(wide)
        self.depthwise_conv, self.bn1 = _SameConv(wide, wide, kernel, stride, groups=wide), _norm(wide)
        self.project_conv, self.bn2 = _SameConv(wide, outputs, 1, 1), _norm(outputs)
        self.skips = stride == 1 and inputs == outputs

    def forward(self, inputs: Tensor) -> Tensor:
        wide = self.bn0(self.expand_conv(inputs)).clamp(0, 6) if self.widens else inputs
        filtered = self.bn1(self.depthwise_conv(wide)).clamp(0, 6)
        projected: Tensor = self.bn2(self.project_conv(filtered))
        return projected + inputs if self.skips else projected


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def _renamed(key: str) -> str:
    return ".".join(part.removeprefix("_") for part in key.split("."))


def _top_words(network: nn.Module, crops: Sequence[NDArray[np.uint8]]) -> list[list[str]]:
    pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        top = network(pixels).topk(_TOP).indices.tolist()
    return [[_IMAGENET_CATEGORIES[index] for index in row] for row in top]


def _vote(words: Sequence[Sequence[str]], crops: int) -> list[Resemblance]:
    counts = Counter(word for row in words for word in row).most_common(_TOP)
    return [Resemblance(word, n, crops) for word, n in counts if n >= max(2, _LEAST_SHARE * crops)]
