"""Label-independent inputs of all trials: what they need of the images whatever the labels, each part computed once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.data.batches import Images
from audit.detection.detections import DETECTIONS_PER_SHARD, load_detections, shard_path
from audit.evidence.occlusion_test import read_masked
from audit.evidence.pixel_views import Views, is_seen_as_pixels, pixel_views
from audit.model.activation_store import ActivationStore, to_half
from audit.progress import track
from audit.store.audit_folder import read_table
from audit.store.tensors import load_arrays

T = TypeVar("T")
Explained = tuple[NDArray[np.float16], NDArray[np.float32]]


@dataclass(frozen=True)
class Masked:
    """Answers of a masking stage, and the pooled pretrained activations (rows, C) behind each row of the table."""

    table: pd.DataFrame
    masked: NDArray[np.float16]
    control: NDArray[np.float16]


@dataclass(frozen=True)
class TrialInputs:
    """Some photographs of an audit folder, which is only read, in which the cues have been looked for.

    ``images`` (m,) are their numbers, ascending; ``detected`` holds the arrays of the detect stage and ``textures``, by
    the cue's name, what the pixels of a scene's or mark's place look like, row by row for these images. ``masked`` is
    None where no cue was hidden.
    """

    store: ActivationStore
    images: Images
    detected: Mapping[str, NDArray[Any]]
    textures: Mapping[str, Views]
    masked: Masked | None
    _explained: dict[int, Explained] = field(default_factory=dict, repr=False)
    _known: dict[tuple[bytes, bytes], Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, store: ActivationStore, images: Images) -> Self:
        """Everything but the explained layer, which follows when it is asked for."""
        found = load_detections(store.folder)
        textures = {
            cue.name: pixel_views(store.dataset, store.config, found, cue, images)
            for cue in found.cues
            if is_seen_as_pixels(cue)
        }
        return cls(store, images, _detected(store, images), textures, _masked(store))

    def rows(self, images: Images) -> NDArray[np.intp]:
        """Where some of the images are among all of them."""
        return np.searchsorted(self.images, images)

    def once(self, images: Images, name: bytes, work: Callable[[], T]) -> T:
        """What ``work`` makes of some of the images, by name: done for the first trial of just these images."""
        key = (images.tobytes(), name)
        if key not in self._known:
            self._known[key] = work()
        known: T = self._known[key]
        return known

    def explained(self, images: Images) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
        """The explained layer of the pretrained network, (len(images), C, h, w), and its averages (len(images), C)."""
        missing = np.array(
            [image for image in dict.fromkeys(images.tolist()) if image not in self._explained], np.int64
        )
        with track("features", len(missing)) as advance:
            for batch, trunk in self.store.batches(missing, self.store.config.compute.batch_size):
                activations = self.store.runtime.infer(self.store.backbone.tail, trunk)
                both = zip(to_half(activations), activations.mean((2, 3)).cpu().numpy(), strict=True)
                self._explained.update(zip(batch.tolist(), both, strict=True))
                advance(len(batch))
        layers, averages = zip(*(self._explained[image] for image in images.tolist()), strict=True)
        return np.stack(layers), np.stack(averages)


def _detected(store: ActivationStore, images: Images) -> dict[str, NDArray[Any]]:
    parts = []
    for shard in np.unique(images // DETECTIONS_PER_SHARD):
        rows = images[images // DETECTIONS_PER_SHARD == shard] % DETECTIONS_PER_SHARD
        arrays = load_arrays(shard_path(store.folder, int(shard)))
        parts.append({name: values[rows] for name, values in arrays.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _masked(store: ActivationStore) -> Masked | None:
    if not store.folder.masking.exists():
        return None
    table = read_table(store.folder.masking)
    return Masked(table, *read_masked(store.folder)) if len(table) else None
