"""The table of attended regions: the connected areas of every label's map."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.cam.regions import Region, find_regions
from audit.config import Config
from audit.explain.compute_maps import read_shards
from audit.progress import track
from audit.store.audit_folder import AuditFolder, read_table, write_table

COLUMNS = ("image", "rank", "x0", "y0", "x1", "y1", "cx", "cy", "area", "mass", "mask")


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: write ``regions.parquet``, one row per region of every label's map, by image and rank.

    ``cx``, ``cy`` is the centre of the region's cells; ``mask`` the cells, packed to bits, row by row. Images without a
    positive value have no row; they are counted in ``predictions.parquet`` as empty. Raises AuditFolderError when the
    explain stage is not done, or a shard of it is damaged.
    """
    rows = []
    with track("regions", len(read_table(folder.predictions))) as advance:
        for images, (maps,) in read_shards(folder, "label_map"):
            for image, saliency in zip(images, maps.astype(np.float32), strict=True):
                rows += [_row(int(image), rank, r) for rank, r in enumerate(find_regions(saliency, config.attention))]
            advance(len(images))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(["image", "rank"], ignore_index=True)
    table.insert(0, "region", np.arange(len(table), dtype=np.int32))
    write_table(folder.regions, table.astype({"image": "int32", "rank": "int8"}))
    return [folder.regions]


def read_descriptors(folder: AuditFolder, regions: pd.DataFrame) -> NDArray[np.float32]:
    """Descriptor of every region of the table, float32 (regions, C): pretrained activations averaged under the map.

    Raises AuditFolderError when a shard of the explain stage is damaged.
    """
    rows = {(int(r.image), int(r.rank)): i for i, r in enumerate(regions.itertuples())}
    descriptors: NDArray[np.float32] | None = None
    for images, (stored,) in read_shards(folder, "regions"):
        if descriptors is None:
            descriptors = np.zeros((len(regions), stored.shape[2]), np.float32)
        for image, ranked in zip(images, stored, strict=True):
            for rank, descriptor in enumerate(ranked):
                if (row := rows.get((int(image), rank))) is not None:
                    descriptors[row] = descriptor
    return np.zeros((0, 1), np.float32) if descriptors is None else descriptors


def unpack_masks(regions: pd.DataFrame, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Masks of the table's regions on the network's grid, boolean (regions, h, w)."""
    cells = shape[0] * shape[1]
    if not len(regions):
        return np.zeros((0, *shape), bool)
    packed = np.stack([np.frombuffer(mask, np.uint8) for mask in regions["mask"]])
    return np.unpackbits(packed, axis=1, count=cells).astype(bool).reshape(-1, *shape)


def _row(image: int, rank: int, region: Region) -> tuple[object, ...]:
    height, width = region.mask.shape
    y, x = (np.nonzero(region.mask)[axis].mean() + 0.5 for axis in (0, 1))
    numbers = (*region.box, x / width, y / height, region.area, region.mass)
    return (image, rank, *map(np.float32, numbers), np.packbits(region.mask).tobytes())
