"""Who does each step of an audit: the one file that names modules by strings, and the only one that runs them."""

import importlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from audit.config import Config
from audit.errors import BiasAuditError, StageError
from audit.steps import STEPS, StageRecord, Step, done_already, stage_key
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
    "detect": "audit.detectors.detect:build",
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
    "self-audit": "audit.selfaudit.selfaudit:build",
    "record": "audit.findings.write_audit_json:build",
}
STAGES = tuple(
    Stage(step.name, step.after, step.settings, step.version, step.repeats, entry=_WORK[step.name]) for step in STEPS
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


def _failure(stage: Stage, error: Exception) -> str:
    places = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return f"Stage '{stage.name}' failed{places}: {error.__class__.__name__}: {error}"
