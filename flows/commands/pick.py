"""``bias-audit pick``: the photographs of a pool that fill an audit's orders."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.arguments import FinishedAudit, Quiet
from flows.interrupt import interruptible
from flows.outcome import told_errors

if TYPE_CHECKING:
    from audit.plan.picking.picked_json import FilledOrder, Picked

_LISTED = 10


def pick(
    audit: FinishedAudit,
    pool: Annotated[
        Path,
        typer.Argument(
            help="The photographs to pick from: a folder, or a CSV file with the columns path and label. In a folder, "
            "what lies in a subfolder called like a class of the audit is of that class; the class of all others is "
            "guessed.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="The table to write: path, label, order, rank and reasons of every photograph that was picked. A page "
            "with the photographs is written beside it."
        ),
    ] = Path("picked.csv"),
    copy_to: Annotated[
        Path | None,
        typer.Option(
            help="Copy the photographs there as well, one subfolder per class; a new or empty folder.",
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Of photographs that you have, pick those that the audit's plan asks you to collect.

    The plan orders photographs: of one class, with some things in them and without others. Every photograph of POOL is
    looked at as the audit looked at its own; one fits an order if it is of its class and all that the order says can be
    told of it and is so. The surest are picked, never more than ordered, and none twice. Copies of the audit's
    photographs are refused, cropped and edited ones too.

    Look at the page before you use the table: detectors err, and a guessed class is the answer of the audit's models,
    less what the ordered contents add to it. Delete the rows of photographs that do not fit. No photograph is changed
    or moved, and an interrupted picking goes on where it stopped.

    [bold]Examples[/bold]

    bias-audit pick audits/photos-20260102-030405 archive/

    bias-audit pick audits/photos-20260102-030405 archive/ --out new.csv --copy-to new-photos/

    bias-audit verify audits/photos-20260102-030405 --with picked.csv
    """
    with interruptible(), told_errors():
        from audit.plan.picking.pick import page_beside
        from audit.plan.picking.pick import pick as pick_photographs
        from audit.progress import reporting_to
        from audit.stages import render_picked
        from audit.store.audit_folder import AuditFolder
        from flows.terminal import reporter, say, short

        folder, out = AuditFolder(audit.absolute()), out.absolute()
        folder.require_finished()
        # What shows photographs is the user's alone, wherever it is written.
        with reporter(quiet) as listener, reporting_to(listener), folder.locked():
            picked = pick_photographs(folder, pool.absolute(), out, copy_to and copy_to.absolute())
            page = render_picked(folder, page_beside(out))
        if not quiet:
            for line in _told(picked):
                say(line)
        say(f"{picked.found} of {picked.ordered} photographs ordered were found in {picked.files} files.")
        command = f"bias-audit verify {shlex.quote(short(folder.path))} --with {shlex.quote(short(out))}"
        say(f"Look at {short(page)}, delete from {short(out)} what does not fit, then: {command}")


def _told(picked: "Picked") -> list[str]:
    """What was refused, and how each order fared."""
    lines = [f"{one.path}: {one.reason}" for one in picked.refused[:_LISTED]]
    if len(picked.refused) > _LISTED:
        lines.append(f"and {len(picked.refused) - _LISTED} more files were refused; the page lists them")
    return [*lines, *map(_of_order, picked.orders)]


def _of_order(order: "FilledOrder") -> str:
    what = f"“{order.label}” {order.state}"
    if order.unfillable:
        return f"{what}: {order.ask} ordered, not to be had from a pool: {order.unfillable}."
    guessed = sum(photo.probability is not None for photo in order.photographs)
    check = f", {guessed} of them of a guessed class" if guessed else ""
    return f"{what}: {len(order.photographs)} of {order.ask} ordered{check}; {order.fitting} in the pool fit."
