"""The command ``bias-audit``: finds shortcuts in labelled images before a classifier learns them."""

import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from flows.commands.check import check
from flows.commands.demo import demo
from flows.commands.explain import explain
from flows.commands.fetch import fetch
from flows.commands.mask import mask
from flows.commands.name import name
from flows.commands.pick import pick
from flows.commands.report import report
from flows.commands.run import run
from flows.commands.selfcheck import selfcheck
from flows.commands.verify import verify
from flows.standing import reading_from_there

# The order in which --help lists them.
COMMANDS = (run, check, fetch, demo, selfcheck, report, pick, verify, explain, mask, name)

app = typer.Typer(
    name="bias-audit",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Find shortcuts in labelled photographs before a classifier learns them.\n\n"
    "bias-audit trains a small model on your photographs, looks where it looks, says in words what it leans on and "
    "writes one HTML report: what was found, how sure that is, and which photographs to collect.\n\n"
    "[bold]First steps[/bold]\n\n"
    "bias-audit fetch                     brings the model files (once)\n\n"
    "bias-audit check photos/             are these photographs fit for an audit? (seconds)\n\n"
    "bias-audit run photos/               the audit itself (minutes)\n\n"
    "bias-audit verify audits/photos-...  does the plan help? (minutes)\n\n"
    "Exit codes: 0 done, 1 failed, 2 bad input or settings, 3 findings at or above --fail-on, 130 interrupted.",
)


def _version(requested: bool) -> None:
    if requested:
        from audit import __version__

        typer.echo(f"bias-audit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None: ...


for command in COMMANDS:
    app.command()(reading_from_there(command))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    app(arguments, prog_name="bias-audit")
    sys.exit(0)
