"""What a region's surface is like: its colours, how light and how plain it is, and how sharp beside another region.

Colours are taken from a small copy of the photograph, its light evened, and away from the region's outline.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.attributes.attribute import UNKNOWN
from audit.attributes.surfaces.colours import colour_numbers, lightness, shares_of
from audit.detectors.cue import Mask, share_of
from audit.detectors.photo import Photo, Pixels, shared

Floats = NDArray[np.float32]

_SIDE, _DETAIL_SIDE = 128, 256
# A region of fewer pixels of the copy, or of a smaller share of the picture, is not described.
FEWEST_PIXELS, LEAST_AREA = 24, 0.02
_INSIDE, _DEPTH = 0.95, 0.2
# Oklab's lightness: what is darker looks black or dark, what is lighter looks white and not pale grey.
DARK, BRIGHT = 0.42, 0.92
# The brightest pixels are brought up to this, but never by more than so much: a dim photograph stays a dark one.
_BRIGHTEST_SHARE, _BRIGHTEST, _MOST_GAIN = 0.98, 245.0, 1.4
# What may be white or grey in coloured light: pixels of at least this share of the brightest, hardly coloured, at least
# so many of the picture. Their cast is taken away up to this share.
_LIT, _HARDLY, _ENOUGH, _MOST_CAST = 0.8, 0.22, 0.05, 0.12
# Change of 8-bit Lab from one pixel of the copy to the next: more than the first is not plain, the second is a pattern.
_PLAIN, _PATTERN = 3.0, 15.0
_STEEP_SHARE, _RIM = 0.95, 9


@dataclass(frozen=True, eq=False)
class Surface:
    """A region of a photograph, ``inner`` boolean, of the size of its small copy ``pixels``, uint8 RGB (h, w, 3)."""

    pixels: Pixels
    inner: Mask

    @cached_property
    def shares(self) -> Mapping[str, float]:
        """The share of the region that has each of the colours' words."""
        return shares_of(colour_numbers(self.pixels[self.inner]))

    def share(self, *words: str) -> float:
        """The share of the region that has one of some colours."""
        return sum(self.shares[word] for word in words)

    @cached_property
    def light(self) -> Floats:
        """The lightness of the region's pixels (n,), in 0..1."""
        return lightness(self.pixels[self.inner])

    @property
    def dark(self) -> float:
        """The share of the region that is black or dark, whatever its colour."""
        return float((self.light < DARK).mean())

    @property
    def snowy(self) -> float:
        """The share of the region that is white without shade."""
        is_white = shares_of(colour_numbers(self.pixels[self.inner][self.light >= BRIGHT]))["white"]
        return is_white * float((self.light >= BRIGHT).mean())

    def middle(self) -> "Surface":
        """The same without what is near its outline: in the rim of a mask that is too wide, other things show."""
        depth = cv2.distanceTransform(self.inner.view(np.uint8), cv2.DIST_L2, 3)
        return Surface(self.pixels, depth >= _DEPTH * depth.max())


def surface_of(photo: Photo, mask: Mask) -> Surface | None:
    """The surface of a mask (h, w) of a photograph; None where it is too small to tell anything."""
    pixels = even_pixels(photo)
    inner = _inner(mask, pixels)
    return None if share_of(mask) < LEAST_AREA or np.count_nonzero(inner) < FEWEST_PIXELS else Surface(pixels, inner)


@shared
def even_pixels(photo: Photo) -> Pixels:
    """A photograph brought to a long side of at most 128, as in neutral light of the usual strength."""
    return _evened(_small(photo), _response(photo))


def plain_share(photo: Photo, mask: Mask) -> float:
    """The share of a mask in which neighbouring pixels of a copy of 128 have one colour; UNKNOWN where it is small."""
    return 1 - _steep_share(even_pixels(photo), mask, _PLAIN)


def pattern_share(photo: Photo, mask: Mask) -> float:
    """The share of a mask in which neighbouring pixels of a copy of 256 differ strongly; UNKNOWN where it is small."""
    return _steep_share(_evened(_detailed(photo), _response(photo)), mask, _PATTERN)


