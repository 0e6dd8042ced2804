"""Even out a fact of the file in a photograph, and change it just as much the other way round."""

import io
from collections.abc import Callable, Mapping
from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from audit.data.decode import squash
from audit.data.facts.file_facts import sharpness

Pixels = NDArray[np.uint8]
# Of what is saved again for another reason than its quality, so much is kept that the quality hardly shows.
SAVED_WELL = 95
_SAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}
_QUALITIES = np.arange(5, SAVED_WELL + 1)
_WIDEST_BLUR = 8.0
_LUMA = np.array([0.299, 0.587, 0.114])


def views(picture: Image.Image, fact: str, value: float, target: float | str, size: int) -> tuple[Pixels, Pixels]:
    """A picture with a fact changed from its ``value`` to a ``target``, and changed as much the other way round.

    ``picture`` is RGB and upright; both views are uint8 (size, size, 3), squashed as the network sees pictures. A shape
    is changed by a crop, and by as large a crop across; everything else moves each pixel by some amount, and the other
    view moves it by as much to the opposite side, as far as 0 and 255 let it. ``value`` and ``target`` are the numbers
    of ``images.parquet``; of the format the target is a JPEG quality, of the subsampling its name, and of grey nothing.
    ``fact`` is one of ``CHANGED``.
    """
    if fact == "aspect_ratio":
        return _cropped(picture, value, float(target), size)
    before = squash(picture, size)
    after = _ON_PIXELS[fact](before, float(target) - value) if fact in _ON_PIXELS else None
    if after is None:
        after = squash(_ON_PICTURES[fact](picture, value, target), size)
    return after, opposite(before, after)


def opposite(before: Pixels, after: Pixels) -> Pixels:
    """The change from ``before`` to ``after`` the other way round: 2 before - after, within 0..255.

    >>> opposite(np.array([100, 10], np.uint8), np.array([120, 30], np.uint8)).tolist()
    [80, 0]
    """
    mirrored: Pixels = np.clip(2 * before.astype(np.int16) - after, 0, 255).astype(np.uint8)
    return mirrored


def _cropped(picture: Image.Image, value: float, target: float, size: int) -> tuple[Pixels, Pixels]:
    """The middle in the shape wanted, and the middle after the same share was cut off the other sides."""
    share = min(value / target, target / value)
    across, down = _middle(picture, share, 1.0), _middle(picture, 1.0, share)
    evened, other = (across, down) if target < value else (down, across)
    return squash(evened, size), squash(other, size)


def _middle(picture: Image.Image, across: float, down: float) -> Image.Image:
    width, height = max(1, round(picture.width * across)), max(1, round(picture.height * down))
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _grey(picture: Image.Image, value: float, target: float | str) -> Image.Image:
    return picture.convert("L").convert("RGB")


def _shrunk(picture: Image.Image, value: float, target: float | str) -> Image.Image:
    scale = min(1.0, sqrt(float(target) / value))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _in_quality(picture: Image.Image, value: float, target: float | str) -> Image.Image:
    return _reopened(_as_jpeg(picture, round(float(target))))


def _sampled(picture: Image.Image, value: float, target: float | str) -> Image.Image:
    return _reopened(_as_jpeg(picture, SAVED_WELL, _SAMPLINGS[str(target)]))


def _in_bytes(picture: Image.Image, value: float, target: float | str) -> Image.Image:
    """Saved in the best quality that needs no more than ``target`` bits a pixel, or else the least."""
    allowed = float(target) * picture.width * picture.height / 8
    low, high = 0, len(_QUALITIES) - 1
    while low < high:
        middle = (low + high + 1) // 2
        fits = len(_as_jpeg(picture, int(_QUALITIES[middle]))) <= allowed
        low, high = (middle, high) if fits else (low, middle - 1)
    return _reopened(_as_jpeg(picture, int(_QUALITIES[low])))


def _as_jpeg(picture: Image.Image, quality: int, subsampling: int = 2) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling=subsampling)
    return file.getvalue()


def _reopened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=["JPEG"]).convert("RGB")


def _shifted(pixels: Pixels, by: NDArray[np.float64] | float) -> Pixels:
    moved: Pixels = np.clip(np.rint(pixels + by), 0, 255).astype(np.uint8)
    return moved


def _brighter(pixels: Pixels, by: float) -> Pixels:
    return _shifted(pixels, by)


def _yellower(pixels: Pixels, by: float) -> Pixels:
    return _shifted(pixels, by * np.array([1 / 2, 0, -1 / 2]))


def _greener(pixels: Pixels, by: float) -> Pixels:
    return _shifted(pixels, by * np.array([-1 / 3, 2 / 3, -1 / 3]))


def _richer(pixels: Pixels, by: float) -> Pixels:
    luma = pixels @ _LUMA
    spread = float(luma.std())
    return _shifted(pixels, (pixels - luma.mean()) * (by / spread)) if spread else pixels


def _sharper(pixels: Pixels, by: float) -> Pixels:
    """Blurred until the sharpness, measured on these pixels, is lower by as much; no picture is made sharper."""
    wanted = sharpness(pixels @ _LUMA) + by
    low, high = 0.0, _WIDEST_BLUR
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if sharpness(_blurred(pixels, middle) @ _LUMA) > wanted else (low, middle)
    return _blurred(pixels, high) if by < 0 else pixels


def _blurred(pixels: Pixels, sigma: float) -> Pixels:
    blurred: Pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)
    return blurred


_ON_PIXELS: Mapping[str, Callable[[Pixels, float], Pixels]] = {
    "brightness": _brighter,
    "contrast": _richer,
    "warmth": _yellower,
    "tint": _greener,
    "sharpness": _sharper,
}
_ON_PICTURES: Mapping[str, Callable[[Image.Image, float, float | str], Image.Image]] = {
    "colour": _grey,
    "megapixels": _shrunk,
    "jpeg_quality": _in_quality,
    "format": _in_quality,
    "subsampling": _sampled,
    "bits_per_pixel": _in_bytes,
}
# Changes that can only be made one way, and take content away: what is not in a file cannot be put back.
DESTROYING = ("sharpness", *_ON_PICTURES)
CHANGED = ("aspect_ratio", *_ON_PIXELS, *_ON_PICTURES)
