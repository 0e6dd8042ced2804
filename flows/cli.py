"""The command ``bias-audit``: finds shortcuts in labelled photographs before a classifier learns them."""

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from flows.outcome import BAD_INPUT, FINDINGS, told_errors

if TYPE_CHECKING:
    from audit.config import Config
    from audit.dataset import Inspection
    from audit.folder import AuditFolder

# What a command needs is imported when it runs: PyTorch and Prefect take seconds, --help must not.

FAREWELL = "Interrupted; run the same command to resume."
# What `selfcheck` does beyond a run, besides more of the same.
THOROUGH = ("self_audit.null_images=1000", "self_audit.kinds=[text, sticker, border, tint, blur]")

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


class Severity(StrEnum):
    """How grave a finding is, gravest first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Remedy(StrEnum):
    """A way of mending that the plan offers."""

    WEIGHT = "weight"
    DROP = "drop"
    COLLECT = "collect"


class Method(StrEnum):
    """How a picture is explained."""

    GRADCAM = "gradcam"
    GUIDED = "guided"
    GUIDED_GRADCAM = "guided-gradcam"
    COUNTERFACTUAL = "counterfactual"


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


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    app(arguments, prog_name="bias-audit")
    sys.exit(0)


def _version(wanted: bool) -> None:
    if wanted:
        from audit import __version__

        typer.echo(f"bias-audit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None: ...


@app.command()
def run(
    photos: Photos = None,
    manifest: Manifest = None,
    image_root: ImageRoot = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="Folder in which each audit gets a folder of its own.")] = Path("audits"),
    fail_on: Annotated[
        Severity | None,
        typer.Option(help="Leave with exit code 3 when a finding is this grave or graver.", show_default=False),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, even if the same audit was interrupted.")] = False,
    quiet: Quiet = False,
) -> None:
    """Audit photographs and write the report.

    An interrupted audit goes on where it stopped when the same command is given again.

    [bold]Examples[/bold]

    bias-audit run photos/ --set model.fine_tune=head

    bias-audit run --manifest images.csv --image-root photos/ --out audits/ --fail-on high
    """
    from flows.interrupt import interruptible

    with interruptible(FAREWELL), told_errors():
        from audit.progress import reporting_to
        from flows.run import run_audit
        from flows.terminal import reporter

        settings = _settings(photos, manifest, image_root, config, overrides)
        with reporter(quiet) as listener, reporting_to(listener):
            folder = run_audit(settings, out, fresh=fresh)
        grave = _conclude(folder, fail_on, quiet)
    if grave:
        raise typer.Exit(FINDINGS)


@app.command()
def check(
    photos: Photos = None,
    manifest: Manifest = None,
    image_root: ImageRoot = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    quiet: Quiet = False,
) -> None:
    """Read and judge the photographs only: classes, rejected files, copies. Exit code 2 if they cannot be audited.

    [bold]Examples[/bold]

    bias-audit check photos/

    bias-audit check --manifest images.csv --image-root photos/
    """
    with told_errors():
        from audit.dataset import inspect
        from audit.progress import reporting_to
        from flows.terminal import reporter

        settings = _settings(photos, manifest, image_root, config, overrides)
        with reporter(quiet) as listener, reporting_to(listener):
            inspection = inspect(settings)
        _show_inspection(inspection, quiet)
    if inspection.problems:
        raise typer.Exit(BAD_INPUT)


@app.command()
def fetch(
    full_vgg: Annotated[
        bool, typer.Option("--full-vgg", help="Bring torchvision's whole VGG-16 (528 MB) instead of its small file.")
    ] = False,
    words: Annotated[
        bool, typer.Option("--words", help="Also bring the network (19 MB) that finds words for unnamed clusters.")
    ] = False,
    config: ConfigFile = None,
    overrides: Overrides = None,
    quiet: Quiet = False,
) -> None:
    """Bring the model files into the cache folder, each checked against its SHA-256. No other command downloads.

    [bold]Examples[/bold]

    bias-audit fetch

    bias-audit fetch --full-vgg --set compute.models=/data/models
    """
    with told_errors():
        from audit.config import load_config, model_folder

        models = model_folder(load_config(config, overrides or ()))
        from audit.fetch import fetch as fetch_files
        from audit.progress import reporting_to
        from flows.terminal import reporter, say

        with reporter(quiet) as listener, reporting_to(listener):
            paths = fetch_files(models, full_vgg=full_vgg, words=words)
        for path in paths:
            say(str(path))


@app.command()
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
        from audit.demo import draw_demo
        from audit.progress import reporting_to
        from flows.terminal import reporter, say

        with reporter() as listener, reporting_to(listener):
            draw_demo(folder, images, seed)
        say(str(folder))


@app.command()
def selfcheck(
    photos: Annotated[
        Path | None,
        typer.Argument(help="Folder of photographs, or the folder of a finished audit.", show_default=False),
    ] = None,
    manifest: Manifest = None,
    image_root: ImageRoot = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="Folder in which each audit gets a folder of its own.")] = Path("audits"),
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
    from flows.interrupt import interruptible

    with interruptible(FAREWELL), told_errors():
        from audit.folder import AuditFolder
        from audit.progress import reporting_to
        from flows.run import check_finished, run_audit
        from flows.terminal import reporter, say

        amounts = [*THOROUGH, f"self_audit.permutations={permutations}", f"self_audit.power_images={marked}"]
        with reporter(quiet) as listener, reporting_to(listener):
            if photos is not None and AuditFolder(photos).stage_record("dataset").exists():
                _refuse_settings(manifest, image_root, config, overrides)
                folder = check_finished(photos, amounts)
            else:
                settings = _settings(photos, manifest, image_root, config, [*amounts, *(overrides or ())])
                folder = run_audit(settings, out)
        say(_self_audit_of(folder))
        say(_short(folder.report))


@app.command()
def report(audit: Annotated[Path, typer.Argument(help="An audit folder, as `run` leaves it.")]) -> None:
    """Write the HTML report of a finished audit again, after an update of bias-audit for example.

    [bold]Examples[/bold]

    bias-audit report audits/photos-20260102-030405

    open audits/photos-20260102-030405/report.html
    """
    with told_errors():
        from flows.run import render_again
        from flows.terminal import say

        say(str(render_again(audit)))


@app.command()
def verify(
    audit: Annotated[Path, typer.Argument(help="The folder of a finished audit, as `run` leaves it.")],
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
    from flows.interrupt import interruptible

    with interruptible(FAREWELL), told_errors():
        from audit.folder import read_json
        from audit.progress import reporting_to
        from flows.run import verify_audit
        from flows.terminal import reporter, say

        remedy = strategy or (Remedy.WEIGHT if source is None else Remedy.COLLECT)
        with reporter(quiet) as listener, reporting_to(listener):
            folder = verify_audit(audit, remedy.value, source, seeds)
        say(read_json(folder / "verification" / remedy / "verification.json")["sentence"])
        say(_short(folder.report))


@app.command()
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

    A photograph of the dataset is explained by the model that did not train on it.

    [bold]Examples[/bold]

    bias-audit explain photos/nurse/017.jpg --audit audits/photos-20260102-030405 --out why.png

    bias-audit explain new.jpg --audit audits/photos-20260102-030405 --method guided-gradcam --class doctor --out d.png
    """
    with told_errors():
        from audit.folder import AuditFolder
        from audit.listing import printable
        from audit.single import explain_picture, save_picture
        from flows.terminal import say

        sight = explain_picture(AuditFolder(audit), image, method.value, label)
        save_picture(sight.image, out)
        say(f"The model answers {printable(sight.predicted)}; {sight.confidence:.0%} sure of {printable(sight.label)}.")
        say(str(out))


