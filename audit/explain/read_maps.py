"""Reading the Grad-CAM maps that the explain stage stored."""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from audit.errors import AuditFolderError
from audit.store.audit_folder import AuditFolder

Which = Literal["label", "predicted"]


def shard_paths(folder: AuditFolder) -> list[Path]:
    """The shards of the explain stage, in the order they were written."""
    return sorted(folder.explain.glob("fold-*.safetensors"))


def read_maps(folder: AuditFolder, images: NDArray[np.integer], which: Which = "label") -> NDArray[np.float32]:
    """Signed Grad-CAM maps of some images, float32 of shape (len(images), height, width), in the order asked for.

    ``which`` picks the map for the image's label or for the predicted class. Values keep their magnitude: they are
    neither rectified nor scaled. Only the shards that hold the images are read.

    Raises AuditFolderError if an image has no map.
    """
    row_of = {int(image): row for row, image in enumerate(images)}
    maps: NDArray[np.float32] | None = None
    n_read = 0
    for path in shard_paths(folder):
        with safe_open(path, framework="numpy") as shard:
            rows = [
                (i, row_of[int(image)]) for i, image in enumerate(shard.get_tensor("image")) if int(image) in row_of
            ]
            if not rows:
                continue
            stored = shard.get_tensor(f"{which}_map")
        if maps is None:
            maps = np.zeros((len(images), *stored.shape[1:]), np.float32)
        source, target = map(list, zip(*rows, strict=True))
        maps[target] = stored[source]
        n_read += len(rows)
    if maps is None or n_read < len(row_of):
        raise AuditFolderError(f"{folder.path}: {len(row_of) - n_read} images have no map; run the audit again.")
    return maps
