"""What `make test-lowest` installs is what pyproject.toml promises at the least."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def lowest(requirement: Requirement) -> list[str]:
    """The lower end of a requirement as pip's constraint; none for one that promises no lower end."""
    return [f"{requirement.name}=={part.version}" for part in requirement.specifier if part.operator in (">=", "==")]


def promised() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [Requirement(line) for line in (*project["dependencies"], *project["optional-dependencies"]["dev"])]


def test_the_constraints_are_the_lower_ends_of_what_is_promised():
    lines = (ROOT / "tests/lowest.txt").read_text("utf-8").splitlines()
    told = [line for line in lines if not line.startswith("#")]
    assert told == [constraint for requirement in promised() for constraint in lowest(requirement)]


def test_every_requirement_has_a_lower_end_but_caps_and_stubs():
    without = {requirement.name for requirement in promised() if not lowest(requirement)}
    assert {name for name in without if not name.startswith("types-")} == {"fastapi", "sqlalchemy"}


def test_the_target_installs_under_the_constraints_and_runs_a_whole_audit():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (recipe,) = re.findall(r"^test-lowest:.*\n((?:\t.*\n)+)", makefile, re.M)
    assert "$(filter-out tests/test_api.py,$(SLOW))" in recipe
    assert re.search(r"pip install .*--constraint tests/lowest\.txt --editable '\.\[dev\]'", makefile)
