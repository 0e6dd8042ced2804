"""The stages of an audit in order, and the rule by which a finished one is not done again."""

import importlib
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from audit.config import Config
from audit.errors import BiasAuditError, StageError
from audit.store.audit_folder import AuditFolder, digests, read_json, value_digest, write_json
from audit.store.contents import by_content

Work = Callable[[AuditFolder, Config], Iterable[Path]]


@dataclass(frozen=True)
class Stage:
    """A named piece of work.

    ``entry`` is ``module:function``, imported only when the stage really runs; the function does the work and returns
    the files it wrote. ``settings`` are the dotted keys of the configuration that its result depends on, ``after`` the
    stages whose files it reads. Raise ``version`` whenever its output changes for equal input.
    """

    name: str
    entry: str
    after: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    version: int = 1

    def load(self) -> Work:
        """Import the function that does the work."""
        module, _, function = self.entry.partition(":")
        work: Work = getattr(importlib.import_module(module), function)
        return work


@dataclass(frozen=True)
class StageRecord:
    """What a finished stage leaves behind: its key, the SHA-256 of its files, its wall time in seconds."""

    name: str
    key: str
    outputs: dict[str, str]
    seconds: float


STAGES = (
    Stage("dataset", "audit.data.dataset:build", (), ("dataset", "training.folds", "seed"), version=2),
    Stage("detect", "audit.detectors.detect:build", ("dataset",), ("cues", "own_cues"), version=3),
    Stage(
        "features",
        "audit.model.trunk_pass:build",
        ("dataset",),
        ("model", "training.flips", "compute.cache_gb", "seed"),
    ),
    Stage("training", "audit.model.cross_fit:build", ("dataset", "features"), ("model", "training", "seed")),
    Stage(
        "explain",
        "audit.explain.compute_maps:build",
        ("dataset", "detect", "training"),
        ("model", "attention", "seed"),
        version=3,
    ),
    Stage("sanity", "audit.explain.sanity_checks:build", ("dataset", "explain"), ("model", "seed"), version=2),
    Stage("regions", "audit.explain.region_table:build", ("dataset", "explain"), ("attention",)),
    Stage("clusters", "audit.explain.clusters:build", ("detect", "regions"), ("attention", "seed"), version=3),
    Stage(
        "cues",
        "audit.cues.cue_table:build",
        ("detect", "explain", "clusters"),
        ("attention", "evidence", "seed"),
        version=7,
    ),
    Stage(
        "masking",
        "audit.evidence.occlusion_test:build",
        ("training", "cues"),
        ("evidence.effect_images", "evidence.min_images", "evidence.resamples", "seed"),
        version=5,
    ),
    Stage(
        "evidence",
        "audit.evidence.evidence_table:build",
        ("explain", "cues", "masking"),
        ("evidence", "seed"),
        version=11,
    ),
    Stage(
        "findings",
        "audit.findings.findings:build",
        ("sanity", "evidence"),
        ("expected_cues", "irrelevant_cues", "dataset.min_images_per_class", "evidence", "report.exemplars"),
        version=9,
    ),
    Stage(
        "self-audit",
        "audit.selfaudit.selfaudit:build",
        ("dataset", "detect", "features", "masking", "findings"),
        ("self_audit", "model", "training", "attention", "evidence", "cues", "own_cues", "expected_cues", "seed"),
        version=3,
    ),
    Stage("record", "audit.findings.write_audit_json:build", ("findings", "self-audit"), ("report",), version=5),
)


def run_stage(stage: Stage, folder: AuditFolder, config: Config) -> StageRecord:
    """Do a stage, or return its record at once if it is done already.

    Raises StageError when the work fails for a reason that is not a BiasAuditError already. Where the work was at one
    image or file, its exception says which by ``add_note``.
    """
    if record := done_already(stage, folder, config):
        return record
    key = stage_key(stage, folder, config)
    started = time.perf_counter()
    try:
        paths = list(stage.load()(folder, config))
    except BiasAuditError:
        raise
    except Exception as error:
        raise StageError(_failure(stage, error)) from error
    record = StageRecord(stage.name, key, digests(folder, paths), round(time.perf_counter() - started, 3))
    write_json(folder.stage_record(stage.name), asdict(record))
    return record


def done_already(stage: Stage, folder: AuditFolder, config: Config) -> StageRecord | None:
    """The record of a stage that need not be done: same key, and every output is as it was left."""
    record = finished_record(stage, folder)
    if record and record.key == stage_key(stage, folder, config) and _intact(folder, record):
        return record
    return None


def stage_key(stage: Stage, folder: AuditFolder, config: Config) -> str:
    """Digest of all that a stage's result depends on: its version, its settings, the files of the stages before it."""
    settings = {name: _setting(config, name) for name in stage.settings}
    before = {name: record.outputs if (record := finished_record_of(name, folder)) else None for name in stage.after}
    return value_digest(stage.name, stage.version, settings, before)


def finished_record(stage: Stage, folder: AuditFolder) -> StageRecord | None:
    """The record that a stage left in the folder, or None."""
    return finished_record_of(stage.name, folder)


def finished_record_of(name: str, folder: AuditFolder) -> StageRecord | None:
    """As ``finished_record``, by the stage's name."""
    path = folder.stage_record(name)
    return StageRecord(**read_json(path)) if path.exists() else None


def _intact(folder: AuditFolder, record: StageRecord) -> bool:
    paths = [folder / name for name in record.outputs]
    return all(path.exists() for path in paths) and digests(folder, paths) == record.outputs


def _failure(stage: Stage, error: Exception) -> str:
    places = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return f"Stage '{stage.name}' failed{places}: {error.__class__.__name__}: {error}"


def _setting(config: Config, dotted: str) -> object:
    value: object = config
    for part in dotted.split("."):
        value = getattr(value, part)
    return by_content(value)
