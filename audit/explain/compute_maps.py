"""Out-of-fold Grad-CAM maps, predictions and descriptors of every image, from one pass."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from audit.cam.regions import cover, find_regions
from audit.config import Config
from audit.data.batches import Images
from audit.data.occlude import controls_of
from audit.detection.detections import Detections, detections_digest, load_detections
from audit.explain.read_maps import shard_paths
from audit.model.activation_store import ActivationStore, to_half
from audit.model.cross_fit import fold_path, load_fold
from audit.model.network import Network
from audit.model.pooling import masked_mean, pool_views
from audit.model.predict import scores_and_maps
from audit.progress import track
from audit.steps import version_of
from audit.store.audit_folder import AuditFolder, file_digest, value_digest, write_table
from audit.store.shards import Arrays, ShardStore, divide
from audit.store.tensors import load_arrays

PooledCues = Callable[[Images, Tensor], Mapping[str, Tensor]]

MAPS_PER_SHARD = 128


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: write ``explain/fold-<f>-<n>.safetensors`` and ``predictions.parquet``.

    Each shard holds, for up to 128 images of one fold: ``image``; ``label_map`` and ``predicted_map``, signed Grad-CAM
    maps float16 (n, h, w); ``probabilities`` float32 (n, classes); ``regions`` float16 (n, max_regions, C), the
    pretrained activations averaged under the map within each region of the label's map; ``inside``, ``rest`` and
    ``control`` float16 (n, K, C), the pretrained activations pooled inside each detector's cue, outside it, and inside
    the control of equal size and shape elsewhere (``pooling.pool_views``, ``occlude.control_mask``; zeros where there
    is no room). A killed run goes on at the shard it was in. Raises AuditFolderError when a stage before it is not
    done.
    """
    store = ActivationStore.open(folder, config)
    return explain(store, partial(pool_cues, store, load_detections(folder)))


def explain(store: ActivationStore, pooled: PooledCues) -> list[Path]:
    """As ``build``, from a store that is open; ``pooled`` gives what ``pool_cues`` does."""
    folder, config = store.folder, store.config
    with track("explaining", len(store.dataset.images)) as advance:
        detected = detections_digest(folder)
        written = [_explain_fold(store, pooled, fold, detected, advance) for fold in range(config.training.folds)]
    for stale in set(shard_paths(folder)) - set(chain.from_iterable(written)):
        stale.unlink()
    write_table(folder.predictions, _predictions(store))
    return [folder.predictions, *shard_paths(folder)]


def read_shards(folder: AuditFolder, *names: str) -> Iterator[tuple[Images, list[np.ndarray]]]:
    """Yield each shard's images and the arrays named. Raises AuditFolderError for a damaged shard."""
    for path in shard_paths(folder):
        arrays = load_arrays(path, "image", *names)
        yield arrays["image"], [arrays[name] for name in names]


def pool_cues(
    store: ActivationStore, detections: Detections, images: Images, pretrained: Tensor
) -> Mapping[str, Tensor]:
    """``inside``, ``rest`` and ``control`` of ``build`` for some images, from pretrained activations (n, C, h, w)."""
    masks = detections.masks(images)
    controls = controls_of(masks, images, store.config.seed)
    inside, control = (store.runtime.to_device(cover(mask, pretrained.shape[2:])) for mask in (masks, controls))
    return pool_views(pretrained, inside, control)


def _explain_fold(
    store: ActivationStore, pooled: PooledCues, fold: int, detected: str, advance: Callable[[int], None]
) -> list[Path]:
    images = np.flatnonzero(store.dataset.folds == fold)
    explainer = cache(lambda: _Explainer(store, load_fold(store, fold), pooled))
    shards = divide(images, MAPS_PER_SHARD, (f"fold-{fold}-" + "{:05d}").format)
    shard_store = ShardStore(store.folder.explain, _key(store, fold, detected))
    return shard_store.fill(shards, lambda shard: explainer().shard(shard.rows), advance)


def _key(store: ActivationStore, fold: int, detected: str) -> str:
    attention = store.config.attention.model_dump(mode="json")
    inputs = store.cache.key, file_digest(fold_path(store.folder, fold)), detected
    return value_digest(version_of("explain"), *inputs, attention, store.config.seed)


@dataclass(frozen=True)
class _Explainer:
    store: ActivationStore
    network: Network
    pooled: PooledCues

    def shard(self, images: Images) -> Arrays:
        """Everything that is stored for some images of the network's fold."""
        batches = self.store.batches(images, self.store.config.compute.batch_size)
        parts = [self._batch(batch, trunk) for batch, trunk in batches]
        arrays = {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}
        return {"image": images.astype(np.int32), **arrays}

    def _batch(self, images: Images, trunk: Tensor) -> dict[str, Tensor]:
        pretrained = self.store.runtime.infer(self.store.backbone.tail, trunk)
        labels = self.store.runtime.to_device(self.store.dataset.labels[images])
        scores, of_both = scores_and_maps(
            self.store.runtime, self.network, trunk, lambda scores: torch.stack([labels, scores.argmax(1)], 1)
        )
        maps = torch.from_numpy(to_half(of_both))
        return {
            "label_map": maps[:, 0],
            "predicted_map": maps[:, 1],
            "probabilities": scores.softmax(1).cpu(),
            "regions": torch.from_numpy(to_half(masked_mean(pretrained, self._region_weights(maps[:, 0])))),
            **self.pooled(images, pretrained),
        }

    def _region_weights(self, maps: Tensor) -> Tensor:
        """The rectified map inside each region of it, zero outside: (N, max_regions, h, w)."""
        settings = self.store.config.attention
        weights = np.zeros((len(maps), settings.max_regions, *maps.shape[1:]), np.float32)
        for row, saliency in enumerate(maps.float().numpy()):
            for rank, region in enumerate(find_regions(saliency, settings)):
                weights[row, rank] = saliency * region.mask
        return self.store.runtime.to_device(weights)


def _predictions(store: ActivationStore) -> pd.DataFrame:
    dataset, classes = store.dataset, np.array(store.dataset.classes, dtype=object)
    parts = [
        (images, shares, maps.max((1, 2)) <= 0)
        for images, (shares, maps) in read_shards(store.folder, "probabilities", "label_map")
    ]
    images, probabilities, empty = (np.concatenate(column) for column in zip(*parts, strict=True))
    labels, predicted = dataset.labels[images], probabilities.argmax(1)
    rows = np.arange(len(images))
    table = pd.DataFrame(
        {
            "image": images.astype(np.int32),
            "fold": dataset.folds[images].astype(np.int8),
            "label": classes[labels],
            "predicted": classes[predicted],
            "correct": labels == predicted,
            "p_label": probabilities[rows, labels],
            "p_predicted": probabilities[rows, predicted],
            "probabilities": list(probabilities),
            "empty": empty,
        }
    )
    return table.sort_values("image", ignore_index=True)
