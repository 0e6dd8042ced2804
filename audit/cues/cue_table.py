"""All cues side by side: found by detectors, their looks, named by attributes, or met as clusters of attention."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.cam.regions import cover, mass_on
from audit.config import Config
from audit.cues.appearance_groups import Looks, find_looks
from audit.cues.cluster_cues import look_alikes, read_look_alikes, write_look_alikes
from audit.cues.column_cues import column_cues
from audit.cues.cue_json import CueSummary
from audit.cues.differences import Trait, differences, in_words, traits_in, traits_of
from audit.cues.file_cues import file_cues
from audit.cues.membership import is_member
from audit.cues.summary import summarise
from audit.cues.undecided import undecided
from audit.data.batches import Images
from audit.data.dataset import Dataset
from audit.detection.detections import (
    Detections,
    MeasuredAttributes,
    detections_digest,
    load_attributes,
    load_detections,
)
from audit.detectors.cue import GRID, Cue
from audit.explain.clusters import load_clusters
from audit.explain.compute_maps import read_shards
from audit.explain.fold_clusters import from_columns
from audit.explain.read_maps import read_maps
from audit.model.activation_store import ActivationStore
from audit.store.audit_folder import (
    AuditFolder,
    file_digest,
    read_records,
    read_table,
    value_digest,
    write_records,
    write_table,
)

_PART = 512
_OF_REGION = ("area", "attention")


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: write ``cues.parquet`` (image, cue, present, score, area, attention), ``cues.json`` and ``looks.json``.

    ``attention`` is the share of the positive mass of the label's map on the cue; NaN where the map is empty or the
    cue has no place in the picture. ``present`` is null where it is unknown: an attribute, the look of what is not
    in the picture, or what detectors contradict each other about (``audit.cues.undecided``). ``score`` is the value
    itself of a number that was measured on a region or on the file.
    """
    store = ActivationStore.open(folder, config)
    return tabulate(store, looks_of(store))


def looks_of(store: ActivationStore) -> list[Looks]:
    """The looks of what detectors found in a store's photographs; no label changes them."""
    return find_looks(store.dataset, store.config, load_detections(store.folder), partial(_pooled_in, store.folder))


def tabulate(store: ActivationStore, looks: Sequence[Looks]) -> list[Path]:
    """As ``build``, from a store that is open and its looks."""
    folder, config, dataset = store.folder, store.config, store.dataset
    # What people are taken for names no look and no cluster: the plan collects by their names.
    seen, measured = _detected(folder), load_attributes(folder)
    traits = [trait for trait in traits_of(measured) if not trait.attribute.apparent]
    looks = [_told(one, traits, seen[0], dataset) for one in looks]
    write_records(folder.looks, [one.entry(dataset, config.seed) for one in looks])
    attributes = _measured(measured, seen[1])
    tables = [seen, attributes, _look_alikes(store, traits), _looks(looks, seen[1]), files_of(dataset)]
    tables.append(_columns(dataset, [cue.name for found, _ in tables for cue in found]))
    cues = [cue for found, _ in tables for cue in found]
    table = pd.concat([rows for _, rows in tables], ignore_index=True)
    write_table(folder.cues, table.sort_values(["cue", "image"], ignore_index=True))
    lines = load_detections(folder).text()
    summaries = [
        summarise(cue, table[table["cue"] == cue.name], lines[lines["cue"] == cue.name], dataset, config)
        for cue in cues
    ]
    write_records(folder.cue_list, summaries)
    return [folder.cues, folder.cue_list, folder.looks, *sorted((folder / "look-alikes").glob("*.safetensors"))]


