"""``bias-audit explain``: why a model answers as it does about one image."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.outcome import told_errors


class Method(StrEnum):
    """How a picture is explained."""

    GRADCAM = "gradcam"
    GUIDED = "guided"
    GUIDED_GRADCAM = "guided-gradcam"
    COUNTERFACTUAL = "counterfactual"


def explain(
    image: Annotated[Path, typer.Argument(help="A photograph, of the dataset or not.")],
    audit: Annotated[Path, typer.Option(help="The folder of a finished audit, as `run` leaves it.")],
    out: Annotated[Path, typer.Option(help="The PNG file to write.")],
    method: Annotated[
        Method,
        typer.Option(
            help="gradcam: what speaks for the class. counterfactual: what speaks against it. guided, guided-gradcam: "
            "which pixels."
        ),
    ] = Method.GRADCAM,
    label: Annotated[
        str | None,
        typer.Option("--class", help="The class to explain; the model's own answer if not given.", show_default=False),
    ] = None,
) -> None:
    """Show why an audit's model answers as it does about one photograph.

    A photograph of the dataset is explained by the model that did not train on it. OUT may be there already if this
    command wrote it; any other file stays as it is.

    [bold]Examples[/bold]

    bias-audit explain photos/nurse/017.jpg --audit audits/photos-20260102-030405 --out why.png

    bias-audit explain new.jpg --audit audits/photos-20260102-030405 --method guided-gradcam --class doctor --out d.png
    """
    with told_errors():
        from audit.data.outputs import write_picture
        from audit.explain.one_photo import explain_picture, require_place
        from audit.store.audit_folder import AuditFolder
        from audit.text import printable
        from flows.terminal import say, short

        folder = AuditFolder(audit)
        require_place(folder, image, out)
        sight = explain_picture(folder, image, method.value, label)
        write_picture(sight.image, out)
        say(f"The model answers {printable(sight.predicted)}; {sight.confidence:.0%} sure of {printable(sight.label)}.")
        say(short(out))
