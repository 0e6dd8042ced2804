"""``bias-audit mask``: the images of an audit again, without a cue."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.arguments import FinishedAudit, Quiet
from flows.outcome import told_errors


def mask(
    audit: FinishedAudit,
    cue: Annotated[
        str, typer.Option(help="What to take out of the photographs, by its name in the audit: text, border ...")
    ],
    out: Annotated[Path, typer.Option(help="The folder to write: one subfolder per class.")],
    irrelevant: Annotated[
        bool,
        typer.Option("--irrelevant", help="You know that the cue, though no mark, has nothing to do with the classes."),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write an audit's photographs again without a cue: borders cut off, marks painted over, anything else blurred.

    The photographs themselves are not touched.

    [bold]Examples[/bold]

    bias-audit mask audits/photos-20260102-030405 --cue text --out masked/

    bias-audit mask audits/photos-20260102-030405 --cue face --irrelevant --out masked/
    """
    with told_errors():
        from audit.plan.masked_copy import write_retouched
        from audit.progress import reporting_to
        from audit.store.audit_folder import AuditFolder
        from flows.terminal import reporter, say, short

        with reporter(quiet) as listener, reporting_to(listener):
            written, changed = write_retouched(AuditFolder(audit), cue, out, irrelevant)
        command = f"bias-audit run {shlex.quote(short(out))}"
        say(f"{written} photographs written, {changed} of them changed; audit them with: {command}")
