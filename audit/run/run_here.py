"""An audit in this process: checks, then one stage after the other, then the manifest."""

from pathlib import Path

from audit.config import Config
from audit.errors import ConfigError, DatasetError, MissingModelFile, ModelFileError
from audit.progress import note
from audit.run.manifest import finish
from audit.run.open_audit import OpenAudit, discard_if_empty, open_audit
from audit.stages import all_stages, do_stage, finished_names
from audit.store.audit_folder import AuditFolder


def run_here(config: Config, parent: Path, *, fresh: bool = False) -> AuditFolder:
    """Audit the images that ``config`` names, in a folder below ``parent``; return that folder, finished.

    Interrupted, the same call goes on where it stopped. Raises BiasAuditError.
    """
    with open_audit(config, parent, fresh=fresh) as audit:
        begin(audit)
        for stage in all_stages():
            do_stage(stage.name, audit.folder)
        finish(audit.folder)
    return audit.folder


def begin(audit: OpenAudit) -> None:
    """Check the settings and read the images; what is refused then leaves no new folder behind.

    What an earlier run left of its failure goes.
    Raises ConfigError, DatasetError, MissingModelFile or ModelFileError.
    """
    (audit.folder / "error.log").unlink(missing_ok=True)
    if audit.resumed:
        done = ", ".join(finished_names(audit.folder)) or "none"
        note(f"Resuming {audit.folder.path} (finished stages: {done})")
    try:
        require_ready(audit.config)
        read_photographs(audit.folder)
    except (ConfigError, DatasetError, MissingModelFile, ModelFileError):
        discard_if_empty(audit)
        raise


def read_photographs(folder: AuditFolder) -> None:
    """The first stage, done here already, and again when resuming: images may have changed since.

    Where they have not, its files come out equal and the later stages stay as they are.
    """
    first = all_stages()[0].name
    folder.stage_record(first).unlink(missing_ok=True)
    do_stage(first, folder)


def require_ready(config: Config) -> None:
    """As ``audit.run.readiness``; PyTorch is imported here, while a server may boot.

    Raises ConfigError, MissingModelFile or ModelFileError.
    """
    from audit.run import readiness

    readiness.require_ready(config)
