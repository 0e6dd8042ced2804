"""A verification as a Prefect flow: one task per strategy and seed; only paths and plain values travel between them.

A training that is done already is not done again: the files in the audit folder decide, not Prefect's cache.
"""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from audit.config import load_config
from audit.model.activation_store import drop_activations
from audit.plan.plan_json import Strategy
from audit.store.audit_folder import AuditFolder
from audit.verification.retraining import Retraining
from audit.verification.strategy import BASELINE
from audit.verification.verify import conclude, prepare
from flows.run import render_again


@flow(name="bias-audit-verify", flow_run_name="{audit_dir.name}", persist_result=False)
def verify_flow(audit_dir: Path, strategy: Strategy, source: Path | None, seeds: int) -> Path:
    """Train again with and without a strategy, compare, and write the report anew; return ``verification.json``.

    Raises AuditFolderError when another process works in the folder.
    """
    with AuditFolder(audit_dir).locked():
        work = prepare_task(audit_dir, strategy, source)
        for name in (BASELINE, strategy):
            for seed in range(seeds):
                train_task(audit_dir, work, name, seed)
        result = conclude_task(audit_dir, work, strategy, seeds)
        report_task(audit_dir, work)
    return result


@task(name="prepare", cache_policy=NO_CACHE, persist_result=False)
def prepare_task(audit_dir: Path, strategy: Strategy, source: Path | None) -> Path:
    """Check the request and read the new images; return the folder that holds the images to train on.

    Raises ConfigError, DatasetError or AuditFolderError as ``prepare``.
    """
    audit = AuditFolder(audit_dir)
    return prepare(audit, load_config(audit.config), strategy, source).path


@task(name="train", task_run_name="{strategy} {seed}", cache_policy=NO_CACHE, persist_result=False)
def train_task(audit_dir: Path, work: Path, strategy: str, seed: int) -> None:
    """Train every fold under a strategy, or the baseline, with one seed; nothing where that is done."""
    audit = AuditFolder(audit_dir)
    Retraining.open(audit, AuditFolder(work), load_config(audit.config)).train(strategy, seed)


@task(name="conclude", cache_policy=NO_CACHE, persist_result=False)
def conclude_task(audit_dir: Path, work: Path, strategy: Strategy, seeds: int) -> Path:
    """Compare the trainings with and without the strategy."""
    audit = AuditFolder(audit_dir)
    return conclude(audit, AuditFolder(work), load_config(audit.config), strategy, seeds)


@task(name="report", cache_policy=NO_CACHE, persist_result=False)
def report_task(audit_dir: Path, work: Path) -> None:
    """Write the report anew, and give back the disk space that only a running verification needs."""
    audit = AuditFolder(audit_dir)
    render_again(audit_dir)
    if not load_config(audit.config).compute.keep_cache:
        for folder in (audit, AuditFolder(work)):
            drop_activations(folder)
