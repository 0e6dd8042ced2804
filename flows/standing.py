"""Where the user stands: a command reads the paths that it is given from there, and nothing else."""

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from pathlib import Path

from audit.processes import standing_apart, working_folder

_start: ContextVar[Path | None] = ContextVar("start", default=None)


def starting_folder() -> Path | None:
    """The folder in which the command was given; None when it is gone."""
    return _start.get() or working_folder()


def reading_from_there(command: Callable[..., None]) -> Callable[..., None]:
    """The command with its paths made absolute, run apart from the user's working folder."""

    @wraps(command)
    def apart(**arguments: object) -> None:
        start = starting_folder()
        token = _start.set(start)
        try:
            with standing_apart():
                command(**{name: _absolute(value, start) for name, value in arguments.items()})
        finally:
            _start.reset(token)

    return apart


def _absolute(value: object, start: Path | None) -> object:
    return start / value if isinstance(value, Path) and start is not None else value
