"""Examples of detected cues: layers that darken all the rest of an image, and the boxes of looks."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from audit.cam.regions import Region
from audit.cues.cue_json import CueEntry, LooksEntry
from audit.detection.detections import Detections, load_detections
from audit.findings.audit_json import AuditRecord
from audit.store.audit_folder import AuditFolder, read_table
from reports.cards import Box
from reports.images import data_uri

CUES = 40
LOOKS = 6
LOOK_CLASSES = 4
_SHADE = (16, 16, 24, 165)


@dataclass(frozen=True)
class CueExamples:
    """One cue, the images (paths) shown as examples of it, and for each the layer as a data URI."""

    cue: CueEntry[str]
    layers: Mapping[str, str]


@dataclass(frozen=True)
class LookExamples:
    """The looks of one cue, the classes whose images are shown, and where the cue is in each image (path)."""

    entry: LooksEntry[str]
    classes: tuple[str, ...]
    boxes: Mapping[str, Box]


def spotlights(record: AuditRecord, folder: AuditFolder) -> list[CueExamples]:
    """Examples of every cue that detectors found somewhere, at most 40 cues, in the record's order.

    Raises AuditFolderError when the detections are missing or damaged.
    """
    cues = [cue for cue in record.cues if cue.kind == "detector" and cue.examples][:CUES]
    if not cues:
        return []
    table = read_table(folder.images)
    numbers = dict(zip(table["path"], table["image"], strict=True))
    detections = load_detections(folder)
    return [CueExamples(cue, _layers(cue.name, cue.examples, detections, numbers)) for cue in cues]


def looks(record: AuditRecord, folder: AuditFolder) -> list[LookExamples]:
    """The looks of every cue that has some, at most six cues, in the record's order.

    Raises AuditFolderError when the detections are missing or damaged.
    """
    entries = record.looks[:LOOKS]
    if not entries:
        return []
    table = read_table(folder.images)
    numbers = dict(zip(table["path"], table["image"], strict=True))
    detections = load_detections(folder)
    sorted_looks = []
    for entry in entries:
        classes = tuple(record.dataset.classes)[:LOOK_CLASSES]
        paths = [path for group in entry.groups for name in classes for path in group.classes[name].examples]
        masks = _masks(entry.cue, paths, detections, numbers)
        boxes = {path: Region(mask, 1.0).box for path, mask in zip(paths, masks, strict=True) if mask.any()}
        sorted_looks.append(LookExamples(entry, classes, boxes))
    return sorted_looks


def _layers(cue: str, paths: Sequence[str], detections: Detections, numbers: Mapping[str, int]) -> dict[str, str]:
    return {path: shade(mask) for path, mask in zip(paths, _masks(cue, paths, detections, numbers), strict=True)}


def _masks(cue: str, paths: Sequence[str], detections: Detections, numbers: Mapping[str, int]) -> NDArray[np.bool_]:
    """Where a detector found a cue in each image, (paths, h, w)."""
    return detections.masks(np.array([numbers[path] for path in paths], int))[:, detections.place(cue)]


def shade(mask: NDArray[np.bool_]) -> str:
    """An image (h, w) that is dark outside of a mask and transparent inside, as a data URI."""
    image = Image.fromarray(mask.astype(np.uint8), "P")
    image.putpalette(bytes(_SHADE[:3]) * 2)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=bytes((_SHADE[3], 0)), optimize=True)
    return data_uri("image/png", buffer.getvalue())
