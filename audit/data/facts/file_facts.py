"""The file and the frame: what a photograph's file says beside its content, measured on the bytes that are read anyway.

Nothing of a file's EXIF is kept as it is: a camera and a program become digests here, and numbers in the tables.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from math import log, nan, pi, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageStat, JpegImagePlugin

from audit.data.decode import decode_photo, read_header

# Long side at which detail is measured: about what a network sees, so that a finer difference would teach it nothing.
DETAIL = 256
# How far apart the colour channels of a grey picture lie, of 255, in all but a few of its pixels: JPEG leaves that.
_GREY, _FEW = 6, 0.01
_BLOCK, _FLATTEST = 8, 0.1
# Storing whole levels alone adds a noise of 0.29 of them.
_LEAST_NOISE = 0.5
_SAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
# Luminance table of the JPEG standard (ITU-T T.81, annex K), of which the IJG library makes all others.
_LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
PREFIX = "file:"


@dataclass(frozen=True)
class FileFacts:
    """What one file says beside its content.

    ``jpeg_quality`` 1..100 and ``subsampling`` (such as "4:2:0") are NaN and empty for what has none; ``depth`` is in
    bits per channel; ``brightness`` (mean) and ``contrast`` (standard deviation) of the luma, ``warmth`` (mean red
    minus blue) and ``tint`` (mean green minus the mean of red and blue) are in levels of 0..255; ``sharpness`` is the
    logarithm of the variance of the Laplacian (Pech-Pacheco et al., ICPR 2000), ``noise`` that of the standard
    deviation of the noise (Immerkær, Computer Vision and Image Understanding 64, 1996) in the flattest tenth of the
    blocks, both in levels at a long side of 256 pixels. ``camera`` and ``software`` are digests of the EXIF entries,
    empty without.
    """

    jpeg_quality: float = nan
    subsampling: str = ""
    depth: int = 0
    grey: bool = False
    brightness: float = nan
    contrast: float = nan
    warmth: float = nan
    tint: float = nan
    sharpness: float = nan
    noise: float = nan
    camera: str = ""
    software: str = ""
    dated: bool = False


NO_FACTS = FileFacts()
_TYPES = {"depth": "int8", "grey": "bool", "dated": "bool", "subsampling": "object"}


def file_facts(content: bytes, shrunk: Image.Image, max_megapixels: float) -> FileFacts:
    """All facts about a file's bytes, of which ``shrunk`` is the RGB picture, small: light and colour are read off it.

    Raises RejectedImage for what is no picture.
    """
    quality, subsampling, depth, camera, software, dated = read_header(content, _header_facts)
    luma = ImageStat.Stat(shrunk.convert("L"))
    red, green, blue = ImageStat.Stat(shrunk).mean
    detail = np.asarray(_fixed_size(decode_photo(content, max_megapixels, longest=DETAIL).image), np.float32)
    return FileFacts(
        jpeg_quality=quality,
        subsampling=subsampling,
        depth=depth,
        grey=is_grey(np.asarray(shrunk)),
        brightness=luma.mean[0],
        contrast=luma.stddev[0],
        warmth=red - blue,
        tint=green - (red + blue) / 2,
        sharpness=sharpness(detail),
        noise=noise(detail),
        camera=camera,
        software=software,
        dated=dated,
    )


def fact_columns(facts: Sequence[FileFacts]) -> dict[str, pd.Series]:
    """The facts of all files as columns of ``images.parquet``; cameras and programs are numbered, the commonest first.

    >>> fact_columns([FileFacts(camera="b"), NO_FACTS, FileFacts(camera="b")])["file:camera"].tolist()
    ['camera 1', '', 'camera 1']
    """
    columns = {}
    for field in fields(FileFacts):
        values = [getattr(fact, field.name) for fact in facts]
        if field.name in ("camera", "software"):
            values, kind = numbered(values, field.name), "object"
        else:
            kind = _TYPES.get(field.name, "float32")
        columns[PREFIX + field.name] = pd.Series(values, dtype=kind)
    return columns


def numbered(digests: Iterable[str], noun: str) -> list[str]:
    """Names without meaning for equal digests: the commonest is number 1, of equally common ones the first met."""
    digests = list(digests)
    counts = pd.Series([digest for digest in digests if digest], dtype=object).value_counts(sort=False)
    order = sorted(counts.index, key=lambda digest: -counts[digest])
    names = {digest: f"{noun} {number}" for number, digest in enumerate(order, 1)}
    return [names.get(digest, "") for digest in digests]


def jpeg_quality(table: Sequence[int]) -> float:
    """The quality, 1..100, at which the IJG library writes a luminance table (64,) of this sum, or the nearest one.

    >>> jpeg_quality(_LUMINANCE)
    50.0
    """
    return float(1 + np.argmin(np.abs(_QUALITY_SUMS - sum(table))))


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Whether RGB pixels (h, w, 3) show no colour but a trace."""
    red, green, blue = np.moveaxis(pixels, 2, 0)
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return bool((spread > _GREY).mean() <= _FEW)


