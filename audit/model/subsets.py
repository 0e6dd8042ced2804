"""Nested subsets of the images that a fold is trained on: every class in its share, duplicate groups whole."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit.data.batches import Images
from audit.data.dataset import Dataset
from audit.model.cross_fit import split_fold


def nested_subsets(
    dataset: Dataset, fold: int, validation_share: float, seed: int, shares: Sequence[float], draw: int = 0
) -> list[Images]:
    """For each of the ``shares``, images outside a fold, ascending; those of a smaller share are in every larger one.
    Every ``draw`` thins them out in another random order.

    The images that are fitted and those that decide when to stop are thinned out alike, as ``split_fold`` divides them
    by the seed, so that a subset is divided like the whole.
    """
    split, rng = split_fold(dataset, fold, validation_share, seed), np.random.default_rng((seed, fold, 2, draw))
    images = np.concatenate([split.fit, split.validation])
    places = np.concatenate([_places(dataset, part, rng) for part in (split.fit, split.validation)])
    return [np.sort(images[places < share]) for share in shares]


def _places(dataset: Dataset, images: Images, rng: np.random.Generator) -> NDArray[np.float64]:
    """The place of each image's group, 0 <= place < 1, among those of its class in a random order, by images.

    The first share of a class are the images whose place is below it. A group of several classes goes with one of them.
    """
    places = np.zeros(len(images))
    names, first, unit = np.unique(dataset.groups[images], return_index=True, return_inverse=True)
    sizes, label = np.bincount(unit, minlength=len(names)), dataset.labels[images][first]
    for one in np.unique(label):
        order = rng.permutation(np.flatnonzero(label == one))
        before = np.cumsum(sizes[order]) - sizes[order]
        starts = np.zeros(len(names))
        starts[order] = before / sizes[order].sum()
        mine = label[unit] == one
        places[mine] = starts[unit[mine]]
    return places
