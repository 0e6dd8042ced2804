"""``bias-audit fetch``: the model files, brought once."""

from typing import Annotated

import typer

from flows.commands.arguments import ConfigFile, Overrides, Quiet, settings_of
from flows.outcome import told_errors


def fetch(
    full_vgg: Annotated[
        bool, typer.Option("--full-vgg", help="Bring torchvision's whole VGG-16 (528 MB) instead of its small file.")
    ] = False,
    words: Annotated[
        bool, typer.Option("--words", help="Also bring the network (19 MB) that finds words for unnamed clusters.")
    ] = False,
    people: Annotated[
        bool,
        typer.Option(
            "--people", help="Also bring the networks (11 MB) that guess apparent gender and age, for people: true."
        ),
    ] = False,
    config: ConfigFile = None,
    overrides: Overrides = None,
    quiet: Quiet = False,
) -> None:
    """Bring the model files into the cache folder, each checked against its SHA-256. No other command downloads.

    What is there and intact is not fetched again; what is damaged is.

    [bold]Examples[/bold]

    bias-audit fetch

    bias-audit fetch --full-vgg --set compute.models=/data/models
    """
    with told_errors():
        from audit.config import model_folder

        models = model_folder(settings_of(None, None, None, config, overrides))
        from audit.progress import reporting_to
        from audit.store.download import fetch as fetch_files
        from flows.terminal import reporter, say, short

        with reporter(quiet) as listener, reporting_to(listener):
            paths = fetch_files(models, full_vgg=full_vgg, words=words, people=people)
        for path in paths:
            say(short(path))
