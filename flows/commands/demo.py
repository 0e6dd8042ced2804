"""``bias-audit demo``: a drawn dataset with a planted shortcut."""

from pathlib import Path
from typing import Annotated

import typer

from flows.outcome import told_errors


def demo(
    folder: Annotated[Path, typer.Argument(help="Where to draw.")] = Path("demo"),
    images: Annotated[
        int, typer.Option("--n", min=20, help="How many pictures to draw for training; an even number.")
    ] = 240,
    seed: Annotated[int, typer.Option(help="Another seed draws other people.")] = 0,
) -> None:
    """Draw a small dataset of doctors and nurses with a planted shortcut, long hair, for bias-audit to find.

    [bold]Examples[/bold]

    bias-audit demo demo/

    bias-audit run --manifest demo/train.csv --set model.fine_tune=head
    """
    with told_errors():
        from audit.demo.dataset import draw_demo
        from audit.progress import reporting_to
        from flows.terminal import reporter, say, short

        with reporter() as listener, reporting_to(listener):
            draw_demo(folder, images, seed)
        say(short(folder))
