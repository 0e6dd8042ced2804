"""Adversarial noise (Grad-CAM paper, section 6.2): images changed invisibly until a model names another class.

The paper's point is that Grad-CAM maps of the true classes still find the objects in such images.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audit.cam.target_layer import evaluating
from audit.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """How far images may be changed, in units of the model's input: numbers, or tensors that broadcast to them.

    ``epsilon`` is the largest change of any value, ``low`` and ``high`` what the values of an image may be. For input
    normalised by a standard deviation per channel, ``epsilon`` is 4 / 255 / std for four grey levels.
    """

    epsilon: float | Tensor
    low: float | Tensor
    high: float | Tensor


def fgsm(model: nn.Module, images: Tensor, towards: Tensor, limits: Limits) -> Tensor:
    """The fast gradient sign method (Goodfellow 2015): one step of ``epsilon`` towards a class.

    ``images`` (N, 3, H, W); ``towards`` int64 (N,), the class that the model is to name. Image n's scores may depend
    on image n alone. Returns images of the same shape, within the limits. Model and input are left as they were.
    """
    return pgd(model, images, towards, limits, steps=1)


def pgd(
    model: nn.Module, images: Tensor, towards: Tensor, limits: Limits, steps: int = 10, step: float | None = None
) -> Tensor:
    """Projected gradient descent (Madry 2018): ``steps`` steps towards a class, each clipped to the limits.

    As ``fgsm``. A step is ``step`` times epsilon; by default 2.5 epsilon is spread over all of them, and a single one
    is epsilon long. Raises ConfigError for less than one step.
    """
    if steps < 1:
        raise ConfigError(f"steps is {steps}; at least one is needed.")
    share = step if step is not None else min(1.0, 2.5 / steps)
    with torch.inference_mode(False), evaluating(model):
        start, towards = images.detach().clone(), towards.to(images.device)
        changed = start
        for _ in range(steps):
            downhill = -_gradient(model, changed, towards).sign()
            changed = changed + share * limits.epsilon * downhill
            change = _within(changed - start, -1 * limits.epsilon, limits.epsilon)
            changed = _within(start + change, limits.low, limits.high)
    return changed


def _gradient(model: nn.Module, images: Tensor, towards: Tensor) -> Tensor:
    """Of the loss by the pixels; the loss is small where the model names ``towards``."""
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        loss = nn.functional.cross_entropy(model(leaf.clone()), towards, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, leaf)
    return gradient


def _within(values: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    low, high = (torch.as_tensor(bound, dtype=values.dtype, device=values.device) for bound in (low, high))
    return torch.minimum(torch.maximum(values, low), high)
