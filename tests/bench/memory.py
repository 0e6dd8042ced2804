"""Does memory stay flat as the dataset grows? Peak memory of each stage for few and for many small pictures.

    python -m tests.bench.memory                       2,000 and 20,000 pictures of 64 pixels
    python -m tests.bench.memory --images 500 5000

Every stage runs in a process of its own, so that its peak is its own. Pictures are noise.
"""

import argparse
import resource
import tempfile
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from audit.config import parse_config
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder
from tests.bench.figures import Column, add_option, save, table_lines

UNTIL = "explain"
SIDE = 64


def main() -> None:
    """Read the command line and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs=2, default=(2000, 20000), metavar="N")
    add_option(parser)
    options = parser.parse_args()
    few, many = options.images
    before, after = measure(few), measure(many)
    rows = [(stage, before[stage], after[stage], after[stage] / before[stage]) for stage in before]
    counts = (Column(f"{count:,} pictures, peak memory in MB", ".0f") for count in (few, many))
    columns = (Column("stage"), *counts, Column("times as much", ".2f"))
    print(*table_lines(columns, rows), sep="\n")
    save(options.figures, "memory", columns, rows)


def measure(images: int) -> dict[str, float]:
    """Peak resident memory, in MB, of every stage up to the maps."""
    with tempfile.TemporaryDirectory() as place:
        _write_pictures(Path(place) / "photos", images)
        stages = [stage.name for stage in STAGES]
        names = stages[: stages.index(UNTIL) + 1]
        return {name: _in_own_process(name, Path(place)) for name in names}


def _write_pictures(folder: Path, images: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(images):
        path = folder / f"class {number % 2}" / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(path)


def _in_own_process(stage: str, place: Path) -> float:
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (stage, place))


def _peak(name: str, place: Path) -> float:
    model = {"fine_tune": "head", "image_size": SIDE}
    tree = {"dataset": {"photos": str(place / "photos")}, "model": model, "training": {"epochs": 1}, "cues": []}
    stage = next(stage for stage in STAGES if stage.name == name)
    run_stage(stage, AuditFolder(place / "audit"), parse_config(tree))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
