"""Activations of a place in the picture as one vector."""

import torch
from torch import Tensor

from audit.model.activation_store import to_half

# The usual start of generalised-mean pooling, odd so that the signs of activations are kept.
_POWER = 3


def pool_under(activations: Tensor, weights: Tensor) -> Tensor:
    """Average activations (N, C, h, w) under K weightings (N, K, h, w) >= 0: (N, K, C), zero where all weights are."""
    total = weights.sum((2, 3)).clamp(min=1e-8)
    return torch.einsum("nchw,nkhw->nkc", activations, weights) / total[:, :, None]


def pool_strong_under(activations: Tensor, weights: Tensor) -> Tensor:
    """As ``pool_under``, but the cubic mean: the cube root of the average cube.

    Generalised-mean pooling with p = 3 (Radenovic, Tolias & Chum 2018, section 3.2). Whether a channel finds its thing
    anywhere in the place counts for more than how much of the place is filled with nothing, and a place's size does not
    matter, as it would to a maximum.
    """
    cubes = pool_under(activations**_POWER, weights)
    return cubes.sign() * cubes.abs() ** (1 / _POWER)


def pool_views(activations: Tensor, inside: Tensor, control: Tensor) -> dict[str, Tensor]:
    """``inside``, ``rest`` and ``control``, float16 (N, K, C), by ``pool_strong_under``: in K places, outside of each,
    and in the control of each. ``inside`` and ``control`` (N, K, h, w) are how much of each cell belongs to them."""
    weights = {"inside": inside, "rest": 1 - inside, "control": control}
    return {name: torch.from_numpy(to_half(pool_strong_under(activations, one))) for name, one in weights.items()}
