"""What Prefect finds in the environment: no telemetry, a home of our own, a quiet terminal. What a user set stays."""

import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

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
}
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
    """Folder of Prefect's database: ``PREFECT_HOME``, else in the user's cache, else (not writable) a temporary one."""
    if "PREFECT_HOME" in environment:
        return Path(environment["PREFECT_HOME"]).expanduser()
    home = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bias-audit" / "prefect"
    return home if _writable(home) else Path(tempfile.gettempdir()) / f"bias-audit-{os.getuid()}" / "prefect"


def _keep_torch_apart(environment: MutableMapping[str, str]) -> None:
    """PyTorch makes a folder when its optimizers are imported, by default under a known name in the temporary one."""
    place = Path(environment["PREFECT_HOME"]) / "torch"
    if _writable(place):
        environment.setdefault("TORCHINDUCTOR_CACHE_DIR", str(place))


def _writable(folder: Path) -> bool:
    """Whether the folder, or the nearest parent that exists, can be written."""
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def _bypass_proxy(environment: MutableMapping[str, str]) -> None:
    """The server is on this machine: a company's proxy must not be asked for it."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in environment.get(name, "").split(",") if host]
        environment[name] = ",".join(hosts + [host for host in LOOPBACK if host not in hosts])
