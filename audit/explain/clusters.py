"""Clusters of regions by their descriptors, with the largest number of clusters that is stable."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from audit.cam.regions import cover, mass_on
from audit.config import Config, model_folder
from audit.data.batches import read_pixels
from audit.data.dataset import Dataset, load_dataset, one_per_group
from audit.detection.detections import Detections, load_detections
from audit.detectors.describe import colour_words, place_words, size_words
from audit.explain.cluster_names import name_cluster, vote
from audit.explain.explain_json import Cluster
from audit.explain.fold_clusters import as_columns, without_each_fold
from audit.explain.imagenet_words import SIDE as CROP_SIDE
from audit.explain.imagenet_words import Resemblance, can_find_words, resemblances
from audit.explain.read_maps import read_maps
from audit.explain.region_table import read_descriptors, unpack_masks
from audit.explain.stable_kmeans import Grouping, group
from audit.progress import track
from audit.store.audit_folder import AuditFolder, read_records, read_table, write_records, write_table

_COMPONENTS = 24
# Descriptors are kept in half precision, of which this is the relative error.
_SAME = 2.0**-11
_POSITION_WEIGHT = 0.35
_EXEMPLARS = 12
# Of a region's sides, on each side, so that a word can be found for it.
_CONTEXT = 0.25
_FIXED_SPREAD = 0.12
_OFF_CENTRE = 0.25
# Of the regions' attention on the main object, in at least so many images that have one.
_ON_SUBJECT, _HAS_SUBJECT = 0.4, 0.6


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: write ``clusters.parquet`` (cluster of every region) and ``clusters.json`` (one entry per cluster).

    ``without_fold_<f>`` is a region's cluster where the images of fold f are left out (``without_each_fold``).

    Raises AuditFolderError when a stage before it is not done.
    """
    dataset, regions = load_dataset(folder), read_table(folder.regions)
    descriptors, centres = read_descriptors(folder, regions), regions[["cx", "cy"]].to_numpy(np.float64)

    def features(rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        return region_features(descriptors[rows], centres[rows])

    with track("clusters", 3, "steps") as advance:
        grouping = group(region_features(descriptors, centres), config.attention.max_clusters, config.seed)
        advance(1)
        folds = dataset.folds[regions["image"].to_numpy()]
        numbers = without_each_fold(features, grouping.assigned, folds, config.training.folds, config.seed)
        advance(1)
        clusters = _describe(folder, config, dataset, regions, grouping)
        advance(1)
    columns = {"cluster": grouping.assigned.astype(np.int16), **as_columns(numbers)}
    table = pd.DataFrame({"region": regions["region"], **columns})
    write_table(folder.clusters, table)
    write_records(folder.cluster_list, clusters)
    return [folder.clusters, folder.cluster_list]


def load_clusters(folder: AuditFolder) -> tuple[Cluster[int], ...]:
    """The clusters, largest first. Raises AuditFolderError when the stage has not written them."""
    return read_records(folder.cluster_list, Cluster[int])


def region_features(descriptors: NDArray[np.floating], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """What regions are compared by, (regions, d): principal components of their unit descriptors (regions, C), and
    their centres (regions, 2)."""
    if len(descriptors) < 2:
        return np.zeros((len(descriptors), 1))
    parts = unit_components(descriptors.astype(np.float64))
    spread = np.sqrt(parts.var(0).sum())
    return np.hstack([parts, _POSITION_WEIGHT * spread / 0.25 * (centres - centres.mean(0))])


def unit_components(descriptors: NDArray[np.floating]) -> NDArray[np.float64]:
    """The first principal components of descriptors (n, C), each brought to length 1: (n, at most 24).

    Zeros where all are the same, up to rounding: they differ in no direction.
    """
    unit = descriptors / np.maximum(np.linalg.norm(descriptors, axis=1, keepdims=True), 1e-9)
    if np.ptp(unit, axis=0).max(initial=0.0) < _SAME:
        return np.zeros((len(unit), 1))
    components = PCA(min(_COMPONENTS, *unit.shape), svd_solver="full").fit_transform(unit.astype(np.float64))
    return np.asarray(components, np.float64)


def _describe(
    folder: AuditFolder, config: Config, dataset: Dataset, regions: pd.DataFrame, grouping: Grouping
) -> list[Cluster[int]]:
    if not len(regions):
        return []
    detections = load_detections(folder)
    votes, on_object = _votes(folder, regions, detections)
    described = regions.assign(vote=votes, on_object=on_object, label=dataset.labels[regions["image"].to_numpy()])
    clusters = []
    for cluster, stability in enumerate(grouping.stability):
        members = np.flatnonzero(grouping.assigned == cluster)
        members = members[np.argsort(grouping.distance[members], kind="stable")]
        clusters.append(_entry(config, dataset, described.iloc[members], cluster, detections, float(stability)))
    return clusters


def _entry(
    config: Config, dataset: Dataset, members: pd.DataFrame, cluster: int, detections: Detections, stability: float
) -> Cluster[int]:
    roles = {cue.name: cue.role for cue in detections.cues}
    fired = detections.present[members["image"]].mean(0)
    name = name_cluster(members["vote"].to_numpy(), fired, detections.cues)
    exemplars = one_per_group(members["image"].to_numpy(), dataset.groups)[:_EXEMPLARS]
    fixed = is_fixed(members) and roles.get(name.cue or "") not in ("part", "mark")
    own = not (name.cue or fixed) and lies_on_subject(members["on_object"].to_numpy())
    words = {cue.name: cue.words for cue in detections.cues}
    described = words[name.cue] if name.cue and not fixed else _unnamed(config, dataset, members, cluster, fixed, own)
    counts = np.bincount(members["label"], minlength=len(dataset.classes))
    box = members[["x0", "y0", "x1", "y1"]].median()
    return Cluster[int](
        cluster=cluster,
        n=len(members),
        name=None if fixed else name.cue,
        words=described,
        name_share=round(name.share, 3) if name.cue and not fixed else None,
        stability=round(stability, 3),
        fixed_position=fixed,
        on_subject=own,
        per_class={label: int(count) for label, count in zip(dataset.classes, counts, strict=True)},
        exemplars=tuple(exemplars.tolist()),
        box=tuple(round(float(value), 3) for value in box),
    )


def is_fixed(members: pd.DataFrame) -> bool:
    """Whether a cluster's regions sit in one place, away from the middle, whatever the image shows."""
    centres = members[["cx", "cy"]].to_numpy(np.float64)
    middle = np.median(centres, axis=0)
    spread = np.sqrt(np.median(((centres - middle) ** 2).sum(1)))
    return bool(spread <= _FIXED_SPREAD and np.abs(middle - 0.5).max() >= _OFF_CENTRE)


def lies_on_subject(on_object: NDArray[np.floating]) -> bool:
    """Whether regions (m,) lie on the main object, given the share of their mass on it; NaN where there is none.

    >>> lies_on_subject(np.array([0.5, 0.7, np.nan])), lies_on_subject(np.array([0.1, 0.2, 0.3]))
    (True, False)
    """
    shares = on_object[~np.isnan(on_object)]
    return len(shares) >= _HAS_SUBJECT * len(on_object) > 0 and float(shares.mean()) >= _ON_SUBJECT


def _votes(
    folder: AuditFolder, regions: pd.DataFrame, detections: Detections
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every region's vote, and the share of its mass on the main object, NaN where there is none: (regions,) each."""
    images = regions["image"].to_numpy()
    votes, on_object = np.empty(len(regions), np.int64), np.full(len(regions), np.nan)
    subject_columns = [index for index, cue in enumerate(detections.cues) if cue.name == "main_object"]
    for start in range(0, len(regions), 512):
        part = slice(start, start + 512)
        unique, inverse = np.unique(images[part], return_inverse=True)
        maps = read_maps(folder, unique)
        coverage = cover(detections.masks(unique), maps.shape[1:])[inverse]
        weights = maps[inverse] * unpack_masks(regions.iloc[part], maps.shape[1:])
        area = detections.area[images[part]] * detections.present[images[part]]
        shares = mass_on(weights, coverage)
        votes[part] = vote(shares, area)
        for index in subject_columns:
            on_object[part] = np.where(area[:, index] > 0, shares[:, index], np.nan)
    return votes, on_object


def _unnamed(config: Config, dataset: Dataset, members: pd.DataFrame, cluster: int, fixed: bool, own: bool) -> str:
    crops = [_crop(config, dataset, row, margin=0.0) for row in members.head(_EXEMPLARS).itertuples()]
    colour = colour_words(np.median([crop.reshape(-1, 3).mean(0) for crop in crops], axis=0))
    position = place_words(float(members["cx"].median()), float(members["cy"].median()))
    looks = f"{position}, {colour}, {size_words(float(members['area'].median()))}"
    if words := _resembled(config, dataset, members):
        looks += f", like {words[0].word} in {words[0].n} of {words[0].of}"
    if own:
        return f"a part of the photographed thing itself (unnamed cue {cluster + 1}: {looks})"
    return f"something always in the same place ({looks})" if fixed else f"unnamed cue {cluster + 1} ({looks})"


def _resembled(config: Config, dataset: Dataset, members: pd.DataFrame) -> list[Resemblance]:
    if not can_find_words(model_folder(config)):
        return []
    crops = [_crop(config, dataset, row, margin=_CONTEXT) for row in members.head(_EXEMPLARS).itertuples()]
    size = (CROP_SIDE, CROP_SIDE)
    squares = [cv2.resize(crop, size, interpolation=cv2.INTER_AREA).astype(np.uint8) for crop in crops]
    return resemblances(model_folder(config), squares)


def _crop(config: Config, dataset: Dataset, row: Any, margin: float) -> NDArray[np.uint8]:
    """A region's box in its image, with a margin of so many of its sides on each side."""
    pixels = read_pixels(dataset, int(row.image), config)
    width, height = (row.x1 - row.x0) * margin, (row.y1 - row.y0) * margin
    box = (row.x0 - width, row.y0 - height, row.x1 + width, row.y1 + height)
    x0, y0, x1, y1 = (round(min(max(float(value), 0.0), 1.0) * len(pixels)) for value in box)
    return pixels[y0:y1, x0:x1]
