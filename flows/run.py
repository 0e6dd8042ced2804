"""One run, from photographs to report: they are read while Prefect boots, then Prefect does the stages."""

import importlib
from collections.abc import Sequence
from pathlib import Path

from audit.config import Config, dump_config, load_config
from audit.errors import AuditFolderError, ConfigError, DatasetError, MissingModelFile, ModelFileError
from audit.processes import standing_apart
from audit.progress import note, track
from audit.store.audit_folder import AuditFolder, write_text
from audit.verification.conditions import Strategy, require_verifiable
from flows.manifest import write_manifest
from flows.open_audit import OpenAudit, discard_if_empty, open_audit
from flows.outcome import error_log
from flows.server import EmbeddedServer, UserServer, prefect_api
from flows.stages import REPORT, all_stages, do_stage, finished_names, load_all


def run_audit(config: Config, parent: Path, *, fresh: bool = False) -> AuditFolder:
    """Audit the photographs that ``config`` names, in a folder below ``parent``; return that folder, finished.

    Raises BiasAuditError, bad photographs and settings before Prefect is waited for.
    """
    with open_audit(config, parent, fresh=fresh) as audit, prefect_api() as api, error_log(audit.folder.path):
        if audit.resumed:
            done = ", ".join(finished_names(audit.folder)) or "none"
            note(f"Resuming {audit.folder.path} (finished stages: {done})")
        begin(audit)
        run_flow(audit.folder, api)
    return audit.folder


def verify_audit(path: Path, strategy: Strategy, source: Path | None, seeds: int) -> AuditFolder:
    """Train the finished audit in ``path`` again under a strategy of its plan; return its folder, the report anew.

    Raises BiasAuditError, what cannot be verified before Prefect is waited for.
    """
    folder = AuditFolder(path.absolute())
    require_verifiable(folder, strategy, source)
    with folder.locked(), prefect_api() as api, error_log(folder.path):
        run_in_prefect(api, "flows.verify:verify_flow", folder.path, strategy, source and source.absolute(), seeds)
    return folder


def begin(audit: OpenAudit) -> None:
    """Check the settings and read the photographs; what is refused then leaves no new folder behind.

    Raises ConfigError, DatasetError, MissingModelFile or ModelFileError for what is refused.
    """
    try:
        require_ready(audit.config)
        read_photographs(audit.folder)
    except (ConfigError, DatasetError, MissingModelFile, ModelFileError):
        discard_if_empty(audit)
        raise


def read_photographs(folder: AuditFolder) -> None:
    """The first stage, done here already, and again when resuming: photographs may have changed since.

    Where they have not, its files come out equal and the later stages stay as they are.
    """
    first = all_stages()[0].name
    folder.stage_record(first).unlink(missing_ok=True)
    do_stage(first, folder)


def require_ready(config: Config) -> None:
    """As ``audit.readiness``, and Raises as that; PyTorch is imported here, while the server boots."""
    from audit import readiness

    readiness.require_ready(config)


def run_flow(folder: AuditFolder, api: EmbeddedServer | UserServer) -> None:
    """Let Prefect do the stages."""
    run_in_prefect(api, "flows.audit:audit_flow", folder.path)


def run_in_prefect(api: EmbeddedServer | UserServer, entry: str, *arguments: object) -> None:
    """Call a flow, ``module:name``. PyTorch and Prefect are imported here, while the server still boots.

    The flow's own work decides how this ends, not what becomes of Prefect's record of it. Prefect reads its settings
    again and again from the working folder, so that a flow runs apart from it: ``arguments`` hold no relative path.
    Raises BiasAuditError when the server stopped answering before the work began.
    """
    with standing_apart():
        _run_in_prefect(api, entry, *arguments)


def _run_in_prefect(api: EmbeddedServer | UserServer, entry: str, *arguments: object) -> None:
    with track("starting", unit=""):
        from flows.recording import Recording, call_recorded

        module, _, name = entry.partition(":")
        flow = getattr(importlib.import_module(module), name)
        load_all()
        api.wait_ready()
    record = Recording(api)
    ending = call_recorded(record, flow, arguments)
    if ending.error is not None:
        raise ending.error
    if record.lost:
        note("Prefect's server stopped answering; the audit is complete without its record.")
    elif ending.unrecorded is not None:
        note(f"Prefect's server failed at the end ({ending.unrecorded}); the audit is complete without its record.")


def render_again(path: Path) -> Path:
    """Write the report of the finished audit in ``path`` again. Raises AuditFolderError when it is not finished."""
    folder = _finished(path)
    with folder.locked(), error_log(path):
        folder.stage_record(REPORT.name).unlink(missing_ok=True)
        do_stage(REPORT.name, folder)
        write_manifest(folder, all_stages())
    return folder.report


def check_finished(path: Path, amounts: Sequence[str]) -> AuditFolder:
    """Have the finished audit in ``path`` audit itself again, with other ``self_audit.key=value``; write its report.

    Until that is done the audit stays as it is; interrupted, the same call goes on. Raises AuditFolderError when the
    audit is not finished.
    """
    folder = _finished(path)
    with folder.locked(), error_log(path):
        config = load_config(folder.config, amounts)
        do_stage("self-audit", folder, config)
        write_text(folder.config, dump_config(config))
        for name in ("record", REPORT.name):
            do_stage(name, folder)
        write_manifest(folder, all_stages())
    return folder


def _finished(path: Path) -> AuditFolder:
    folder = AuditFolder(path)
    if not folder.manifest.exists():
        raise AuditFolderError(f"{path}: no finished audit (it has no manifest.json); finish it with 'bias-audit run'.")
    return folder
