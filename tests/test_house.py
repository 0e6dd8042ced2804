"""The house: each room imports only from rooms above it in the list, and none is larger than a reader can hold."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Every room of audit/ and every file at its top, in the order in which they may be imported: each from those before it.
ORDER = (
    "errors",
    "processes",
    "progress",
    "text",
    "records",
    "config",
    "measures",
    "store",
    "steps",
    "cam",
    "data",
    "demo",
    "detectors",
    "attributes",
    "detection",
    "model",
    "explain",
    "cues",
    "evidence",
    "plan",
    "findings",
    "verification",
    "selfaudit",
    "stages",
    "run",
    "__init__",
)
# Who may import what: no room of audit/ knows how it is scheduled, rendered or shown.
ONLY_IN = {"prefect": "flows", "typer": "flows", "rich": "flows", "jinja2": "reports"}
# All that the report may ask of audit/: what opens an audit folder, and what draws from what lies in it.
REPORT_READS = {
    "audit.cam.heatmap",
    "audit.cam.regions",
    "audit.config",
    "audit.cues.cue_json",
    "audit.data.dataset_json",
    "audit.data.decode",
    "audit.data.photo_file",
    "audit.detection.detections",
    "audit.detection.detectors_json",
    "audit.errors",
    "audit.explain.explain_json",
    "audit.explain.read_maps",
    "audit.findings.audit_json",
    "audit.findings.conclusion",
    "audit.findings.finding",
    "audit.findings.consequences",
    "audit.findings.self_audit_json",
    "audit.findings.sentences",
    "audit.findings.severity",
    "audit.findings.verification_json",
    "audit.measures.figures",
    "audit.model.model_json",
    "audit.plan.learning_curve_json",
    "audit.plan.picking.picked_json",
    "audit.plan.plan_json",
    "audit.progress",
    "audit.records",
    "audit.store.audit_folder",
    "audit.text",
}
# The one file that names modules by strings, so that PyTorch is imported only where a stage really runs.
NAMES_BY_STRINGS = "audit.stages"
MOST_FILES, MOST_AT_THE_TOP, MOST_LINES = 16, 26, 350

Arrow = tuple[str, str]


def module_of(root: Path, path: Path) -> str:
    """The dotted name of a file; a package's own file is called ``__init__`` like the file."""
    return ".".join(path.relative_to(root).with_suffix("").parts)


def modules_in(root: Path, *tops: str) -> dict[str, Path]:
    return {module_of(root, path): path for top in tops for path in sorted((root / top).rglob("*.py"))}


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """Every import of a file, inside functions too, as module and name; the name is empty for a plain import."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports are not used here, and this test does not read them"
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def strings_of(path: Path) -> Iterator[str]:
    """Every string of a file that may name a module, as in ``module`` or ``module:function``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and (found := re.fullmatch(r"(audit(?:\.\w+)+)(?::\w+)?", text)):
            yield found[1]


def resolved(modules: dict[str, Path], module: str, name: str) -> str:
    """The file that an import means: a module of the package, else the module that holds the name."""
    for candidate in (f"{module}.{name}.__init__", f"{module}.{name}", f"{module}.__init__", module):
        if candidate in modules:
            return candidate
    return module


def arrows(root: Path) -> set[Arrow]:
    """Who imports whom inside audit/, by strings too, as (importing, imported)."""
    modules = modules_in(root, "audit")
    found = {
        (here, resolved(modules, module, name))
        for here, path in modules.items()
        for module, name in imports_of(path)
        if module.split(".")[0] == "audit"
    }
    return {(here, there) for here, there in found | arrows_by_string(modules) if here != there}


def arrows_by_string(modules: dict[str, Path]) -> set[Arrow]:
    """Who names whose module by a string. Other strings, as audit.json, name no module and are left out."""
    named = ((here, name) for here, path in modules.items() for name in strings_of(path))
    meant = {(here, there) for here, name in named for there in (name, f"{name}.__init__")}
    return {(here, there) for here, there in meant if there in modules}


def room_of(module: str) -> str:
    return module.split(".")[1]


def upward(found: set[Arrow]) -> list[str]:
    """The arrows that do not lead to the same room or to one that stands before it in the list."""
    place = {room: number for number, room in enumerate(ORDER)}
    return sorted(f"{here} imports {there}" for here, there in found if place[room_of(there)] > place[room_of(here)])


def circles(found: set[Arrow]) -> list[list[str]]:
    """Groups of nodes that can all be reached from each other (Tarjan 1972), if there is more than one in them."""
    graph: dict[str, list[str]] = {}
    for here, there in sorted(found):
        graph.setdefault(here, []).append(there)
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, []):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return groups


def between_rooms(found: set[Arrow]) -> set[Arrow]:
    return {(room_of(here), room_of(there)) for here, there in found if room_of(here) != room_of(there)}


def foreign(root: Path) -> list[str]:
    """Imports by which a top folder knows what it must not know."""
    told = []
    for here, path in modules_in(root, "audit", "flows", "reports").items():
        top = here.split(".")[0]
        for module, name in imports_of(path):
            library = module.split(".")[0]
            if ONLY_IN.get(library, top) != top:
                told.append(f"{here} imports {library}, which belongs in {ONLY_IN[library]}/")
            if library == "tests" or (library in ("flows", "reports") and library != top):
                told.append(f"{here} imports {library}")
            whole = f"{module}.{name}" if f"{module}.{name}" in REPORT_READS else module
            if top == "reports" and library == "audit" and whole not in REPORT_READS:
                told.append(f"{here} imports {module}, which is more than reading an audit folder")
    return sorted(set(told))


