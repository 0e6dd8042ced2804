"""audit.json: the whole audit in one machine-readable file, and the schema that it follows."""

import json
import platform
import resource
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.config import Config
from audit.cues.cue_json import CueSummary, LooksEntry
from audit.cues.cue_table import CueTable, load_cues
from audit.cues.names import GivenName, read_names, renamed
from audit.data.dataset import Dataset, load_dataset
from audit.data.dataset_json import DatasetSummary, RefusedFile
from audit.explain.clusters import load_clusters
from audit.explain.explain_json import Sanity
from audit.findings.audit_json import (
    AuditRecord,
    Balanced,
    Confusion,
    DatasetFacts,
    EmptyMaps,
    Failure,
    Group,
    ModelFacts,
    SeverityRule,
    Tool,
    audit_schema,
)
from audit.findings.finding import Finding
from audit.findings.findings import has_learned
from audit.findings.flagged import to_mend
from audit.findings.limitations import GUESSES, limits, ungrouped
from audit.findings.previous_audit import carry_from_former, changes, created
from audit.findings.self_audit_json import SelfAudit
from audit.findings.severity import RULES, STRENGTH_RULES
from audit.measures.balanced_accuracy import balanced_accuracy
from audit.measures.figures import Share
from audit.measures.intervals import share_interval
from audit.model.model_json import ModelDescription
from audit.plan.learning_curve_json import LearningCurve
from audit.plan.plan_json import Plan
from audit.steps import STEPS, finished_record
from audit.store.audit_folder import (
    SCHEMA_VERSION,
    AuditFolder,
    read_record,
    read_records,
    read_table,
    write_record,
    write_schema,
)
from audit.store.version import __version__

_PACKAGES = (
    "torch",
    "torchvision",
    "prefect",
    "numpy",
    "pandas",
    "scikit-learn",
    "opencv-python-headless",
    "pillow",
    "rapidocr",
    "onnxruntime",
)
_FAILURES = 12
_WORST_GROUPS = 6
_SMALLEST_GROUP = 5


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: gather every table into ``audit.json`` and put ``audit.schema.json`` beside it.

    Raises AuditFolderError when a stage before it is not done.
    """
    record = describe(folder, config, load_dataset(folder))
    record = record.model_copy(update={"former": changes(folder, record)})
    carry_from_former(folder)
    words = {cue.name: cue.words for cue in record.cues}
    # Of an audit that was done again in the same folder, a look of that number may be another one.
    names = [name for name in read_names(folder) if words.get(name.cue) == name.own_words]
    write_record(folder.record, with_names(record, names))
    return [folder.record, write_schema(folder.record, audit_schema())]


def with_names(record: AuditRecord, names: Sequence[GivenName]) -> AuditRecord:
    """The record with the names that reviewers gave in the place of the audit's own words."""
    if not names:
        return record
    content = renamed(record.tree(), names)
    return AuditRecord.model_validate_json(json.dumps({**content, "names": [name.tree() for name in names]}))


def describe(folder: AuditFolder, config: Config, dataset: Dataset) -> AuditRecord:
    """The content of ``audit.json``, but for what changed since a former audit.

    Raises AuditFolderError when a stage before it is not done.
    """
    paths = tuple(map(str, dataset.images["path"]))
    return AuditRecord(
        schema_version=SCHEMA_VERSION,
        audit_id=folder.path.name,
        created=created(folder) or datetime.now(UTC).isoformat(timespec="seconds"),
        tool=Tool(name="bias-audit", version=__version__),
        versions=_versions(),
        dataset=_dataset(folder, dataset),
        model=_model(folder, config, dataset),
        sanity=read_record(folder.sanity, Sanity),
        seconds=_seconds(folder),
        peak_memory_mb=_peak_memory(),
        config=config.model_dump(mode="json"),
        findings=read_records(folder.findings, Finding),
        severity_table=tuple(SeverityRule(severity=name, rule=rule) for name, rule in RULES),
        strength_rules=STRENGTH_RULES,
        cues=tuple(entry.published(paths) for entry in read_records(folder.cue_list, CueSummary)),
        looks=tuple(entry.published(paths) for entry in read_records(folder.looks, LooksEntry[int])),
        clusters=tuple(cluster.published(paths) for cluster in load_clusters(folder)),
        failures=_failures(folder, dataset),
        plan=read_record(folder.plan / "plan.json", Plan),
        learning_curve=read_record(folder.learning_curve, LearningCurve),
        self_audit=read_record(folder.self_audit, SelfAudit),
        limits=(
            *(() if has_learned(folder, dataset) else (GUESSES,)),
            *ungrouped(read_record(folder.dataset, DatasetSummary).possible_group),
            *limits(folder, config),
        ),
        former=None,
    )


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _dataset(folder: AuditFolder, dataset: Dataset) -> DatasetFacts:
    summary = read_record(folder.dataset, DatasetSummary)
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes))
    rejected = zip(dataset.rejected["path"], dataset.rejected["rejected"], strict=True)
    return DatasetFacts(
        name=summary.name,
        root=summary.root,
        n_images=summary.n_images,
        n_rejected=summary.n_rejected,
        attributes=summary.attributes,
        n_duplicates=summary.n_duplicates,
        cross_class_duplicates=summary.cross_class_duplicates,
        uniform=summary.uniform,
        warnings=summary.warnings,
        digest=summary.digest,
        classes={name: int(count) for name, count in zip(dataset.classes, counts, strict=True)},
        rejected=tuple(RefusedFile(path=str(path), reason=str(reason)) for path, reason in rejected),
    )


