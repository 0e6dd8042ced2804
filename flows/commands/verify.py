"""``bias-audit verify``: did the plan help?"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.arguments import FinishedAudit, Quiet
from flows.interrupt import interruptible
from flows.outcome import told_errors


class Remedy(StrEnum):
    """A way of mending that the plan offers."""

    WEIGHT = "weight"
    DROP = "drop"
    COLLECT = "collect"


def verify(
    audit: FinishedAudit,
    strategy: Annotated[
        Remedy | None,
        typer.Option(
            help="weight: rare combinations count more (plan/weights.csv). drop: some photographs are left out "
            "(plan/drop.csv). collect: new photographs, given by --with, join the training. Weight if nothing is "
            "given, collect with --with.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--with",
            metavar="NEW_PHOTOS",
            help="New photographs: a folder with one subfolder per class, or a CSV file with the columns path and "
            "label. They join the training only; copies of photographs in the audit are refused.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            min=2, help="How often everything is trained, each time from another start. Fewer than 5 tell little."
        ),
    ] = 5,
    quiet: Quiet = False,
) -> None:
    """Did it help? Train an audit's models again under its plan and compare them on the same photographs.

    Every model is tested on the photographs that it was not trained on, before and after. The report gets the section
    "Did it help?", also when it did not. An interrupted verification goes on where it stopped.

    [bold]Examples[/bold]

    bias-audit verify audits/photos-20260102-030405

    bias-audit verify audits/photos-20260102-030405 --strategy drop

    bias-audit verify audits/photos-20260102-030405 --with new-photos/
    """
    with interruptible(), told_errors():
        from audit import Audit
        from audit.progress import reporting_to
        from flows.run import verify_audit
        from flows.terminal import reporter, say, short

        remedy = strategy or (Remedy.WEIGHT if source is None else Remedy.COLLECT)
        with reporter(quiet) as listener, reporting_to(listener):
            folder = verify_audit(audit, remedy.value, source, seeds)
        done = Audit.open(folder.path)
        say(done.verification(remedy.value).sentence)
        say(short(done.report_path))
