"""Batches of decoded photographs, read ahead by threads while the network computes."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from audit.config import Config
from audit.data.dataset import Dataset
from audit.data.decode import load_square
from audit.data.ordered_map import ordered_map
from audit.errors import RejectedImage, StageError

Images = NDArray[np.integer]
_READ_AHEAD = 2


def read_pixels(dataset: Dataset, image: int, config: Config) -> NDArray[np.uint8]:
    """One photograph as the network sees it: uint8 (size, size, 3), the whole picture squashed to a square.

    Raises ChangedImage if the file is no longer the one that was fingerprinted, and StageError naming it if it can no
    longer be decoded.
    """
    file = dataset.file_of(image)
    try:
        return load_square(file, config.model.image_size, config.dataset.max_megapixels)
    except RejectedImage as error:
        raise StageError(f"{file.path}: could be read when the audit began, but no longer can ({error}).") from error


def read_batches(
    dataset: Dataset, images: Images, config: Config, size: int
) -> Iterator[tuple[Images, NDArray[np.uint8]]]:
    """Yield (images, uint8 pixels (n, size, size, 3)) in batches of ``size``, in the order given.

    At most two batches are decoded ahead, so memory does not grow with the dataset.
    """
    read = partial(read_pixels, dataset, config=config)
    with closing(ordered_map(read, images.tolist(), config.compute.workers, _READ_AHEAD * size)) as pixels:
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            yield batch, np.stack(list(islice(pixels, len(batch))))
