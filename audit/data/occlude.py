"""Occlude a mask in an image, and sample the equal-area control mask that it is compared with."""

import math
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from audit.config import Config
from audit.data.batches import Images, read_batches
from audit.data.dataset import Dataset

_SHIFTS = 48
_MOST_OVERLAP = 0.5
# The blur is so wide that a quarter of the resolution loses nothing of it, and costs a tenth of the time.
_COARSE = 4
_SAMPLE = 256
_BATCH = 16


def occlude(
    pixels: NDArray[np.uint8], mask: NDArray[np.bool_], colour: NDArray[np.floating] | None = None
) -> NDArray[np.uint8]:
    """Occlude a mask: fill it with one ``colour`` (3,), 0..255, or without it with a blur of what surrounds it.

    ``pixels`` uint8 (S, S, 3), ``mask`` boolean on any grid over the same picture. The blur is a normalised
    convolution: a Gaussian mean (sigma S / 12) over pixels outside the mask alone, so nothing of the hidden content
    remains, not even its mean colour, and no sharp edge is added in the middle of it. A mask that leaves nothing to
    blur gives plain grey.
    """
    side = len(pixels)
    # Interpolation mixes neighbouring cells, diagonal ones too: all that touch the mask must hide.
    reach = math.ceil(len(mask) / side / 2 + 0.5)
    grown = ndimage.binary_dilation(mask, np.ones((3, 3)), reach).astype(np.float32)
    hidden = cv2.resize(grown, (side, side), interpolation=cv2.INTER_LINEAR)[:, :, None]
    fill = _blur(pixels, hidden <= 0.01) if colour is None else colour.astype(np.float32)
    blended: NDArray[np.uint8] = np.clip(pixels * (1 - hidden) + fill * hidden + 0.5, 0, 255).astype(np.uint8)
    return blended


def _blur(pixels: NDArray[np.uint8], shown: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Local means (S, S, 3) of the pixels that are ``shown`` (S, S, 1); far from all of them, their overall mean."""
    side, coarse = len(pixels), max(1, len(pixels) // _COARSE)
    share = shown.astype(np.float32)
    total, weight = (
        cv2.GaussianBlur(cv2.resize(plane, (coarse, coarse), interpolation=cv2.INTER_AREA), (0, 0), coarse / 12)
        for plane in (pixels * share, share)
    )
    mean = pixels[shown[:, :, 0]].mean(0) if shown.any() else np.full(3, 128.0)
    fill = (total + 1e-3 * mean) / (weight[:, :, None] + 1e-3)
    smooth: NDArray[np.float32] = cv2.resize(fill.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    return smooth


def control_mask(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_] | None:
    """Sample an equal-area control mask: the mask (h, w) shifted, around the edges if need be, shape and area kept.

    Of 48 random shifts the one that overlaps the mask least is taken; None if it still covers half of the mask, or if
    the mask is empty.
    """
    if not mask.any():
        return None
    # Circular autocorrelation: the overlap of the mask with itself at every shift.
    overlap = np.fft.irfft2(np.abs(np.fft.rfft2(mask)) ** 2, mask.shape).round()
    shifts = rng.integers(1, mask.shape, size=(_SHIFTS, 2))
    rows, columns = shifts[overlap[shifts[:, 0], shifts[:, 1]].argmin()]
    if overlap[rows, columns] >= _MOST_OVERLAP * mask.sum():
        return None
    return np.roll(mask, (rows, columns), (0, 1))


def control_masks(masks: NDArray[np.bool_], image: int, seed: int) -> NDArray[np.bool_]:
    """The control mask of each of an image's masks, boolean (K, h, w); empty where there is no room for one.

    An image has the same shifts to choose from whenever it is asked about, so all evidence about a cue compares it
    with the same place.
    """
    controls = [control_mask(mask, np.random.default_rng((seed, image))) for mask in masks]
    return np.array([np.zeros_like(masks[0]) if one is None else one for one in controls]).reshape(masks.shape)


def controls_of(masks: NDArray[np.bool_], images: Images, seed: int) -> NDArray[np.bool_]:
    """The control masks (n, K, h, w) of n images' masks, image by image as ``control_masks`` samples them."""
    return np.stack([control_masks(some, int(image), seed) for some, image in zip(masks, images, strict=True)])


def both_views(
    dataset: Dataset,
    config: Config,
    images: Images,
    masks: NDArray[np.bool_],
    controls: NDArray[np.bool_],
    colours: Iterable[NDArray[np.floating] | None],
) -> Iterator[NDArray[np.uint8]]:
    """For each of n images the picture with its mask occluded, then its control mask, uint8 (size, size, 3).

    ``masks`` and ``controls`` (n, h, w); ``colours``, one for each image, are those of ``hide``.
    """
    batches = read_batches(dataset, images, config, config.compute.batch_size)
    pictures = (pixels for _, batch in batches for pixels in batch)
    for pixels, mask, control, colour in zip(pictures, masks, controls, colours, strict=True):
        yield occlude(pixels, mask, colour)
        yield occlude(pixels, control, colour)


def mean_colour(dataset: Dataset, config: Config) -> NDArray[np.float64]:
    """Mean RGB colour (3,), 0..255, of up to 256 photographs drawn at random."""
    images = np.random.default_rng(config.seed).permutation(len(dataset.images))[:_SAMPLE]
    batches = read_batches(dataset, np.sort(images), config, _BATCH)
    means: NDArray[np.float64] = np.concatenate([pixels.mean((1, 2)) for _, pixels in batches]).mean(0)
    return means
