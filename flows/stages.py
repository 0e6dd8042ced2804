"""The stages as the flow sees them: those of ``audit``, then the report, each with its progress told."""

from audit import stages
from audit.config import Config, load_config
from audit.progress import track
from audit.stages import Stage, run_stage
from audit.steps import StageRecord, done_already, finished_record
from audit.store.audit_folder import AuditFolder

REPORT = Stage("report", ("dataset", "explain", "record"), ("report",), entry="reports.render:build")


def all_stages() -> tuple[Stage, ...]:
    """Every stage in order. The report comes last, from outside of ``audit``, and only reads."""
    return (*stages.STAGES, REPORT)


def do_stage(name: str, folder: AuditFolder, config: Config | None = None) -> StageRecord:
    """Do the stage called ``name``, with the folder's own settings if none are given; nothing if it is done already."""
    (stage,) = (stage for stage in all_stages() if stage.name == name)
    config = config or load_config(folder.config)
    if record := done_already(stage, folder, config):
        return record
    with track(name, unit=""):
        return run_stage(stage, folder, config)


def finished_names(folder: AuditFolder) -> list[str]:
    """The stages of which the folder has a record, in order."""
    return [stage.name for stage in all_stages() if finished_record(stage, folder)]


def load_all() -> None:
    """Import whatever the stages need, PyTorch foremost, so that a server can boot meanwhile."""
    for stage in all_stages():
        stage.load()
