"""The frozen trunk's activations, kept by photograph from one audit to the next: only new photographs cost a pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from audit.config import Config
from audit.data.batches import Images, read_batches
from audit.model.activation_store import TRUNK, ActivationStore, to_half
from audit.model.trunk_pass import POOLED
from audit.store.audit_folder import AuditFolder
from audit.store.tensors import load_arrays, save_tensors


def prefill(folder: AuditFolder, config: Config, kept: Path) -> None:
    """Lay the upright activations of every photograph where the features stage looks for them, before it runs.

    ``kept`` holds one file per photograph and model: float16 (C, h, w). Those that are missing are computed as the
    stage computes them, and kept.
    """
    store = ActivationStore.open(folder, config)
    keeper = _Keeper(store, kept / store.cache.key[:16])
    for upright, pooled in zip(store.shards(False), store.divided(POOLED), strict=True):
        keeper.compute(upright.rows)
        trunk = np.stack([load_arrays(keeper.path_of(int(image)))[TRUNK] for image in upright.rows])
        store.cache.write(upright, {TRUNK: trunk})
        store.cache.write(pooled, {POOLED: np.concatenate(list(_pooled(store, trunk)))})


@dataclass(frozen=True)
class _Keeper:
    store: ActivationStore
    kept: Path

    def path_of(self, image: int) -> Path:
        """The kept activations of an image's photograph."""
        return self.kept / f"{self.store.dataset.images['sha256'].iloc[image]}.safetensors"

    def compute(self, images: Images) -> None:
        """Compute and keep what is missing of these images."""
        missing = np.array([image for image in images if not self.path_of(int(image)).exists()], np.int64)
        config = self.store.config
        for batch, pixels in read_batches(self.store.dataset, missing, config, config.compute.batch_size):
            for image, activations in zip(batch, to_half(self.store.compute(pixels)), strict=True):
                save_tensors(self.path_of(int(image)), {TRUNK: activations}, {})


def _pooled(store: ActivationStore, trunk: NDArray[np.float16]) -> Iterator[NDArray[np.float32]]:
    size = store.config.compute.batch_size
    for start in range(0, len(trunk), size):
        batch = store.runtime.to_device(trunk[start : start + size]).float()
        with torch.no_grad(), store.runtime.autocast():
            means: NDArray[np.float32] = store.backbone.tail(batch).float().mean((2, 3)).cpu().numpy()
        yield means
