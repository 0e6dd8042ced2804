"""Grad-CAM (Selvaraju et al., IJCV 2019, section 3): maps of the positions in a layer that a score depends on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from audit.cam.target_layer import evaluating, last_spatial_layer, named_layer
from audit.errors import ConfigError

Inputs = Tensor | tuple[Any, ...]
Target = Tensor | Callable[[Any], Tensor]
Reshape = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Explanation:
    """Result of one pass. N images, K scores each, C channels.

    maps: float32 (N, K, h, w), signed, in units of score; activations: (N, C, h, w); scores: (N, K), what the maps
    explain; output: all that the model returned, detached if it is a tensor.
    """

    maps: Tensor
    activations: Tensor
    scores: Tensor
    output: Any


def grad_cam(activations: Tensor, scores: Tensor, reshape: Reshape | None = None) -> Tensor:
    """Grad-CAM maps of some scores with respect to some activations, before the ReLU.

    For the score y^c and the activations A^k of channel k, with Z positions i, j (paper, eq. 1 and 2)::

        alpha_k^c = 1/Z  sum_ij  d y^c / d A_ij^k          map^c = sum_k alpha_k^c A^k

    The paper rectifies the map; here the sign is kept, ``maps.clamp(min=0)`` is the paper's map.

    Parameters: ``activations`` (N, C, h, w), part of the graph of ``scores`` (N, K); image n's scores may depend on
    image n's activations only. ``reshape`` turns activations of another form into (N, C, h, w) by moving or leaving out
    entries, the tokens of a transformer for example. Returns float32 (N, K, h, w), detached. No ``.grad`` is written.
    Raises ConfigError when the scores do not depend on the activations.

    >>> a = torch.ones(1, 2, 1, 1, requires_grad=True)
    >>> grad_cam(a, (a * torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)).sum((1, 2, 3))[:, None]).item()
    7.0
    """
    reshape = reshape or (lambda tensor: tensor)
    positions = reshape(activations.detach()).float()
    alphas = [reshape(gradient).float().mean((2, 3)) for gradient in _gradients(scores, activations)]
    with torch.autocast(positions.device.type, enabled=False):
        return torch.einsum("knc,nchw->nkhw", torch.stack(alphas), positions)


def counterfactual(maps: Tensor) -> Tensor:
    """The paper's counterfactual maps (section 3.3): the evidence against the score at each position, >= 0.

    Negating the gradient negates every alpha, so that the map is the rectified negative of the signed one.

    >>> counterfactual(torch.tensor([[2.0, -3.0]])).tolist()
    [[0.0, 3.0]]
    """
    return (-maps).clamp(min=0)


def enlarge(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (N, K, h, w) at an image's ``size`` (height, width), bilinear as in the paper: (N, K, height, width)."""
    return interpolate(maps, size, mode="bilinear", align_corners=False)


class GradCAM:
    """Grad-CAM for a layer of any convolutional network, leaving the model as it was.

    What comes before the layer runs without a graph, so a pass costs a forward pass plus the gradient from the scores
    down to the layer; further scores cost a small part of the first. The layer's output is copied before it is handed
    on: an in-place ReLU behind it would otherwise overwrite the activations that the map is made of. It runs in the
    precision of the caller's ``torch.autocast`` and is fastest for channels-last images; maps are always float32.

    ``layer`` is the name of a module inside ``model``; None takes ``last_spatial_layer`` of the first images given.
    Its output must be (N, C, h, w), or ``reshape`` must make that of it. Raises ConfigError if there is no such module
    or its output has another shape.
    """

    def __init__(self, model: nn.Module, layer: str | None = None, reshape: Reshape | None = None) -> None:
        if layer is not None:
            named_layer(model, layer)
        self.model = model
        self.layer = layer
        self.reshape = reshape

    def __call__(self, inputs: Inputs, target: Target) -> Explanation:
        """Explain K scores of each of N images.

        ``inputs`` are the images (N, 3, H, W), or a tuple of all that the model takes. ``target`` says what to
        explain: classes, int64 (N,) or (N, K), as indices into the model's output (N, classes); or a function that
        turns whatever the model returns into scores (N,) or (N, K), such as the log-probability of a caption. Raises
        ConfigError where the layer runs more than once or gives another shape, where the output has no such classes,
        and where the scores do not depend on the layer.
        """
        with torch.inference_mode(False), torch.no_grad(), evaluating(self.model):
            arguments = own_copies(inputs)
            self.layer = self.layer or last_spatial_layer(self.model, arguments)
            with _watching(named_layer(self.model, self.layer)) as outputs:
                output = self.model(*arguments)
            activations = self._only(outputs)
            scores = pick_scores(output, target, len(activations))
            maps = grad_cam(activations, scores, self.reshape)
        output = output.detach() if isinstance(output, Tensor) else output
        return Explanation(maps, activations.detach(), scores.detach(), output)

    def _only(self, outputs: list[Any]) -> Tensor:
        reshape = self.reshape or (lambda tensor: tensor)
        if len(outputs) != 1 or not isinstance(outputs[0], Tensor) or reshape(outputs[0].detach()).ndim != 4:
            raise ConfigError(f"Layer '{self.layer}' must run once per pass and give (N, C, h, w) activations.")
        return outputs[0]


