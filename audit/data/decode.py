"""Decoding of photographs that nobody has vouched for: bounded, upright, RGB, one kind of error."""

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from audit.data.photo_file import Source, read_content
from audit.errors import RejectedImage

# Formats of photographs only: others that Pillow knows start programs (EPS) or have decoders that few people test.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000", "AVIF")
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
Facts = TypeVar("Facts")
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Decoding at least this many times larger than wanted keeps the later shrinking as good as from full size.
_MARGIN = 2.0
# warnings.catch_warnings changes the filters of the whole process, so that two threads must not do it at once.
_FILTERS = threading.Lock()


@dataclass(frozen=True)
class DecodedImage:
    """A decoded picture. ``image`` is RGB and upright, perhaps shrunk; the sizes are the file's, upright, in pixels."""

    image: Image.Image
    width: int
    height: int
    format: str


def open_photo(source: Source, max_megapixels: float = 100.0, longest: int | None = None) -> Image.Image:
    """Decode a photograph as an upright RGB picture without metadata.

    ``longest`` shrinks it so that neither side exceeds that many pixels; large JPEGs are then decoded at reduced size,
    which is several times faster. Transparency is laid on white, 16-bit grey is scaled to 8 bit, and of an animation
    the first frame is taken. Colour profiles are ignored. The file is read once, and what is decoded is what was read.

    Raises RejectedImage, with the reason but not the path, for anything that is not a complete picture of at most
    ``max_megapixels`` million pixels (checked from the header, before any pixel is decoded), and ChangedImage for a
    photograph of an audit whose bytes are no longer those that it fingerprinted.
    """
    return read_photo(source, max_megapixels, longest).image


def read_photo(source: Source, max_megapixels: float = 100.0, longest: int | None = None) -> DecodedImage:
    """As ``open_photo``, together with the file's format and full size."""
    return decode_photo(read_content(source, max_megapixels), max_megapixels, longest)


def load_square(source: Source, size: int, max_megapixels: float = 100.0) -> NDArray[np.uint8]:
    """Squash the whole upright picture into a square, antialiased: uint8 RGB of shape (size, size, 3).

    Nothing is cropped, so that borders and corners stay visible. Raises as ``open_photo`` does.
    """
    return decode_square(read_content(source, max_megapixels), size, max_megapixels)


def decode_photo(content: bytes, max_megapixels: float = 100.0, longest: int | None = None) -> DecodedImage:
    """As ``read_photo``, of a file's bytes. Raises RejectedImage."""
    photo = _decode(content, max_megapixels, longest, max)
    if longest is None or max(photo.image.size) <= longest:
        return photo
    scale = longest / max(photo.width, photo.height)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    return DecodedImage(_resize(photo.image, size), photo.width, photo.height, photo.format)


def read_header(content: bytes, read: Callable[[Image.Image], Facts]) -> Facts:
    """What ``read`` tells of a picture that is opened and not decoded, of a file's bytes. Raises RejectedImage."""
    with _plain_reasons(), _identify(io.BytesIO(content)) as file, _quietly():
        return read(file)


def decode_square(content: bytes, size: int, max_megapixels: float = 100.0) -> NDArray[np.uint8]:
    """As ``load_square``, of a file's bytes. Raises RejectedImage."""
    return squash(_decode(content, max_megapixels, size, min).image, size)


def squash(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """An RGB picture squashed into a square, antialiased: uint8 (size, size, 3)."""
    return np.array(_resize(image, (size, size)))


def _decode(
    content: bytes, max_megapixels: float, side: int | None, measure: Callable[[tuple[int, int]], int]
) -> DecodedImage:
    """Decode, JPEGs perhaps reduced but with ``measure(size)`` (longer or shorter side) well above ``side``."""
    with _plain_reasons(), _identify(io.BytesIO(content)) as file:
        width, height = file.size
        _require_size(width, height, max_megapixels)
        if side is not None:
            scale = _MARGIN * side / measure(file.size)
            file.draft(None, (ceil(width * scale), ceil(height * scale)))
        file.load()
        orientation = _orientation(file)
        image = _rgb(file)
        if orientation in _UPRIGHT:
            image = image.transpose(_UPRIGHT[orientation])
        # Pillow turns TIFF by itself and then drops the tag.
        turned = orientation >= 5 or (file.format == "TIFF" and file.size == (height, width))
        image.info.clear()
        return DecodedImage(image, *((height, width) if turned else (width, height)), str(file.format))


def _require_size(width: int, height: int, max_megapixels: float) -> None:
    if width < 1 or height < 1:
        raise RejectedImage("the picture has no pixels")
    if width * height > max_megapixels * 1e6:
        raise RejectedImage(
            f"too large: {width} x {height} is {width * height / 1e6:.0f} megapixels, "
            f"more than the {max_megapixels:g} of dataset.max_megapixels"
        )


def _identify(handle: BinaryIO) -> Image.Image:
    """Read the header only. Warnings (huge size, odd tags) are dropped here: the size is judged by the caller."""
    Image.init()
    with _quietly():
        return Image.open(handle, formats=[name for name in FORMATS if name in Image.OPEN])


def _orientation(file: Image.Image) -> int:
    """The EXIF orientation, 1..8; 1 (upright) where the tag is missing or senseless."""
    try:
        with _quietly():
            value = file.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # EXIF is free-form bytes: whatever is wrong with it, the pixels are still good.
        return 1
    return value if isinstance(value, int) and value in _UPRIGHT else 1


@contextmanager
def _quietly() -> Iterator[None]:
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _plain_reasons() -> Iterator[None]:
    """Turn whatever a decoder raises into RejectedImage."""
    try:
        yield
    except RejectedImage:
        raise
    except Exception as error:  # Decoders raise nearly every class there is on damaged files.
        raise RejectedImage(_reason(error)) from error


def _reason(error: Exception) -> str:
    match error:
        case UnidentifiedImageError():
            return "not an image that can be read (JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF), or its start is damaged"
        case Image.DecompressionBombError() | Image.DecompressionBombWarning():
            return "too large: more pixels than can be decoded safely"
        case MemoryError():
            return "too large for the memory of this machine"
    if "truncated" in str(error).lower():
        return "the file is truncated: its end is missing"
    return f"the image is damaged and cannot be decoded ({error.__class__.__name__})"


def _rgb(image: Image.Image) -> Image.Image:
    """Any mode as a new RGB picture: deep grey scaled to 8 bit, transparency on white, CMYK converted."""
    if image.mode in _DEEP_MODES:
        image = Image.fromarray(_eight_bit(np.asarray(image)))
    if not image.has_transparency_data:
        return image.convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")
    layer = image.convert("RGBA")
    canvas = Image.new("RGB", layer.size, "white")
    canvas.paste(layer, mask=layer.getchannel("A"))
    return canvas


def _eight_bit(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey values of any depth as uint8 of the same shape.

    Values within 0..65535 are 16 bit deep and keep their brightness (65535 becomes 255); floats within 0..1 likewise.
    Other ranges have no agreed white, so that their own minimum and maximum become 0 and 255.
    """
    grey = values.astype(np.float64)
    if not np.isfinite(grey).all():
        raise RejectedImage("the picture holds values that are not numbers")
    low, high = float(grey.min()), float(grey.max())
    if low >= 0 and (values.dtype.kind == "f" and high <= 1):
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    scale = 255 / (high - low) if high > low else 0.0
    scaled: NDArray[np.uint8] = np.rint((grey - low) * scale).astype(np.uint8)
    return scaled


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
