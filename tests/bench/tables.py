"""Write the tables of the documents from the figures: ``python -m tests.bench.tables``.

A table stands between ``<!-- figures: NAME -->`` and ``<!-- end -->`` in README.md or a file of docs/ and is made of
``docs/figures/NAME.json``. ``<!-- rules -->`` holds the verdicts' rules, from the code that judges, and
``<!-- attributes -->`` what is measured of regions, from the readers. With ``--check`` nothing is written, and files
that are out of date are named.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from audit.attributes.registry import built_in
from audit.findings.severity import RULES, STRENGTH_RULES
from tests.bench.figures import FIGURES, ROOT, Cell, Figure, show

_BLOCK = re.compile(
    r"(?P<open><!-- (?P<kind>figures: (?P<name>[a-z0-9-]+)|rules|attributes) -->\n).*?(?P<close><!-- end -->)", re.S
)


def documents(root: Path = ROOT) -> list[Path]:
    """The files that hold tables."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def filled(text: str, figures: Path = FIGURES) -> str:
    """A document's text with every table as it should be."""

    def table(block: re.Match[str]) -> str:
        written = {"rules": rules, "attributes": attributes}
        lines = read(figures, block["name"]).markdown() if block["name"] else written[block["kind"]]()
        return "\n".join([block["open"], *lines, "", block["close"]])

    return _BLOCK.sub(table, text)


def read(figures: Path, name: str) -> Figure:
    """The figures of that name, in which cells that quote other figures are those."""
    figure = Figure.read(figures / f"{name}.json")
    return replace(figure, rows=tuple(tuple(_quoted(figures, cell) for cell in row) for row in figure.rows))


def _quoted(figures: Path, cell: Cell) -> Cell:
    """What ``{"figures": name, "row": its first cell, "column": its title}`` stands for; other cells as they are."""
    if not isinstance(cell, Mapping) or "figures" not in cell:
        return cell
    other = Figure.read(figures / f"{cell['figures']}.json")
    place = [column.title for column in other.columns].index(cell["column"])
    row = next(row for row in other.rows if row[0] == cell["row"])
    return show(row[place], other.columns[place].format)


def rules() -> Iterator[str]:
    """The rules that every report prints, as Markdown."""
    yield "| verdict | when |"
    yield "|---|---|"
    for severity, words in RULES:
        yield f"| {severity.replace('_', ' ')} | {words} |"
    yield ""
    yield "\n\n".join(STRENGTH_RULES)


def attributes() -> Iterator[str]:
    """What is measured of regions, as Markdown."""
    yield "| attribute | of | high end | low end | how an eye can tell |"
    yield "|---|---|---|---|---|"
    for one in built_in().values():
        yield f"| `{one.name}` | {one.within or 'the picture'} | {one.words} | {one.opposite} | {one.check} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the documents; with ``--check`` return 1 where one is out of date."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tables", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where a table is out of date")
    check = parser.parse_args(arguments).check
    stale = []
    for path in documents():
        text = path.read_text("utf-8")
        if (new := filled(text)) != text:
            stale.append(path.name)
            if not check:
                path.write_text(new, "utf-8")
    if stale:
        print(f"{'out of date' if check else 'written'}: {', '.join(stale)}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
