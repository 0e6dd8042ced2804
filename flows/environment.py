"""Prefect's environment variables: no telemetry, a home of our own, a quiet terminal. What a user set stays."""

import atexit
import os
import shutil
import tempfile
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

from audit.store.private import USER_ONLY, claim, outsiders

SETTINGS = {
    # No child process finds modules in its working folder.
    "PYTHONSAFEPATH": "1",
    # onnxruntime would resolve its maker's event host in every run and keep an identity of the device in the cache.
    "ORT_DISABLE_TELEMETRY": "1",
    # Each of the two stops only a part of what is sent; together they stop all of it.
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    # A cold start takes 20 s on a slow machine, which is also Prefect's default limit.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_API_BLOCKS_REGISTER_ON_START": "false",
    # At its default of one row at a time the recorder loses most task runs of a server that lives for one audit.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    # In whole seconds: Prefect rounds a fraction down, and at 0 the recorder spins and takes a core from the audit.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}
QUIET = {
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # A failed stage is told in one sentence by the command line; Prefect would print its traceback before it.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    # A server that is gone is told in one sentence as well.
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
}
# Model files lie in the cache too, for whoever may read them.
SHARED_CACHE = 0o755
TEMPORARY = "bias-audit-"
# Read later from another working folder.
FOLDERS = ("PREFECT_HOME", "XDG_CACHE_HOME", "TMPDIR")
LOOPBACK = ("127.0.0.1", "localhost")


def settle(environment: MutableMapping[str, str] = os.environ) -> None:
    """Fill in what the user left open. Must run before ``import prefect``."""
    for name in FOLDERS:
        if environment.get(name):
            environment[name] = str(Path(environment[name]).expanduser().absolute())
    if "PREFECT_LOGGING_LEVEL" not in environment:
        environment.update(QUIET)
    for name, value in SETTINGS.items():
        environment.setdefault(name, value)
    if "PREFECT_HOME" not in environment:
        environment["PREFECT_HOME"] = str(prefect_home(environment))
    _keep_torch_apart(environment)
    _bypass_proxy(environment)


def prefect_home(environment: MutableMapping[str, str] = os.environ) -> Path:
    """Folder of Prefect's database: ``PREFECT_HOME``, else in the user's cache, else a temporary one.

    Prefect obeys the settings that it finds there. So the cache is passed over not only when it cannot be written, but
    also when somebody else could have put files into it.
    """
    if "PREFECT_HOME" in environment:
        return Path(environment["PREFECT_HOME"]).expanduser()
    home = usual_home(environment)
    return home if _writable(home) and doubt_about(home) is None else _temporary_home()


def usual_home(environment: MutableMapping[str, str] = os.environ) -> Path:
    """Where Prefect's files are kept when nothing speaks against it."""
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bias-audit" / "prefect"


def doubt_about(home: Path) -> str | None:
    """Why a home in the cache, or the cache itself, may hold what others put there; closes what is the user's."""
    for folder, mode in ((home.parent, SHARED_CACHE), (home, USER_ONLY)):
        if folder.is_dir() and (doubt := claim(folder, mode)):
            return f"{folder} {doubt}"
    return None


def warning_about(home: Path) -> str | None:
    """What the user must know about the folder that was chosen, in a sentence; None when all is as usual."""
    if home == usual_home():
        return None
    if home.parent.parent == Path(tempfile.gettempdir()) and home.parent.name.startswith(TEMPORARY):
        doubt = doubt_about(usual_home())
        return (
            doubt and f"{doubt}, so Prefect's files are in {home} this time; remove that folder to have it made anew."
        )
    doubt = outsiders(home)
    return (
        doubt and f"PREFECT_HOME: {home} {doubt}, whose settings Prefect would obey: 'chmod go-w' it, or name another."
    )


def _keep_torch_apart(environment: MutableMapping[str, str]) -> None:
    """PyTorch makes a folder when its optimizers are imported, by default under a known name in the temporary one."""
    folder = Path(environment["PREFECT_HOME"]) / "torch"
    if _writable(folder):
        environment.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))


def _writable(folder: Path) -> bool:
    """Whether the folder, or the nearest parent that exists, can be written."""
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def _temporary_home() -> Path:
    """The user's own folder among the temporary files; a fresh one if somebody else was there first."""
    folder = Path(tempfile.gettempdir()) / f"{TEMPORARY}{os.geteuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=USER_ONLY)
    if not folder.is_dir() or folder.is_symlink() or claim(folder):
        folder = Path(tempfile.mkdtemp(prefix=TEMPORARY))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "prefect"


def _bypass_proxy(environment: MutableMapping[str, str]) -> None:
    """The server is on this machine: a company's proxy must not be asked for it."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in environment.get(name, "").split(",") if host]
        environment[name] = ",".join(hosts + [host for host in LOOPBACK if host not in hosts])
