"""Which layer of a network to explain, and the evaluation mode that it is explained in."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from audit.errors import ConfigError

_POOLING = (
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.LPPool2d,
    nn.FractionalMaxPool2d,
    nn.AdaptiveMaxPool2d,
    nn.AdaptiveAvgPool2d,
)
_MIXERS = ("attention", "transformer")


def last_spatial_layer(model: nn.Module, inputs: tuple[Any, ...]) -> str:
    """The name of the last layer with spatial output: what the paper calls the last convolutional layer.

    Of the modules that run once in a forward pass, the one that ends last with activations (N, C, h, w) of more than
    one position. What only pools them further does not count. The rectified conv5_3 of VGG-16 (``features.29``),
    ``layer4`` of a ResNet, ``features`` of a DenseNet, EfficientNet, ConvNeXt or MobileNet.

    Runs the model once. Raises ConfigError where there is no such layer, or where attention follows it, as in a vision
    transformer: there the caller must name the layer.
    """
    finished = _run(model, inputs)
    times = Counter(module for module, _ in finished)
    candidates = [index for index, (module, spatial) in enumerate(finished) if spatial and times[module] == 1]
    if not candidates:
        raise ConfigError("No layer of the model gives activations (N, C, h, w) with places in them; name one.")
    last, _ = finished[candidates[-1]]
    name: str = next(name for name, module in model.named_modules() if module is last)
    if any(_mixes(module) for module, _ in finished[candidates[-1] + 1 :]):
        raise ConfigError(
            f"Attention follows the last spatial layer '{name}', as in a transformer; name the layer to explain, "
            "with a reshape function from its tokens (N, L, C) to (N, C, h, w)."
        )
    return name


def named_layer(model: nn.Module, name: str) -> nn.Module:
    """The module of that name. Raises ConfigError if there is none."""
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise ConfigError(f"The model has no layer '{name}'; see model.named_modules() for the names.") from None


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put every module in evaluation mode, and afterwards back into the mode each was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    for module, _ in modes:
        if isinstance(module, nn.RNNBase) and not module.dropout:
            # cuDNN differentiates recurrent layers in training mode only, which without dropout computes the same.
            module.training = True
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _run(model: nn.Module, inputs: tuple[Any, ...]) -> list[tuple[nn.Module, bool]]:
    """The modules below ``model`` in the order in which they end, each with whether its output is spatial.

    A container that ends in pooling returns the very tensor that the pooling gave.
    """
    finished: list[tuple[nn.Module, bool]] = []
    pooled: Any = None

    def note(module: nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal pooled
        pooled = output if isinstance(module, _POOLING) else pooled
        finished.append((module, output is not pooled and _is_map(output)))

    handles = [module.register_forward_hook(note) for name, module in model.named_modules() if name]
    try:
        with evaluating(model), torch.no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return finished


def _is_map(output: Any) -> bool:
    return isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1


def _mixes(module: nn.Module) -> bool:
    return any(word in type(module).__name__.lower() for word in _MIXERS)
