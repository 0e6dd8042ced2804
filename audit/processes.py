"""No code and no settings from where the user stands: what our processes, and those that they start, may see.

A folder that somebody sent can hold ``pickle.py``, ``libz.so.1`` or ``prefect.toml``. An interpreter that is started
with ``-c`` or ``-m`` has the working folder on its search path, the loader takes an empty entry of a list of folders as
the working folder, and libraries look there for their settings.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from audit.errors import ConfigError

NEUTRAL_FOLDER = Path("/")
"""Nobody but the machine's owner writes there, it is always there, and no library finds more in a folder above it."""

_LISTS_OF_FOLDERS = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_SAFE = {"PYTHONSAFEPATH": "1"}
_start: ContextVar[Path | None] = ContextVar("start", default=None)


def child_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The same environment for a child process, in which nothing means its working folder.

    OpenCV leaves an empty entry in ``LD_LIBRARY_PATH``: children would load libraries from where the user stands.

    >>> child_environment({"PYTHONPATH": "/opt/mine::lib", "LD_LIBRARY_PATH": ":", "HOME": "/home/me"})
    {'PYTHONPATH': '/opt/mine', 'HOME': '/home/me', 'PYTHONSAFEPATH': '1'}
    """
    lists = {name: _fixed(environment[name]) for name in _LISTS_OF_FOLDERS if name in environment}
    kept = {**environment, **lists}
    return {name: value for name, value in kept.items() if value or name not in lists} | _SAFE


@contextmanager
def safe_children() -> Iterator[None]:
    """Have the children that others start inside the block, ``multiprocessing`` for one, get that environment, too."""
    names = (*_LISTS_OF_FOLDERS, *_SAFE)
    before = {name: os.environ.get(name) for name in names}
    safe = child_environment()
    _set({name: safe.get(name) for name in names})
    try:
        yield
    finally:
        _set(before)


@contextmanager
def standing_apart() -> Iterator[None]:
    """Leave the user's working folder for a neutral one for the length of the block; relative paths mean nothing in it.

    A working folder that is gone stays left.
    """
    before = working_folder()
    os.chdir(NEUTRAL_FOLDER)
    try:
        yield
    finally:
        if before is not None and before.is_dir():
            os.chdir(before)


@contextmanager
def reading_from(folder: Path) -> Iterator[None]:
    """Have ``starting_folder`` answer ``folder`` inside the block, wherever the process stands then."""
    token = _start.set(folder)
    try:
        yield
    finally:
        _start.reset(token)


def starting_folder() -> Path:
    """The folder that the user's relative paths mean: where a command was given, else where the process stands now.

    Raises ConfigError when it is gone.
    """
    folder = _start.get() or working_folder()
    if folder is None:
        raise ConfigError("The working folder was removed; change into another one.")
    return folder


def from_folder(folder: Path, path: Path) -> Path:
    """Where a path leads that was written in ``folder``. A first part ``~`` is the user's home, ``~name`` a name.

    >>> from_folder(Path("/data"), Path("~draft.jpg"))
    PosixPath('/data/~draft.jpg')
    """
    return folder / (path.expanduser() if path.parts[:1] == ("~",) else path)


def working_folder() -> Path | None:
    """Where this process stands, None when that folder was removed."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def trusted_entries(search_path: list[str]) -> list[str]:
    """The entries of ``sys.path`` that do not mean the working folder, unless our own code lies there."""
    here, ours = working_folder(), Path(__file__).parents[1]
    return [entry for entry in search_path if Path(entry).is_absolute() and (Path(entry) != here or here == ours)]


def _fixed(folders: str) -> str:
    return os.pathsep.join(folder for folder in folders.split(os.pathsep) if Path(folder).is_absolute())


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
