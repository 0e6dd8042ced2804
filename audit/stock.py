"""Photographs that went through the network once, with all of them that trials need and that no label changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from audit.activations import ActivationStore, to_half
from audit.cues.detect import load_detections
from audit.evidence.table import Views, is_seen_as_pixels, pixel_views
from audit.folder import read_table
from audit.masking import read_masked
from audit.pixels import Images
from audit.progress import track


@dataclass(frozen=True)
class Masked:
    """Answers of a masking stage, and the pooled pretrained activations (rows, C) behind each row of the table."""

    table: pd.DataFrame
    masked: NDArray[np.float16]
    control: NDArray[np.float16]


@dataclass(frozen=True)
class Stock:
    """The photographs of an audit folder, which is only read, in which the cues have been looked for.

    ``detected`` holds the arrays of the detect stage, row i for image i; ``textures`` what the pixels of a scene's or
    mark's place look like, by the cue's name; ``masked`` is None where no cue was hidden.
    """

    store: ActivationStore
    detected: Mapping[str, NDArray[Any]]
    textures: Mapping[str, Views]
    masked: Masked | None
    _explained: dict[int, NDArray[np.float16]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, store: ActivationStore) -> Self:
        """Everything but the explained layer, which follows when it is asked for."""
        shards = [_tensors(path) for path in sorted(store.folder.detections.glob("shard-*.safetensors"))]
        detected = {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}
        found = load_detections(store.folder)
        textures = {
            cue.name: pixel_views(store.dataset, store.config, found, cue)
            for cue in found.cues
            if is_seen_as_pixels(cue)
        }
        return cls(store, detected, textures, _masked(store))

    def explained(self, images: Images) -> NDArray[np.float16]:
        """The explained layer of the pretrained network, (len(images), C, h, w)."""
        missing = np.array(
            [image for image in dict.fromkeys(images.tolist()) if image not in self._explained], np.int64
        )
        with track("features", len(missing)) as advance:
            for batch, trunk in self.store.batches(missing, self.store.config.compute.batch_size):
                with torch.no_grad(), self.store.runtime.autocast():
                    activations = to_half(self.store.backbone.tail(trunk).float())
                self._explained.update(zip(batch.tolist(), activations, strict=True))
                advance(len(batch))
        return np.stack([self._explained[image] for image in images.tolist()])


def _masked(store: ActivationStore) -> Masked | None:
    if not store.folder.masking.exists():
        return None
    table = read_table(store.folder.masking)
    return Masked(table, *read_masked(store.folder)) if len(table) else None


def _tensors(path: Path) -> dict[str, NDArray[Any]]:
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
