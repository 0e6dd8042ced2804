"""The images of the report: each embedded once, small and without metadata, and its heat map as a layer on top."""

import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from audit.cam.heatmap import heat_colours
from audit.data.decode import open_photo
from audit.data.photo_file import PhotoFile
from audit.errors import AuditFolderError, ChangedImage, RejectedImage
from audit.explain.read_maps import Which, read_maps
from audit.progress import note
from audit.store.audit_folder import AuditFolder, read_table
from audit.text import printable

QUALITY = 72
# Of the 5 MB that a report may have; text, charts and heat maps take the rest.
PHOTO_BYTES = 3_000_000
LEVELS = 32
_HEAT_SIDE = 56


@dataclass(frozen=True)
class EmbeddedImage:
    """One image: ``id`` of its only copy in the page; ``uri`` is empty, and ``reason`` says why, if unreadable."""

    id: str
    path: str
    width: int
    height: int
    uri: str = ""
    reason: str = ""

    @property
    def ratio(self) -> float:
        """Width by height of its frame; what is longer or taller than usual gets margins."""
        return round(min(max(self.width / self.height, 0.5), 2.0), 3)


@dataclass(frozen=True)
class Heat:
    """A heat map as a transparent image to be stretched over its image, and where it is strongest, in words."""

    uri: str
    where: str


@dataclass(frozen=True)
class EmbeddedImages:
    """All images of one report, by the image's path as audit.json gives it."""

    photos: Mapping[str, EmbeddedImage]
    heats: Mapping[Which, Mapping[str, Heat]] = field(default_factory=dict)

    def heat(self, path: str, which: Which = "label") -> Heat | None:
        """The heat map for the image's label or predicted class; None if it is empty or was not computed."""
        return self.heats.get(which, {}).get(path)

    def span(self, paths: Iterable[str]) -> float:
        """Width by height of these images side by side."""
        return round(sum(self.photos[path].ratio for path in paths), 3)

    @property
    def legend(self) -> str:
        """The heat colours from no attention to the strongest, as an image 32 pixels wide and 1 high."""
        return _png(np.arange(LEVELS, dtype=np.uint8)[None, :])


def embed_images(
    folder: AuditFolder,
    root: Path,
    label_heat: Iterable[str],
    predicted_heat: Iterable[str],
    plain: Iterable[str],
    longest: int,
    max_megapixels: float = 100.0,
) -> EmbeddedImages:
    """Read the images at ``root`` that carry either heat map or are shown plain, at most ``longest`` pixels long,
    and the maps.

    Images are shrunk further where all of them together would exceed ``PHOTO_BYTES``. One that cannot be read any
    more, or is not the one that was audited, becomes a placeholder, and a note tells: the findings stay true of what
    was audited, and must not be illustrated by anything else.
    """
    with_heat: Mapping[Which, list[str]] = {
        "label": list(dict.fromkeys(label_heat)),
        "predicted": list(dict.fromkeys(predicted_heat)),
    }
    paths = list(dict.fromkeys([*with_heat["label"], *with_heat["predicted"], *plain]))
    photos = embed_plain(_files(folder, root, paths), longest, max_megapixels)
    _tell_left_out([photo for photo in photos.values() if photo.reason])
    return EmbeddedImages(photos, {which: _heats(folder, some, which) for which, some in with_heat.items()})


def embed_plain(
    files: Mapping[str, PhotoFile], longest: int, max_megapixels: float = 100.0
) -> dict[str, EmbeddedImage]:
    """Read images, by the names under which a page knows them, at most ``longest`` pixels long.

    All are shrunk further where together they would exceed ``PHOTO_BYTES``.
    """
    photos = _photos(files, longest, max_megapixels)
    used = sum(len(photo.uri) for photo in photos.values())
    if used > PHOTO_BYTES:
        photos = _photos(files, max(48, int(longest * (PHOTO_BYTES / used) ** 0.5 * 0.95)), max_megapixels)
    return photos