def too_large(root: Path) -> list[str]:
    """Rooms with too many files, and files with too many lines. A room inside a room counts for itself."""
    told = []
    for place in sorted({path.parent for path in (root / "audit").rglob("*.py")}):
        files = [path for path in place.glob("*.py") if path.name != "__init__.py"]
        if len(files) > MOST_FILES:
            told.append(f"{place.relative_to(root)}: {len(files)} files")
    for module, path in modules_in(root, "audit", "flows", "reports").items():
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES:
            told.append(f"{module}: {lines} lines")
    return told


def top_levels(root: Path) -> list[str]:
    """The modules of the two top levels of the tree: audit itself, and what stands in it, a file or a room each."""
    inside = {path.stem for path in (root / "audit").glob("*.py")} - {"__init__"}
    return ["audit", *sorted(inside | {path.parent.name for path in (root / "audit").glob("*/__init__.py")})]


def test_every_room_has_its_place_in_the_list():
    rooms = {room_of(module) for module in modules_in(ROOT, "audit")}
    assert sorted(rooms - set(ORDER)) == []


def test_every_room_imports_only_from_rooms_above_it():
    assert upward(arrows(ROOT)) == []


def test_no_circle_of_files_nor_of_rooms():
    found = arrows(ROOT)
    assert len(found) > 100
    assert circles(found) == []
    assert circles(between_rooms(found)) == []


def test_one_file_names_modules_by_strings():
    modules = modules_in(ROOT, "audit")
    named = between_rooms(arrows_by_string(modules))
    assert {here for here, _ in named} == {room_of(NAMES_BY_STRINGS)}
    assert set(strings_of(modules[NAMES_BY_STRINGS])) <= modules.keys()


def test_scheduling_rendering_and_showing_stay_in_their_folders():
    assert foreign(ROOT) == []


def test_rooms_and_files_are_small():
    assert too_large(ROOT) == []
    assert len(top_levels(ROOT)) <= MOST_AT_THE_TOP


@pytest.fixture
def house(tmp_path):
    """Builds a small house of files given as module=source."""

    def build(**files):
        for name, source in {"audit.__init__": "", **files}.items():
            path = tmp_path / (name.replace(".", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")
        return tmp_path

    return build


@pytest.mark.parametrize(
    "source",
    [
        "from audit.cues.cue_table import CueTable",
        "from audit.cues import cue_table",
        "import audit.cues.cue_table as table",
        "def late():\n    from audit.cues.cue_table import CueTable",
        "WORK = 'audit.cues.cue_table:build'",
    ],
)
def test_an_import_that_runs_up_is_told_however_it_is_written(house, source):
    root = house(**{"audit.cam.gradcam": source, "audit.cues.__init__": "", "audit.cues.cue_table": "CueTable = 1"})
    assert upward(arrows(root)) == ["audit.cam.gradcam imports audit.cues.cue_table"]


def test_imports_that_run_down_or_stay_in_the_room_are_not_told(house):
    root = house(
        **{
            "audit.errors": "",
            "audit.cam.gradcam": "from audit.cam.target_layer import named\nfrom audit import errors",
            "audit.cam.target_layer": "named = 1",
            "audit.cues.cue_table": "from audit.cam.gradcam import GradCAM",
        }
    )
    assert len(arrows(root)) == 3
    assert upward(arrows(root)) == []


def test_circles_are_told_by_file_and_by_room(house):
    root = house(
        **{
            "audit.cam.gradcam": "from audit.cam.target_layer import named",
            "audit.cam.target_layer": "def late():\n    from audit.cam.gradcam import GradCAM",
            "audit.cues.cue_table": "from audit.data.dataset import Dataset",
            "audit.data.dataset": "",
            "audit.data.folds": "from audit.cues.summary import summarise",
            "audit.cues.summary": "",
        }
    )
    assert circles(arrows(root)) == [["audit.cam.gradcam", "audit.cam.target_layer"]]
    assert circles(between_rooms(arrows(root))) == [["cues", "data"]]


def test_what_does_not_belong_into_a_folder_is_told(house):
    root = house(
        **{
            "audit.cam.gradcam": "import prefect\nfrom jinja2 import Template\ndef late():\n    import rich.console",
            "reports.render": "import jinja2\nfrom audit.config import Config\nfrom audit.model.network import Network",
            "flows.run": "import prefect\nfrom reports.render import render",
        }
    )
    assert foreign(root) == [
        "audit.cam.gradcam imports jinja2, which belongs in reports/",
        "audit.cam.gradcam imports prefect, which belongs in flows/",
        "audit.cam.gradcam imports rich, which belongs in flows/",
        "flows.run imports reports",
        "reports.render imports audit.model.network, which is more than reading an audit folder",
    ]


def test_crowded_rooms_and_long_files_are_told(house):
    crowd = {f"audit.cam.{chr(ord('a') + number)}": "" for number in range(MOST_FILES + 1)}
    root = house(**crowd, **{"audit.data.dataset": "x = 1\n" * (MOST_LINES + 1), "audit.data.__init__": ""})
    assert too_large(root) == ["audit/cam: 17 files", "audit.data.dataset: 351 lines"]
    assert top_levels(root) == ["audit", "data"]
