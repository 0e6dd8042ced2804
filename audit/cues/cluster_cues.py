"""Clusters as cues: a cosine search of all images for a cluster's mean descriptor, attended or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import avg_pool2d, cosine_similarity, interpolate

from audit.cam.regions import cover
from audit.data.batches import Images
from audit.data.occlude import controls_of
from audit.detectors.cue import GRID, Cue, Role
from audit.detectors.mask_grid import pack_masks
from audit.explain.explain_json import Cluster
from audit.explain.region_table import read_descriptors, unpack_masks
from audit.model.activation_store import ActivationStore
from audit.model.pooling import masked_mean, pool_views
from audit.model.trunk_pass import read_pooled
from audit.progress import track
from audit.steps import version_of
from audit.store.audit_folder import value_digest
from audit.store.shards import SUFFIX, Arrays, ShardStore
from audit.store.tensors import load_arrays

_PEAK_SHARE = 0.85
_LEAST_REGIONS, _LEAST_STABILITY = 10, 0.5
_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


@dataclass(frozen=True)
class LookAlike:
    """A cluster's mean descriptor (C,), and the place (h, w) of its regions if they never move."""

    cue: Cue
    cluster: int
    descriptor: NDArray[np.float32]
    place: NDArray[np.bool_] | None


def is_own_cue(cluster: Cluster[int]) -> bool:
    """Whether a cluster becomes a cue: no detector but the background explains it, or it sits in a fixed place.

    A cluster that is tiny, or that half of the regions do not reproduce, is a shape in the noise.
    """
    solid = cluster.n >= _LEAST_REGIONS and cluster.stability >= _LEAST_STABILITY
    return solid and (cluster.fixed_position or cluster.name in (None, "background"))


def look_alikes(
    store: ActivationStore,
    clusters: Sequence[Cluster[int]],
    regions: pd.DataFrame,
    assigned: NDArray[np.integer],
    shape: tuple[int, int],
) -> list[LookAlike]:
    """The look-alike of every cluster that is a cue of its own.

    ``assigned`` is the cluster of every region, ``shape`` the network's grid (h, w).
    """
    descriptors = read_descriptors(store.folder, regions)
    found = []
    for cluster in filter(is_own_cue, clusters):
        members = np.flatnonzero(assigned == cluster.cluster)
        words = cluster.words if cluster.name is None else f"a kind of background (cluster {cluster.cluster + 1})"
        role: Role = "subject" if cluster.on_subject else "scene"
        cue = Cue(f"cluster {cluster.cluster + 1}", words, role, "cluster", number=cluster.cluster)
        masks = unpack_masks(regions.iloc[members], shape)
        place = masks.mean(0) >= min(0.5, float(masks.mean(0).max())) if cluster.fixed_position else None
        found.append(LookAlike(cue, cluster.cluster, descriptors[members].mean(0), place))
    return found


def write_look_alikes(store: ActivationStore, sought: Sequence[LookAlike], folder: Path) -> None:
    """Cosine search of all images for each look-alike's mean descriptor; write ``shard-*.safetensors`` of 128 each.

    Shards hold ``image``; ``score`` float32 (n, K), the cosine similarity of the place that resembles the cluster
    most (of its own place, if it never moves), -1..1, after the dataset's mean activation is subtracted; ``masks``
    uint8 (n, K, GRID * GRID / 8), that place packed to bits; ``inside``, ``rest`` and ``control`` float16 (n, K, C),
    pretrained activations pooled inside it, outside, and inside the control of equal size elsewhere (zeros where there
    is no room for one).
    """
    finder = _Finder(store, sought, read_pooled(store.folder).mean(0))
    kept, shards = ShardStore(folder, _key(store, sought)), store.divided("shard")
    kept.discard_others(shards, "shard-*")
    with track("look-alikes", len(store.dataset.images)) as advance:
        kept.fill(shards, lambda shard: finder.find(shard.rows), advance)


def _key(store: ActivationStore, sought: Sequence[LookAlike]) -> str:
    """Digest of what is looked for and in which activations; every image counts, since their mean is subtracted."""
    photographs = store.dataset.images["sha256"].tolist()
    descriptors = [(one.descriptor.tolist(), None if one.place is None else one.place.tolist()) for one in sought]
    return value_digest(version_of("cues"), store.cache.key, photographs, descriptors, store.config.seed, GRID)


class _Finder:
    def __init__(self, store: ActivationStore, sought: Sequence[LookAlike], mean: NDArray[np.float32]) -> None:
        self.store, self.sought = store, sought
        self.mean = store.runtime.to_device(mean).view(1, -1, 1, 1)
        self.targets = [store.runtime.to_device(one.descriptor).view(1, -1, 1, 1) - self.mean for one in sought]

    def find(self, images: Images) -> Arrays:
        """What a shard holds."""
        batches = self.store.batches(images, self.store.config.compute.batch_size)
        parts = [self.batch(some, trunk) for some, trunk in batches]
        arrays = {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}
        return {"image": images.astype(np.int32), **arrays}

    def batch(self, images: Images, trunk: Tensor) -> dict[str, Tensor]:
        activations = self.store.runtime.infer(self.store.backbone.tail, trunk)
        scores, masks = zip(*(self._find(activations, i) for i in range(len(self.sought))), strict=True)
        weights = torch.stack(masks, 1)
        fine = (interpolate(weights, size=(GRID, GRID), mode="nearest") > 0.5).cpu().numpy()
        seed = self.store.config.seed
        controls = controls_of(fine, images, seed)
        elsewhere = self.store.runtime.to_device(cover(controls, (weights.shape[2], weights.shape[3])))
        return {
            "score": torch.stack(scores, 1).cpu(),
            "masks": torch.from_numpy(pack_masks(fine)),
            **pool_views(activations, weights, elsewhere),
        }

    def _find(self, activations: Tensor, index: int) -> tuple[Tensor, Tensor]:
        """Scores (n,) and float masks (n, h, w) of one look-alike."""
        place = self.sought[index].place
        if place is not None:
            mask = self.store.runtime.to_device(place.astype(np.float32)).expand(len(activations), -1, -1)
            pooled = masked_mean(activations, mask[:, None])[:, 0, :, None, None] - self.mean
            return cosine_similarity(pooled, self.targets[index], 1)[:, 0, 0], mask
        smooth = avg_pool2d(activations, 3, 1, 1, count_include_pad=False) - self.mean
        likeness = cosine_similarity(smooth, self.targets[index], 1)
        masks = np.stack([_around_peak(one) for one in likeness.cpu().numpy()])
        return likeness.amax((1, 2)), self.store.runtime.to_device(masks)


def _around_peak(likeness: NDArray[np.float32]) -> NDArray[np.float32]:
    """The connected area around the maximum (h, w) whose values reach 85 % of it, as 0 and 1."""
    peak = likeness.max()
    labelled, _ = ndimage.label(likeness >= peak - (1 - _PEAK_SHARE) * abs(peak), structure=_EIGHT_NEIGHBOURS)
    around: NDArray[np.float32] = (labelled == labelled.flat[int(likeness.argmax())]).astype(np.float32)
    return around


def read_look_alikes(folder: Path, name: str) -> NDArray[Any]:
    """One array of all shards in ``folder``, in the order of images. Raises AuditFolderError for a damaged shard."""
    return np.concatenate([load_arrays(path, name)[name] for path in sorted(folder.glob(f"shard-*{SUFFIX}"))])
