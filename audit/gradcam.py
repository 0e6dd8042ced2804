"""Grad-CAM (Selvaraju et al., ICCV 2017, section 3): where in a layer the evidence for a class lies."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from audit.errors import ConfigError


@dataclass(frozen=True)
class Explanation:
    """Result of one pass. N images, K classes each, C channels.

    maps: float32 (N, K, h, w), signed, in units of score; activations: (N, C, h, w); scores: the model's output.
    """

    maps: Tensor
    activations: Tensor
    scores: Tensor


def grad_cam(activations: Tensor, scores: Tensor) -> Tensor:
    """Grad-CAM maps of some scores with respect to some activations, before the ReLU.

    For the score y^c and the activations A^k of channel k, with Z positions i, j (paper, eq. 1 and 2)::

        alpha_k^c = 1/Z  sum_ij  d y^c / d A_ij^k          map^c = sum_k alpha_k^c A^k

    The paper rectifies the map; here the sign is kept, ``maps.clamp(min=0)`` is the paper's map and ``(-maps)`` of a
    linear head its counterfactual.

    Parameters: ``activations`` (N, C, h, w), part of the graph of ``scores`` (N, K); image n's scores may depend on
    image n's activations only. Returns float32 (N, K, h, w), detached. No ``.grad`` is written anywhere.

    >>> a = torch.ones(1, 2, 1, 1, requires_grad=True)
    >>> grad_cam(a, (a * torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)).sum((1, 2, 3))[:, None]).item()
    7.0
    """
    columns = scores.sum(0)
    maps = []
    for k in range(len(columns)):
        (gradient,) = torch.autograd.grad(columns[k], activations, retain_graph=k + 1 < len(columns))
        alpha = gradient.float().mean((2, 3), keepdim=True)
        maps.append((alpha * activations.detach().float()).sum(1))
    return torch.stack(maps, 1)


class GradCAM:
    """Grad-CAM for a layer of any convolutional classifier, leaving the model as it was.

    What comes before the layer runs without a graph, so a pass costs a forward pass plus the gradient from the score
    down to the layer. The layer's output is copied before it is handed on: an in-place ReLU behind it would otherwise
    overwrite the activations that the map is made of.

    ``layer`` is the name of a module inside ``model`` whose output is (N, C, h, w). Raises ConfigError if there is no
    such module or its output has another shape.
    """

    def __init__(self, model: nn.Module, layer: str) -> None:
        try:
            self.layer = model.get_submodule(layer)
        except AttributeError:
            raise ConfigError(f"The model has no layer '{layer}'; see model.named_modules() for the names.") from None
        self.model = model
        self.name = layer

    def __call__(self, inputs: Tensor, classes: Tensor) -> Explanation:
        """Explain class scores. ``inputs`` (N, 3, H, W); ``classes`` int64 (N,) or (N, K), indices into the output."""
        classes = classes.view(len(classes), -1)
        with _evaluating(self.model), torch.no_grad(), _watching(self.layer) as seen:
            scores = self.model(inputs)
            if len(seen) != 1 or seen[0].ndim != 4:
                raise ConfigError(f"Layer '{self.name}' must run once per pass and give (N, C, h, w) activations.")
            maps = grad_cam(seen[0], scores.gather(1, classes))
        return Explanation(maps, seen[0].detach(), scores.detach())


@contextmanager
def _watching(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the layer's outputs as leaves of a graph that starts there."""
    seen: list[Tensor] = []

    def hand_on_a_copy(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        torch.set_grad_enabled(True)  # the surrounding no_grad restores the caller's state when it ends
        seen.append(output.detach().requires_grad_())
        return seen[-1].clone()

    handle = layer.register_forward_hook(hand_on_a_copy)
    try:
        yield seen
    finally:
        handle.remove()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Put every module in evaluation mode, and back into the mode each was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