def sharpness(luma: NDArray[np.floating]) -> float:
    """The logarithm of 1 + the variance of the Laplacian of grey levels (h, w), >= 0."""
    inner = luma[1:-1, 1:-1]
    if not inner.size:
        return 0.0
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * inner
    return log(1 + float(laplacian.var()))


def noise(luma: NDArray[np.floating]) -> float:
    """The logarithm of the noise's standard deviation in the flattest blocks of grey levels (h, w), at least log 0.5.

    Immerkær's operator, the difference of two Laplacians, is blind to what is even or an even edge; white noise of
    standard deviation s gives it a mean absolute value of 6 s sqrt(2 / pi). The flattest tenth of blocks that hold
    nothing but noise shows a fifth less of it.
    """
    rows = luma[:-2] - 2 * luma[1:-1] + luma[2:]
    twice = np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:])
    height, width = (side // _BLOCK * _BLOCK for side in twice.shape)
    if not height or not width:
        return log(_LEAST_NOISE)
    blocks = twice[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).mean(axis=(1, 3))
    flattest = float(np.quantile(blocks, _FLATTEST))
    return log(max(_LEAST_NOISE, sqrt(pi / 2) / 6 * flattest))


def _fixed_size(picture: Image.Image) -> Image.Image:
    scale = DETAIL / max(picture.size)
    size = (max(3, round(picture.width * scale)), max(3, round(picture.height * scale)))
    luma = picture.convert("L")
    return luma if luma.size == size else luma.resize(size, Image.Resampling.BILINEAR)


def _header_facts(file: Image.Image) -> tuple[float, str, int, str, str, bool]:
    """Quality, subsampling, depth, camera, software and whether there is a date, of a picture that is only opened."""
    quality, subsampling = nan, ""
    if isinstance(file, JpegImagePlugin.JpegImageFile):
        tables = file.quantization
        quality = jpeg_quality(tables[min(tables)]) if tables else nan
        sampling = JpegImagePlugin.get_sampling(file)
        subsampling = _SAMPLINGS.get(sampling, "" if file.layers == 1 else "another")
    return quality, subsampling, _depth(file), *_origin(file)


def _depth(file: Image.Image) -> int:
    if file.mode == "1":
        return 1
    if file.mode in ("I", "F"):
        return 32
    return 16 if ";16" in file.mode or ";16" in str(getattr(file, "tile", "")) else 8


def _origin(file: Image.Image) -> tuple[str, str, bool]:
    """Digests of the camera and the software, and whether there is a date; what cannot be read is not there."""
    try:
        exif = file.getexif()
        inner = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # EXIF is free-form bytes: whatever is wrong with it, the pixels are still good.
        return "", "", False
    maker, model, software = (
        str(exif.get(tag) or "").strip("\0 ")
        for tag in (ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.Software)
    )
    dated = bool(exif.get(ExifTags.Base.DateTime) or inner.get(ExifTags.Base.DateTimeOriginal))
    return _digest(f"{maker} {model}".strip()), _digest(software), dated


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if text else ""


def _quality_sums() -> NDArray[np.int64]:
    """Sums of the luminance tables at quality 1 to 100, as the IJG library scales them (jcparam.c)."""
    base = np.array(_LUMINANCE)
    scales = [5000 // quality if quality < 50 else 200 - 2 * quality for quality in range(1, 101)]
    return np.array([np.clip((base * scale + 50) // 100, 1, 255).sum() for scale in scales], np.int64)


_QUALITY_SUMS = _quality_sums()
