"""Cues that the user marked: boxes in a CSV file, or a folder with a mask for each photograph."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path, PurePosixPath
from typing import Protocol

import cv2
import numpy as np

from audit.config import OwnCueConfig
from audit.data.decode import open_photo
from audit.detectors.cue import Cue, Mask, Sighting
from audit.detectors.photo import LONGEST, Photo
from audit.errors import ConfigError, RejectedImage
from audit.store.audit_folder import file_digest
from audit.store.contents import path_digest
from audit.store.model_files import ModelFile

_COLUMNS = ("path", "x0", "y0", "x1", "y1")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")

Box = tuple[float, float, float, float]


class Marks(Protocol):
    """Where a user marked something. ``digest`` changes with what was marked."""

    @property
    def digest(self) -> str:
        """SHA-256 of what was marked, as hexadecimal digits."""

    def mask(self, photo: Photo) -> Mask | None:
        """The marked area at the photograph's resolution, bool (height, width); None where nothing is marked.

        Raises ConfigError when the user's file for this photograph cannot be used.
        """

    def covers(self, path: str) -> bool:
        """Whether there is a mark for the photograph with this path."""


@dataclass(frozen=True)
class Boxes:
    """Boxes by photograph, x0, y0, x1, y1 in pixels of the upright photograph."""

    boxes: Mapping[str, Sequence[Box]]
    digest: str

    @classmethod
    def read(cls, file: Path) -> "Boxes":
        """Raises ConfigError, naming the line, for anything but the columns path, x0, y0, x1, y1 with plain numbers."""
        boxes: dict[str, list[Box]] = {}
        try:
            with file.open(encoding="utf-8-sig", newline="") as lines:
                rows = csv.DictReader(lines, strict=True)
                missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
                if missing:
                    raise ConfigError(f"{file}: has no column '{missing[0]}'; own_cues needs {', '.join(_COLUMNS)}.")
                for row in rows:
                    boxes.setdefault(_plain(row["path"] or ""), []).append(_box(row, f"{file}, line {rows.line_num}"))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ConfigError(f"{file}: cannot be read as CSV ({error}); correct own_cues.") from None
        return cls(boxes, file_digest(file))

    def mask(self, photo: Photo) -> Mask | None:
        """The union of the boxes, each at least a pixel wide and high; None where there is no box."""
        if not self.covers(photo.path):
            return None
        mask = np.zeros(photo.shape, np.uint8)
        for box in self.boxes[photo.path]:
            x0, y0, x1, y1 = (round(value * photo.scale) for value in box)
            mask[max(0, y0) : max(0, y1, y0 + 1), max(0, x0) : max(0, x1, x0 + 1)] = 1
        return mask.astype(bool)

    def covers(self, path: str) -> bool:
        """Whether a row of the file names the photograph with this path."""
        return path in self.boxes


@dataclass(frozen=True)
class Masks:
    """A folder that mirrors the photographs' paths; a mask's name may end differently. Light pixels are inside."""

    folder: Path
    digest: str

    @classmethod
    def read(cls, folder: Path) -> "Masks":
        """Raises ConfigError when there is no such folder."""
        if not folder.is_dir():
            raise ConfigError(f"{folder}: there is no such folder of masks; correct own_cues.")
        return cls(folder, path_digest(folder))

    def mask(self, photo: Photo) -> Mask | None:
        """Where the mask's file is lighter than half of its maximum, resized to the photograph's resolution.

        None where there is no file. Raises ConfigError when the file is not a usable picture.
        """
        file = self._file(photo.path)
        if file is None:
            return None
        try:
            grey = np.asarray(open_photo(file, longest=LONGEST).convert("L"))
        except RejectedImage as error:
            raise ConfigError(f"{file}: this mask cannot be used ({error}); replace or remove it.") from None
        inside = (grey > grey.max() / 2).astype(np.uint8)
        height, width = photo.shape
        resized: Mask = cv2.resize(inside, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
        return resized

    def covers(self, path: str) -> bool:
        """Whether the folder holds a mask for the photograph with this path."""
        return self._file(path) is not None

    def _file(self, path: str) -> Path | None:
        same = self.folder / path
        candidates = (same, *(same.with_suffix(suffix) for suffix in _SUFFIXES))
        return next((file for file in candidates if file.is_file()), None)


class OwnCueDetector:
    """One cue of the settings' ``own_cues`` and, unless it is a mark on the picture, all that lies outside of it."""

    version = 1
    models: tuple[ModelFile, ...] = ()
    # The answer depends on the user's files, which change without the photograph changing.
    keepable = False

    def __init__(self, settings: OwnCueConfig) -> None:
        self.cues: tuple[Cue, ...] = own_cues(settings)
        self.marks: Marks = Boxes.read(settings.boxes) if settings.boxes else Masks.read(_given(settings.masks))
        self.name = f"own:{settings.name}:{self.marks.digest}"

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """In a photograph without a mark the cue is absent and everything lies outside of it.

        Raises ConfigError when the user's file for this photograph cannot be used.
        """
        mask = self.marks.mask(photo)
        inside = np.zeros(photo.shape, bool) if mask is None else mask
        return {
            cue.name: Sighting.of_mask(area, 1.0, 0.0) for cue, area in zip(self.cues, (inside, ~inside), strict=False)
        }

    def require_marks(self, paths: Sequence[str]) -> None:
        """Raises ConfigError when not one of the photographs has a mark."""
        if not any(self.marks.covers(path) for path in paths):
            raise ConfigError(
                f"own_cues: no photograph has a mark for '{self.cues[0].name}'; their paths must be written as the "
                f"dataset has them, like '{paths[0]}'."
            )


def own_cues(settings: OwnCueConfig) -> tuple[Cue, ...]:
    """The cue, and its outside where that means anything: nobody asks what lies outside of a mark on the picture."""
    words = settings.words or settings.name.replace("_", " ")
    inside = Cue(settings.name, words, settings.role)
    outside = Cue(f"outside_{settings.name}", f"everything outside {words}", "scene")
    return (inside,) if settings.role == "mark" else (inside, outside)


def _given(path: Path | None) -> Path:
    if path is None:
        raise ConfigError("own_cues: give either boxes (a CSV file) or masks (a folder).")
    return path


def _box(row: Mapping[str, str | None], where: str) -> Box:
    try:
        x0, y0, x1, y1 = (float(row[name] or "") for name in _COLUMNS[1:])
    except ValueError:
        raise ConfigError(f"{where}: x0, y0, x1 and y1 must be numbers (pixels); correct the file.") from None
    if not all(map(isfinite, (x0, y0, x1, y1))) or x1 <= x0 or y1 <= y0:
        raise ConfigError(f"{where}: a box needs x0 < x1 and y0 < y1; correct the file.")
    return x0, y0, x1, y1


def _plain(path: str) -> str:
    return str(PurePosixPath(path.replace("\\", "/")))
