"""Batches of decoded photographs, read ahead by threads while the network computes."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from audit.config import Config
from audit.data.dataset import Dataset
from audit.data.decode import load_square
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
    batches = [images[start : start + size] for start in range(0, len(images), size)]
    with ThreadPoolExecutor(max(1, config.compute.workers)) as pool:
        waiting: deque[list[Future[NDArray[np.uint8]]]] = deque()
        remaining = iter(batches)

        def submit(count: int) -> None:
            for batch in islice(remaining, count):
                waiting.append([pool.submit(read_pixels, dataset, int(image), config) for image in batch])

        submit(_READ_AHEAD)
        try:
            for batch in batches:
                pixels = np.stack([future.result() for future in waiting.popleft()])
                submit(1)
                yield batch, pixels
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