def _files(folder: AuditFolder, root: Path, paths: list[str]) -> dict[str, PhotoFile]:
    table = read_table(folder.images)
    digests = dict(zip(table["path"], table["sha256"], strict=True))
    return {path: PhotoFile(root / path, digests.get(path, "")) for path in paths}


def _photos(files: Mapping[str, PhotoFile], longest: int, max_megapixels: float) -> dict[str, EmbeddedImage]:
    return {path: _photo(file, f"p{i}", path, longest, max_megapixels) for i, (path, file) in enumerate(files.items())}


def _photo(file: PhotoFile, name: str, path: str, longest: int, max_megapixels: float) -> EmbeddedImage:
    try:
        image = open_photo(file, max_megapixels, longest)
    except ChangedImage as error:
        return EmbeddedImage(name, path, 4, 3, reason=error.reason)
    except RejectedImage as error:
        return EmbeddedImage(name, path, 4, 3, reason=str(error))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return EmbeddedImage(name, path, image.width, image.height, data_uri("image/jpeg", buffer.getvalue()))


def _tell_left_out(photos: list[EmbeddedImage]) -> None:
    if photos:
        first = photos[0]
        note(
            f"{printable(first.path)}: {first.reason}, so the report does not show it"
            f"{f', nor {len(photos) - 1} others' if len(photos) > 1 else ''}; its findings are about what was audited."
        )


def _heats(folder: AuditFolder, paths: list[str], which: Which) -> dict[str, Heat]:
    table = read_table(folder.images)
    accepted = table[table["image"] >= 0]
    numbers = dict(zip(accepted["path"], accepted["image"], strict=True))
    accepted_paths = [path for path in paths if path in numbers]
    if not accepted_paths:
        return {}
    try:
        maps = read_maps(folder, np.array([numbers[path] for path in accepted_paths]), which)
    except AuditFolderError:
        return {}
    return {path: heat_of(saliency) for path, saliency in zip(accepted_paths, maps, strict=True) if saliency.max() > 0}


def heat_of(saliency: NDArray[np.float32]) -> Heat:
    """Draw a signed map (h, w) with a positive maximum: negative values are transparent, the maximum is brightest."""
    positive = np.maximum(saliency, 0).astype(np.float32)
    positive /= positive.max()
    smooth = np.asarray(Image.fromarray(positive).resize((_HEAT_SIDE, _HEAT_SIDE), Image.Resampling.BICUBIC))
    levels = np.rint(np.clip(smooth, 0, 1) * (LEVELS - 1)).astype(np.uint8)
    return Heat(_png(levels), where(positive))


def where(positive: NDArray[np.float32]) -> str:
    """In which ninth of the image the centre of the strongest attention (h, w) lies.

    >>> where(np.array([[0, 0, 9], [0, 0, 0], [0, 0, 0]], np.float32))
    'at the upper right'
    """
    strongest = np.where(positive >= positive.max() / 2, positive, 0)
    total, (height, width) = strongest.sum(), positive.shape
    row = float(strongest.sum(1) @ (np.arange(height) + 0.5) / total / height)
    column = float(strongest.sum(0) @ (np.arange(width) + 0.5) / total / width)
    vertical = "upper" if row < 0.36 else "lower" if row > 0.64 else ""
    side = "left" if column < 0.36 else "right" if column > 0.64 else ""
    if not vertical and not side:
        return "in the middle"
    return f"at the {' '.join(filter(None, (vertical, side or 'middle')))}" if vertical else f"at the {side}"


def _png(levels: NDArray[np.uint8]) -> str:
    colours, opacities = heat_colours(LEVELS)
    image = Image.frombytes("P", levels.shape[::-1], levels.tobytes())
    image.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=opacities.tobytes(), optimize=True)
    return data_uri("image/png", buffer.getvalue())


def data_uri(kind: str, content: bytes) -> str:
    """Content of a media type as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
