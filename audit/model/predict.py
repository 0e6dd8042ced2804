"""Out-of-fold predictions and maps: of images by a network that was not trained on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from audit.cam.gradcam import grad_cam
from audit.data.batches import Images, read_batches
from audit.data.dataset import Dataset
from audit.model.activation_store import ActivationStore, to_half
from audit.model.device import Runtime
from audit.model.network import Network
from audit.progress import track


@dataclass(frozen=True)
class PredictionsWithMaps:
    """``probabilities`` float32 (n, classes); ``maps`` float16 (n, h, w), the signed Grad-CAM map of each label."""

    probabilities: NDArray[np.float32]
    maps: NDArray[np.float16]


def predict_with_maps(store: ActivationStore, network: Network, images: Images) -> PredictionsWithMaps:
    """Class probabilities and the label's Grad-CAM map of some images, by a network that is put in evaluation mode."""
    network.eval()
    probabilities, maps = [], []
    for batch, trunk in store.batches(images, store.config.compute.batch_size):
        labels = store.runtime.to_device(store.dataset.labels[batch])
        scores, of_labels = scores_and_maps(store.runtime, network, trunk, labels[:, None])
        maps.append(to_half(of_labels[:, 0]))
        probabilities.append(scores.softmax(1).cpu().numpy())
    return PredictionsWithMaps(np.concatenate(probabilities), np.concatenate(maps))


def mean_probabilities(store: ActivationStore, networks: Sequence[Network], dataset: Dataset) -> NDArray[np.float64]:
    """Class probabilities of another dataset's images, the mean of several networks of an audit: float64 (n, classes).

    None of its images may have been in the training of any of them. Raises as ``read_batches``.
    """
    size, found = store.config.compute.batch_size, [np.zeros((0, len(store.dataset.classes)))]
    with track("guessing classes", len(dataset.images)) as advance:
        for images, pixels in read_batches(dataset, np.arange(len(dataset.images)), store.config, size):
            trunk = store.compute(pixels)
            scores = [network.head(store.runtime.infer(network.tail, trunk)).softmax(1) for network in networks]
            found.append(np.mean([one.detach().double().cpu().numpy() for one in scores], axis=0))
            advance(len(images))
    return np.concatenate(found)


def scores_and_maps(
    runtime: Runtime, network: Network, trunk: Tensor, classes: Tensor | Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Scores (n, classes) for a trunk's output, and the signed Grad-CAM maps (n, k, h, w) of some of them.

    ``classes`` are k classes of each image, int64 (n, k), or chooses them by the scores. Raises ConfigError where the
    scores do not depend on the layer.
    """
    watched = runtime.infer(network.tail, trunk).detach().requires_grad_()
    scores = network.head(watched)
    chosen = classes(scores) if callable(classes) else classes
    return scores.detach(), grad_cam(watched, scores.gather(1, chosen))
