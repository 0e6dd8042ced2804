"""One run, from images to report: they are read while Prefect boots, then Prefect does the stages."""

import importlib
from collections.abc import Sequence
from pathlib import Path

from audit.config import Config, dump_config, load_config
from audit.cues.names import GivenName, give_name
from audit.plan.plan_json import Strategy
from audit.processes import standing_apart
from audit.progress import note, track
from audit.run.manifest import write_manifest
from audit.run.open_audit import open_audit
from audit.run.run_here import begin
from audit.stages import REPORT, all_stages, do_stage
from audit.store.audit_folder import AuditFolder, write_text
from audit.verification.strategy import require_verifiable
from flows.outcome import error_log
from flows.server import EmbeddedServer, UserServer, prefect_api


def run_audit(config: Config, parent: Path, *, fresh: bool = False) -> AuditFolder:
    """Audit the images that ``config`` names, in a folder below ``parent``; return that folder, finished.

    Raises BiasAuditError, bad images and settings before Prefect is waited for.
    """
    with open_audit(config, parent, fresh=fresh) as audit, prefect_api() as api, error_log(audit.folder.path):
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


def run_flow(folder: AuditFolder, api: EmbeddedServer | UserServer) -> None:
    """Let Prefect do the stages. Raises BiasAuditError when its work was kept from beginning."""
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
        for stage in all_stages():
            stage.load()
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
    folder = AuditFolder(path)
    folder.require_finished()
    with folder.locked(), error_log(path):
        folder.stage_record(REPORT.name).unlink(missing_ok=True)
        do_stage(REPORT.name, folder)
        write_manifest(folder, all_stages())
    return folder.report


def name_cue(path: Path, cue: str, words: str, by: str) -> GivenName:
    """Give a look or a cluster of the finished audit in ``path`` a name; write audit.json and the report anew.

    Raises AuditFolderError when the audit is not finished, ConfigError for a cue that cannot be named.
    """
    folder = AuditFolder(path)
    folder.require_finished()
    with folder.locked(), error_log(path):
        given = give_name(folder, cue, words, by)
        for stage in ("record", REPORT.name):
            folder.stage_record(stage).unlink(missing_ok=True)
            do_stage(stage, folder)
        write_manifest(folder, all_stages())
    return given


def check_finished(path: Path, amounts: Sequence[str]) -> AuditFolder:
    """Have the finished audit in ``path`` audit itself again, with other ``self_audit.key=value``; write its report.

    Until that is done the audit stays as it is; interrupted, the same call goes on. Raises AuditFolderError when the
    audit is not finished.
    """
    folder = AuditFolder(path)
    folder.require_finished()
    with folder.locked(), error_log(path):
        config = load_config(folder.config, amounts)
        do_stage("self-audit", folder, config)
        write_text(folder.config, dump_config(config))
        for name in ("record", REPORT.name):
            do_stage(name, folder)
        write_manifest(folder, all_stages())
    return folder
