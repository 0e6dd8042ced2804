"""Terminal output: progress on the standard error stream, tables on the standard output.

Names of classes, files and cues come from strangers: nothing of them is read as markup, and control characters go.
"""

import sys
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from audit.findings.finding import Finding
from audit.processes import starting_folder
from audit.progress import Reporter, Silence

LINE_EVERY_SECONDS = 10.0
SEVERITY_STYLE = {"high": "bold red", "medium": "yellow", "low": "cyan", "expected": "dim", "cleared": "green"}


def blanked(text: object) -> str:
    """Text that cannot steer a terminal: control, invisible and half characters become spaces, one each.

    Unlike ``audit.text.printable``, which writes them as escapes so that a name can still be told from another.

    >>> blanked("cat\\x1b[2J\\n\\u202ednat")
    'cat [2J  dnat'
    """
    return "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in str(text))


def say_error(message: str) -> None:
    """Print an error on the standard error stream, its own lines kept."""
    console = Console(stderr=True)
    for line in message.splitlines():
        console.print(Text(blanked(line), style="red"), soft_wrap=True)


def say(message: str) -> None:
    """Print a result on the standard output."""
    Console().print(Text(blanked(message)), soft_wrap=True)


def short(path: Path) -> str:
    """A path as it is told: relative to where the user stands, if it lies below that."""
    start = starting_folder()
    return str(path.relative_to(start)) if path.is_relative_to(start) else str(path)


@contextmanager
def reporter(quiet: bool = False) -> Iterator[Reporter]:
    """The listener for this terminal: bars, plain lines where there is no terminal, nothing when ``quiet``."""
    if quiet:
        yield Silence()
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(console)
        return
    with _progress(console) as progress:
        yield Bars(progress)


@dataclass
class _Work:
    """A task under way: its name as told, its size, and how much of it is done."""

    name: str
    total: int | None
    unit: str
    done: int = 0
    began: float = field(default_factory=lambda: time.monotonic())
    told: float = field(default_factory=lambda: time.monotonic())

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def state(self) -> str:
        """As in ``explain: 320 of 1005 images, 8.1 images/s, 85 s left``."""
        size = f" of {self.total}" if self.total else ""
        rate = self.done / max(self.seconds(), 1e-6)
        remaining = f", {(self.total - self.done) / rate:.0f} s left" if self.total and rate else ""
        return f"{self.name}: {self.done}{size} {self.unit}, {rate:.1f} {self.unit}/s{remaining}"


class Lines:
    """Progress as plain lines, for logs: one when a stage ends, one every ten seconds of long work."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stack: list[_Work] = []

    def started(self, task: str, total: int | None, unit: str) -> None:
        """Nothing is printed until there is something to tell."""
        self._stack.append(_Work(blanked(task), total, blanked(unit)))

    def advanced(self, count: int) -> None:
        """A line, unless one was printed in the last ten seconds."""
        work = self._stack[-1]
        work.done += count
        if time.monotonic() - work.told >= LINE_EVERY_SECONDS:
            work.told = time.monotonic()
            self._print(work.state())

    def finished(self) -> None:
        """A line with the seconds that it took, for a stage that did not fail."""
        work = self._stack.pop()
        if not self._stack and not _failing():
            self._print(f"{work.name}: {work.seconds():.1f} s")

    def note(self, message: str) -> None:
        """The sentence as a line."""
        self._print(blanked(message))

    def _print(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)


class Bars:
    """Progress as bars: a line for each stage that has ended, bars for what is under way."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stack: list[tuple[TaskID, _Work]] = []

    def started(self, task: str, total: int | None, unit: str) -> None:
        """A bar, indented below the one that it is a part of."""
        work = _Work("  " * len(self._stack) + blanked(task), total, blanked(unit))
        self._stack.append((self._progress.add_task(work.name, total=total, unit=work.unit), work))

    def advanced(self, count: int) -> None:
        """The innermost bar moves on."""
        self._progress.advance(self._stack[-1][0], count)

    def finished(self) -> None:
        """The bar goes; of a stage that did not fail a line stays, with the seconds that it took."""
        task, work = self._stack.pop()
        self._progress.remove_task(task)
        if not self._stack and not _failing():
            self._print(Text.assemble(("✓ ", "green"), f"{work.name:<12}", (f"{work.seconds():8.1f} s", "dim")))

    def note(self, message: str) -> None:
        """The sentence above the bars, in yellow."""
        self._print(Text(blanked(message), style="yellow"))

    def _print(self, line: Text) -> None:
        self._progress.console.print(line, soft_wrap=True)


def _failing() -> bool:
    """Whether the task that just ended was ended by an exception: it must not be told as done."""
    return sys.exc_info()[0] is not None


class _Amount(ProgressColumn):
    """How much is done and how fast, in the task's own unit; nothing for work without one."""

    def render(self, task: Task) -> Text:
        unit = task.fields["unit"]
        if not unit:
            return Text()
        size = f"{task.completed:.0f}" + (f"/{task.total:.0f}" if task.total else "")
        speed = f"  {task.speed:.1f} {unit}/s" if task.speed else ""
        return Text(f"{size} {unit}{speed}")


def _progress(console: Console) -> Progress:
    name = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), name, BarColumn(bar_width=28), _Amount(), TimeRemainingColumn(compact=True))
    return Progress(*columns, console=console, transient=True, redirect_stdout=False)


def findings_table(findings: Sequence[Finding]) -> Table:
    """The findings of an audit: severity, class, cue, sentence."""
    table = Table(title="Findings", title_justify="left", show_lines=True)
    for column in ("severity", "class", "cue"):
        table.add_column(column, overflow="fold")
    table.add_column("what was found", overflow="fold", ratio=1)
    for finding in findings:
        severity = Text(finding.severity.replace("_", " "), SEVERITY_STYLE.get(finding.severity, ""))
        table.add_row(severity, *(Text(blanked(cell)) for cell in (finding.label, finding.words, finding.sentence)))
    return table


def facts_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A plain table of untrusted cells."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(blanked(cell)) for cell in row))
    return table


def show(*tables: Table) -> None:
    """Print tables on the standard output, as wide as a log needs where it is no terminal."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    for table in tables:
        console.print(table)
