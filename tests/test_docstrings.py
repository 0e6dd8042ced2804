"""Docstrings: every public function has one, its first paragraph is in sentences, and it names what it raises."""

import ast
import builtins
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("audit", "flows", "reports")
# The docstrings of commands are what ``--help`` prints; their errors are told by ``told_errors``.
COMMANDS = "flows/commands/"
# How a process ends is no error.
ENDINGS = {"Exit", "SystemExit"}
# What the source seems to let through and cannot happen: our own server is asked by plain HTTP.
IMPOSSIBLE = {"flows/server.py: EmbeddedServer.answers: SSLError"}

# So many classes may an error derive from, one after the other.
DEEPEST = 5

Function = ast.FunctionDef | ast.AsyncFunctionDef
# The names of an exception and of all that it is a kind of.
Kinds = dict[str, set[str]]


@dataclass(frozen=True)
class Public:
    """A public function, or a public method of a public class, where it stands."""

    where: str
    node: Function
    module: ast.Module
    owner: str = ""
    on_the_way: frozenset[str] = frozenset()

    @property
    def docstring(self) -> str:
        return ast.get_docstring(self.node) or ""

    def helpers(self, body: list[ast.stmt], name: str) -> Iterator["Public"]:
        """The functions of a body that bear a name, to be followed from this one, each once on the way."""
        for node in body:
            if isinstance(node, Function) and node.name == name:
                yield replace(self, node=node, on_the_way=self.on_the_way | {name})


def modules(root: Path) -> dict[str, ast.Module]:
    """Every module of the three packages under ``root``, parsed, by its path."""
    paths = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]
    return {path.relative_to(root).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def public_functions(parsed: dict[str, ast.Module]) -> list[Public]:
    """Functions and methods that a caller from elsewhere may use: nothing on their path begins with an underscore."""

    def within(path: str, module: ast.Module, node: ast.Module | ast.ClassDef, name: str) -> Iterator[Public]:
        for child in node.body:
            if isinstance(child, ast.ClassDef | Function) and not child.name.startswith("_"):
                if isinstance(child, ast.ClassDef):
                    yield from within(path, module, child, f"{name}{child.name}.")
                else:
                    yield Public(f"{path}: {name}{child.name}", child, module, name.rstrip("."))

    return [found for path, module in parsed.items() for found in within(path, module, module, "")]


def kinds_of(parsed: dict[str, ast.Module]) -> Kinds:
    """What every exception is a kind of, itself included: Python's own, and those of the packages."""
    kinds = {
        name: {kind.__name__ for kind in value.__mro__} for name, value in vars(builtins).items() if is_error(value)
    }
    classes = [node for module in parsed.values() for node in ast.walk(module) if isinstance(node, ast.ClassDef)]
    for _ in range(DEEPEST):  # A base may be read after what derives from it.
        for node in classes:
            if bases := [kinds[name] for name in map(last_name, node.bases) if name in kinds]:
                kinds[node.name] = {node.name}.union(*bases)
    return kinds


def is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def last_name(node: ast.expr | None) -> str:
    """The last name of ``name``, ``module.name`` or a call of either; empty for anything else."""
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def names_in(node: ast.expr | None, module: ast.Module | None = None) -> set[str]:
    """What a handler takes: every error where it names none, and what is in a tuple that the module gives a name."""
    if node is None:
        return {"BaseException"}
    for line in module.body if module else ():
        if isinstance(line, ast.Assign) and isinstance(node, ast.Name) and node.id in map(last_name, line.targets):
            node = line.value
    return {last_name(item) for item in (node.elts if isinstance(node, ast.Tuple) else [node])}


def escaping(node: ast.AST, function: Public, kinds: Kinds, caught: frozenset[str] = frozenset()) -> Iterator[str]:
    """The names of the errors that leave a piece of a function, with those that are ``caught`` around it.

    They come from its ``raise`` statements and from those of the private helpers of its module, of which a caller from
    elsewhere knows nothing. What a nested function or class raises is its own. A bare ``raise`` lets go on what its
    handler named, unless it took every error.
    """
    if isinstance(node, ast.Raise) and node.exc is not None:
        yield from (name for name in raised(node.exc, function) if not kinds.get(name, {name}) & caught)
    elif isinstance(node, ast.Try):
        handled = frozenset(name for handler in node.handlers for name in names_in(handler.type, function.module))
        yield from among(node.body, function, kinds, caught | handled)
        yield from (name for name in again(node.handlers) if not kinds.get(name, {name}) & caught)
        yield from among([*node.handlers, *node.orelse, *node.finalbody], function, kinds, caught)
    elif isinstance(node, ast.With | ast.AsyncWith):
        yield from among(node.items, function, kinds, caught)
        yield from among(node.body, function, kinds, caught | suppressed(node))
    elif not isinstance(node, Function | ast.Lambda | ast.ClassDef):
        for helper in helpers_of(node, function):
            yield from (name for name in errors_of(helper, kinds) if not kinds.get(name, {name}) & caught)
        yield from among(ast.iter_child_nodes(node), function, kinds, caught)


def among(nodes: Iterable[ast.AST], function: Public, kinds: Kinds, caught: frozenset[str]) -> Iterator[str]:
    for node in nodes:
        yield from escaping(node, function, kinds, caught)


def again(handlers: list[ast.ExceptHandler]) -> Iterator[str]:
    """What handlers with a bare ``raise`` let go on; a name for several errors stands as it is."""
    for handler in handlers:
        if any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(handler)):
            yield from names_in(handler.type) - {"Exception", "BaseException"}


