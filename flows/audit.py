"""The audit as a Prefect flow: one task per stage, in order; only the path of the audit folder travels between them.

A stage that is already done is not done again: the records in the folder decide, not Prefect's cache or database.
"""

import sys
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from audit.run.manifest import finish
from audit.stages import all_stages, do_stage
from audit.store.audit_folder import AuditFolder


@flow(name="bias-audit", flow_run_name="{audit_dir.name}", persist_result=False)
def audit_flow(audit_dir: Path) -> Path:
    """Do every stage of the audit in ``audit_dir``, whose config.yaml holds its settings; return the report's path."""
    folder = AuditFolder(audit_dir)
    with folder.locked():
        for stage in all_stages():
            stage_task(stage.name, audit_dir)
        manifest_task(audit_dir)
    return folder.report


@task(name="stage", task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
def stage_task(name: str, audit_dir: Path) -> None:
    """Do one stage, or nothing if it is done."""
    do_stage(name, AuditFolder(audit_dir))


@task(name="manifest", cache_policy=NO_CACHE, persist_result=False)
def manifest_task(audit_dir: Path) -> None:
    """Declare the audit finished, and give back the disk space that only an unfinished one needs."""
    finish(AuditFolder(audit_dir))


if __name__ == "__main__":
    from flows.cli import main

    main(["run", *sys.argv[1:]])
