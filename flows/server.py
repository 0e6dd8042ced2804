"""A Prefect API server of our own: a child process on a free local port that lives exactly as long as the audit.

It answers nobody but the process that started it: everything it is asked must carry a password, made for it alone. It
has its own session, so that Ctrl-C in a terminal stops the audit and not the server that records its end. On Linux
the kernel ends it when this process dies, however it dies; elsewhere an exit handler does.
"""

import atexit
import base64
import ctypes
import fcntl
import hmac
import http.client
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Any, Self
from urllib.parse import urlsplit

from audit.errors import BiasAuditError
from audit.processes import NEUTRAL_FOLDER, child_environment
from audit.progress import note
from audit.store.private import USER_ONLY, open_own
from flows.environment import prefect_home, warning_about
from flows.interrupt import at_hard_exit

BOOT_SECONDS = 180.0
BOOT_POLL_SECONDS = 5.0
STOP_SECONDS = 3.0
POLL_SECONDS = 0.1
PR_SET_PDEATHSIG = 1
PASSWORD = "PREFECT_SERVER_API_AUTH_STRING"

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


class EmbeddedServer:
    """``start`` returns at once, ``wait_ready`` when the server answers, ``stop`` ends it within seconds.

    Booting takes 5 s, on the first run with a fresh ``home`` 20 s: start it first and do other work meanwhile.
    """

    def __init__(self, home: Path | None = None, boot_seconds: float = BOOT_SECONDS) -> None:
        self.home = (home or prefect_home()).absolute()
        self.boot_seconds = boot_seconds
        self.port = 0
        self.password = f"bias-audit:{secrets.token_urlsafe(32)}"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = Path()

    @property
    def url(self) -> str:
        """Address of the API, fixed as soon as ``start`` returns."""
        return f"http://127.0.0.1:{self.port}/api"

    def start(self) -> None:
        """Launch the child. Raises BiasAuditError when its home cannot be written."""
        with socket.socket() as listener:
            # Bound here and inherited by the child, the port cannot be taken by anyone in between.
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
            with self._open_log() as log:
                self._process = self._launch(listener.fileno(), log)
        if warning := warning_about(self.home):
            note(warning)
        atexit.register(self.stop)
        at_hard_exit.append(self.kill)

    def wait_ready(self) -> str:
        """Wait for the server and return its address. Raises BiasAuditError when it died or takes too long."""
        deadline = time.monotonic() + self.boot_seconds
        while not self.answers(BOOT_POLL_SECONDS):
            if not self._running():
                raise BiasAuditError(f"Prefect's API server did not start: {self._last_words()} (log: {self._log})")
            if time.monotonic() > deadline:
                raise BiasAuditError(
                    f"Prefect's API server did not answer within {self.boot_seconds:.0f} s; run again when the machine "
                    f"is less busy (log: {self._log})."
                )
            time.sleep(POLL_SECONDS)
        return self.url

    def answers(self, seconds: float) -> bool:
        """Whether the server lives and answers within so many seconds."""
        return self._running() and _health(self.url, seconds, self._headers) == http.client.OK

    @property
    def _headers(self) -> dict[str, str]:
        """What a request must carry to be answered."""
        return {"Authorization": _credentials(self.password)}

    def stop(self) -> None:
        """End the server; safe to call twice."""
        atexit.unregister(self.stop)
        process, self._process = self._process, None
        if process is None:
            return
        at_hard_exit.remove(self.kill)
        failed = process.poll() is not None
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if not failed or not self._log.stat().st_size:
            self._log.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the server now, from any thread; its database survives that."""
        if self._process is not None:
            self._process.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _open_log(self) -> IO[bytes]:
        self._log = self.home / f"server-{self.port}.log"
        try:
            self.home.mkdir(mode=USER_ONLY, parents=True, exist_ok=True)
            return os.fdopen(open_own(self._log, os.O_WRONLY | os.O_TRUNC), "wb")
        except OSError as error:
            raise BiasAuditError(
                f"{self.home}: cannot be written ({error.strerror}); set PREFECT_HOME to a folder that can."
            ) from None

    def _launch(self, listener: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "flows.server", str(listener), str(os.getpid()), str(self.home)],
            env=_child_environment(self.home) | _locked_up(self.password),
            cwd=NEUTRAL_FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[listener],
            start_new_session=True,
        )

    def _running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n") if self._log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it left no message")


class UserServer:
    """The server that the user runs and names in ``PREFECT_API_URL``, with the password that he gave Prefect for it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.password = os.environ.get("PREFECT_API_AUTH_STRING")

    def wait_ready(self) -> str:
        """Return the address. Raises BiasAuditError when nobody listens there."""
        address = urlsplit(self.url)
        try:
            port = address.port or (443 if address.scheme == "https" else 80)
            socket.create_connection((address.hostname or "", port), timeout=10).close()
        except (OSError, ValueError) as error:
            raise BiasAuditError(
                f"PREFECT_API_URL is {self.url}, but no server answers there ({error}); start it with "
                "'prefect server start', or unset the variable to have one started for each audit."
            ) from None
        return self.url

    def answers(self, seconds: float) -> bool:
        """Whether the server answers anything within so many seconds."""
        try:
            return _health(self.url, seconds) is not None
        except ssl.SSLError:
            # Somebody is there; Prefect knows how to verify who.
            return True

    def kill(self) -> None:
        """Leave it alone: it is the user's."""


