"""``bias-audit run``: the audit itself."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.arguments import (
    AuditsFolder,
    ConfigFile,
    ImageRoot,
    Manifest,
    Overrides,
    Photos,
    Quiet,
    settings_of,
)
from flows.interrupt import interruptible
from flows.outcome import FINDINGS, told_errors

if TYPE_CHECKING:
    from audit.store.audit_folder import AuditFolder


class Severity(StrEnum):
    """How grave a finding is, gravest first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


def run(
    photos: Photos = None,
    manifest: Manifest = None,
    image_root: ImageRoot = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    out: AuditsFolder = Path("audits"),
    fail_on: Annotated[
        Severity | None,
        typer.Option(help="Leave with exit code 3 when a finding is this grave or graver.", show_default=False),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, even if the same audit was interrupted.")] = False,
    quiet: Quiet = False,
) -> None:
    """Audit photographs and write the report.

    An interrupted audit goes on where it stopped when the same command is given again.

    [bold]Examples[/bold]

    bias-audit run photos/ --set model.fine_tune=head

    bias-audit run --manifest images.csv --image-root photos/ --out audits/ --fail-on high
    """
    with interruptible(), told_errors():
        from audit.progress import reporting_to
        from flows.run import run_audit
        from flows.terminal import reporter

        settings = settings_of(photos, manifest, image_root, config, overrides)
        with reporter(quiet) as listener, reporting_to(listener):
            folder = run_audit(settings, out, fresh=fresh)
        grave = _conclude(folder, fail_on, quiet)
    if grave:
        raise typer.Exit(FINDINGS)


def _conclude(folder: "AuditFolder", fail_on: Severity | None, quiet: bool) -> bool:
    """Print the findings and the report's path; tell whether a finding is as grave as ``fail_on``."""
    from audit import Audit
    from flows.terminal import findings_table, say, short, show

    audit = Audit.open(folder.path)
    if not quiet:
        show(findings_table(audit.findings))
    say(short(audit.report_path))
    return fail_on is not None and any(is_as_grave(finding.severity, fail_on) for finding in audit.findings)


def is_as_grave(severity: str, limit: Severity) -> bool:
    """Whether a finding's severity, also one that is no complaint, is at or above ``limit``.

    >>> [is_as_grave(severity, Severity.MEDIUM) for severity in ("high", "medium", "low", "cleared")]
    [True, True, False, False]
    """
    order = list(Severity)
    return severity in order[: order.index(limit) + 1]
