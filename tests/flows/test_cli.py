"""The command as a user meets it: exit codes, one sentence per error, Ctrl-C, and a help that comes at once."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from audit.explain.one_photo import Method
from audit.findings.severity import FLAGGED, ORDER, Severity
from audit.plan.plan_json import Strategy
from flows.cli import COMMANDS, app
from flows.commands import explain, run, verify

# Settings under which nothing that `bias-audit fetch` brings is needed.
NO_MODELS = ("--set", "model.arch=tiny", "--set", "cues=[border]")
STANDIN = Path(__file__).parents[1].joinpath("standin_stages.py")


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


@pytest.fixture
def command(standin_environment, photos):
    """Run the command line with stand-in stages beside ``photos``."""

    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, str(STANDIN), *arguments],
            env=standin_environment | environment,
            cwd=photos.parent,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def children(process: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True)
    return [int(number) for number in found.stdout.split()]


def is_alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_run_prints_findings_and_leaves_the_report(command, photos, api_url):
    done = command("run", "photos", PREFECT_API_URL=api_url)
    assert done.returncode == 0, done.stderr
    assert "Looks at hair." in done.stdout
    report = done.stdout.splitlines()[-1]
    assert (photos.parent / report).name == "report.html" and (photos.parent / report).exists()
    assert [line.partition(":")[0] for line in done.stderr.splitlines() if "work began" not in line] == [
        "dataset",
        "starting",
        "work",
        "self-audit",
        "record",
        "report",
    ]


def test_quiet_prints_the_report_s_path_only_and_fail_on_sets_the_exit_code(command, api_url):
    done = command("run", "photos", "--quiet", "--fail-on", "medium", PREFECT_API_URL=api_url)
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == "work began\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "nowhere", *NO_MODELS], "nowhere"),
        (["run", "photos", *NO_MODELS], "at least 2"),
        (["run", "photos", "--set", "model.finetune=head"], "nearest is 'model.fine_tune'"),
        (["run", "photos", "--config", "no.yaml"], "no.yaml: cannot be read"),
        (["run"], "No photographs"),
        (["run", "photos", "--out", "photos/audits"], "--out"),
        (["run", "photos", "--colour"], "--colour"),
        (["run", "photos", "--fail-on", "grave"], "grave"),
        (["report", "photos"], "no finished audit"),
        (["fetch", "--set", "compute.models=[]"], "compute.models"),
        (["check", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_told_in_a_sentence_with_exit_code_2(photos, monkeypatch, arguments, told):
    monkeypatch.chdir(photos.parent)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(photos.parent.glob("audits/*"))


def test_selfcheck_takes_photographs_or_a_finished_audit(command, api_url):
    done = command("selfcheck", "photos", "--marked", "30", PREFECT_API_URL=api_url)
    assert done.returncode == 0, done.stderr
    told, report = done.stdout.splitlines()
    assert told == "20 deals, 30 marked."
    audit = str(Path(report).parent)
    again = command("selfcheck", audit, "--permutations", "50")
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines() == ["50 deals, 120 marked.", report]
    refused = command("selfcheck", audit, "--set", "seed=1")
    assert refused.returncode == 2
    assert "keeps its own settings" in refused.stderr


def test_a_broken_stage_is_told_with_exit_code_1_and_its_traceback_kept(command, photos, api_url):
    done = command("run", "photos", STANDIN="broken", PREFECT_API_URL=api_url)
    assert done.returncode == 1
    assert "Stage 'work' failed (image cats/7.jpg): ValueError: wrong colour" in done.stderr
    assert "Traceback" not in done.stderr
    (log,) = photos.parent.glob("audits/*/error.log")
    assert str(log) in done.stderr.splitlines()[-1]
    assert "Traceback" in log.read_text()


def interrupt(environment, photos, sent) -> tuple[list[int], list[str]]:
    """Start a run, send it a signal in the middle of its work, and return its children and its last words."""
    command = [sys.executable, str(STANDIN), "run", "photos"]
    with subprocess.Popen(
        command, env=environment, cwd=photos.parent, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        while "work began" not in run.stderr.readline():
            assert run.poll() is None
        time.sleep(0.3)
        servers = children(run.pid)
        began = time.monotonic()
        os.killpg(run.pid, sent)
        told = run.stderr.read()
        assert run.wait(10) == 128 + sent
        assert time.monotonic() - began < 2
    return servers, told.splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_interrupted_run_ends_at_once_leaves_nobody_behind_and_resumes(
    command, standin_environment, photos, api_url
):
    servers, told = interrupt(standin_environment | {"STANDIN": "slow"}, photos, signal.SIGINT)
    assert told == ["Interrupted; run the same command to resume."]
    time.sleep(0.3)
    assert len(servers) == 1 and not is_alive(servers[0])
    (audit,) = (photos.parent / "audits").iterdir()
    assert not (audit / "manifest.json").exists()
    done = command("run", "photos", PREFECT_API_URL=api_url)
    assert done.returncode == 0
    assert f"Resuming {audit} (finished stages: dataset)" in done.stderr
    assert (audit / "manifest.json").exists()


@pytest.mark.parametrize(("sent", "mood"), [(signal.SIGINT, "stuck"), (signal.SIGTERM, "slow")])
def test_long_calls_and_sigterm_are_interrupted_as_quickly(standin_environment, photos, api_url, sent, mood):
    environment = standin_environment | {"STANDIN": mood, "PREFECT_API_URL": api_url}
    _, told = interrupt(environment, photos, sent)
    assert told == ["Interrupted; run the same command to resume."]


def plain(*arguments: str) -> subprocess.CompletedProcess[str]:
    source = "import sys; from flows.cli import main; main(sys.argv[1:])"
    environment = os.environ | {"COLUMNS": "120", "TERM": "dumb"}
    return subprocess.run([sys.executable, "-c", source, *arguments], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("name", [command.__name__ for command in COMMANDS])
def test_every_command_has_a_help_with_an_example_and_a_file_of_its_name(name):
    done = CliRunner().invoke(app, [name, "--help"], prog_name="bias-audit", env={"COLUMNS": "120", "TERM": "dumb"})
    assert done.exit_code == 0
    assert done.stdout.count(f"bias-audit {name}") >= 2
    assert next(command for command in COMMANDS if command.__name__ == name).__module__ == f"flows.commands.{name}"


def test_options_offer_what_the_audit_knows():
    """The command line spells the choices itself, since importing them would make its help slow."""
    assert tuple(explain.Method) == get_args(Method)
    assert tuple(verify.Remedy) == get_args(Strategy)
    assert tuple(run.Severity) == tuple(severity for severity in ORDER if severity in tuple(run.Severity))
    assert set(FLAGGED) < set(run.Severity) < set(get_args(Severity))


def test_the_help_lists_every_command_in_order():
    listed = re.findall(r"^│ (\w+)  ", plain("--help").stdout.partition("Commands")[2], re.MULTILINE)
    assert listed == [command.__name__ for command in COMMANDS]


def test_help_and_version_import_nothing_slow():
    source = "import sys\nfrom flows.cli import app\ntry: app(['--help'])\nfinally: print([name for name in "
    source += "('torch', 'prefect', 'pandas', 'numpy', 'pydantic') if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.stderr == "[]\n"
    from audit import __version__

    assert plain("--version").stdout == f"bias-audit {__version__}\n"


def test_python_m_flows_audit_is_the_run_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-m", "flows.audit", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "--fail-on" in done.stdout