@contextmanager
def prefect_api() -> Iterator[EmbeddedServer | UserServer]:
    """The server to use, already booting if it is ours; ours ends with the block."""
    url = os.environ.get("PREFECT_API_URL")
    if url:
        yield UserServer(url)
    else:
        with EmbeddedServer() as server:
            yield server


def _health(url: str, seconds: float, headers: Mapping[str, str] = MappingProxyType({})) -> int | None:
    """Status that a server answers when it is asked for its health; None when it does not answer in time."""
    address = urlsplit(url)
    secure = address.scheme == "https"
    connection = (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(
        address.netloc, timeout=seconds
    )
    try:
        connection.request("GET", f"{address.path}/health", headers=dict(headers))
        return connection.getresponse().status
    except ssl.SSLError:
        raise
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _child_environment(home: Path) -> dict[str, str]:
    """Ours, but the server must log its errors and must not take itself for a client of another server."""
    client = {"PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_API_KEY"}
    unwanted = client | {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "PREFECT_LOGGING_INTERNAL_LEVEL"}
    environment = {name: value for name, value in child_environment().items() if name not in unwanted}
    return environment | {"PREFECT_HOME": str(home), "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}


def _locked_up(password: str) -> dict[str, str]:
    """The server's settings that keep others out. In the environment only its user can read them, unlike arguments."""
    return {PASSWORD: password, "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": ""}


def _credentials(password: str) -> str:
    return "Basic " + base64.b64encode(password.encode()).decode()


def guarded(app: App, password: str) -> App:
    """An ASGI application that answers 401, whatever is asked and however, unless the request carries the password.

    Prefect's own check leaves out what lies beside its API: the page of settings, the description of every route.
    """
    expected = _credentials(password).encode()

    async def guard(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        given = dict(scope.get("headers", ())).get(b"authorization", b"")
        if scope["type"] == "lifespan" or hmac.compare_digest(given, expected):
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await send({"type": "http.response.start", "status": http.client.UNAUTHORIZED})
            await send({"type": "http.response.body"})

    return guard


def _die_with(parent: int) -> None:
    """Ask the kernel to end this process with its parent (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit("the audit ended before its server began")


def _serve(listener: int, parent: int, home: Path) -> None:
    """The child: run Prefect's API on an inherited socket until terminated.

    Servers that share a home migrate one database: a lock, let go when the server is up, has them boot one at a time.
    """
    _die_with(parent)
    os.umask(0o077)
    import prefect.server.api.server as api
    import uvicorn

    boot_lock = os.fdopen(open_own(home / "boot.lock", os.O_RDWR), "w")
    fcntl.flock(boot_lock, fcntl.LOCK_EX)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            boot_lock.close()

    app = guarded(api.create_app(), os.environ[PASSWORD])
    config = uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=1)
    server = Server(config)
    server.run(sockets=[socket.socket(fileno=listener)])
    if not server.started:
        raise SystemExit(1)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
