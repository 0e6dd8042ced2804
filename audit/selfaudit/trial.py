"""Trials: small audits with a known answer, of photographs that went through the network once.

A trial is an audit folder of its own. What the earlier stages would write is filled in from ``TrialInputs``, which
costs no pass through the network; all later stages are the audit's own, so that what is measured is the audit itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from audit.config import Config, parse_config
from audit.cues.cue_table import load_cues, looks_of, tabulate
from audit.data.batches import Images
from audit.data.dataset import load_dataset
from audit.data.dataset_json import DatasetSummary
from audit.detection.detections import DETECTIONS_PER_SHARD, load_detections, shard_path
from audit.detection.detectors_json import DetectorList
from audit.evidence.equalise_test import no_equalised
from audit.evidence.evidence_table import Measurer, measure_all
from audit.evidence.occlusion_test import no_answers
from audit.explain import clusters, region_table
from audit.explain.compute_maps import explain, pool_cues
from audit.explain.explain_json import Sanity
from audit.findings import findings
from audit.findings.finding import Finding
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import fold_path, train
from audit.model.network import Backbone, GapHead, Origin
from audit.model.trunk_pass import POOLED
from audit.progress import Silence, reporting_to
from audit.selfaudit.trial_inputs import TrialInputs
from audit.store.audit_folder import (
    AuditFolder,
    read_record,
    read_records,
    read_table,
    value_digest,
    write_json,
    write_record,
    write_table,
)
from audit.store.shards import SUFFIX
from audit.store.tensors import load_tensors, only_prefix, save_tensors


@dataclass(frozen=True)
class Trial:
    """A question about some images of ``TrialInputs``: ``labels`` (n,) are the classes that they are said to show."""

    images: Images
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """What a trial's audit concluded: findings as in ``findings.json``; ``present`` (n,) of each cue by its name."""

    findings: tuple[Finding, ...]
    present: Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class TrialStore(ActivationStore):
    """Gives the explained layer (n, C, h, w) of a trial's photographs from memory, and so needs no weights."""

    layer: NDArray[np.float16] = field(kw_only=True)

    def batches(
        self, images: Images, size: int, flipped: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[Images, Tensor]]:
        """As for any store; no trial looks at mirrored photographs."""
        for part in _parts(len(images), size):
            tensor = self.runtime.to_device(self.layer[images[part]]).float()
            yield images[part], tensor.contiguous(memory_format=torch.channels_last)


def trial_config(config: Config, path: Path) -> Config:
    """The settings of an audit for a trial in a folder: a global-average-pool head on the frozen network.

    All else is equal, but that there are no model files: clusters are not likened to ImageNet's words, which no verdict
    depends on.
    """
    tree = config.model_dump(mode="json")
    tree["model"] |= {"fine_tune": "head", "head": "gap", "checkpoint": None}
    tree["compute"]["models"] = str(path / "no-models")
    return parse_config(tree)


def run_trial(inputs: TrialInputs, trial: Trial, trusted: bool, path: Path) -> Outcome:
    """Audit a trial in the empty folder ``path``; ``trusted``: whether the maps count as having passed their checks."""
    folder, config = AuditFolder(path), trial_config(inputs.store.config, path)
    _fill_dataset(inputs, trial, folder)
    _fill_detections(inputs, trial, folder)
    layer = _fill_features(inputs, trial, folder)
    write_record(folder.sanity, Sanity(trusted=trusted, sentence="", checks=()))
    # What a trial computes is so little that a second thread would only wait for the first.
    with reporting_to(Silence()), threadpool_limits(1):
        _audit(inputs, trial, _store(inputs, folder, config, layer))
    cues = load_cues(folder)
    return Outcome(read_records(folder.findings, Finding), {cue.name: cues.present(cue) for cue in cues.cues})


def _audit(inputs: TrialInputs, trial: Trial, store: ActivationStore) -> None:
    """The stages from the training to the findings, but for those that would need the network again."""
    folder, config = store.folder, store.config
    detections = load_detections(folder)

    def pooled(images: Images, pretrained: Tensor) -> Mapping[str, Tensor]:
        return inputs.once(trial.images, images.tobytes(), lambda: pool_cues(store, detections, images, pretrained))

    train(store)
    explain(store, pooled)
    region_table.build(folder, config)
    clusters.build(folder, config)
    tabulate(store, inputs.once(trial.images, b"looks", lambda: looks_of(store)))
    write_table(folder.masking, _asked_again(inputs, trial, store))
    write_table(folder.equalised, no_equalised())
    rows = inputs.rows(trial.images)
    seen = {name: (a[rows], b[rows], c[rows]) for name, (a, b, c) in inputs.textures.items()}
    measure_all(replace(Measurer.open(folder, config), textures=seen))
    findings.build(folder, config)