@app.command()
def mask(
    audit: Annotated[Path, typer.Argument(help="The folder of a finished audit, as `run` leaves it.")],
    cue: Annotated[
        str, typer.Option(help="What to take out of the photographs, by its name in the audit: text, border ...")
    ],
    out: Annotated[Path, typer.Option(help="The folder to write: one subfolder per class.")],
    irrelevant: Annotated[
        bool,
        typer.Option("--irrelevant", help="You know that the cue, though no mark, has nothing to do with the classes."),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write an audit's photographs again without a cue: borders cut off, marks painted over, anything else blurred.

    The photographs themselves are not touched.

    [bold]Examples[/bold]

    bias-audit mask audits/photos-20260102-030405 --cue text --out masked/

    bias-audit mask audits/photos-20260102-030405 --cue face --irrelevant --out masked/
    """
    with told_errors():
        from audit.folder import AuditFolder
        from audit.masked import write_masked
        from audit.progress import reporting_to
        from flows.terminal import reporter, say

        with reporter(quiet) as listener, reporting_to(listener):
            written, changed = write_masked(AuditFolder(audit), cue, out, irrelevant)
        say(
            f"{written} photographs written, {changed} of them changed: audit them with 'bias-audit run {_short(out)}'."
        )


def _settings(
    photos: Path | None,
    manifest: Path | None,
    image_root: Path | None,
    config: Path | None,
    overrides: Sequence[str] | None,
) -> "Config":
    from audit.config import load_config

    return load_config(config, overrides or (), photos=photos, manifest=manifest, image_root=image_root)


def _conclude(folder: "AuditFolder", fail_on: Severity | None, quiet: bool) -> bool:
    """Print the findings and the report's path; tell whether a finding is as grave as ``fail_on``."""
    from audit.folder import read_json
    from flows.terminal import findings_table, say, show

    findings = read_json(folder.record)["findings"]
    if not quiet:
        show(findings_table(findings))
    say(_short(folder.report))
    return fail_on is not None and any(is_as_grave(finding["severity"], fail_on) for finding in findings)


def is_as_grave(severity: str, limit: Severity) -> bool:
    """Whether a finding's severity, also one that is no complaint, is at or above ``limit``.

    >>> [is_as_grave(severity, Severity.MEDIUM) for severity in ("high", "medium", "low", "cleared")]
    [True, True, False, False]
    """
    order = list(Severity)
    return severity in order[: order.index(limit) + 1]


def _refuse_settings(*given: object) -> None:
    from audit.errors import ConfigError

    if any(given):
        raise ConfigError(
            "A finished audit keeps its own settings: leave out --manifest, --image-root, --config and --set, "
            "or name its photographs instead of its folder."
        )


def _self_audit_of(folder: "AuditFolder") -> str:
    from audit.folder import read_json

    return str(read_json(folder.self_audit)["sentence"])


def _short(path: Path) -> str:
    """Relative to the working folder where that is shorter."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else os.fspath(path)


def _show_inspection(inspection: "Inspection", quiet: bool) -> None:
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
    if not inspection.problems:
        say("These photographs can be audited.")
