"""Guided Backpropagation and Guided Grad-CAM (Grad-CAM paper, section 3.2): gradients of a score by the pixels."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from audit.cam.gradcam import GradCAM, Inputs, Target, enlarge, own_copies, pick_scores
from audit.cam.target_layer import evaluating


def guided_backprop(model: nn.Module, inputs: Inputs, target: Target) -> Tensor:
    """The gradient of each score by the pixels, with negative gradients stopped at every ReLU (Springenberg 2015).

    ``inputs`` and ``target`` as ``GradCAM`` takes them; the images are the first input. Image n's scores may depend
    on image n alone. Only ``nn.ReLU`` modules are guided, in place or not, as often as they run; a ReLU that the model
    calls as a function keeps its plain gradient, as in captum. Returns (N, K, 3, H, W), signed, in units of score per
    unit of input. The model and the inputs are left as they were, no ``.grad`` is written. Raises ConfigError as
    ``pick_scores``.

    >>> model = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(2, 1, bias=False))
    >>> for layer in (model[0], model[3]):
    ...     layer.weight = nn.Parameter(torch.tensor([2.0, 3.0]).view_as(layer.weight))
    >>> guided_backprop(model, torch.ones(1, 1, 1, 1), torch.tensor([0])).item()
    13.0
    """
    with torch.inference_mode(False), torch.enable_grad(), evaluating(model), _guiding(model):
        images, *further_inputs = own_copies(inputs)
        images.requires_grad_()
        scores = pick_scores(model(images.clone(), *further_inputs), target, len(images))
        columns = scores.sum(0)
        gradients = [torch.autograd.grad(column, images, retain_graph=True)[0] for column in columns]
    return torch.stack(gradients, 1)


def guided_grad_cam(cam: GradCAM, inputs: Inputs, target: Target) -> Tensor:
    """Guided Backpropagation times the rectified Grad-CAM map, enlarged to the image: fine and class-discriminative.

    Parameters as ``guided_backprop``, with the model and layer of ``cam``. Returns (N, K, 3, H, W), signed. Raises
    ConfigError as ``GradCAM``.
    """
    fine = guided_backprop(cam.model, inputs, target)
    maps = cam(inputs, target).maps.clamp(min=0)
    return enlarge(maps, (fine.shape[3], fine.shape[4]))[:, :, None] * fine


@contextmanager
def _guiding(model: nn.Module) -> Iterator[None]:
    """Clamp the gradient that arrives at the output of every ReLU module, for passes inside the block."""

    def guide(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        if output.requires_grad:
            output.register_hook(lambda gradient: gradient.clamp(min=0))  # type: ignore[no-untyped-call]

    handles = [module.register_forward_hook(guide) for module in model.modules() if isinstance(module, nn.ReLU)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
