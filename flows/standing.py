"""The user's working folder: a command resolves the paths that it is given there, and reads nothing else from it."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path

from audit.processes import from_folder, reading_from, standing_apart, starting_folder
from flows.outcome import told_errors


def reading_from_there(command: Callable[..., None]) -> Callable[..., None]:
    """The command with its paths made absolute, run apart from the user's working folder."""

    @wraps(command)
    def apart(**arguments: object) -> None:
        with told_errors():
            start = starting_folder()
        with reading_from(start), standing_apart():
            command(**{name: _from(start, value) for name, value in arguments.items()})

    return apart


def _from(start: Path, value: object) -> object:
    return from_folder(start, value) if isinstance(value, Path) else value
