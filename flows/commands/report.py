"""``bias-audit report``: the HTML report, written again."""

from pathlib import Path
from typing import Annotated

import typer

from flows.outcome import told_errors


def report(audit: Annotated[Path, typer.Argument(help="An audit folder, as `run` leaves it.")]) -> None:
    """Write the HTML report of a finished audit again, after an update of bias-audit for example.

    [bold]Examples[/bold]

    bias-audit report audits/photos-20260102-030405

    open audits/photos-20260102-030405/report.html
    """
    with told_errors():
        from audit import Audit
        from audit.progress import reporting_to
        from flows.run import render_again
        from flows.terminal import reporter, say, short

        with reporter(quiet=False) as listener, reporting_to(listener):
            render_again(audit)
        say(short(Audit.open(audit).report_path))
