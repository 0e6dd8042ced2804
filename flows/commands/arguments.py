"""What several commands ask for, and the settings that it amounts to."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from audit.config import Config

Photos = Annotated[
    Path | None,
    typer.Argument(help="Folder of photographs with one subfolder per class.", show_default=False),
]
Manifest = Annotated[
    Path | None,
    typer.Option(
        help="Instead of PHOTOS: a CSV file with the columns path and label. Every further column (gender, site, "
        "scanner ...) is tested as a cue.",
        show_default=False,
    ),
]
ImageRoot = Annotated[
    Path | None,
    typer.Option(
        help="Folder from which the manifest's paths start; the manifest's own folder if not given.", show_default=False
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file of settings; config.yaml explains them all.", show_default=False),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one setting, e.g. --set model.fine_tune=head. May be repeated; wins over --config.",
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors and the result.")]
AuditsFolder = Annotated[Path, typer.Option(help="Folder in which each audit gets a folder of its own.")]
FinishedAudit = Annotated[Path, typer.Argument(help="The folder of a finished audit, as `run` leaves it.")]


def settings_of(
    photos: Path | None,
    manifest: Path | None,
    image_root: Path | None,
    config: Path | None,
    overrides: Sequence[str] | None,
) -> "Config":
    """The settings of a file and the command line, their paths absolute. Raises ConfigError."""
    from audit.config import load_config
    from audit.run.open_audit import with_absolute_paths

    source = load_config(config, overrides or (), photos=photos, manifest=manifest, image_root=image_root)
    return with_absolute_paths(source)
