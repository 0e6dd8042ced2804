"""``bias-audit selfcheck``: the false alarms and the blind spots of an audit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.arguments import AuditsFolder, ConfigFile, ImageRoot, Manifest, Overrides, Quiet, settings_of
from flows.interrupt import interruptible
from flows.outcome import told_errors

if TYPE_CHECKING:
    from audit.store.audit_folder import AuditFolder

# What `selfcheck` does beyond a run, besides more of the same.
THOROUGH = (
    "self_audit.null_images=1000",
    "self_audit.kinds=[text, sticker, border, tint, blur, vignette, object]",
    "self_audit.forms=9",
    "self_audit.pairs=4",
)


def selfcheck(
    photos: Annotated[
        Path | None,
        typer.Argument(help="Folder of photographs, or the folder of a finished audit.", show_default=False),
    ] = None,
    manifest: Manifest = None,
    image_root: ImageRoot = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    out: AuditsFolder = Path("audits"),
    permutations: Annotated[int, typer.Option(min=0, help="How often the labels are dealt out at random.")] = 20,
    marked: Annotated[int, typer.Option(min=0, help="How many photographs get marks put on them.")] = 120,
    quiet: Quiet = False,
) -> None:
    """Measure how often an audit of these photographs cries wolf, and which shortcuts it would notice.

    Every audit does a little of this; here it does more, for photographs or for an audit that is done already.

    [bold]Examples[/bold]

    bias-audit selfcheck photos/

    bias-audit selfcheck audits/photos-20260102-030405 --permutations 50
    """
    with interruptible(), told_errors():
        from audit.progress import reporting_to
        from audit.store.audit_folder import AuditFolder
        from flows.run import check_finished, run_audit
        from flows.terminal import reporter, say, short

        amounts = [*THOROUGH, f"self_audit.permutations={permutations}", f"self_audit.power_images={marked}"]
        with reporter(quiet) as listener, reporting_to(listener):
            if photos is not None and AuditFolder(photos).stage_record("dataset").exists():
                _refuse_settings(manifest, image_root, config, overrides)
                folder = check_finished(photos, amounts)
            else:
                settings = settings_of(photos, manifest, image_root, config, [*amounts, *(overrides or ())])
                folder = run_audit(settings, out)
        say(_self_audit_of(folder))
        say(short(folder.report))


def _refuse_settings(*given: object) -> None:
    from audit.errors import ConfigError

    if any(given):
        raise ConfigError(
            "A finished audit keeps its own settings: leave out --manifest, --image-root, --config and --set, "
            "or name its photographs instead of its folder."
        )


def _self_audit_of(folder: "AuditFolder") -> str:
    from audit.findings.self_audit_json import SelfAudit
    from audit.store.audit_folder import read_record

    return read_record(folder.self_audit, SelfAudit).sentence
