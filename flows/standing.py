"""Where the user stands: a command reads the paths that it is given from there, and nothing else."""

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from pathlib import Path

from audit.errors import ConfigError
from audit.processes import standing_apart, working_folder
from flows.outcome import told_errors

_start: ContextVar[Path | None] = ContextVar("start", default=None)


def starting_folder() -> Path:
    """The folder in which the command was given. Raises ConfigError when it is gone."""
    folder = _start.get() or working_folder()
    if folder is None:
        raise ConfigError("The working folder was removed; change into another one.")
    return folder


def reading_from_there(command: Callable[..., None]) -> Callable[..., None]:
    """The command with its paths made absolute, run apart from the user's working folder."""

    @wraps(command)
    def apart(**arguments: object) -> None:
        with told_errors():
            start = starting_folder()
        token = _start.set(start)
        try:
            with standing_apart():
                command(**{name: _from(start, value) for name, value in arguments.items()})
        finally:
            _start.reset(token)

    return apart


def _from(start: Path, value: object) -> object:
    return start / value if isinstance(value, Path) else value