def softness(photo: Photo, mask: Mask, beside: Mask) -> float:
    """How much softer the finest detail of one mask is than that of another: 1 is without any, 0 equally sharp.

    Detail is the Laplacian's magnitude that a twentieth of a mask's pixels exceed. UNKNOWN where a mask is small.
    """
    grey = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY)
    steep = np.asarray(cv2.convertScaleAbs(cv2.Laplacian(grey, cv2.CV_16S)), np.uint8)
    own, other = (_detail(steep, _shrunk_by(one, _RIM)) for one in (mask, beside))
    return 1 - own / max(other, 1.0)


@shared
def _small(photo: Photo) -> Pixels:
    return _shrunk(_detailed(photo), _SIDE)


@shared
def _detailed(photo: Photo) -> Pixels:
    return _shrunk(photo.pixels, _DETAIL_SIDE)


def _shrunk(pixels: Pixels, side: int) -> Pixels:
    scale = min(1.0, side / max(pixels.shape[:2]))
    size = [max(1, round(length * scale)) for length in pixels.shape[1::-1]]
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


@shared
def _response(photo: Photo) -> NDArray[np.uint8]:
    """By which value each of 256 of red, green and blue is replaced, (256, 3), for the light to be even."""
    red, green, blue = channels = cv2.split(_small(photo))
    high, low = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    bright = max(_quantile(np.asarray(high, np.uint8).ravel(), _BRIGHTEST_SHARE), 1)
    gains = np.full(3, np.clip(_BRIGHTEST / bright, 1, _MOST_GAIN))
    is_pale = (high >= _LIT * bright) & (low >= (1 - _HARDLY) * high)
    if share_of(is_pale) >= _ENOUGH:
        usual = np.array([channel[is_pale].mean() for channel in channels])
        gains *= np.clip(usual.mean() / usual, 1 - _MOST_CAST, 1 + _MOST_CAST)
    return np.asarray(np.clip(np.arange(256)[:, None] * gains, 0, 255), np.uint8)


def _evened(pixels: Pixels, response: NDArray[np.uint8]) -> Pixels:
    return np.asarray(cv2.LUT(pixels, response[:, None]), np.uint8)


def _steep_share(pixels: Pixels, mask: Mask, least: float) -> float:
    """The share of a mask where 8-bit Lab changes by more than so much per pixel, its outline left out."""
    core = _shrunk_by(_inner(mask, pixels), 3)
    x, y, width, height = cv2.boundingRect(core.view(np.uint8))
    box = slice(y, y + height), slice(x, x + width)
    if np.count_nonzero(core) < FEWEST_PIXELS:
        return UNKNOWN
    lab = cv2.cvtColor(pixels[box], cv2.COLOR_RGB2LAB)
    across, down = (cv2.Sobel(lab, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    squares = cv2.transform(across * across + down * down, np.ones((1, 3), np.float32))
    chosen = squares[core[box]]
    return np.count_nonzero(chosen > least**2) / chosen.size


def _inner(mask: Mask, pixels: Pixels) -> Mask:
    """The pixels of a copy that lie wholly, or nearly so, within a mask of the photograph."""
    covered = cv2.resize(mask.view(np.uint8) * np.uint8(255), pixels.shape[1::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(covered >= 255 * _INSIDE, np.bool_)


def _shrunk_by(mask: Mask, side: int) -> Mask:
    """A mask without what is nearer to its outline than half of ``side``; the picture's own edge is no outline."""
    return cv2.erode(mask.view(np.uint8), np.ones((side, side), np.uint8)).view(np.bool_)


def _detail(steep: NDArray[np.uint8], mask: Mask) -> float:
    # Every other row and column says as much.
    chosen = steep[::2, ::2][mask[::2, ::2]]
    return _quantile(chosen, _STEEP_SHARE) if chosen.size >= FEWEST_PIXELS else UNKNOWN


def _quantile(values: NDArray[np.uint8], share: float) -> int:
    """The least of some bytes (n,) that so large a share of them does not exceed."""
    counts = np.cumsum(np.bincount(values, minlength=256))
    return int(np.searchsorted(counts, share * counts[-1]))
