"""Verification of a strategy: what it changed for the images that each model was not trained on."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from audit.config import Config
from audit.data.dataset import load_dataset
from audit.data.dataset_json import RefusedFile
from audit.data.extra_images import add_images
from audit.findings.verification_json import Outcome, Overall, Setup, Verification, verification_schema
from audit.measures.paired_bootstrap import Change
from audit.plan.picking.picked_json import read_picked
from audit.plan.plan_json import Strategy
from audit.store import tensors
from audit.store.audit_folder import SCHEMA_VERSION, AuditFolder, file_digest, read_record, write_record, write_schema
from audit.text import percent
from audit.verification.comparison import Comparison, figures_of
from audit.verification.retraining import Retraining
from audit.verification.strategy import BASELINE, folder_of, require_verifiable, weights_under


def prepare(audit: AuditFolder, config: Config, strategy: Strategy, source: Path | None) -> AuditFolder:
    """Check the request and read the new images.

    Returns the folder with the images to train on: the audit's own, or with new images one inside it. Raises
    ConfigError, DatasetError or AuditFolderError for what cannot be verified.
    """
    require_verifiable(audit, strategy, source)
    weights_under(strategy, audit, load_dataset(audit))
    work, refused = audit, list[RefusedFile]()
    if source is not None:
        work = AuditFolder(folder_of(audit, strategy) / "work")
        picked = read_picked(audit)
        refused = add_images(audit, config, source, work, [Path(pool) for pool in picked.pools] if picked else [])
    setup = Setup(source=None if source is None else str(source), refused=tuple(refused))
    write_record(folder_of(audit, strategy) / "setup.json", setup)
    return work


def conclude(audit: AuditFolder, work: AuditFolder, config: Config, strategy: Strategy, seeds: int) -> Path:
    """Compare the trainings under a strategy with those without and write ``verification/<strategy>/``:
    ``verification.json``, and before it its schema and ``maps.safetensors``, the maps of the images that it names.

    Raises AuditFolderError when a training or a file of the audit is missing or damaged.
    """
    retraining = Retraining.open(audit, work, config)
    answers = [retraining.answers(name, seeds) for name in (BASELINE, strategy)]
    comparison = Comparison(retraining, load_dataset(audit), *answers)
    results = folder_of(audit, strategy)
    paths, before, after = comparison.examples()
    tensors.save_tensors(results / "maps.safetensors", {"before": before, "after": after}, {"paths": paths})
    overall = comparison.overall()
    verdict, sentence = judge(overall["balanced"])
    setup = read_record(results / "setup.json", Setup)
    verification = Verification(
        schema_version=SCHEMA_VERSION,
        findings_sha256=file_digest(audit.findings),
        strategy=strategy,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seeds=seeds,
        folds=config.training.folds,
        images=comparison.sizes(strategy),
        source=setup.source,
        refused=setup.refused,
        verdict=verdict,
        sentence=sentence,
        overall=Overall(accuracy=figures_of(overall["accuracy"]), balanced=figures_of(overall["balanced"])),
        balanced_fully=comparison.even.converged,
        findings=tuple(comparison.findings()),
        pictures=tuple(paths),
    )
    path = results / "verification.json"
    write_schema(path, verification_schema())
    write_record(path, verification)
    return path


def judge(balanced: Change) -> tuple[Outcome, str]:
    """The outcome (helped, harmed or unclear), and the sentence that says so.

    The figure that decides is the accuracy on images where no flagged cue would say anything about the class.
    """
    if not np.isfinite([balanced.difference, balanced.low, balanced.high]).all():
        return "unclear", "Too few photographs part from the shortcut to tell whether it helped."
    figures = (
        f"of photographs in which nothing that was flagged goes with a class, the model would be right for "
        f"{percent(balanced.after)} instead of {percent(balanced.before)} (difference {in_points(balanced.difference)} "
        f"points, 95 % interval {in_points(balanced.low)} to {in_points(balanced.high)})"
    )
    if balanced.low > 0:
        return "helped", f"It helped: {figures}."
    if balanced.high < 0:
        return "harmed", f"It did harm: {figures}."
    return "unclear", f"It cannot be told that it helped: {figures}, which may be chance."


def in_points(difference: float) -> str:
    """A difference of shares in whole percentage points, with its sign; what rounds to nothing is not negative.

    >>> in_points(0.021), in_points(-0.004)
    ('+2', '+0')
    """
    return f"{round(100 * difference):+d}".replace("-", "\N{MINUS SIGN}")