def helpers_of(node: ast.AST, function: Public) -> Iterator[Public]:
    """The private function of the module, or the private method of the class, that a name stands for."""
    if isinstance(node, ast.Name) and node.id.startswith("_") and node.id not in function.on_the_way:
        yield from function.helpers(function.module.body, node.id)
    elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and node.attr not in function.on_the_way:
        for owner in (child for child in function.module.body if isinstance(child, ast.ClassDef)):
            if function.owner in (owner.name, "") or last_name(node.value) == owner.name:
                yield from function.helpers(owner.body, node.attr)


def errors_of(function: Public, kinds: Kinds) -> set[str]:
    """The names of the errors that leave a function, but for those that end the process."""
    return set(among(function.node.body, function, kinds, frozenset())) - ENDINGS


def suppressed(node: ast.With | ast.AsyncWith) -> frozenset[str]:
    calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
    return frozenset(last_name(name) for call in calls if last_name(call) == "suppress" for name in call.args)


def raised(error: ast.expr, function: Public) -> set[str]:
    """The name of the error that is raised; of a helper that makes it, that of what the helper returns."""
    if isinstance(error, ast.IfExp):
        return raised(error.body, function) | raised(error.orelse, function)
    helpers = {node.name: node.returns for node in ast.walk(function.module) if isinstance(node, Function)}
    name = last_name(error)
    return {last_name(helpers[name]) if name in helpers else name}


def unsaid(function: Public, kinds: Kinds) -> set[str]:
    """The errors that a function raises and that its docstring does not name after "Raises" (or "Raise ... unless").

    For an error whose class cannot be read off the source, "Raises" alone must stand there.
    """
    _, *after = re.split(r"\bRaises?\b", function.docstring)
    said = set(re.findall(r"\w+", " ".join(after)))
    return {name for name in errors_of(function, kinds) if not after or (name in kinds and name not in said)}


def silent(root: Path) -> list[str]:
    """Where a public function raises an error that its docstring does not name."""
    parsed = modules(root)
    kinds = kinds_of(parsed)
    functions = [function for function in public_functions(parsed) if not function.where.startswith(COMMANDS)]
    return [f"{function.where}: {name}" for function in functions for name in sorted(unsaid(function, kinds))]


def undescribed(root: Path) -> list[str]:
    """Which public functions have no docstring."""
    return [function.where for function in public_functions(modules(root)) if not function.docstring]


def unfinished(root: Path) -> list[str]:
    """Which docstrings do not begin with sentences: a capital, a figure or code first, an end last."""
    functions = [function for function in public_functions(modules(root)) if function.docstring]
    return [function.where for function in functions if not begins_with_a_sentence(function.docstring)]


def begins_with_a_sentence(docstring: str) -> bool:
    first = docstring.split("\n\n")[0].strip()
    return bool(re.match(r"[A-Z0-9`]", first)) and first.endswith((".", ":", "?", "!"))


def test_every_public_function_names_the_errors_that_it_raises() -> None:
    assert set(silent(ROOT)) == IMPOSSIBLE


def test_every_public_function_says_what_it_does_in_a_sentence() -> None:
    assert undescribed(ROOT) == []
    assert unfinished(ROOT) == []


def planted(root: Path, source: str) -> Path:
    """A house with one file, beside one with an error of its own and the folders that are looked for."""
    for package in PACKAGES:
        (root / package).mkdir()
    (root / "audit" / "errors.py").write_text("class Late(Base): ...\nclass Base(ValueError): ...\n", encoding="utf-8")
    (root / "audit" / "planted.py").write_text(source, encoding="utf-8")
    return root


