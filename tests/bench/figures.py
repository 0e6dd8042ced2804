"""Figures as JSON in ``docs/figures``: what a benchmark measured, by which command, when and on which machine.

The tables of the documents are written from these files by ``python -m tests.bench.tables``, never by hand.
"""

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "docs" / "figures"

# A text, a number, nothing, a figure with its interval, or a count out of a number with the interval of its share.
Cell = str | float | Mapping[str, Any] | None


@dataclass(frozen=True)
class Column:
    """``title`` of a column and how its numbers are written: a format specification such as ``.3f`` or ``.1%``."""

    title: str
    format: str = ""


@dataclass(frozen=True)
class Figure:
    """A table of figures and where it comes from.

    ``origin`` is "measured" where the benchmark wrote the file itself, "quoted" where all cells are those of other
    figures. ``commit`` is None where it is not known.
    ``notes`` are sentences that belong to the figures and were written with them.
    """

    command: str
    machine: str
    date: str
    origin: str
    commit: str | None
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Figure":
        """Raises ValueError, naming the file, where a row has not one cell per column."""
        tree = json.loads(path.read_text("utf-8"))
        columns = tuple(Column(**column) for column in tree.pop("columns"))
        rows, notes = (tuple(tree.pop(name)) for name in ("rows", "notes"))
        if any(len(row) != len(columns) for row in rows):
            raise ValueError(f"{path}: every row needs {len(columns)} cells.")
        return cls(**tree, columns=columns, rows=tuple(map(tuple, rows)), notes=notes)

    def write(self, path: Path) -> None:
        """Write the file, its folder too."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")

    def markdown(self) -> Iterator[str]:
        """The table's lines, then its notes, then where it comes from; figures that are all quoted have no source."""
        yield from table_lines(self.columns, self.rows)
        yield from ["", *(f"* {note}" for note in self.notes)] if self.notes else []
        yield from ["", self.source()] if self.command else []

    def source(self) -> str:
        """Where the figures come from, as a sentence."""
        commit = f", commit {self.commit}" if self.commit else ""
        origin = "" if self.origin == "measured" else f" Taken from the {self.origin}."
        return f"*By `{self.command}`, {self.date}, {self.machine}{commit}.{origin}*"


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """A table as lines of Markdown."""
    yield _line(column.title for column in columns)
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield _line(show(cell, column.format) for cell, column in zip(row, columns, strict=True))


def show(cell: Cell, specification: str = "") -> str:
    """A cell as the documents show it; ``words`` follow a figure as they are.

    >>> show({"value": 0.975, "low": 0.9, "high": 1.0}, ".1%")
    '97.5 % [90.0 %, 100.0 %]'
    >>> show({"count": 16, "of": 16, "low": 0.806, "high": 1.0}, ".2f"), show(-0.5, "+.1f"), show(None)
    ('16 of 16 [0.81, 1.00]', '−0.5', '')
    """
    if cell is None or isinstance(cell, str):
        return cell or ""
    if not isinstance(cell, Mapping):
        return format(cell, specification).replace("-", "\N{MINUS SIGN}").replace("%", " %")
    value = f"{cell['count']} of {cell['of']}" if "count" in cell else show(cell["value"], specification)
    after = cell.get("words", "")
    if cell.get("low") is None:
        return value + after
    return f"{value} [{show(cell['low'], specification)}, {show(cell['high'], specification)}]{after}"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--figures``, which every benchmark has."""
    parser.add_argument(
        "--figures", type=Path, metavar="FOLDER", help="write the figures there as well; docs/figures is the documents'"
    )


def save(
    folder: Path | None,
    name: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    notes: Sequence[str] = (),
) -> None:
    """Write ``name``.json into the folder of ``--figures``, with what is known of this run, if there is one."""
    if folder is None:
        return
    measured = Figure(
        command(),
        machine(),
        date.today().isoformat(),
        "measured",
        commit(),
        tuple(columns),
        tuple(map(tuple, rows)),
        tuple(notes),
    )
    measured.write(folder / f"{name}.json")


def command(arguments: Sequence[str] | None = None) -> str:
    """This process's command line, as ``python -m module``, without ``--figures`` and with no folder of this machine.

    >>> command(["tests/bench/cues.py", "--data", "/home/ada/data", "--figures", "docs/figures"])
    'python -m tests.bench.cues --data …/data'
    """
    program, *given = sys.argv if arguments is None else arguments
    told = iter(given)
    words = []
    for word in told:
        if word == "--figures":
            next(told, None)
        elif not word.startswith("--figures="):
            words.append(_without_place(word))
    return " ".join(["python -m", f"tests.bench.{Path(program).stem}", *words])


def _without_place(word: str) -> str:
    """A word of a command line, of an absolute path only its end: nobody is to read how somebody's disk is laid out."""
    option, separator, value = word.partition("=") if word.startswith("--") else ("", "", word)
    value = f"…/{Path(value).name}" if Path(value).is_absolute() else value
    return shlex.quote(option + separator + value) if " " in value else option + separator + value


def machine() -> str:
    """The processor, its cores that this process may use, the operating system, Python and PyTorch."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    import torch  # seconds, which whoever only reads figures need not wait for

    system = f"{platform.system()}, Python {platform.python_version()}, torch {torch.__version__}"
    return f"{_processor()}, {cores} core{'' if cores == 1 else 's'}, {system}"


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def commit() -> str | None:
    """The commit of the working tree, with a plus where it has been changed since; None outside of a repository."""
    try:
        found = [
            subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
            for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        ]
    except (OSError, subprocess.CalledProcessError):
        return None
    return found[0] + ("+" if found[1] else "")


def _line(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"
