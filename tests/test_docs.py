"""The documents keep their word: links lead somewhere, what is named exists, and tables are what the figures say."""

import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.bench.figures import FIGURES, ROOT, Figure
from tests.bench.tables import documents, filled
from tests.house_map import PAGE, SVG, draw, floors, needed_arrows, page, rooms

MOST_WORDS = 1500
_POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
PAGES = [*documents(), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
FILES = [
    path.relative_to(ROOT).as_posix()
    for top in ("audit", "flows", "reports", "tests")
    for path in (ROOT / top).rglob("*.py")
]


def _pages():
    return pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def _anchor(heading: str) -> str:
    """A heading's anchor as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def dead_links(path: Path) -> list[str]:
    """Relative links of a page that lead to no file, or to no heading in it."""
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        headings = (
            re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.M) if file.suffix == ".md" and file.exists() else []
        )
        if not file.exists() or (anchor and anchor not in map(_anchor, headings)):
            dead.append(target)
    return dead


@_pages()
def test_every_relative_link_leads_somewhere(path):
    assert dead_links(path) == []


def test_a_dead_link_would_be_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One heading\n[a](page.md#one-heading) [b](gone.md) [c](#two) [d](https://example.org/gone)")
    assert dead_links(page) == ["gone.md", "#two"]


@_pages()
def test_every_file_that_is_named_exists(path):
    named = re.findall(r"`([\w./-]+\.(?:py|yaml|csv))\b`", path.read_text("utf-8"))
    made = {"images.csv", "index.csv", "plan/drop.csv", "plan/weights.csv"}  # by users and by audits
    missing = [name for name in named if not any(f"/{file}".endswith(f"/{name}") for file in FILES)]
    assert [name for name in missing if name not in made and not (ROOT / name).exists()] == []


@_pages()
def test_every_module_that_is_to_be_run_exists(path):
    named = set(re.findall(r"python -m (tests[\w.]*\w)", path.read_text("utf-8")))
    assert [name for name in named if find_spec(name) is None] == []


@_pages()
def test_every_test_that_is_named_exists(path):
    written = " ".join((ROOT / file).read_text("utf-8") for file in FILES if file.startswith("tests/"))
    there = set(re.findall(r"^ *def (test_\w+)", written, re.M))
    named = set(re.findall(r"`(test_\w+)`", path.read_text("utf-8")))
    assert sorted(named - there) == []


def test_every_target_of_make_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = {name for path in PAGES for name in re.findall(r"(?:`|^)make ([a-z-]+)", path.read_text("utf-8"), re.M)}
    assert sorted(name for name in named if not re.search(rf"^{name}:", makefile, re.M)) == []


def slow() -> list[str]:
    """The files and folders that `make test-fast` leaves out."""
    (listed,) = re.findall(r"^SLOW := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    return listed.replace("\\", "").split()


def test_make_test_fast_leaves_out_only_what_there_is():
    assert [place for place in slow() if not (ROOT / place).exists()] == []


def test_make_test_fast_runs_no_whole_audit():
    audits = [
        file for file in FILES if re.search(r"\b(?:run|finished)_audit\((?!.*until=)", (ROOT / file).read_text("utf-8"))
    ]
    tests = [file for file in audits if Path(file).name.startswith("test_")]
    assert len(tests) > 8
    assert [file for file in tests if not any(Path(file).is_relative_to(place) for place in slow())] == []


def test_every_doctest_is_run():
    """Each is below a folder in which pytest looks, in a file that it does not leave out."""
    places = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]["testpaths"]
    shown = [file for file in FILES if re.search(r"^\s*>>> ", (ROOT / file).read_text("utf-8"), re.M)]
    assert len(shown) > 40
    assert [file for file in shown if file.split("/")[0] not in places or Path(file).name == "__main__.py"] == []


def test_the_readme_names_every_module_that_windows_lacks():
    written = " ".join((ROOT / file).read_text("utf-8") for file in FILES if not file.startswith("tests/"))
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", written, re.M)) & _POSIX_ONLY
    (platforms,) = re.findall(r"\*\*Platforms\.\*\*.*?\n\n", (ROOT / "README.md").read_text("utf-8"), re.S)
    assert set(re.findall(r"`(\w+)`", platforms)) & _POSIX_ONLY == imported


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= MOST_WORDS


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_tables_are_what_the_figures_say(path):
    text = path.read_text("utf-8")
    assert filled(text) == text, "run: python -m tests.bench.tables"


def test_every_figure_is_in_a_document_and_says_where_it_comes_from():
    shown = " ".join(path.read_text("utf-8") for path in documents())
    for file in FIGURES.glob("*.json"):
        figure = Figure.read(file)
        assert f"<!-- figures: {file.stem} -->" in shown, file.stem
        assert figure.origin == "quoted" or all((figure.command, figure.machine, figure.date)), file.stem
        assert figure.origin != "measured" or figure.commit, file.stem


def test_the_map_is_what_the_imports_say():
    assert SVG.read_text("utf-8") == draw(rooms()), "run: python -m tests.house_map"
    text = PAGE.read_text("utf-8")
    assert page(text) == text, "run: python -m tests.house_map"


def test_a_room_stands_below_all_that_it_imports_and_implied_arrows_are_left_out():
    graph = {"cellar": frozenset(), "hall": frozenset({"cellar"}), "attic": frozenset({"hall", "cellar"})}
    assert floors(graph) == [["cellar"], ["hall"], ["attic"]]
    assert needed_arrows(graph) == [("attic", "hall"), ("hall", "cellar")]
    assert floors({**graph, "cellar": frozenset({"attic"})}) == [["attic", "cellar", "hall"]]


def test_an_import_makes_an_arrow_and_a_file_at_the_top_that_needs_a_room_is_a_room(tmp_path):
    written = {
        "audit/errors.py": "",
        "audit/steps.py": "def late():\n    from audit.store import files",
        "audit/store/__init__.py": "",
        "audit/store/files.py": "import audit.errors",
        "flows/run.py": "from audit import steps",
        "reports/__init__.py": "",
    }
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert rooms(tmp_path) == {
        "audit": frozenset(),
        "store": frozenset({"audit"}),
        "steps.py": frozenset({"store"}),
        "flows": frozenset({"steps.py"}),
        "reports": frozenset(),
    }
