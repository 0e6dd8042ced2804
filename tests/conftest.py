"""One Prefect server for all tests that need one; nothing is written into the user's own folders."""

import os
import secrets
from importlib.util import find_spec
from pathlib import Path

import pytest

from audit.detection import cache
from audit.store import digest_memory
from flows.server import EmbeddedServer

# Doctests are looked for in every module. The first is a program for a child process with a search path of its own,
# the second imports packages that only the extra `bench` brings.
collect_ignore = ["losing_the_server.py", *([] if find_spec("torchcam") else ["bench/speed.py"])]


os.environ["PREFECT_API_AUTH_STRING"] = f"tests:{secrets.token_urlsafe()}"


@pytest.fixture(autouse=True)
def own_answers(tmp_path, monkeypatch) -> Path:
    """What detectors answer is kept for the test alone."""
    path = tmp_path / "answers" / "detections.sqlite"
    monkeypatch.setattr(cache, "store_path", lambda: path)
    return path


@pytest.fixture(autouse=True)
def own_digests(tmp_path, monkeypatch) -> Path:
    """Which files were hashed is remembered for the test alone."""
    path = tmp_path / "answers" / "digests.json"
    monkeypatch.setattr(digest_memory, "memory_path", lambda: path)
    return path


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory) -> Path:
    """A home for Prefect whose database is made once: later servers boot in a few seconds."""
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="session")
def api_url(prefect_home):
    """Address of a running server, to tests as to Prefect that of a user, who set its password in the environment."""
    server = EmbeddedServer(prefect_home)
    server.password = os.environ["PREFECT_API_AUTH_STRING"]
    with server:
        yield server.wait_ready()


@pytest.fixture
def standin_environment(prefect_home) -> dict[str, str]:
    """Environment of a child process that audits with the stages of tests/standin_stages.py."""
    tests = Path(__file__).parent
    places = os.pathsep.join([str(tests), str(tests.parent)])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "STANDIN"))}
    kept["PREFECT_API_AUTH_STRING"] = os.environ["PREFECT_API_AUTH_STRING"]
    return kept | {"PYTHONPATH": places, "PREFECT_HOME": str(prefect_home), "COLUMNS": "120"}
