"""The embedded server: answers, leaves with its parent, and says why it could not start."""

import base64
import http.client
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from audit.errors import BiasAuditError
from flows.environment import QUIET, SETTINGS, settle
from flows.server import EmbeddedServer, UserServer, prefect_api

OUTSIDE = {"GET": ("/api/health", "/api/ready", "/api/version", "/api/admin/settings", "/docs", "/openapi.json")}
OUTSIDE["GET"] += (
    "/api/openapi.json",
    "/api/docs",
    "/redoc",
    "/ui-settings",
    "/",
    "/api/flow_runs/filter/../../health",
)
OUTSIDE["POST"] = ("/api/flow_runs/filter", "/api/flows/", "/api/logs/", "/api/events", "/api/variables/")
OUTSIDE["OPTIONS"] = ("/api/flow_runs/filter",)


def ask(url: str, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    body = b'{"name": "x"}' if method == "POST" else None
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.fixture(scope="session")
def credentials() -> str:
    return "Basic " + base64.b64encode(os.environ["PREFECT_API_AUTH_STRING"].encode()).decode()


def is_alive(process: int) -> bool:
    """Whether a process runs; a zombie that nobody has reaped yet does not."""
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def gone_within(process: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(process)


def test_a_ready_server_answers_here_only_and_sends_no_telemetry(api_url, credentials):
    assert ask(api_url, "/api/health", Authorization=credentials)[0] == 200
    assert urlsplit(api_url).hostname == "127.0.0.1"
    settings = ask(api_url, "/api/admin/settings", Authorization=credentials)[2]
    assert b'"analytics_enabled":false' in settings
    assert os.environ["PREFECT_API_AUTH_STRING"].encode() not in settings


@pytest.mark.parametrize("given", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer x"}])
def test_without_the_password_nothing_is_answered(api_url, given):
    for method, paths in OUTSIDE.items():
        for path in paths:
            assert ask(api_url, path, method, **given)[::2] == (401, b""), (method, path)


def test_with_the_password_a_run_can_be_read_and_written_but_from_no_web_page(api_url, credentials):
    for origin in ({}, {"Origin": "https://example.org"}, {"Origin": "null"}, {"Origin": api_url[:-4]}):
        written, headers, _ = ask(
            api_url, "/api/flows/", "POST", Authorization=credentials, Content_Type="application/json", **origin
        )
        assert written in (200, 201)
        read, more, _ = ask(api_url, "/api/flows/name/x", Authorization=credentials, **origin)
        assert read == 200
        assert not [name for name in (*headers, *more) if name.startswith("access-control")]


def test_a_web_socket_needs_the_password_too(api_url, credentials):
    key = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "x" * 22,
    }
    key |= {"Sec_WebSocket_Key": base64.b64encode(bytes(16)).decode(), "Sec_WebSocket_Protocol": "prefect"}
    for path in ("/api/events/in", "/api/events/out", "/api/logs/out"):
        assert ask(api_url, path, **key)[0] == 403


def test_the_password_is_new_for_each_server_and_on_no_command_line(prefect_home):
    server, other = EmbeddedServer(prefect_home), EmbeddedServer(prefect_home)
    assert server.password != other.password and len(server.password) > 40
    with server:
        shown = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(server._process.pid)], capture_output=True, text=True
        )
        assert "flows.server" in shown.stdout
        assert server.password.partition(":")[2] not in shown.stdout


BOOT = """
import sys
from pathlib import Path
from flows.server import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
server.start()
print(server._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_the_server_dies_with_its_killed_parent(prefect_home):
    command = [sys.executable, "-c", BOOT, str(prefect_home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        server = int(parent.stdout.readline())
        time.sleep(1.0)
        assert is_alive(server)
        assert os.getsid(server) == server != os.getsid(parent.pid)
        parent.kill()
    assert gone_within(server, 2)


def test_stopping_ends_it_at_any_time_and_may_be_repeated(prefect_home):
    server = EmbeddedServer(prefect_home)
    server.start()
    process = server._process.pid
    server.stop()
    server.stop()
    assert not is_alive(process)
    assert not list(prefect_home.glob(f"server-{server.port}.log"))


def test_a_server_that_dies_is_told_with_its_last_words_and_its_log_kept(tmp_path):
    server = EmbeddedServer(tmp_path)
    server.start()
    server.kill()
    server._process.wait()
    (log,) = tmp_path.glob("server-*.log")
    log.write_text("INFO\nOSError: disk full\n\n")
    with pytest.raises(BiasAuditError, match=rf"did not start: OSError: disk full \(log: {log}\)"):
        server.wait_ready()
    server.stop()
    assert log.exists()


def test_a_server_that_is_too_slow_is_given_up(prefect_home):
    with EmbeddedServer(prefect_home, boot_seconds=0) as server, pytest.raises(BiasAuditError, match="did not answer"):
        server.wait_ready()


def test_a_home_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BiasAuditError, match="set PREFECT_HOME"):
        EmbeddedServer(tmp_path / "file" / "home").start()


def test_the_user_s_server_is_used_and_its_absence_told(monkeypatch, api_url):
    monkeypatch.setenv("PREFECT_API_URL", api_url)
    with prefect_api() as server:
        assert isinstance(server, UserServer)
        assert server.wait_ready() == api_url
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(BiasAuditError, match="PREFECT_API_URL"):
            UserServer(f"http://127.0.0.1:{port}/api").wait_ready()


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://127.0.0.1:port/api"])
def test_a_malformed_address_is_told(url):
    with pytest.raises(BiasAuditError, match="PREFECT_API_URL"):
        UserServer(url).wait_ready()


def test_the_environment_is_filled_in_and_the_user_s_choice_kept(tmp_path):
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PREFECT_SERVER_UI_ENABLED": "true", "NO_PROXY": "example.org"}
    settle(environment)
    assert environment.items() >= (SETTINGS | QUIET | {"PREFECT_SERVER_UI_ENABLED": "true"}).items()
    assert environment["PREFECT_HOME"] == str(tmp_path / "bias-audit" / "prefect")
    assert environment["NO_PROXY"] == "example.org,127.0.0.1,localhost"
    again = dict(environment)
    settle(again)
    assert again == environment


def test_a_user_who_wants_prefect_s_log_sees_it_whole(tmp_path):
    environment = {"PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_HOME": str(tmp_path)}
    settle(environment)
    assert environment["PREFECT_LOGGING_LEVEL"] == "DEBUG"
    assert "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL" not in environment
    assert environment["PREFECT_HOME"] == str(tmp_path)
