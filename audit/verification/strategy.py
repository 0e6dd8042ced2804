"""Per-image sample weights of a strategy, as the plan's files say."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.config import load_config
from audit.data.dataset import Dataset
from audit.data.extra_images import added
from audit.errors import AuditFolderError, ConfigError
from audit.findings.flagged import flagged
from audit.plan.plan_json import Strategy
from audit.plan.write_plan import safe_path
from audit.store.audit_folder import AuditFolder

BASELINE = "baseline"


def folder_of(audit: AuditFolder, strategy: str) -> Path:
    """The folder of a strategy, or of the baseline, in the audit folder."""
    return audit / "verification" / strategy


def require_verifiable(audit: AuditFolder, strategy: Strategy, source: Path | None) -> None:
    """Raise AuditFolderError or ConfigError where there is nothing to verify, or not by this strategy."""
    audit.require_finished()
    if load_config(audit.config).model.checkpoint is not None:
        raise ConfigError(
            "This audit's model was given, not trained here, so it cannot be trained again: audit the photographs "
            "without model.checkpoint."
        )
    if (strategy == "collect") != (source is not None):
        raise ConfigError("--strategy collect and --with belong together: name the new photographs with --with.")
    if not flagged(audit):
        raise ConfigError(f"{audit.path}: no finding is high or medium, so there is nothing to mend and to verify.")


def weights_under(strategy: str, plan: AuditFolder, dataset: Dataset) -> NDArray[np.float64] | None:
    """Sample weights of the images, (n,) and >= 0, under a strategy or the baseline; None where each counts once.

    weight: as ``plan/weights.csv`` says. drop: not at all where ``plan/drop.csv`` names it. collect: everything once,
    the new images too. The baseline leaves new images out. Raises AuditFolderError when a file is missing or is about
    other images.
    """
    old = ~added(dataset)
    if strategy == BASELINE:
        return None if old.all() else old.astype(np.float64)
    if strategy == "collect":
        return None
    counted = np.ones(len(old))
    table = plan.plan / ("weights.csv" if strategy == "weight" else "drop.csv")
    places = {safe_path(str(path)): image for image, path in enumerate(dataset.images["path"])}
    for row in _rows(table):
        if row.get("path") not in places:
            raise AuditFolderError(f"{table}: names a photograph that the audit has not; run the audit again.")
        counted[places[row["path"]]] = _weight(table, row["weight"]) if strategy == "weight" else 0.0
    return counted * old


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))
    except FileNotFoundError:
        raise AuditFolderError(f"{path}: missing; this audit's plan does not offer that way of mending.") from None


def _weight(path: Path, text: str) -> float:
    try:
        weight = float(text)
    except (TypeError, ValueError):
        weight = -1.0
    if not 0 <= weight < np.inf:
        raise AuditFolderError(f"{path}: {text!r} is no weight; run the audit again.")
    return weight