def _store(inputs: TrialInputs, folder: AuditFolder, config: Config, layer: NDArray[np.float16]) -> TrialStore:
    nothing, none = nn.Sequential(nn.Identity()), nn.Sequential()
    backbone = Backbone(nothing, none, inputs.store.backbone.channels, None, Origin("", ""))
    return TrialStore(folder, load_dataset(folder), config, backbone, inputs.store.runtime, layer=layer)


def _fill_dataset(inputs: TrialInputs, trial: Trial, folder: AuditFolder) -> None:
    classes = np.array(inputs.store.dataset.classes, object)
    table = inputs.store.dataset.images.iloc[trial.images].reset_index(drop=True)
    write_table(folder.images, table.assign(image=np.arange(len(table), dtype=np.int32), label=classes[trial.labels]))
    write_record(folder.dataset, read_record(inputs.store.folder.dataset, DatasetSummary))


def _fill_detections(inputs: TrialInputs, trial: Trial, folder: AuditFolder) -> None:
    folder.detections.mkdir(parents=True)
    listed = read_record(inputs.store.folder.detections / "detectors.json", DetectorList)
    write_record(folder.detections / "detectors.json", listed)
    rows = {name: values[inputs.rows(trial.images)] for name, values in inputs.detected.items()}
    rows["image"] = np.arange(len(trial.images), dtype=np.int32)
    for part in _parts(len(trial.images), DETECTIONS_PER_SHARD):
        tensors = {name: values[part] for name, values in rows.items()}
        # The lines that were read are for the report alone.
        save_tensors(shard_path(folder, part.start // DETECTIONS_PER_SHARD), tensors, {"text": []})


def _fill_features(inputs: TrialInputs, trial: Trial, folder: AuditFolder) -> NDArray[np.float16]:
    """The cache as the features stage leaves it, but for the explained layer, which is returned instead."""
    layer, averages = inputs.explained(trial.images)
    save_tensors(folder.cache / f"{POOLED}-00000{SUFFIX}", {POOLED: averages}, {})
    write_json(folder.cache / "features.json", {"key": value_digest(trial.images.tolist(), trial.labels.tolist())})
    return layer


def _asked_again(inputs: TrialInputs, trial: Trial, store: ActivationStore) -> pd.DataFrame:
    """``masking.parquet`` of a trial: the masked views of its inputs, put to the trial's own heads.

    Only views of detectors' cues: another audit's clusters are other clusters. Where the audit found no effect under
    its first filling, no second one is there to make light of a chance effect, which errs towards false alarms.
    """
    if inputs.masked is None:
        return no_answers()
    detected = [cue.name for cue in load_cues(store.folder).cues if cue.kind == "detector"]
    place = pd.Series(np.arange(len(trial.images)), trial.images)
    table = inputs.masked.table
    rows = np.flatnonzero(table["cue"].isin(detected) & table["image"].isin(place.index))
    images = place[table["image"].iloc[rows]].to_numpy(np.int64)
    before = np.stack(read_table(store.folder.predictions)["probabilities"].to_list())[images]
    views = {"masked": inputs.masked.masked[rows], "control": inputs.masked.control[rows]}
    answers = {"before": before, **{name: _answers(pooled, images, store) for name, pooled in views.items()}}
    table = table.iloc[rows].assign(image=images)
    for name, probabilities in answers.items():
        asked = np.isfinite(probabilities).all(1)
        table[f"p_{name}"] = probabilities[np.arange(len(rows)), trial.labels[images]].astype(np.float64)
        table[f"predicted_{name}"] = np.where(asked, probabilities.argmax(1), -1).astype(np.int64)
    return table.reset_index(drop=True)


def _answers(pooled: NDArray[np.floating], images: Images, store: ActivationStore) -> NDArray[np.float32]:
    """Class probabilities (rows, classes) by the head that did not train on each image."""
    classes = len(store.dataset.classes)
    probabilities = np.zeros((len(images), classes), np.float32)
    for fold in range(store.config.training.folds):
        head = GapHead(pooled.shape[1], classes)
        tensors, _ = load_tensors(fold_path(store.folder, fold))
        head.load_state_dict(only_prefix("head.", tensors))
        rows = store.dataset.folds[images] == fold
        with torch.no_grad():
            scores = head(torch.from_numpy(pooled[rows].astype(np.float32))[:, :, None, None])
        probabilities[rows] = scores.softmax(1).numpy()
    return probabilities


def _parts(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
