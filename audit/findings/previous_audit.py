"""Comparison with the former audit of the same dataset: findings that are new, gone, graver or milder."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from audit.cues.cue_table import load_cues
from audit.cues.names import carry_names
from audit.data.dataset_json import DatasetSummary
from audit.detectors.cue import Cue
from audit.errors import AuditFolderError
from audit.findings.audit_json import AuditRecord, ChangedSeverity, Changes, Former, ThenNow, read_audit
from audit.findings.finding import Finding
from audit.findings.severity import COMPLAINTS, ORDER
from audit.measures.figures import Share
from audit.records import Count
from audit.store.audit_folder import AuditFolder, read_json, read_record, read_table

Pair = tuple[Finding | None, Finding | None]

Kind = Literal["new", "graver", "milder", "gone", ""]
# Clusters and looks are numbered afresh in every audit. Two are one if their presence in the images that both
# audits saw correlates at least so much, in at least so many images.
_RENUMBERED = ("cluster", "appearance")
_ALIKE, _LEAST_SHARED = 0.6, 20


def find_former(folder: AuditFolder) -> AuditFolder | None:
    """The newest finished audit in the same parent folder of a dataset with the same name, made before this one.

    Raises AuditFolderError when ``folder`` itself has no dataset record.
    """
    name, own = read_record(folder.dataset, DatasetSummary).name, created(folder)
    finished = []
    for manifest in folder.path.parent.glob("*/manifest.json"):
        neighbour = AuditFolder(manifest.parent)
        try:
            if neighbour.path != folder.path and read_record(neighbour.dataset, DatasetSummary).name == name:
                finished.append((str(read_json(manifest)["created"]), neighbour.path))
        except (AuditFolderError, KeyError, TypeError):
            continue  # a damaged neighbour is no reason for this audit to fail
    earlier = [one for one in finished if own is None or one[0] < own]
    return AuditFolder(max(earlier)[1]) if earlier else None


def created(folder: AuditFolder) -> str | None:
    """When a finished audit was made, as its manifest says, ISO 8601; None for one that is not finished."""
    return str(read_json(folder.manifest)["created"]) if folder.manifest.exists() else None


def changes(folder: AuditFolder, record: AuditRecord) -> Former | None:
    """The changes since the former audit, as audit.json holds it under ``former``; None without a former audit.

    ``findings`` that are high, medium or low count as such: they are ``new``, ``gone``, ``graver`` or ``milder``, each
    with its severity then and now. ``same_settings`` is False where another model or training makes accuracies, and
    what the model uses, hard to compare.
    """
    former = find_former(folder)
    if former is None:
        return None
    try:
        former_record = read_audit(former)
        pairs = list(pair_findings(former_record.findings, record.findings, former_names(former, folder)))
        return Former(
            id=former_record.audit_id,
            created=former_record.created,
            images=ThenNow[Count](then=former_record.dataset.n_images, now=record.dataset.n_images),
            classes=_classes(former_record.dataset.classes, record.dataset.classes),
            accuracy=ThenNow[Share](then=former_record.model.accuracy, now=record.model.accuracy),
            same_settings=all(former_record.config[part] == record.config[part] for part in ("model", "training")),
            findings=_changes(pairs),
        )
    except (AuditFolderError, KeyError, TypeError, ValueError):
        return None  # damaged, or written by a version that kept other files


def carry_from_former(folder: AuditFolder) -> None:
    """Take over the names that reviewers gave to looks and clusters of the former audit, if that can be read."""
    try:
        if (former := find_former(folder)) and former.names.exists():
            carry_names(former, folder, former_names(former, folder))
    except (AuditFolderError, KeyError, TypeError, ValueError):
        return  # damaged, or written by a version that kept other files


def kind_of_change(former: Finding | None, current: Finding | None) -> Kind:
    """The kind of change of a finding; "" if its severity is unchanged, or was never a complaint."""
    before, after = (finding is not None and finding.severity in COMPLAINTS for finding in (former, current))
    if before != after:
        return "new" if after else "gone"
    if not (before and former and current) or former.severity == current.severity:
        return ""
    return "graver" if ORDER.index(current.severity) < ORDER.index(former.severity) else "milder"


def _changes(pairs: Sequence[Pair]) -> Changes:
    by_kind: dict[Kind, list[ChangedSeverity]] = {"new": [], "graver": [], "milder": [], "gone": [], "": []}
    for former, current in pairs:
        if latest := current or former:
            severities = {"then": former.severity if former else None, "now": current.severity if current else None}
            entry = ChangedSeverity(cue=latest.cue, words=latest.words, label=latest.label, **severities)
            by_kind[kind_of_change(former, current)].append(entry)
    return Changes(**{kind: tuple(entries) for kind, entries in by_kind.items() if kind})


def pair_findings(
    former: Sequence[Finding], current: Sequence[Finding], counterparts: Mapping[str, str]
) -> Iterator[Pair]:
    """Every finding of either audit, beside its counterpart in the other.

    Of two classes only the one towards which a cue leans has a finding, and it may have changed: the cue is enough.
    """
    labels = len({finding.label for finding in (*former, *current)})
    unmatched = {(finding.cue, finding.label if labels > 2 else ""): finding for finding in former}
    for finding in current:
        renumbered = finding.cue_kind in _RENUMBERED
        cue = counterparts.get(finding.cue) if renumbered else finding.cue
        yield unmatched.pop((cue or "", finding.label if labels > 2 else ""), None), finding
    for finding in unmatched.values():
        yield finding, None


def former_names(former: AuditFolder, folder: AuditFolder) -> dict[str, str]:
    """The former name of each cluster and look that was there before."""
    old, new = load_cues(former), load_cues(folder)
    shared = _accepted(former).merge(_accepted(folder), on="sha256", suffixes=("_then", "_now"))
    if len(shared) < _LEAST_SHARED:
        return {}
    before = {cue: old.present(cue)[shared["image_then"]] for cue in old.cues if cue.kind in _RENUMBERED}
    after = {cue: new.present(cue)[shared["image_now"]] for cue in new.cues if cue.kind in _RENUMBERED}
    candidates = [
        (float(np.corrcoef(x, y)[0, 1]), new_cue, old_cue)
        for new_cue, x in after.items()
        for old_cue, y in before.items()
        if (new_cue.kind, new_cue.within) == (old_cue.kind, old_cue.within) and 0 < x.mean() < 1 and 0 < y.mean() < 1
    ]
    counterparts: dict[Cue, Cue] = {}
    for correlation, new_cue, old_cue in sorted(candidates, key=lambda row: -row[0]):
        if correlation >= _ALIKE and new_cue not in counterparts and old_cue not in counterparts.values():
            counterparts[new_cue] = old_cue
    return {new_cue.name: old_cue.name for new_cue, old_cue in counterparts.items()}


def _accepted(folder: AuditFolder) -> pd.DataFrame:
    table = read_table(folder.images)
    return table.loc[table["image"] >= 0, ["image", "sha256"]].drop_duplicates("sha256")


def _classes(former: Mapping[str, int], current: Mapping[str, int]) -> dict[str, ThenNow[Count]]:
    return {
        label: ThenNow[Count](then=former.get(label, 0), now=current.get(label, 0)) for label in {**former, **current}
    }
