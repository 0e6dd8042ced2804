"""Cascading randomisation: likeness of the maps while a network's weights are randomised from the output down."""

import copy
import math
from collections.abc import Iterator
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audit.cam.gradcam import grad_cam
from audit.cam.occlusion import rank_correlation
from audit.model.device import Runtime
from audit.model.network import Network

Values = NDArray[np.float64]


def cascade(network: Network, seed: int) -> Iterator[tuple[str, Network]]:
    """Yield (step, network) while a copy is made random from its output inwards: head, then block by block.

    A block ends with a pooling. Each network yielded is the same object, in the state after the step.
    """
    changed = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    named = [(f"block {number}", [*block]) for number, block in enumerate(_blocks(changed), 1)]
    for step, modules in [("head", [changed.head]), *reversed(named)]:
        for module in modules:
            randomise(module, generator)
        yield step, changed


def randomise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw a module's weights anew, normal with variance 2 / fan-in (He et al. 2015), and set its biases to 0."""
    with torch.no_grad():
        for parameter in module.parameters():
            drawn = torch.zeros(parameter.shape)
            if parameter.ndim > 1:
                drawn.normal_(generator=generator).mul_(math.sqrt(2 / drawn[0].numel()))
            parameter.copy_(drawn)


def _blocks(network: Network) -> list[nn.Sequential]:
    """All layers before the head; a block ends with a pooling."""
    blocks: list[list[nn.Module]] = [[]]
    for layer in (*network.trunk, *network.tail):
        blocks[-1].append(layer)
        if isinstance(layer, nn.MaxPool2d):
            blocks.append([])
    return [nn.Sequential(*block) for block in blocks if block]


def _label_maps(network: Network, activations: Tensor, labels: Tensor) -> Tensor:
    """Absolute values of the Grad-CAM maps (N, h, w) for the labels (N,), from the activations before the head."""
    watched = activations.detach().float().requires_grad_()
    return grad_cam(watched, network.head(watched).gather(1, labels[:, None]))[:, 0].abs()


def likeness_by_step(
    network: Network, inputs: Tensor, labels: Tensor, runtime: Runtime, seed: int
) -> dict[str, Values]:
    """Likeness (N,) of the maps after each step of the cascade with the network's own, see ``judge_randomisation``.

    A map that is the same everywhere has no order left, so its likeness is 0. What comes before the random blocks gives
    the trained network's activations, so that is not run again.
    """
    entering = [*accumulate(_blocks(network), lambda before, block: runtime.infer(block, before), initial=inputs)]
    trained = _label_maps(network, entering[-1], labels)
    steps = {}
    for depth, (step, changed) in enumerate(cascade(network, seed)):
        blocks = _blocks(changed)
        untouched = len(blocks) - depth
        activations = runtime.infer(nn.Sequential(*blocks[untouched:]), entering[untouched])
        maps = _label_maps(changed, activations, labels)
        steps[step] = np.nan_to_num(rank_correlation(maps, trained).numpy())
    return steps
