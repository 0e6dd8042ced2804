"""What the detectors found, and what the attributes of regions are, as the stage left it: read from its shards."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.attributes.attribute import Attribute
from audit.detection.detectors_json import DetectorList
from audit.detectors.cue import GRID, Cue, Mask
from audit.detectors.marks.patch import PATCH
from audit.detectors.mask_grid import unpack_masks
from audit.store.audit_folder import AuditFolder, file_digest, read_record, value_digest
from audit.store.shards import SUFFIX
from audit.store.tensors import load_arrays, load_header

DETECTIONS_PER_SHARD = 256
SHARD_NAME = "shard-{:05d}"
# What a shard holds of attributes: float32 and uint8, (images, attributes) each.
VALUES = ("values", "shown")


@dataclass(frozen=True)
class Detections:
    """What the detectors found: K cues, n images in order.

    ``present`` boolean (n, K); ``score`` float32 (n, K), 0..1; ``area`` float32 (n, K), share of the picture.
    ``columns``: where in the shards each of the K is.
    """

    folder: AuditFolder
    cues: tuple[Cue, ...]
    columns: tuple[int, ...]
    present: NDArray[np.bool_]
    score: NDArray[np.float32]
    area: NDArray[np.float32]

    def place(self, name: str) -> int:
        """Where the cue of that name is among the K."""
        return [cue.name for cue in self.cues].index(name)

    @property
    def marks(self) -> list[int]:
        """Where among the K the marks on a picture are."""
        return [place for place, cue in enumerate(self.cues) if cue.role == "mark"]

    def masks(self, images: NDArray[np.integer]) -> Mask:
        """Where the cues are, boolean (len(images), K, GRID, GRID) over the whole picture; reads only their shards.

        Raises AuditFolderError when one is missing or damaged.
        """
        masks = np.zeros((len(images), len(self.cues), GRID, GRID), bool)
        shards = np.asarray(images) // DETECTIONS_PER_SHARD
        for shard in np.unique(shards):
            rows = np.flatnonzero(shards == shard)
            packed = load_arrays(shard_path(self.folder, int(shard)), "masks")["masks"]
            masks[rows] = unpack_masks(packed[np.asarray(images)[rows] % DETECTIONS_PER_SHARD][:, list(self.columns)])
        return masks

    def text(self) -> pd.DataFrame:
        """Every line that was read: columns image, cue, text. Raises AuditFolderError for a damaged shard."""
        rows = [row for path in shard_paths(self.folder) for row in load_header(path)["text"]]
        return pd.DataFrame(rows, columns=["image", "cue", "text"])


@dataclass(frozen=True)
class MeasuredAttributes:
    """What the regions of cues are like: A attributes, n images in order.

    ``values`` float32 (n, A), NaN where unknown; ``shown`` boolean (n, A): whether a value is high enough to show.
    """

    attributes: tuple[Attribute, ...]
    values: NDArray[np.float32]
    shown: NDArray[np.bool_]


def load_attributes(folder: AuditFolder) -> MeasuredAttributes:
    """Read what was measured; of images in which its region was not found nothing is known.

    Raises AuditFolderError when a file is missing or damaged.
    """
    attributes, seen = tuple(one.attribute for one in _listed(folder).attributes or ()), load_detections(folder)
    if not attributes:
        nothing = np.zeros((len(seen.present), 0))
        return MeasuredAttributes((), nothing.astype(np.float32), nothing.astype(bool))
    shards = [load_arrays(path, *VALUES) for path in shard_paths(folder)]
    values, shown = (np.concatenate([shard[name] for shard in shards]) for name in VALUES)
    regions = {cue.name: seen.present[:, place] for place, cue in enumerate(seen.cues)}
    there = np.stack([regions.get(one.within, np.ones(len(shown), bool)) for one in attributes], axis=1)
    return MeasuredAttributes(attributes, np.where(there, values, np.nan), shown.astype(bool) & there)


def load_detections(folder: AuditFolder) -> Detections:
    """Read what the stage wrote, masks and text excepted. Raises AuditFolderError when a file is missing or damaged."""
    listed = _listed(folder)
    cues = tuple(cue.cue for cue in listed.cues)
    return load_columns(folder, cues, listed.columns or tuple(cue.name for cue in cues))


def load_columns(folder: AuditFolder, cues: tuple[Cue, ...], columns: Sequence[str]) -> Detections:
    """Of all images, the cues of shards with such columns, of which a later one takes the place of an earlier."""
    where = {name: column for column, name in enumerate(columns)}
    chosen = tuple(where[cue.name] for cue in cues)
    names = ("present", "score", "area")
    shards = [load_arrays(path, *names) for path in shard_paths(folder)]
    present, score, area = (np.concatenate([shard[name][:, list(chosen)] for shard in shards]) for name in names)
    return Detections(folder, cues, chosen, present.astype(bool), score, area)


def not_looked_for(folder: AuditFolder) -> dict[str, str]:
    """Cues of the settings that the stage had to leave out, each with the reason, the end of a sentence."""
    return _listed(folder).not_looked_for


def has_stickers(folder: AuditFolder) -> bool:
    """Whether patches are those that their detector sees and stickers that show only among all photographs together."""
    return (_listed(folder).columns or ()).count(PATCH) > 1


def _listed(folder: AuditFolder) -> DetectorList:
    return read_record(folder.detections / "detectors.json", DetectorList)


def detections_digest(folder: AuditFolder) -> str:
    """Digest of all that was found, masks included: maps are pooled, and photographs occluded, under these."""
    return value_digest([file_digest(path) for path in (folder.detections / "detectors.json", *shard_paths(folder))])


def shard_path(folder: AuditFolder, shard: int) -> Path:
    """The file that holds the images from ``shard * DETECTIONS_PER_SHARD`` on."""
    return folder.detections / f"{SHARD_NAME.format(shard)}{SUFFIX}"


def shard_paths(folder: AuditFolder) -> list[Path]:
    """The files of all images, in order."""
    return sorted(folder.detections.glob("shard-*.safetensors"))
