"""``bias-audit check``: checks whether images are fit for an audit."""

from typing import TYPE_CHECKING

import typer

from flows.commands.arguments import ConfigFile, ImageRoot, Manifest, Overrides, Photos, Quiet, settings_of
from flows.outcome import BAD_INPUT, told_errors

if TYPE_CHECKING:
    from audit.config import Config
    from audit.data.inspection import Inspection


def check(
    photos: Photos = None,
    manifest: Manifest = None,
    image_root: ImageRoot = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    quiet: Quiet = False,
) -> None:
    """Read and judge the photographs only: classes, rejected files, copies. Exit code 2 if they cannot be audited.

    What would stop an audit later is told, too: a missing or damaged model file, an unknown cue, an absent GPU.

    [bold]Examples[/bold]

    bias-audit check photos/

    bias-audit check --manifest images.csv --image-root photos/
    """
    with told_errors():
        from audit.data.inspection import inspect
        from audit.progress import reporting_to
        from flows.terminal import reporter

        settings = settings_of(photos, manifest, image_root, config, overrides)
        with reporter(quiet) as listener, reporting_to(listener):
            inspection = inspect(settings)
            obstacle = _obstacle(settings, list(inspection.classes))
        _show_inspection(inspection, obstacle, quiet)
    if inspection.problems or obstacle:
        raise typer.Exit(BAD_INPUT)


def _obstacle(settings: "Config", classes: list[str]) -> str:
    """Why an audit would stop, whatever the photographs are; empty if nothing is known."""
    from audit.errors import BiasAuditError
    from audit.run.readiness import require_ready

    try:
        require_ready(settings, classes)
    except BiasAuditError as error:
        return str(error)
    return ""


def _show_inspection(inspection: "Inspection", obstacle: str, quiet: bool) -> None:
    from flows.terminal import facts_table, say, say_error, show

    if not quiet:
        counts = [(name, count.accepted, count.rejected) for name, count in inspection.classes.items()]
        show(facts_table(f"{inspection.name}: images per class", ("class", "accepted", "rejected"), counts))
        if inspection.rejected:
            show(facts_table("Rejected files", ("file", "reason"), inspection.rejected))
        if inspection.cross_class_duplicates:
            copies = [(", ".join(group),) for group in inspection.cross_class_duplicates]
            show(facts_table("The same picture in several classes", ("files",), copies))
        for sentence in inspection.warnings:
            say(sentence)
    for sentence in inspection.problems:
        say_error(sentence)
    if obstacle:
        say_error(obstacle)
    if not (inspection.problems or obstacle):
        say("These photographs can be audited.")
