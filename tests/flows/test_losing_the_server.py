"""Prefect's server dies or stalls: the audit does its work, says so in one sentence and ends as it would have ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.server import EmbeddedServer
from tests.flows.test_server import gone_within, is_alive

LOSING = Path(__file__).parents[1].joinpath("losing_the_server.py")
COMPLETE = "Prefect's server stopped answering; the audit is complete without its record."
BEFORE = "Prefect's server stopped answering before the audit could go on; give the same command to resume it."
# Before this was mended, the command did not end within four minutes.
HANGS = 120.0


@pytest.fixture
def lose(standin_environment, tmp_path):
    """Audit, losing the server on the way; return what became of the command and the lines that it told."""
    (tmp_path / "photos").mkdir()

    def run(when, loss, *arguments, **environment):
        done = subprocess.run(
            [sys.executable, str(LOSING), "run", "photos", *arguments],
            env=standin_environment | {"WHEN": when, "LOSS": loss} | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=HANGS,
        )
        assert "Traceback" not in done.stderr and len(done.stderr) < 1000
        return done, [line for line in done.stderr.splitlines() if "Prefect" in line or "ERROR" in line]

    return run


def server_of(done: subprocess.CompletedProcess) -> int:
    return int(done.stdout.splitlines()[0])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("when", "loss"),
    [("work", "SIGKILL"), ("work", "SIGSTOP"), ("end", "SIGSTOP"), ("delivery", "SIGKILL"), ("delivery", "SIGSTOP")],
)
def test_the_audit_is_complete_without_its_record(lose, tmp_path, when, loss):
    done, told = lose(when, loss, "--fail-on", "medium")
    assert done.returncode == 3
    assert told == [COMPLETE]
    (audit,) = (tmp_path / "audits").iterdir()
    assert (audit / "manifest.json").exists() and not (audit / "error.log").exists()
    assert gone_within(server_of(done), 1)


def test_a_stage_that_fails_meanwhile_is_what_is_told(lose):
    done, told = lose("work", "SIGKILL", STANDIN="broken")
    assert done.returncode == 1
    assert told == []
    assert "Stage 'work' failed (image cats/7.jpg): ValueError: wrong colour" in done.stderr


@pytest.mark.parametrize("loss", ["SIGKILL", "SIGSTOP"])
def test_lost_before_the_work_began_the_audit_is_resumed_by_the_same_command(lose, tmp_path, loss):
    done, told = lose("ready", loss)
    assert done.returncode == 1
    assert told == [BEFORE]
    assert gone_within(server_of(done), 1)
    again, told = lose("never", loss)
    assert (again.returncode, told) == (0, [])
    assert "Resuming" in again.stderr
    assert len(list((tmp_path / "audits").iterdir())) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("loss", ["SIGKILL", "SIGSTOP"])
def test_a_server_of_the_user_s_is_waited_for_no_longer_and_left_alone(lose, prefect_home, loss):
    server = EmbeddedServer(prefect_home)
    server.password = os.environ["PREFECT_API_AUTH_STRING"]
    with server:
        address = server.wait_ready()
        process = server._process.pid
        done, told = lose("work", loss, PREFECT_API_URL=address, SERVER=str(process))
        assert (done.returncode, told) == (0, [COMPLETE])
        assert is_alive(process) == (loss == "SIGSTOP")


IN_A_LOOP = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
import standin_stages
from pathlib import Path
from audit import stages
from audit.config import parse_config
from flows.run import run_audit
stages.STAGES, stages.REPORT = standin_stages.STAGES, standin_stages.REPORT

async def cell():
    return run_audit(parse_config({"dataset": {"photos": Path("photos")}}), Path("audits"))

print(asyncio.run(cell()).manifest.exists())
"""


def test_a_notebook_s_event_loop_is_no_hindrance(standin_environment, tmp_path, api_url):
    (tmp_path / "photos").mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", IN_A_LOOP, str(LOSING.parent)],
        env=standin_environment | {"PREFECT_API_URL": api_url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n"
    assert "never awaited" not in done.stderr
