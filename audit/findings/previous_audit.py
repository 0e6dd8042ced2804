"""What changed since the last audit of the same dataset."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from audit.cues.cue_table import load_cues
from audit.data.dataset_json import DatasetSummary
from audit.detectors.cue import Cue
from audit.errors import AuditFolderError
from audit.findings.audit_json import AuditRecord, ChangedSeverity, Changes, Former, ThenNow, read_audit
from audit.findings.finding import Finding
from audit.findings.severity import ORDER
from audit.measures.figures import Share
from audit.records import Count
from audit.store.audit_folder import AuditFolder, read_json, read_record, read_table

Pair = tuple[Finding | None, Finding | None]

Kind = Literal["new", "graver", "milder", "gone", ""]
_COMPLAINTS = ("high", "medium", "low")
# Clusters and looks are numbered afresh in every audit. Two are one if their presence in the photographs that both
# audits saw correlates at least so much, in at least so many photographs.
_RENUMBERED = ("cluster", "appearance")
_ALIKE, _LEAST_SHARED = 0.6, 20


def find_former(folder: AuditFolder) -> AuditFolder | None:
    """The newest finished audit in the same parent folder of a dataset with the same name."""
    name = read_record(folder.dataset, DatasetSummary).name
    finished = []
    for manifest in folder.path.parent.glob("*/manifest.json"):
        other = AuditFolder(manifest.parent)
        try:
            if other.path != folder.path and read_record(other.dataset, DatasetSummary).name == name:
                finished.append((str(read_json(manifest)["created"]), other.path))
        except (AuditFolderError, KeyError, TypeError):
            continue  # a damaged neighbour is no reason for this audit to fail
    return AuditFolder(max(finished)[1]) if finished else None


def changes(folder: AuditFolder, record: AuditRecord) -> Former | None:
    """What is different from the former audit, as audit.json holds it under ``former``; None without a former audit.

    ``findings`` that are high, medium or low count as such: they are ``new``, ``gone``, ``graver`` or ``milder``, each
    with its severity then and now. ``same_settings`` is False where another model or training makes accuracies, and
    what the model uses, hard to compare.
    """
    former = find_former(folder)
    if former is None:
        return None
    try:
        then = read_audit(former)
        pairs = list(pair_findings(then.findings, record.findings, former_names(former, folder)))
        return Former(
            id=then.audit_id,
            created=then.created,
            images=ThenNow[Count](then=then.dataset.n_images, now=record.dataset.n_images),
            classes=_classes(then.dataset.classes, record.dataset.classes),
            accuracy=ThenNow[Share](then=then.model.accuracy, now=record.model.accuracy),
            same_settings=all(then.config[part] == record.config[part] for part in ("model", "training")),
            findings=_changes(pairs),
        )
    except (AuditFolderError, KeyError, TypeError, ValueError):
        return None  # damaged, or written by a version that kept other files


def kind_of_change(then: Finding | None, now: Finding | None) -> Kind:
    """What became of a finding; "" if it is what it was, or never was one."""
    before, after = (finding is not None and finding.severity in _COMPLAINTS for finding in (then, now))
    if before != after:
        return "new" if after else "gone"
    if not (before and then and now) or then.severity == now.severity:
        return ""
    return "graver" if ORDER.index(now.severity) < ORDER.index(then.severity) else "milder"


def _changes(pairs: Sequence[Pair]) -> Changes:
    found: dict[Kind, list[ChangedSeverity]] = {"new": [], "graver": [], "milder": [], "gone": [], "": []}
    for then, now in pairs:
        if known := now or then:
            severities = {"then": then.severity if then else None, "now": now.severity if now else None}
            entry = ChangedSeverity(cue=known.cue, words=known.words, label=known.label, **severities)
            found[kind_of_change(then, now)].append(entry)
    return Changes(**{kind: tuple(entries) for kind, entries in found.items() if kind})


def pair_findings(then: Sequence[Finding], now: Sequence[Finding], counterparts: Mapping[str, str]) -> Iterator[Pair]:
    """Every finding of either audit, beside its counterpart in the other.

    Of two classes only the one towards which a cue leans has a finding, and it may have changed: the cue is enough.
    """
    labels = len({finding.label for finding in (*then, *now)})
    left = {(finding.cue, finding.label if labels > 2 else ""): finding for finding in then}
    for finding in now:
        renumbered = finding.cue_kind in _RENUMBERED
        cue = counterparts.get(finding.cue) if renumbered else finding.cue
        yield left.pop((cue or "", finding.label if labels > 2 else ""), None), finding
    for finding in left.values():
        yield finding, None


def former_names(former: AuditFolder, folder: AuditFolder) -> dict[str, str]:
    """The former name of each cluster and look that was there before."""
    old, new = load_cues(former), load_cues(folder)
    shared = _accepted(former).merge(_accepted(folder), on="sha256", suffixes=("_then", "_now"))
    if len(shared) < _LEAST_SHARED:
        return {}
    before = {cue: old.present(cue)[shared["image_then"]] for cue in old.cues if cue.kind in _RENUMBERED}
    after = {cue: new.present(cue)[shared["image_now"]] for cue in new.cues if cue.kind in _RENUMBERED}
    alike = [
        (float(np.corrcoef(x, y)[0, 1]), one, other)
        for one, x in after.items()
        for other, y in before.items()
        if (one.kind, one.within) == (other.kind, other.within) and 0 < x.mean() < 1 and 0 < y.mean() < 1
    ]
    found: dict[Cue, Cue] = {}
    for correlation, one, other in sorted(alike, key=lambda row: -row[0]):
        if correlation >= _ALIKE and one not in found and other not in found.values():
            found[one] = other
    return {one.name: other.name for one, other in found.items()}


def _accepted(folder: AuditFolder) -> pd.DataFrame:
    table = read_table(folder.images)
    return table.loc[table["image"] >= 0, ["image", "sha256"]].drop_duplicates("sha256")


def _classes(then: Mapping[str, int], now: Mapping[str, int]) -> dict[str, ThenNow[Count]]:
    return {label: ThenNow[Count](then=then.get(label, 0), now=now.get(label, 0)) for label in {**then, **now}}
