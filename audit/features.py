"""The one pass of every photograph through the pretrained network, before anything is trained."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from audit.activations import SHARD, ActivationStore, save_array, to_half
from audit.config import Config
from audit.dataset import load_dataset
from audit.folder import AuditFolder, value_digest, write_atomically, write_json, write_text
from audit.pixels import Images, read_batches
from audit.progress import note, track


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: pool the explained layer of the pretrained network, and cache the trunk's activations if they fit.

    Writes ``cache/pooled-*.npy``, float32 (n, C), and within ``compute.cache_gb`` ``cache/trunk-*.npy``, one shard per
    128 images and orientation. Shards are written whole: an interrupted pass goes on at the shard it was in.
    """
    return fill(ActivationStore.open(folder, config))


def fill(store: ActivationStore, lender: AuditFolder | None = None) -> list[Path]:
    """As ``build``, for a store that is open; shards that ``lender``'s cache holds already are taken from there."""
    folder = store.folder
    _forget_other_inputs(store)
    orientations = _orientations(store)
    if lender is not None and lender != folder:
        _borrow(store, lender, orientations)
    with track("features", len(store.dataset.images) * max(1, len(orientations))) as advance:
        for images in _shards(len(store.dataset.images)):
            for flipped in orientations or (False,):
                _fill(store, images, flipped, keep=bool(orientations))
                advance(len(images))
    summary = folder.cache / "features.json"
    write_json(summary, {"key": cache_key(store), "images": len(store.dataset.images), "cached": len(orientations)})
    return [summary, *sorted(folder.cache.glob("pooled-*.npy"))]


def read_pooled(folder: AuditFolder) -> NDArray[np.float32]:
    """Activations of the pretrained network's explained layer, averaged over positions: float32 (n images, C)."""
    return np.concatenate([np.load(path, allow_pickle=False) for path in sorted(folder.cache.glob("pooled-*.npy"))])


def _shards(count: int) -> Iterator[Images]:
    for start in range(0, count, SHARD):
        yield np.arange(start, min(start + SHARD, count))


def _orientations(store: ActivationStore) -> tuple[bool, ...]:
    """Which orientations are worth keeping and fit: none, upright, or upright and flipped.

    A head on a frozen trunk learns little from flips, so it does not pay a second pass for them; a given one nothing.
    """
    settings, learns = store.config, store.backbone.given is None and store.config.model.fine_tune == "conv5"
    if len(store.backbone.trunk) == 0:
        return ()
    wanted = (False, True) if settings.training.flips and learns else (False,)
    size = _bytes_per_image(store) * len(store.dataset.images) * len(wanted)
    if size <= settings.compute.cache_gb * 1e9:
        return wanted
    note(
        f"The cache would take {size / 1e9:.1f} GB, over compute.cache_gb; activations are computed again when needed."
    )
    return ()


def _bytes_per_image(store: ActivationStore) -> int:
    side = store.config.model.image_size
    return 2 * store.compute(np.zeros((1, side, side, 3), np.uint8)).numel()


def _fill(store: ActivationStore, images: Images, flipped: bool, keep: bool) -> None:
    pooled = _pooled_path(store, images)
    trunk = store.shard_path(int(images[0]), flipped)
    if (flipped or pooled.exists()) and (trunk.exists() or not keep):
        return
    activations, means = [], []
    for _, pixels in read_batches(store.dataset, images, store.config, store.config.compute.batch_size):
        batch = store.compute(np.ascontiguousarray(pixels[:, :, ::-1]) if flipped else pixels)
        if keep:
            activations.append(to_half(batch))
        if not flipped:
            means.append(_pool(store, batch))
    if keep:
        save_array(trunk, np.concatenate(activations))
    if means:
        save_array(pooled, np.concatenate(means))


def _pooled_path(store: ActivationStore, images: Images) -> Path:
    return store.folder.cache / f"pooled-{int(images[0]) // SHARD:05d}.npy"


def _borrow(store: ActivationStore, lender: AuditFolder, orientations: tuple[bool, ...]) -> None:
    """Take over what another folder keeps of the same photographs in the same places, by the same network."""
    owner = replace(store, folder=lender, dataset=load_dataset(lender), _shards={})
    if not _is_current(owner):
        return
    theirs, ours = (one.dataset.images["sha256"].tolist() for one in (owner, store))
    for images in _shards(len(ours)):
        rows = slice(int(images[0]), int(images[-1]) + 1)
        if theirs[rows] != ours[rows]:
            continue
        _take(_pooled_path(owner, images), _pooled_path(store, images))
        for flipped in orientations:
            _take(owner.shard_path(rows.start, flipped), store.shard_path(rows.start, flipped))


def _take(source: Path, target: Path) -> None:
    """Link a file that will never be written to again, or copy it where the disk knows no links."""

    def copy(aside: Path) -> None:
        shutil.copyfile(source, aside)

    if target.exists() or not source.exists():
        return
    try:
        target.hardlink_to(source)
    except OSError:
        write_atomically(target, copy)


def _pool(store: ActivationStore, trunk: torch.Tensor) -> NDArray[np.float32]:
    with torch.no_grad(), store.runtime.autocast():
        means: NDArray[np.float32] = store.backbone.tail(trunk).float().mean((2, 3)).cpu().numpy()
    return means


def _forget_other_inputs(store: ActivationStore) -> None:
    """Drop shards of other photographs, weights or settings that an earlier run left in the cache."""
    if _is_current(store):
        return
    for stale in store.folder.cache.glob("*.npy"):
        stale.unlink()
    write_text(store.folder.cache / "key", cache_key(store))


def _is_current(store: ActivationStore) -> bool:
    """Whether the cache on disk is of the store's photographs, network and settings."""
    marker = store.folder.cache / "key"
    return marker.exists() and marker.read_text(encoding="utf-8") == cache_key(store)


def cache_key(store: ActivationStore) -> str:
    """Digest of all that the cached activations depend on; ``cache/key`` holds that of the shards beside it."""
    model = store.config.model.model_dump(mode="json")
    photographs = store.dataset.images["sha256"].tolist()
    return value_digest(photographs, model, store.backbone.origin.sha256, store.config.seed)
