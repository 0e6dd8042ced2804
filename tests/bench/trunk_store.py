"""The frozen trunk's activations, kept by photograph from one audit to the next: only new photographs cost a pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from audit.activations import SHARD, ActivationStore, save_array, to_half
from audit.config import Config
from audit.features import cache_key
from audit.folder import AuditFolder, value_digest, write_text
from audit.pixels import Images, read_batches


def prefill(folder: AuditFolder, config: Config, kept: Path) -> None:
    """Lay the upright activations of every photograph where the features stage looks for them, before it runs.

    ``kept`` holds one file per photograph and model: float16 (C, h, w). Those that are missing are computed as the
    stage computes them, and kept.
    """
    store = ActivationStore.open(folder, config)
    keeper = _Keeper(
        store, kept / value_digest(config.model.model_dump(mode="json"), store.backbone.origin.sha256)[:16]
    )
    for start in store.shard_starts():
        images = np.arange(start, min(start + SHARD, len(store.dataset.images)))
        keeper.compute(images)
        trunk = np.stack([np.load(keeper.path_of(int(image)), allow_pickle=False) for image in images])
        save_array(store.shard_path(int(start), False), trunk)
        save_array(folder.cache / f"pooled-{start // SHARD:05d}.npy", np.concatenate(list(_pooled(store, trunk))))
    write_text(folder.cache / "key", cache_key(store))


@dataclass(frozen=True)
class _Keeper:
    store: ActivationStore
    kept: Path

    def path_of(self, image: int) -> Path:
        """The kept activations of an image's photograph."""
        return self.kept / f"{self.store.dataset.images['sha256'].iloc[image]}.npy"

    def compute(self, images: Images) -> None:
        """Compute and keep what is missing of these images."""
        missing = np.array([image for image in images if not self.path_of(int(image)).exists()], np.int64)
        config = self.store.config
        for batch, pixels in read_batches(self.store.dataset, missing, config, config.compute.batch_size):
            for image, activations in zip(batch, to_half(self.store.compute(pixels)), strict=True):
                save_array(self.path_of(int(image)), activations)


def _pooled(store: ActivationStore, trunk: NDArray[np.float16]) -> Iterator[NDArray[np.float32]]:
    size = store.config.compute.batch_size
    for start in range(0, len(trunk), size):
        batch = store.runtime.to_device(trunk[start : start + size]).float()
        with torch.no_grad(), store.runtime.autocast():
            means: NDArray[np.float32] = store.backbone.tail(batch).float().mean((2, 3)).cpu().numpy()
        yield means
