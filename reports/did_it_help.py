"""The verifications in an audit folder, with maps of a few images before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from audit.findings.verification_json import Verification, read_verification, verification_path
from audit.store.audit_folder import AuditFolder, file_digest
from audit.text import counted
from reports.images import Heat, heat_of
from reports.text import count

TITLES = {
    "weight": "Rare combinations count more",
    "drop": "Some photographs left out",
    "collect": "New photographs added",
}


@dataclass(frozen=True)
class BeforeAndAfter:
    """One image, and the heat maps of the models before and after; None for an empty map."""

    path: str
    before: Heat | None
    after: Heat | None


@dataclass(frozen=True)
class Verified:
    """One verified strategy: ``result`` is its verification.json, ``done`` says in a sentence what was changed."""

    result: Verification
    title: str
    done: str
    sights: tuple[BeforeAndAfter, ...]


def verified(folder: AuditFolder) -> list[Verified]:
    """Every strategy verified so far that mends the findings as they are now, in the order of ``TITLES``.

    Raises AuditFolderError when a verification is damaged.
    """
    shown = []
    for strategy, title in TITLES.items():
        strategy_folder = folder / "verification" / strategy
        if not verification_path(folder, strategy).exists():
            continue
        result = read_verification(folder, strategy)
        if result.findings_sha256 == file_digest(folder.findings):
            shown.append(Verified(result, title, _done(result), _sights(strategy_folder, result.pictures)))
    return shown


def _done(result: Verification) -> str:
    images = result.images
    if result.strategy == "weight":
        return (
            "Every photograph counted in the training as plan/weights.csv says: "
            f"{count(images.n)} weighted photographs are worth about {count(images.effective_n)}."
        )
    if result.strategy == "drop":
        return f"{count(images.dropped)} of {count(images.n)} photographs were left out, those in plan/drop.csv."
    added = ", ".join(f"{count(number)} of “{name}”" for name, number in images.added.items() if number)
    refused = len(result.refused)
    refusals = f" {counted(refused, 'file').capitalize()} could not be added." if refused else ""
    return f"{count(sum(images.added.values()))} new photographs joined the training: {added}.{refusals}"


def _sights(strategy_folder: Path, paths: Sequence[str]) -> tuple[BeforeAndAfter, ...]:
    try:
        with safe_open(strategy_folder / "maps.safetensors", framework="numpy") as file:
            before, after = file.get_tensor("before"), file.get_tensor("after")
    except (OSError, SafetensorError):
        return ()
    return tuple(
        BeforeAndAfter(path, _heat(map_before), _heat(map_after))
        for path, map_before, map_after in zip(paths, before, after, strict=True)
    )


def _heat(saliency: NDArray[np.float32]) -> Heat | None:
    return heat_of(saliency) if saliency.max() > 0 else None
