"""Batches of pixels: every image once, in the order asked for, and no more than two batches ahead."""

import numpy as np
import pytest

from audit.config import Config
from audit.data import batches as module
from audit.data.batches import read_batches


@pytest.fixture
def asked(monkeypatch):
    """The images whose pixels were asked for; an image's pixels hold its number."""
    images = []

    def pixels(dataset, image, config):
        images.append(image)
        return np.full((2, 2, 3), image, np.uint8)

    monkeypatch.setattr(module, "read_pixels", pixels)
    return images


@pytest.mark.parametrize(("count", "size"), [(0, 4), (3, 4), (8, 4), (11, 4), (5, 1)])
def test_every_image_comes_once_in_the_order_asked_for(count, size, asked):
    images = np.random.default_rng(0).permutation(count)
    read = list(read_batches(None, images, Config(), size))
    assert [len(batch) for batch, _ in read] == [min(size, count - start) for start in range(0, count, size)]
    assert [int(image) for batch, _ in read for image in batch] == images.tolist()
    for batch, pixels in read:
        assert pixels.dtype == np.uint8 and (pixels == batch[:, None, None, None]).all()
    assert sorted(asked) == list(range(count))


def test_two_batches_are_read_ahead_and_no_more(asked):
    for number, _ in enumerate(read_batches(None, np.arange(100), Config(), 5), start=1):
        assert len(asked) <= 5 * (number + 2)
