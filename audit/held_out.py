"""What a trained network answers about images that it did not train on, and where it looks."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from audit.activations import ActivationStore, to_half
from audit.gradcam import grad_cam
from audit.models import Network
from audit.pixels import Images


@dataclass(frozen=True)
class Sight:
    """``probabilities`` float32 (n, classes); ``maps`` float16 (n, h, w), the signed Grad-CAM map of each label."""

    probabilities: NDArray[np.float32]
    maps: NDArray[np.float16]


def ask(store: ActivationStore, network: Network, images: Images) -> Sight:
    """Ask a network in evaluation mode about some images."""
    network.eval()
    probabilities, maps = [], []
    for batch, trunk in store.batches(images, store.config.compute.batch_size):
        with torch.no_grad(), store.runtime.autocast():
            activations = network.tail(trunk).float()
        watched = activations.detach().requires_grad_()
        scores = network.head(watched)
        labels = store.runtime.to_device(store.dataset.labels[batch])
        maps.append(to_half(grad_cam(watched, scores.gather(1, labels[:, None]))[:, 0]))
        probabilities.append(scores.detach().softmax(1).cpu().numpy())
    return Sight(np.concatenate(probabilities), np.concatenate(maps))