RAISING = {
    "plainly": "raise Late('x')",
    "without a call": "raise Late",
    "from another module": "raise errors.Late('x')",
    "in a branch": "if number:\n        pass\n    else:\n        raise Late('x')",
    "in a loop": "for _ in []:\n        raise Late('x')",
    "in a block": "with open('x'):\n        raise Late('x')",
    "in a case": "match number:\n        case 1:\n            raise Late('x')",
    "either of two": "raise KeyError if number else Late",
    "in a handler": "try:\n        pass\n    except Late:\n        raise Late('x') from None",
    "again": "try:\n        pass\n    except Late:\n        raise",
    "past a handler of another": "try:\n        raise Late('x')\n    except KeyError:\n        pass",
    "after what is caught": "try:\n        pass\n    except Late:\n        pass\n    else:\n        raise Late('x')",
    "at last": "try:\n        pass\n    finally:\n        raise Late('x')",
    "made by a helper": "raise _made('x')",
    "in a helper": "return [_refuse(number)]",
    "in a helper's helper": "with _through(number):\n        pass",
    "in a helper handed on": "return map(_refuse, [number])",
}
KEEPING = {
    "nothing": "return None",
    "what is caught": "try:\n        raise Late('x')\n    except Late:\n        pass",
    "what is caught by its base": "try:\n        raise Late('x')\n    except (KeyError, ValueError):\n        pass",
    "what is caught by a name for several": "try:\n        raise Late('x')\n    except SEVERAL:\n        pass",
    "what is caught without a name": "try:\n        raise Late('x')\n    except:\n        pass",
    "what is suppressed": "with suppress(Base):\n        raise Late('x')",
    "what a helper raises and is caught": "try:\n        _refuse(number)\n    except Late:\n        pass",
    "what a nested function raises": "def inner():\n        raise Late('x')\n    return inner",
    "whatever passes by": "try:\n        pass\n    except Exception:\n        raise",
    "an end of the process": "raise SystemExit(1)",
}
HELPERS = """
SEVERAL = (Late, KeyError)

def _refuse(number):
    raise Late('x')

def _through(number):
    _through(number)
    return _refuse(number)

def _made(text) -> Late:
    return Late(text)
"""


def function_with(body: str, docstring: str = "Work.") -> str:
    return f'def work(number):\n    """{docstring}"""\n    {body}\n{HELPERS}'


@pytest.mark.parametrize("body", RAISING.values(), ids=RAISING)
def test_an_error_that_leaves_a_function_is_noticed(tmp_path: Path, body: str) -> None:
    root = planted(tmp_path, function_with(body))
    assert "audit/planted.py: work: Late" in silent(root)


@pytest.mark.parametrize("body", RAISING.values(), ids=RAISING)
def test_it_is_noticed_no_more_once_the_docstring_names_it(tmp_path: Path, body: str) -> None:
    root = planted(tmp_path, function_with(body, "Work. Raises Late, KeyError or neither."))
    assert silent(root) == []


@pytest.mark.parametrize("body", KEEPING.values(), ids=KEEPING)
def test_what_does_not_leave_a_function_need_not_be_said(tmp_path: Path, body: str) -> None:
    assert silent(planted(tmp_path, function_with(body))) == []


@pytest.mark.parametrize("docstring", ["Late.", "Late is what it Raises.", "Raises Later.", "Raises ValueError."])
def test_a_docstring_that_does_not_name_the_error_after_raises_does_not_do(tmp_path: Path, docstring: str) -> None:
    assert silent(planted(tmp_path, function_with("raise Late('x')", docstring))) == ["audit/planted.py: work: Late"]


UNNAMED = {"error": "raise number.error", "SEVERAL": "try:\n        pass\n    except SEVERAL:\n        raise"}


@pytest.mark.parametrize(("name", "body"), UNNAMED.items())
def test_an_error_whose_class_is_not_in_the_source_needs_the_word_alone(tmp_path: Path, name: str, body: str) -> None:
    (tmp_path / "said").mkdir()
    (tmp_path / "kept").mkdir()
    assert silent(planted(tmp_path / "said", function_with(body, "Work. Raises what was kept."))) == []
    assert silent(planted(tmp_path / "kept", function_with(body))) == [f"audit/planted.py: work: {name}"]


METHODS = '''
class Open:
    def silent(self): ...
    def _private(self): raise Late('x')
    def calling(self):
        """Call. """
        self._private()
    class Inner:
        def deep(self):
            """lower case."""
class _Closed:
    def silent(self): raise Late('x')
def _private(): raise Late('x')
async def waiting():
    """No end"""
    raise Late('x')
def listed():
    """
    A list:

    * of things
    """
'''


def test_methods_of_public_classes_are_read_and_what_is_private_is_not(tmp_path: Path) -> None:
    root = planted(tmp_path, METHODS)
    assert undescribed(root) == ["audit/planted.py: Open.silent"]
    assert unfinished(root) == ["audit/planted.py: Open.Inner.deep", "audit/planted.py: waiting"]
    assert silent(root) == ["audit/planted.py: Open.calling: Late", "audit/planted.py: waiting: Late"]


def test_commands_speak_to_users(tmp_path: Path) -> None:
    root = planted(tmp_path, "")
    (root / COMMANDS).mkdir()
    (root / COMMANDS / "work.py").write_text(function_with("raise Late('x')"), encoding="utf-8")
    assert silent(root) == []
