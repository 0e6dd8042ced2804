"""Masked generalised-mean pooling: the activations in a part of the image as one vector, (N, C, h, w) -> (N, K, C)."""

import torch
from torch import Tensor

from audit.model.activation_store import to_half

# The usual start of generalised-mean pooling, odd so that the signs of activations are kept.
_POWER = 3


def masked_mean(activations: Tensor, weights: Tensor) -> Tensor:
    """Masked mean of activations (N, C, h, w) under K weightings (N, K, h, w) >= 0: (N, K, C), 0 where these are."""
    total = weights.sum((2, 3)).clamp(min=1e-8)
    return torch.einsum("nchw,nkhw->nkc", activations, weights) / total[:, :, None]


def masked_generalised_mean(activations: Tensor, weights: Tensor) -> Tensor:
    """Masked generalised mean with exponent 3: as ``masked_mean``, but the cube root of the mean cube.

    Generalised-mean pooling with p = 3 (Radenovic, Tolias & Chum 2018, section 3.2). A channel that is strong anywhere
    in the part counts for more than how much of the part leaves it at 0, and a part's size does not matter, as it
    would to a maximum.
    """
    cubes = masked_mean(activations**_POWER, weights)
    return cubes.sign() * cubes.abs() ** (1 / _POWER)


def pool_views(activations: Tensor, inside: Tensor, control: Tensor) -> dict[str, Tensor]:
    """``inside``, ``rest`` and ``control``: generalised means in K masks, outside of each, and in the control of each.

    From activations (N, C, h, w), float16 (N, K, C) each. ``inside`` and ``control`` (N, K, h, w), 0..1, are how much
    of each cell belongs to them.
    """
    weights = {"inside": inside, "rest": 1 - inside, "control": control}
    return {
        name: torch.from_numpy(to_half(masked_generalised_mean(activations, weight)))
        for name, weight in weights.items()
    }
