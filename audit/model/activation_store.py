"""The trunk's activations: from the cache on disk where they are kept, else computed from the images again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audit.config import Config
from audit.data.batches import Images, read_batches
from audit.data.dataset import Dataset, load_dataset
from audit.model.device import Runtime, choose_runtime, in_halves
from audit.model.network import Backbone, load_backbone
from audit.steps import version_of
from audit.store.audit_folder import AuditFolder, value_digest
from audit.store.contents import by_content
from audit.store.shards import Shard, ShardStore, divide
from audit.store.tensors import map_array

ACTIVATIONS_PER_SHARD = 128
TRUNK = "trunk"
# Pages of an open shard count as this process's memory: few are kept open, so that it does not grow with the dataset.
_OPEN_SHARDS = 8
_HALF_MAX = 65504.0


@dataclass(frozen=True)
class ActivationStore:
    """Gives the trunk's output for any images, float32 (n, C, h, w) on the runtime's device.

    With an empty trunk (``fine_tune: all``) that output is the normalised image itself.
    """

    folder: AuditFolder
    dataset: Dataset
    config: Config
    backbone: Backbone
    runtime: Runtime
    _open: dict[Path, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: AuditFolder, config: Config) -> Self:
        """The store of an audit whose dataset stage is done, on the device and with the weights of the settings.

        Raises ConfigError, MissingModelFile or ModelFileError as ``choose_runtime`` and ``load_backbone``, and
        AuditFolderError when the dataset stage is not done.
        """
        runtime = choose_runtime(config.compute)
        return cls(folder, load_dataset(folder), config, load_backbone(config).on(runtime), runtime)

    def batches(
        self, images: Images, size: int, flipped: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[Images, Tensor]]:
        """Yield (images, activations) in the order given; ``flipped`` asks for mirrored images, one by one."""
        flipped = np.zeros(len(images), bool) if flipped is None else flipped
        if self.is_cached(False) and (not flipped.any() or self.is_cached(True)):
            for start in range(0, len(images), size):
                rows = slice(start, start + size)
                yield images[rows], self._cached(images[rows], flipped[rows])
            return
        start = 0
        for batch, pixels in read_batches(self.dataset, images, self.config, size):
            mirrored = flipped[start : start + len(batch)]
            pixels[mirrored] = pixels[mirrored, :, ::-1]
            yield batch, self.compute(pixels)
            start += len(batch)

    def compute(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Run the trunk on uint8 pixels (n, size, size, 3), in smaller batches where the GPU's memory asks for it."""
        return in_halves(self._compute, pixels)

    def _compute(self, pixels: NDArray[np.uint8]) -> Tensor:
        return self.runtime.infer(self.backbone.trunk, self.runtime.normalise(pixels))

    def is_cached(self, flipped: bool) -> bool:
        """Whether every image's activations are on disk in this orientation."""
        return all(path.exists() for path in self._paths[flipped])

    @cached_property
    def cache(self) -> ShardStore:
        """The shards of this network under these settings, of any images."""
        network = by_content(self.config.model), self.backbone.origin.sha256, self.config.seed
        key = value_digest(version_of("features"), *network, self.runtime.precision)
        return ShardStore(self.folder.cache, key)

    def shards(self, flipped: bool) -> list[Shard]:
        """Shards of the trunk's activations, float16 (up to ACTIVATIONS_PER_SHARD, C, h, w) each."""
        return self.divided(f"{TRUNK}-{'flipped' if flipped else 'upright'}")

    def divided(self, name: str) -> list[Shard]:
        """All images divided into shards, whose contents are the images' SHA-256."""
        images = self.dataset.images
        return divide(
            np.arange(len(images)), ACTIVATIONS_PER_SHARD, (name + "-{:05d}").format, images["sha256"].tolist()
        )

    def _cached(self, images: Images, flipped: NDArray[np.bool_]) -> Tensor:
        rows = [self._row(int(image), bool(mirrored)) for image, mirrored in zip(images, flipped, strict=True)]
        tensor = self.runtime.to_device(np.stack(rows)).float()
        return tensor.contiguous(memory_format=torch.channels_last)

    @cached_property
    def _paths(self) -> tuple[list[Path], list[Path]]:
        upright, flipped = ([self.cache.path(shard) for shard in self.shards(turned)] for turned in (False, True))
        return upright, flipped

    def _row(self, image: int, flipped: bool) -> NDArray[np.float16]:
        path = self._paths[flipped][image // ACTIVATIONS_PER_SHARD]
        if path not in self._open:
            if len(self._open) >= _OPEN_SHARDS:
                self._open.clear()
            self._open[path] = map_array(path, TRUNK)
        row: NDArray[np.float16] = self._open[path][image % ACTIVATIONS_PER_SHARD]
        return row


def drop_activations(folder: AuditFolder) -> None:
    """Delete the cached activations of a finished audit; whatever asks for them again has them computed again."""
    for path in folder.cache.glob(f"{TRUNK}-*"):
        path.unlink()


def to_half(activations: Tensor) -> NDArray[np.float16]:
    """Round to float16, saturating at its largest value, and copy to host memory."""
    halves: NDArray[np.float16] = activations.clamp(-_HALF_MAX, _HALF_MAX).half().cpu().numpy()
    return halves
