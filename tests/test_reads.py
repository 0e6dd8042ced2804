"""Stages read the files of the stages that they say they come after, and no others: as the kernel saw it."""

import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from audit.config import dump_config
from audit.stages import STAGES
from audit.store.audit_folder import read_json
from tests.planted import draw_dataset, tiny_config
from tests.tracing import calls_in, can_trace, traced

pytestmark = pytest.mark.skipif(not can_trace(), reason="strace is not installed here, or must not trace")

ROOT = Path(__file__).parents[1]
# Does every stage; after each one the file "made/<stage>.json" lists what has been added to the audit, which also tells
# the log where a stage ends.
PROGRAM = """
import sys
from pathlib import Path
from audit.config import load_config
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder, write_json
root, known = Path(sys.argv[1]), set()
folder, config = AuditFolder(root / "audit"), load_config(root / "settings.yaml")
for stage in STAGES:
    run_stage(stage, folder, config)
    files = {str(path) for path in folder.path.rglob("*") if path.is_file()}
    write_json(root / "made" / f"{stage.name}.json", sorted(files - known))
    known |= files
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A folder with an audit and the log of what was opened while it was made."""
    root = tmp_path_factory.mktemp("reads")
    manifest = draw_dataset(root / "photos", per_class=40)
    boxes = [f"{folder}/{number:03d}.png,50,50,60,60" for folder in ("disc", "square") for number in range(40)]
    (root / "boxes.csv").write_text("\n".join(["path,x0,y0,x1,y1", *boxes]), encoding="utf-8")
    config = tiny_config(
        manifest,
        own_cues=[{"name": "notch", "boxes": str(root / "boxes.csv")}],
        self_audit={"permutations": 1, "power_images": 20, "kinds": ["border"]},
    )
    (root / "settings.yaml").write_text(dump_config(config), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = traced([sys.executable, "-c", PROGRAM, str(root)], root / "log", root, environment)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def made(root) -> Mapping[Path, str]:
    """The stage that made each file of the audit."""
    lists = {stage.name: read_json(root / "made" / f"{stage.name}.json") for stage in STAGES}
    return {Path(path): name for name, paths in lists.items() for path in paths}


def opened_to_read(root: Path) -> Iterator[tuple[str, Path]]:
    """(stage, file below the audit folder) for everything that was opened, by whichever library."""
    names = iter(stage.name for stage in STAGES)
    name = next(names)
    for call in calls_in(root / "log"):
        if call.made and call.made.parent == root / "made":
            name = next(names, "none")
        elif call.opened and not call.made and call.opened.is_relative_to(root / "audit"):
            yield name, call.opened


@pytest.fixture(scope="module")
def read(root, made) -> Mapping[str, set[str]]:
    """The stages whose files each stage opened, without its own; records of stages are the machinery's."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, path in opened_to_read(root):
        if path in made and path.parent != root / "audit" / "stages":
            found[name].add(made[path])
    return {stage.name: found[stage.name] - {stage.name} for stage in STAGES}


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_reads_from_the_stages_that_it_declares_and_no_others(read, stage):
    assert read[stage.name] == set(stage.after)


def test_what_nobody_made_is_a_stage_s_own_scratch(root, made):
    """So nothing that was read escapes the test above: such a file was made and deleted by one and the same stage."""
    others = {(name, path) for name, path in opened_to_read(root) if path not in made and not path.is_dir()}
    ours = {(name, path) for name, path in others if path.is_relative_to(root / "audit" / name)}
    assert {(name, path.relative_to(root / "audit")) for name, path in others - ours} == set()


def test_natively_opened_files_are_seen(root, made):
    """Arrays and tables are opened by libraries that Python itself knows nothing of."""
    seen = {path.suffix for _, path in opened_to_read(root) if path in made}
    assert {".safetensors", ".parquet", ".json"} <= seen
