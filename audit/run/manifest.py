"""The manifest: written last, so that an audit folder without it is known to be unfinished."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime

from audit.config import load_config
from audit.findings.audit_json import read_audit
from audit.stages import Stage, all_stages
from audit.steps import finished_record
from audit.store.audit_folder import SCHEMA_VERSION, AuditFolder, file_digest, write_json
from audit.store.version import __version__


def finish(folder: AuditFolder) -> None:
    """Declare the audit finished, and give back the disk space that only an unfinished one needs.

    Raises ConfigError for settings that are no longer valid, AuditFolderError when audit.json is missing or damaged.
    """
    from audit.model.activation_store import drop_activations

    write_manifest(folder, all_stages())
    if not load_config(folder.config).compute.keep_cache:
        drop_activations(folder)


def write_manifest(folder: AuditFolder, stages: Iterable[Stage]) -> None:
    """Record what was made: identity from audit.json, and each stage's wall time and SHA-256 of each of its files.

    Raises AuditFolderError when audit.json is missing or damaged.
    """
    audit = read_audit(folder)
    records = [asdict(record) for stage in stages if (record := finished_record(stage, folder))]
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "audit_id": audit.audit_id,
        "created": audit.created,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "tool": {"name": "bias-audit", "version": __version__},
        "config_digest": file_digest(folder.config),
        "stages": records,
    }
    write_json(folder.manifest, manifest)