@dataclass(frozen=True)
class CueTable:
    """Reads what is known of each cue; arrays are in the order of images."""

    folder: AuditFolder
    cues: tuple[Cue, ...]
    rows: pd.DataFrame
    detections: Detections

    @cached_property
    def places(self) -> str:
        """As ``places_digest``, worked out once."""
        return places_digest(self.folder)

    def column(self, cue: Cue, name: str) -> NDArray[np.generic]:
        """One column of a cue's rows, (images,)."""
        values: NDArray[np.generic] = self.rows.loc[cue.name, name].to_numpy()
        return values

    def present(self, cue: Cue) -> NDArray[np.bool_]:
        """Whether each image shows the cue, (images,); False where that is unknown."""
        values: NDArray[np.bool_] = self.rows.loc[cue.name, "present"].fillna(False).to_numpy(bool)
        return values

    def known(self, cue: Cue) -> NDArray[np.bool_]:
        """Whether it is known of each image, (images,)."""
        values: NDArray[np.bool_] = self.rows.loc[cue.name, "present"].notna().to_numpy(bool)
        return values

    def named(self, name: str) -> Cue:
        """The cue of that name."""
        return next(cue for cue in self.cues if cue.name == name)

    def masks(self, cue: Cue, images: Images) -> NDArray[np.bool_]:
        """Where a cue that has a place is, boolean (len(images), GRID, GRID)."""
        if cue.kind != "cluster":
            return self.detections.masks(images)[:, self.detections.place(cue.whole)]
        packed = read_look_alikes(self.folder / "look-alikes", "masks")[images, self._position(cue)]
        return np.unpackbits(packed, axis=1).astype(bool).reshape(-1, GRID, GRID)

    def pooled(self, cue: Cue) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Pretrained activations pooled inside a cue that has a place and outside it, float32 (images, C) each."""
        return self._pooled(cue, "inside"), self._pooled(cue, "rest")

    def pooled_control(self, cue: Cue) -> NDArray[np.float32]:
        """The same inside a control of equal size and shape elsewhere; zeros where there is no room for one."""
        return self._pooled(cue, "control")

    def _pooled(self, cue: Cue, name: str) -> NDArray[np.float32]:
        if cue.kind == "cluster":
            return read_look_alikes(self.folder / "look-alikes", name)[:, self._position(cue)].astype(np.float32)
        return _pooled_in(self.folder, cue, name)

    def _position(self, cue: Cue) -> int:
        return [one.name for one in self.cues if one.kind == "cluster"].index(cue.name)


def load_cues(folder: AuditFolder) -> CueTable:
    """Open the cues of an audit. Raises AuditFolderError when a file of theirs is missing or damaged."""
    cues = tuple(entry.cue for entry in read_records(folder.cue_list, CueSummary))
    rows = read_table(folder.cues).set_index(["cue", "image"]).sort_index()
    return CueTable(folder, cues, rows, load_detections(folder))


def places_digest(folder: AuditFolder) -> str:
    """Digest of all that is known of where each cue is, those of clusters too: photographs are occluded there."""
    clusters = sorted((folder / "look-alikes").glob("*.safetensors"))
    return value_digest(file_digest(folder.cues), detections_digest(folder), list(map(file_digest, clusters)))


def _detected(folder: AuditFolder) -> tuple[list[Cue], pd.DataFrame]:
    found = load_detections(folder)
    attention = np.full(found.area.shape, np.nan, np.float32)
    for images in _parts(len(found.area)):
        maps = read_maps(folder, images)
        attention[images] = mass_on(maps, cover(found.masks(images), maps.shape[1:]))
    present = found.present.astype(object)
    present[undecided(found.cues, found.present, found.score)] = None
    columns = zip(found.cues, present.T, found.score.T, found.area.T, attention.T, strict=True)
    return list(found.cues), _concat([_rows(*column) for column in columns])


def _measured(measured: MeasuredAttributes, seen: pd.DataFrame) -> tuple[list[Cue], pd.DataFrame]:
    """Rows of the attributes: one is where its region is, in the images that show it; ``score`` is its value."""
    rows = []
    regions = dict(list(seen.sort_values("image").groupby("cue", sort=False)))
    for attribute, values, shown in zip(measured.attributes, measured.values.T, measured.shown.T, strict=True):
        region, nowhere = regions.get(attribute.within), np.full(len(shown), np.nan, np.float32)
        area, attention = (nowhere if region is None else region[name].to_numpy(np.float32) for name in _OF_REGION)
        present = shown.astype(object)
        present[np.isnan(values)] = None
        rows.append(_rows(attribute.cue, present, values, np.where(shown, area, 0), np.where(shown, attention, np.nan)))
    return [attribute.cue for attribute in measured.attributes], _concat(rows)


def _told(looks: Looks, traits: Sequence[Trait], cues: Sequence[Cue], dataset: Dataset) -> Looks:
    """Looks whose words say first what their images differ in from those of the other looks."""
    of_part = traits_in(looks.parent, traits, cues)
    told = []
    for look, cue in enumerate(looks.cues):
        here, there = looks.assigned == look, (looks.assigned != look) & (looks.assigned >= 0)
        different = differences(of_part, here, there, dataset.groups, dataset.folds)
        told.append(replace(cue, words=in_words(cue.words, different)))
    return replace(looks, cues=tuple(told))


def _look_alikes(store: ActivationStore, traits: Sequence[Trait]) -> tuple[list[Cue], pd.DataFrame]:
    folder, dataset = store.folder, store.dataset
    regions, numbers = read_table(folder.regions), from_columns(read_table(folder.clusters))
    shape = read_maps(folder, np.arange(1)).shape[1:]
    sought = look_alikes(store, load_clusters(folder), regions, numbers, (shape[0], shape[1]))
    if not sought:
        shutil.rmtree(folder / "look-alikes", ignore_errors=True)
        return [], _concat([])
    write_look_alikes(store, sought, folder / "look-alikes")
    likeness, scores = (read_look_alikes(folder / "look-alikes", name) for name in ("likeness", "score"))
    packed = read_look_alikes(folder / "look-alikes", "masks")
    rows, cues = [], []
    for index, one in enumerate(sought):
        masks = np.unpackbits(packed[:, index], axis=1).astype(bool).reshape(-1, GRID, GRID)
        present = is_member(likeness[:, index], dataset.folds, one.made_of.members(dataset.groups))
        rows.append(_rows(one.cue, present, scores[:, index], masks.mean((1, 2)), _attention(folder, masks)))
        of_place = traits_in(one.cue, traits, [])
        different = differences(of_place, present, ~present, dataset.groups, dataset.folds)
        cues.append(replace(one.cue, words=in_words(one.cue.words, different)))
    return cues, _concat(rows)


def _looks(found: Sequence[Looks], seen: pd.DataFrame) -> tuple[list[Cue], pd.DataFrame]:
    """Rows of the looks: a look is where its cue is, in the images that have it."""
    rows = []
    for looks in found:
        parent = seen[seen["cue"] == looks.parent.name].sort_values("image")
        for look, cue in enumerate(looks.cues):
            has = looks.assigned == look
            present = has.astype(object)
            present[looks.assigned < 0] = None
            area, attention = (parent[name].to_numpy(np.float32) for name in ("area", "attention"))
            score = parent["score"].to_numpy(np.float32)
            rows.append(_rows(cue, present, score, np.where(has, area, 0), np.where(has, attention, np.nan)))
    return [cue for looks in found for cue in looks.cues], _concat(rows)


def _pooled_in(folder: AuditFolder, cue: Cue, name: str = "inside") -> NDArray[np.float32]:
    """One of the explain stage's averages for a detector's cue, (images, C)."""
    place = load_detections(folder).place(cue.name)
    parts = [(images, arrays[0][:, place]) for images, arrays in read_shards(folder, name)]
    order = np.argsort(np.concatenate([images for images, _ in parts]))
    pooled: NDArray[np.float32] = np.concatenate([values for _, values in parts])[order].astype(np.float32)
    return pooled


def _columns(dataset: Dataset, taken: list[str]) -> tuple[list[Cue], pd.DataFrame]:
    found = column_cues(dataset.images, dataset.attributes, taken)
    rows = []
    for one in found:
        present = one.present.astype(object)
        present[~one.known] = None
        nothing = np.full(len(present), np.nan, np.float32)
        rows.append(_rows(one.cue, present, one.known.astype(np.float32), nothing, nothing))
    return [one.cue for one in found], _concat(rows)


def files_of(dataset: Dataset) -> tuple[list[Cue], pd.DataFrame]:
    """The cues of the file, and their rows of ``cues.parquet``."""
    facts, rows = file_cues(dataset.images), []
    for fact in facts:
        present = fact.present.astype(object)
        present[~fact.known] = None
        nothing = np.full(len(present), np.nan, np.float32)
        rows.append(_rows(fact.cue, present, fact.values, nothing, nothing))
    return [fact.cue for fact in facts], _concat(rows)


def _attention(folder: AuditFolder, masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    shares = np.full(len(masks), np.nan, np.float32)
    for images in _parts(len(masks)):
        maps = read_maps(folder, images)
        shares[images] = mass_on(maps, cover(masks[images, None], maps.shape[1:]))[:, 0]
    return shares


def _parts(count: int) -> Iterator[Images]:
    for start in range(0, count, _PART):
        yield np.arange(start, min(start + _PART, count))


def _rows(
    cue: Cue,
    present: NDArray[np.generic],
    score: NDArray[np.floating],
    area: NDArray[np.floating],
    attention: NDArray[np.floating],
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image": np.arange(len(present), dtype=np.int32),
            "cue": cue.name,
            "present": pd.array(present, dtype="boolean"),
            "score": score.astype(np.float32),
            "area": area.astype(np.float32),
            "attention": attention.astype(np.float32),
        }
    )


def _concat(rows: list[pd.DataFrame]) -> pd.DataFrame:
    empty = np.zeros(0, np.float32)
    return pd.concat(rows or [_rows(Cue("", "", "scene", "cluster"), empty, empty, empty, empty)], ignore_index=True)
