"""Who does each step of an audit: the one file that names modules by strings, and the only one that runs them."""

import importlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from audit.config import Config, load_config
from audit.errors import BiasAuditError, StageError
from audit.progress import track
from audit.steps import STEPS, StageRecord, Step, done_already, finished_record, stage_key
from audit.store.audit_folder import AuditFolder, digests, write_json

Work = Callable[[AuditFolder, Config], Iterable[Path]]


@dataclass(frozen=True)
class Stage(Step):
    """A step and who does it.

    ``entry`` is ``module:function``, imported only when the stage really runs; the function does the work and returns
    the files it wrote.
    """

    entry: str = field(kw_only=True)

    def load(self) -> Work:
        """Import the function that does the work."""
        module, _, function = self.entry.partition(":")
        work: Work = getattr(importlib.import_module(module), function)
        return work


_WORK: Mapping[str, str] = {
    "dataset": "audit.data.dataset:build",
    "detect": "audit.detection.detect:build",
    "features": "audit.model.trunk_pass:build",
    "training": "audit.model.cross_fit:build",
    "explain": "audit.explain.compute_maps:build",
    "sanity": "audit.explain.sanity_checks:build",
    "regions": "audit.explain.region_table:build",
    "clusters": "audit.explain.clusters:build",
    "cues": "audit.cues.cue_table:build",
    "masking": "audit.evidence.occlusion_test:build",
    "evidence": "audit.evidence.evidence_table:build",
    "findings": "audit.findings.findings:build",
    "learning-curve": "audit.verification.learning_curve:build",
    "self-audit": "audit.selfaudit.selfaudit:build",
    "record": "audit.findings.write_audit_json:build",
}
STAGES = tuple(
    Stage(step.name, step.after, step.settings, step.version, step.repeats, entry=_WORK[step.name]) for step in STEPS
)
# The report comes last, from outside of this package, and only reads.
REPORT = Stage("report", ("dataset", "explain", "record"), ("report",), entry="reports.render:build")
# What else is rendered there, from a record.
_PICKED_PAGE = "reports.picked:render_picked"


def render_picked(folder: AuditFolder, page: Path) -> Path:
    """Write the page of the last picking for an audit; return its path. Raises AuditFolderError where there is none."""
    module, _, function = _PICKED_PAGE.partition(":")
    written: Path = getattr(importlib.import_module(module), function)(folder, page)
    return written


def all_stages() -> tuple[Stage, ...]:
    """Every stage in order, the report too."""
    return (*STAGES, REPORT)


def finished_names(folder: AuditFolder) -> list[str]:
    """The stages of which the folder has a record, in order."""
    return [stage.name for stage in all_stages() if finished_record(stage, folder)]


def do_stage(name: str, folder: AuditFolder, config: Config | None = None) -> StageRecord:
    """Do the stage called ``name``, with the folder's own settings if none are given; nothing if it is done already.

    Its progress is told. Raises what ``run_stage`` raises, and ConfigError for settings that cannot be read.
    """
    (stage,) = (stage for stage in all_stages() if stage.name == name)
    config = config or load_config(folder.config)
    if record := done_already(stage, folder, config):
        return record
    with track(name, unit=""):
        return run_stage(stage, folder, config)


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


def _failure(stage: Stage, error: Exception) -> str:
    places = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return f"Stage '{stage.name}' failed{places}: {error.__class__.__name__}: {error}"
