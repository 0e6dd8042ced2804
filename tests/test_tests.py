"""What the tests may not do: reach for the product's private names, assert how long something took, assert nothing."""

import ast
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
PRODUCT = ("audit", "flows", "reports")
CLOCKS = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"}
EXPECTING = {"raises", "warns", "fail"}
"""What pytest offers beside the statement."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def trees(root: Path) -> dict[str, ast.Module]:
    """Every file of the tests, parsed, by its path in ``root``."""
    paths = sorted(root.rglob("*.py"))
    return {path.relative_to(root).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def told(name: str, node: ast.expr | ast.stmt, what: str) -> str:
    return f"{name}:{node.lineno}: {what}"


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("_")


def private_names(name: str, tree: ast.Module) -> Iterator[str]:
    """Private names that a file imports from the product, or takes, by dot or by string, from what it imported."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    brought = {alias.asname or alias.name: (node, alias.name) for node in imports for alias in from_product(node)}
    yield from (told(name, node, taken) for node, taken in brought.values() if is_private(taken))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and named_by(node.value) in brought:
            yield told(name, node, node.attr)
        if isinstance(node, ast.Call) and len(node.args) > 1 and named_by(node.args[0]) in brought:
            text = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
            if isinstance(text, str) and is_private(text):
                yield told(name, node, text)


def from_product(node: ast.Import | ast.ImportFrom) -> list[ast.alias]:
    if isinstance(node, ast.ImportFrom):
        return node.names if node.module.split(".")[0] in PRODUCT else []
    return [alias for alias in node.names if alias.name.split(".")[0] in PRODUCT]


def named_by(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def timed_assertions(name: str, tree: ast.Module) -> Iterator[str]:
    """Assertions that compare what a clock says, directly or by a name that holds it."""
    for function in functions_of(tree):
        held = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value and reads_a_clock(node.value)
            for place in (node.targets if isinstance(node, ast.Assign) else [node.target])
            for target in ast.walk(place)
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Assert) and any(
                reads_a_clock(part) or held & {inner.id for inner in ast.walk(part) if isinstance(inner, ast.Name)}
                for part in ast.walk(node.test)
                if isinstance(part, ast.Compare)
            ):
                yield told(name, node, function.name)


def reads_a_clock(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Call) and called(part) in CLOCKS for part in ast.walk(node))


def called(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else named_by(call.func)


def functions_of(tree: ast.Module) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]


def asserting(files: dict[str, ast.Module]) -> set[str]:
    """The names of the functions that assert something, themselves or through a helper of the tests."""
    functions = [function for tree in files.values() for function in functions_of(tree)]
    names = {function.name for function in functions if any(map(asserts, ast.walk(function)))}
    calls = [(function.name, set(map(called, calls_in(function)))) for function in functions]
    while more := {name for name, inside in calls if inside & names} - names:
        names |= more
    return names


def asserts(node: ast.AST) -> bool:
    """The statement, what pytest offers beside it, and functions such as ``assert_allclose`` and ``assert_close``."""
    is_call = isinstance(node, ast.Call) and (called(node) in EXPECTING or called(node).startswith("assert_"))
    return isinstance(node, ast.Assert) or is_call


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    return (part for part in ast.walk(node) if isinstance(part, ast.Call))


def without_assertion(files: dict[str, ast.Module]) -> list[str]:
    names = asserting(files)
    return [
        told(name, function, function.name)
        for name, tree in files.items()
        for function in functions_of(tree)
        if function.name.startswith("test_") and function.name not in names
    ]


def every(rule: Callable[[str, ast.Module], Iterator[str]], files: dict[str, ast.Module]) -> list[str]:
    return [line for name, tree in files.items() for line in rule(name, tree)]


@pytest.fixture(scope="module")
def files() -> dict[str, ast.Module]:
    return trees(ROOT)


def test_no_test_reaches_for_a_private_name_of_the_product(files):
    assert every(private_names, files) == []


def test_no_test_asserts_how_long_something_took(files):
    assert every(timed_assertions, files) == []


def test_every_test_asserts_something(files):
    assert len(asserting(files)) > 1000
    assert without_assertion(files) == []


def lines_of(rule: Callable[[str, ast.Module], Iterator[str]], source: str) -> list[int]:
    return [int(line.split(":")[1]) for line in rule("planted.py", ast.parse(textwrap.dedent(source)))]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("from audit.steps import _setting", [1]),
        ("from audit import steps\nsteps._setting(1)", [2]),
        ("from audit.steps import Step as Kind\nKind._secret", [2]),
        ("import audit.steps as steps\nsteps._setting(1)", [2]),
        ("from audit import steps\nmonkeypatch.setattr(steps, '_setting', 1)", [2]),
        ("from audit.steps import setting_of\nimport steps\nsteps._setting, self._mine, setting_of.__name__", []),
        ("from tests.planted import _drawn", []),
    ],
)
def test_private_names_are_told_however_they_are_reached(source, lines):
    assert lines_of(private_names, source) == lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("assert time.perf_counter() - began < 1", [2]),
        ("took = time.monotonic() - began\n    assert took < 1", [3]),
        ("if (took := perf_counter() - began):\n        assert 0 < took < 1", [3]),
        ("began = time.time()\n    assert value > 1", []),
        ("assert record.seconds is not None and times == [1, 2]", []),
    ],
)
def test_a_clock_in_an_assertion_is_told(source, lines):
    assert lines_of(timed_assertions, f"def test_it():\n    {source}") == lines


@pytest.mark.parametrize(
    ("body", "is_told"),
    [
        ("work()", True),
        ("print('assert')", True),
        ("assert work()", False),
        ("np.testing.assert_allclose(work(), 1)", False),
        ("with pytest.raises(ValueError):\n        work()", False),
        ("helper()", False),
        ("through()", False),
    ],
)
def test_a_test_without_an_assertion_is_told(body, is_told):
    helpers = "def helper():\n    assert 1\ndef through():\n    helper()\n"
    planted = {"planted.py": ast.parse(f"{helpers}def test_it():\n    {body}")}
    assert bool(without_assertion(planted)) is is_told