def own_copies(inputs: Inputs) -> tuple[Any, ...]:
    """The model's arguments, tensors copied, so that a model that works in place does not change the caller's."""
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    return tuple(value.detach().clone() if isinstance(value, Tensor) else value for value in arguments)


def pick_scores(output: Any, target: Target, n: int) -> Tensor:
    """What is to be explained, out of what the model returned, as ``GradCAM`` takes it: (N, K).

    Raises ConfigError where the output has no such classes or the function gives something else than N scores.
    """
    if not isinstance(target, Tensor):
        scores = target(output)
        if not isinstance(scores, Tensor) or scores.ndim not in (1, 2) or len(scores) != n:
            raise ConfigError(f"The target function must give scores (N,) or (N, K) for the {n} images.")
        return scores.view(n, -1)
    if not isinstance(output, Tensor) or output.ndim != 2:
        raise ConfigError("The model's output is not (N, classes); give a function of it instead of classes.")
    classes = target.to(output.device).view(len(target), -1)
    if len(classes) != n or not 0 <= int(classes.min()) <= int(classes.max()) < output.shape[1]:
        raise ConfigError(f"Expected classes 0 to {output.shape[1] - 1} for each of {n} images.")
    return output.gather(1, classes)


def _gradients(scores: Tensor, activations: Tensor) -> Tensor:
    """d scores[:, k] / d activations for every k: (K, N, ...)."""
    columns = torch.eye(scores.shape[1], dtype=scores.dtype, device=scores.device)
    directions = columns[:, None].expand(-1, len(scores), -1)
    if len(directions) > 1:
        try:
            return _gradient(scores, activations, directions, is_grads_batched=True)
        except RuntimeError:
            pass  # Not every operation can be differentiated for several scores at once, nor has every GPU the memory.
    return torch.stack([_gradient(scores, activations, direction) for direction in directions])


def _gradient(scores: Tensor, activations: Tensor, direction: Tensor, is_grads_batched: bool = False) -> Tensor:
    gradient = None
    if scores.requires_grad:
        (gradient,) = torch.autograd.grad(
            scores, activations, direction, retain_graph=True, is_grads_batched=is_grads_batched, allow_unused=True
        )
    if gradient is None:
        raise ConfigError("The target does not depend on the layer that is to be explained.")
    return gradient


@contextmanager
def _watching(layer: nn.Module) -> Iterator[list[Any]]:
    """Collect the layer's outputs as leaves of a graph that starts there."""
    outputs: list[Any] = []

    def hand_on_a_copy(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        torch.set_grad_enabled(True)  # the surrounding no_grad restores the caller's state when it ends
        outputs.append(output.detach().requires_grad_() if isinstance(output, Tensor) else output)
        return outputs[-1].clone() if isinstance(output, Tensor) else output

    handle = layer.register_forward_hook(hand_on_a_copy)
    try:
        yield outputs
    finally:
        handle.remove()
