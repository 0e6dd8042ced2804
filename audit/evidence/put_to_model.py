"""Put pictures to a network, batch by batch."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from audit.model.activation_store import ActivationStore, to_half
from audit.model.network import Network


def put_to_model(
    store: ActivationStore, network: Network, views: Iterator[NDArray[np.uint8]]
) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
    """Class probabilities (views, classes) and pooled pretrained activations (views, C) of uint8 (size, size, 3)."""
    probabilities = [np.zeros((0, len(store.dataset.classes)), np.float32)]
    pooled = [np.zeros((0, store.backbone.channels), np.float16)]
    while batch := list(islice(views, store.config.compute.batch_size)):
        trunk = store.compute(np.stack(batch))
        activations, pretrained = (store.runtime.infer(some.tail, trunk) for some in (network, store.backbone))
        with torch.no_grad():
            probabilities.append(network.head(activations).softmax(1).cpu().numpy())
        pooled.append(to_half(pretrained.mean((2, 3))))
    return np.concatenate(probabilities), np.concatenate(pooled)
