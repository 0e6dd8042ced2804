"""What audits of the same photographs share: detectors' answers and the trunk's activations, kept by photograph."""

import csv
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.config import Config, model_folder, parse_config
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder
from tests.bench.trunk_store import prefill

# So many photographs are looked at in one go: what an interrupted warming has done of them is done again.
_PER_GO = 100
# Looked for in all photographs of an audit together, so that no answer about one photograph can be kept.
_TOGETHER = "overlay"


@dataclass(frozen=True)
class NaturalStore:
    """A folder that any checkout may use again.

    Detectors' answers are kept by photograph and detector, ``trunk`` by photograph and network: where one detector's
    version is raised, only that one is asked again.
    """

    folder: Path

    @property
    def trunk(self) -> Path:
        """Where the activations are kept."""
        return self.folder / "trunk"

    @contextmanager
    def in_use(self) -> Iterator[Path]:
        """Keep detectors' answers in this folder inside the block; yields the folder of the model files."""
        models, before = model_folder(), os.environ.get("XDG_CACHE_HOME")
        os.environ["XDG_CACHE_HOME"] = str(self.folder.resolve())
        try:
            yield models
        finally:
            os.environ.pop("XDG_CACHE_HOME")
            if before is not None:
                os.environ["XDG_CACHE_HOME"] = before


def warm(store: NaturalStore, root: Path, paths: Sequence[str], settings: dict[str, Any]) -> Iterator[int]:
    """Look at photographs below ``root`` and send them through the trunk; yields how many are done.

    ``settings`` are those of the audits that come later, as far as detectors and network depend on them.
    """
    done = 0
    for start in range(0, len(paths), _PER_GO):
        part = paths[start : start + _PER_GO]
        work = store.folder / "warming" / f"{root.name}-{start}"
        shutil.rmtree(work, ignore_errors=True)
        config = _warming(work, root, part, settings)
        for name in ("dataset", "detect"):
            run_stage(next(stage for stage in STAGES if stage.name == name), AuditFolder(work / "audit"), config)
        prefill(AuditFolder(work / "audit"), config, store.trunk)
        shutil.rmtree(work)
        done += len(part)
        yield done


def _warming(work: Path, root: Path, paths: Sequence[str], settings: dict[str, Any]) -> Config:
    """An audit of any two classes: no answer depends on a label."""
    work.mkdir(parents=True)
    with (work / "images.csv").open("w", newline="", encoding="utf-8") as handle:
        rows = [(path, "even" if number % 2 else "odd") for number, path in enumerate(paths)]
        csv.writer(handle).writerows([("path", "label"), *rows])
    dataset = {"manifest": str(work / "images.csv"), "image_root": str(root), "min_images_per_class": 2}
    named = parse_config({**settings, "dataset": dataset}).cues
    return parse_config({**settings, "dataset": dataset, "cues": [name for name in named if name != _TOGETHER]})
