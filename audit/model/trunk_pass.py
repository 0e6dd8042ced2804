"""The one pass of every image through the pretrained network, before anything is trained."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from audit.config import Config
from audit.data.batches import read_batches
from audit.model.activation_store import TRUNK, ActivationStore, to_half
from audit.progress import note, track
from audit.store.audit_folder import AuditFolder, value_digest, write_json
from audit.store.shards import SUFFIX, Arrays, Shard
from audit.store.tensors import load_arrays

POOLED = "pooled"


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: pool the explained layer of the pretrained network, and cache the trunk's activations if they fit.

    Writes ``cache/pooled-*``, float32 (n, C), and within ``compute.cache_gb`` ``cache/trunk-*``, one shard per 128
    images and orientation. An interrupted pass goes on at the shard it was in.
    """
    return fill(ActivationStore.open(folder, config))


def fill(store: ActivationStore, lender: AuditFolder | None = None) -> list[Path]:
    """As ``build``, for a store that is open; shards that ``lender``'s cache holds already are taken from there."""
    orientations = _orientations(store)
    trunks = {flipped: store.shards(flipped) for flipped in orientations}
    pooled = store.divided(POOLED)
    shards_to_keep = [*pooled, *(shard for shards in trunks.values() for shard in shards)]
    for older in store.folder.cache.glob("*.npy"):  # What a release before the shards left in an unfinished audit.
        older.unlink()
    store.cache.discard_others(shards_to_keep, "trunk-upright-*", "trunk-flipped-*", "pooled-*")
    if lender is not None and lender != store.folder:
        store.cache.borrow(lender.cache, shards_to_keep)
    with track("features", len(store.dataset.images) * max(1, len(orientations))) as advance:
        for number, shard in enumerate(pooled):
            upright = trunks[False][number] if orientations else None
            _fill_upright(store, shard, upright)
            advance(len(shard.rows))
        store.cache.fill(trunks.get(True, []), partial(_mirrored, store), advance)
    summary = store.folder.cache / "features.json"
    write_json(summary, {"key": cache_key(store), "images": len(store.dataset.images), "cached": len(orientations)})
    return [summary, *map(store.cache.path, pooled)]


def read_pooled(folder: AuditFolder) -> NDArray[np.float32]:
    """Activations of the pretrained network's explained layer, averaged over positions: float32 (n images, C).

    Raises AuditFolderError when the pass is not done.
    """
    paths = sorted(folder.cache.glob(f"{POOLED}-*{SUFFIX}"))
    return np.concatenate([load_arrays(path)[POOLED] for path in paths])


def _orientations(store: ActivationStore) -> tuple[bool, ...]:
    """Which orientations are worth keeping and fit: none, upright, or upright and flipped.

    A head on a frozen trunk learns little from flips, so it does not pay a second pass for them; a given one nothing.
    """
    settings, learns = store.config, store.backbone.given is None and store.config.model.fine_tune == "conv5"
    if len(store.backbone.trunk) == 0:
        return ()
    orientations = (False, True) if settings.training.flips and learns else (False,)
    size = _bytes_per_image(store) * len(store.dataset.images) * len(orientations)
    if size <= settings.compute.cache_gb * 1e9:
        return orientations
    note(
        f"The cache would take {size / 1e9:.1f} GB, over compute.cache_gb; activations are computed again when needed."
    )
    return ()


def _bytes_per_image(store: ActivationStore) -> int:
    side = store.config.model.image_size
    return 2 * store.compute(np.zeros((1, side, side, 3), np.uint8)).numel()


def _fill_upright(store: ActivationStore, pooled: Shard, trunk: Shard | None) -> None:
    """One pass for both shards of the same images; of the trunk nothing is kept where it is None."""
    shards = [shard for shard in (pooled, trunk) if shard is not None]
    if not store.cache.missing(shards):
        return
    activations, means = [], []
    for _, pixels in read_batches(store.dataset, pooled.rows, store.config, store.config.compute.batch_size):
        batch = store.compute(pixels)
        means.append(_pool(store, batch))
        if trunk is not None:
            activations.append(to_half(batch))
    if trunk is not None:
        store.cache.write(trunk, {TRUNK: np.concatenate(activations)})
    store.cache.write(pooled, {POOLED: np.concatenate(means)})


def _mirrored(store: ActivationStore, shard: Shard) -> Arrays:
    batches = read_batches(store.dataset, shard.rows, store.config, store.config.compute.batch_size)
    activations = [to_half(store.compute(np.ascontiguousarray(pixels[:, :, ::-1]))) for _, pixels in batches]
    return {TRUNK: np.concatenate(activations)}


def _pool(store: ActivationStore, trunk: torch.Tensor) -> NDArray[np.float32]:
    means: NDArray[np.float32] = store.runtime.infer(store.backbone.tail, trunk).mean((2, 3)).cpu().numpy()
    return means


def cache_key(store: ActivationStore) -> str:
    """Digest of all that the cached activations depend on, images included."""
    return value_digest(store.cache.key, store.dataset.images["sha256"].tolist())
