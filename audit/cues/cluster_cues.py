"""Clusters as cues: a cosine search of every image for the descriptor that a cluster has without the image's fold."""

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
from torch.nn.functional import avg_pool2d, cosine_similarity, interpolate, normalize

from audit.cam.regions import cover
from audit.cues.fold_descriptors import FoldDescriptors
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
    """What images are searched for: a cluster as the images outside each of K folds make it.

    ``places`` (K, h, w) is where its regions outside the fold are, None if they move.
    """

    cue: Cue
    made_of: FoldDescriptors
    places: NDArray[np.bool_] | None


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
    numbers: NDArray[np.integer],
    shape: tuple[int, int],
) -> list[LookAlike]:
    """The look-alike of every cluster that is a cue of its own and is met again without any of the folds.

    ``numbers`` (regions, K) is the cluster of every region without each fold, ``shape`` the network's grid (h, w).
    What is not undone: the models whose maps the regions outside a fold come from were trained on that fold
    (docs/statistics.md says what that costs).
    """
    descriptors, groups = read_descriptors(store.folder, regions), store.dataset.groups[regions["image"].to_numpy()]
    sought = []
    for cluster in filter(is_own_cue, clusters):
        inside = numbers == cluster.cluster
        if not inside.any(0).all():
            continue
        words = cluster.words if cluster.name is None else f"a kind of background (cluster {cluster.cluster + 1})"
        role: Role = "subject" if cluster.on_subject else "scene"
        cue = Cue(f"cluster {cluster.cluster + 1}", words, role, "cluster", number=cluster.cluster)
        places = [_usual_place(regions[column], shape) for column in inside.T] if cluster.fixed_position else None
        some = inside.any(1)
        made_of = FoldDescriptors(descriptors[some], groups[some], inside[some])
        sought.append(LookAlike(cue, made_of, None if places is None else np.stack(places)))
    return sought


def _usual_place(regions: pd.DataFrame, shape: tuple[int, int]) -> NDArray[np.bool_]:
    share = unpack_masks(regions, shape).mean(0)
    usual: NDArray[np.bool_] = share >= min(0.5, float(share.max()))
    return usual


def write_look_alikes(store: ActivationStore, sought: Sequence[LookAlike], folder: Path) -> None:
    """Cosine search of each image for what the look-alikes are to it; write ``shard-*.safetensors`` of 128 each.

    Shards hold ``image``; ``likeness`` float32 (n, K, folds), the cosine similarity of the place that is most like the
    cluster as the images outside each fold make it, without the image itself (of the cluster's own place, if it never
    moves), -1..1, after the dataset's mean activation is subtracted; ``score`` float32 (n, K), that without the image's
    own fold; ``masks`` uint8 (n, K, GRID * GRID / 8), the place of the score packed to bits; ``inside``, ``rest`` and
    ``control`` float16 (n, K, C), pretrained activations pooled inside it, outside, and inside the control of equal
    size elsewhere (zeros where there is no room for one).
    """
    finder = LookAlikeFinder(store, sought, read_pooled(store.folder).mean(0))
    kept, shards = ShardStore(folder, _key(store, sought)), store.divided("shard")
    kept.discard_others(shards, "shard-*")
    with track("look-alikes", len(store.dataset.images)) as advance:
        kept.fill(shards, lambda shard: finder.find(shard.rows), advance)


def _key(store: ActivationStore, sought: Sequence[LookAlike]) -> str:
    """Digest of what is looked for, in the images of which fold, and in which activations.

    Every image counts, since their mean is subtracted.
    """
    photographs = store.dataset.images["sha256"].tolist()
    folds = store.dataset.folds.tolist()
    groups = store.dataset.groups.tolist()
    made_of = [(each.made_of.digest(), None if each.places is None else each.places.tolist()) for each in sought]
    return value_digest(
        version_of("cues"), store.cache.key, photographs, folds, groups, made_of, store.config.seed, GRID
    )


class LookAlikeFinder:
    """Searches activations for look-alikes; ``mean`` (C,) is the dataset's mean activation, subtracted everywhere."""

    def __init__(self, store: ActivationStore, sought: Sequence[LookAlike], mean: NDArray[np.float32]) -> None:
        self.store, self.sought = store, sought
        self.mean = store.runtime.to_device(mean).view(1, -1, 1, 1)

    def find(self, images: Images) -> Arrays:
        """What a shard holds."""
        batches = self.store.batches(images, self.store.config.compute.batch_size)
        parts = [self.batch(some, trunk) for some, trunk in batches]
        arrays = {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}
        return {"image": images.astype(np.int32), **arrays}

    def batch(self, images: Images, trunk: Tensor) -> dict[str, Tensor]:
        """What a shard holds of some images (n,), but for their numbers, from the trunk's output for them."""
        activations = self.store.runtime.infer(self.store.backbone.tail, trunk)
        likeness, masks = zip(
            *(self.search(activations, images, look_alike) for look_alike in self.sought), strict=True
        )
        own = torch.from_numpy(self.store.dataset.folds[images])[:, None, None].expand(-1, len(self.sought), 1)
        weights = torch.stack(masks, 1)
        fine = (interpolate(weights, size=(GRID, GRID), mode="nearest") > 0.5).cpu().numpy()
        seed = self.store.config.seed
        controls = controls_of(fine, images, seed)
        elsewhere = self.store.runtime.to_device(cover(controls, (weights.shape[2], weights.shape[3])))
        return {
            "likeness": (alike := torch.stack(likeness, 1).cpu()),
            "score": alike.gather(2, own)[:, :, 0],
            "masks": torch.from_numpy(pack_masks(fine)),
            **pool_views(activations, weights, elsewhere),
        }

    def search(self, activations: Tensor, images: Images, look_alike: LookAlike) -> tuple[Tensor, Tensor]:
        """Likeness (n, folds) of images to a look-alike, and float masks (n, h, w) of where it is without their folds.

        ``activations`` (n, C, h, w) are the pretrained ones.
        """
        dataset, runtime = self.store.dataset, self.store.runtime
        folds = dataset.folds[images]
        targets = runtime.to_device(look_alike.made_of.strange_to(dataset.groups[images])) - self.mean.flatten()
        if look_alike.places is not None:
            places = runtime.to_device(look_alike.places.astype(np.float32))
            pooled = masked_mean(activations, places.expand(len(images), -1, -1, -1)) - self.mean.flatten()
            return cosine_similarity(pooled, targets, 2), places[folds]
        smooth = normalize(avg_pool2d(activations, 3, 1, 1, count_include_pad=False) - self.mean)
        likeness = torch.einsum("nchw,nfc->nfhw", smooth, normalize(targets, dim=2))
        own = likeness[np.arange(len(images)), folds].cpu().numpy()
        return likeness.amax((2, 3)), runtime.to_device(np.stack([around_peak(values) for values in own]))


def around_peak(likeness: NDArray[np.float32]) -> NDArray[np.float32]:
    """The connected area around the maximum (h, w) whose values reach 85 % of it, as 0 and 1."""
    peak = likeness.max()
    labelled, _ = ndimage.label(likeness >= peak - (1 - _PEAK_SHARE) * abs(peak), structure=_EIGHT_NEIGHBOURS)
    around: NDArray[np.float32] = (labelled == labelled.flat[int(likeness.argmax())]).astype(np.float32)
    return around


def read_look_alikes(folder: Path, name: str) -> NDArray[Any]:
    """One array of all shards in ``folder``, in the order of images. Raises AuditFolderError for a damaged shard."""
    return np.concatenate([load_arrays(path, name)[name] for path in sorted(folder.glob(f"shard-*{SUFFIX}"))])
