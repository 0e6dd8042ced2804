"""The map of the rooms, drawn from the imports: ``python -m tests.house_map`` writes it into docs/.

A room is a package of ``audit/``, or ``flows`` or ``reports``. Files that lie in ``audit/`` itself are the room "audit"
if they import nothing but each other, else each is a room of its own. A room stands below all that it imports. Of its
arrows those are drawn that no other way implies.
``docs/rooms.svg`` is the picture; between ``<!-- rooms -->`` and ``<!-- end -->`` in docs/architecture.md stands what
each file says of itself.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
SVG, PAGE = ROOT / "docs" / "rooms.svg", ROOT / "docs" / "architecture.md"
PACKAGES = ("audit", "flows", "reports")
_BLOCK = re.compile(r"(?P<open><!-- rooms -->\n).*?(?P<close><!-- end -->)", re.S)
_WIDTH, _HEIGHT, _ACROSS, _DOWN, _MARGIN = 120, 34, 24, 46, 16

Graph = Mapping[str, frozenset[str]]


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module of the packages by its dotted name; a package goes by its own."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room_of(module: str, known: Mapping[str, Path]) -> str:
    """The room that a module is in."""
    package, *inner = module.split(".")
    if package != "audit":
        return package
    if _lies_at_the_top(module, known):
        alone = all(_lies_at_the_top(name, known) for name in imports(module, known))
        return package if alone else f"{'.'.join(inner) or '__init__'}.py"
    return inner[0]


def _lies_at_the_top(module: str, known: Mapping[str, Path]) -> bool:
    return module == "audit" or (module.startswith("audit.") and known[module].parent.name == "audit")


def imports(module: str, known: Mapping[str, Path]) -> Iterator[str]:
    """The known modules that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(known[module].read_text("utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in names]
        yield from (name for name in names if name in known)


def rooms(root: Path = ROOT) -> Graph:
    """Every room with the rooms that it imports."""
    known = modules(root)
    of = {module: room_of(module, known) for module in known}
    graph: dict[str, set[str]] = {room: set() for room in of.values()}
    for module, room in of.items():
        graph[room] |= {of[name] for name in imports(module, known)} - {room}
    return {room: frozenset(used) for room, used in graph.items()}


def floors(graph: Graph) -> list[list[str]]:
    """The rooms, those that import nothing first, each on the first floor below all that it imports.

    Rooms that import each other in a circle, and all that need them, come last, together.
    """
    built: list[list[str]] = []
    left = set(graph)
    while left:
        ready = sorted(room for room in left if not graph[room] & left) or sorted(left)
        built.append(ready)
        left -= set(ready)
    return built


def needed_arrows(graph: Graph) -> list[tuple[str, str]]:
    """The arrows that no longer way implies, from a room to one that it imports."""
    return sorted((room, used) for room in graph for used in graph[room] if not _has_detour(graph, room, used))


def _has_detour(graph: Graph, start: str, end: str) -> bool:
    seen, waiting = {start}, [step for step in graph[start] if step != end]
    while waiting:
        room = waiting.pop()
        if room == end:
            return True
        if room not in seen:
            seen.add(room)
            waiting += graph[room]
    return False


def draw(graph: Graph) -> str:
    """The picture, as SVG: what a room builds on stands above it."""
    rows = floors(graph)
    widest = max(map(len, rows))
    width = 2 * _MARGIN + widest * (_WIDTH + _ACROSS) - _ACROSS
    height = 2 * _MARGIN + len(rows) * (_HEIGHT + _DOWN) - _DOWN
    corners = {}
    floor_of = {room: floor for floor, row in enumerate(rows) for room in row}
    reach = dict.fromkeys(graph, 0)
    for room, used in needed_arrows(graph):
        reach[used] = max(reach[used], floor_of[room] - floor_of[used])
    for floor, row in enumerate(rows):
        # Where arrows reach far down they run beside the others' rather than behind them.
        row.sort(key=lambda room: (reach[room], room))
        left = (width - len(row) * (_WIDTH + _ACROSS) + _ACROSS) / 2
        for place, room in enumerate(row):
            corners[room] = left + place * (_WIDTH + _ACROSS), float(_MARGIN + floor * (_HEIGHT + _DOWN))
    font = 'font-family="sans-serif" font-size="14"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {font}>',
        "<title>The rooms of bias-audit: each imports only from rooms above it</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *(_arrow(corners[room], corners[used]) for room, used in needed_arrows(graph)),
        *(line for room, corner in corners.items() for line in _box(room, *corner)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """A line from the top of a room to the bottom of one that it imports; red where it runs down or sideways."""
    (x0, y0), (x1, y1) = start, end
    x0, x1, bottom = x0 + _WIDTH / 2, x1 + _WIDTH / 2, y1 + _HEIGHT
    bend = max(20.0, (y0 - bottom) / 2)
    colour = "#8a94a6" if y1 < y0 else "#c62828"
    path = f"M{x0:g} {y0:g} C{x0:g} {y0 - bend:g} {x1:g} {bottom + bend:g} {x1:g} {bottom:g}"
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.3"/>'


def _box(room: str, x: float, y: float) -> Iterator[str]:
    shape = f'x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"'
    yield f'<rect {shape} fill="#eef2f8" stroke="#3b4a63"/>'
    middle = f'x="{x + _WIDTH / 2:g}" y="{y + _HEIGHT / 2 + 5:g}" text-anchor="middle"'
    yield f'<text {middle} fill="#1d2636">{escape(room)}</text>'


def described(root: Path = ROOT) -> Iterator[str]:
    """Room by room, from those that import nothing on, every file with the first line of its docstring, as Markdown."""
    known = modules(root)
    for room in (room for floor in floors(rooms(root)) for room in floor):
        of_room = [module for module in known if room_of(module, known) == room]
        package = next((module for module in of_room if known[module].name == "__init__.py"), "")
        yield f"### {room}"
        yield ""
        if package:
            yield _first_line(known[package])
            yield ""
        for module in of_room:
            path = known[module]
            if path.name != "__init__.py":
                where = path.relative_to(root).as_posix()
                yield f"* [`{where}`](../{where}): {_first_line(path)}"
        yield ""


def _first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def page(text: str, root: Path = ROOT) -> str:
    """The page's text with the rooms as they are."""
    return _BLOCK.sub(lambda block: "\n".join([block["open"], *described(root), block["close"]]), text)


def main() -> int:
    """Write the picture and the list."""
    SVG.write_text(draw(rooms()), "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