def _model(folder: AuditFolder, config: Config, dataset: Dataset) -> ModelFacts:
    model = read_record(folder.model / "model.json", ModelDescription)
    predictions = read_table(folder.predictions)
    correct, empty = predictions["correct"].to_numpy(bool), predictions["empty"].to_numpy(bool)
    everything = np.ones(len(correct), bool)
    return ModelFacts(
        weights=model.weights,
        weights_sha256=model.weights_sha256,
        device=model.device,
        precision=model.precision,
        arch=config.model.arch,
        fine_tune=config.model.fine_tune,
        head=config.model.head,
        folds=config.training.folds,
        accuracy=_accuracy(correct, dataset, everything),
        majority_share=float(np.bincount(dataset.labels).max() / len(dataset.labels)),
        confusion=_confusion(predictions, dataset),
        per_class={name: _accuracy(correct, dataset, dataset.labels == i) for i, name in enumerate(dataset.classes)},
        worst_groups=_worst_groups(correct, dataset, load_cues(folder)),
        balanced=_balanced(folder, correct, dataset),
        empty_maps=EmptyMaps(n=int(empty.sum()), share=float(empty.mean())),
    )


def _accuracy(correct: NDArray[np.bool_], dataset: Dataset, rows: NDArray[np.bool_]) -> Share:
    low, high = share_interval(correct[rows], dataset.groups[rows])
    return Share(value=float(correct[rows].mean()), low=low, high=high, n=int(rows.sum()))


def _confusion(predictions: pd.DataFrame, dataset: Dataset) -> Confusion:
    crossed = pd.crosstab(predictions["label"], predictions["predicted"])
    square = crossed.reindex(index=dataset.classes, columns=dataset.classes, fill_value=0)
    return Confusion(classes=dataset.classes, counts=tuple(map(tuple, square.to_numpy().tolist())))


def _worst_groups(correct: NDArray[np.bool_], dataset: Dataset, cues: CueTable) -> tuple[Group, ...]:
    """Groups (class with or without a cue) in which the model is right least often, with at least five images."""
    groups: list[Group] = []
    for cue in cues.cues:
        present, known = cues.present(cue), cues.known(cue)
        for label, name in enumerate(dataset.classes):
            for state in (True, False):
                rows = known & (present == state) & (dataset.labels == label)
                if _SMALLEST_GROUP <= rows.sum() < (dataset.labels == label).sum():
                    accuracy = _accuracy(correct, dataset, rows)
                    groups.append(Group(cue=cue.name, words=cue.words, label=name, present=state, accuracy=accuracy))
    return tuple(sorted(groups, key=lambda group: group.accuracy.high)[:_WORST_GROUPS])


def _balanced(folder: AuditFolder, correct: NDArray[np.bool_], dataset: Dataset) -> tuple[Balanced, ...]:
    """How often the model would be right if the cue of a flagged finding said nothing about the class."""
    cues, balanced = load_cues(folder), []
    for finding in to_mend(folder):
        cue = cues.named(finding.cue)
        rows = cues.known(cue)
        measure = balanced_accuracy(correct[rows], dataset.labels[rows], cues.present(cue)[rows], dataset.groups[rows])
        about = {"finding": finding.id, "cue": cue.name, "words": cue.words}
        balanced.append(Balanced.model_validate({**about, **measure.as_json()}))
    return tuple(balanced)


def _failures(folder: AuditFolder, dataset: Dataset) -> tuple[Failure, ...]:
    """The wrong predictions that the model was surest of."""
    table = read_table(folder.predictions)
    wrong = table[~table["correct"]].sort_values("p_predicted", ascending=False, kind="stable").head(_FAILURES)
    return tuple(
        Failure(
            path=str(dataset.images["path"].iloc[int(row.image)]),
            label=row.label,
            predicted=row.predicted,
            p_label=float(row.p_label),
            p_predicted=float(row.p_predicted),
        )
        for row in wrong.itertuples()
    )


def _seconds(folder: AuditFolder) -> dict[str, float]:
    records = {stage.name: finished_record(stage, folder) for stage in STEPS}
    return {name: record.seconds for name, record in records.items() if record}


def _peak_memory() -> int:
    """Largest resident memory of this process or of one of its finished children, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    largest = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return int(largest // unit)
