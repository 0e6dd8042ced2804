"""Files that the settings name are edited between a kill and the resume: the result is that of a fresh run."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from audit.config import Config
from audit.store.audit_folder import AuditFolder, file_digest, read_json
from tests.planted import SIDE, draw_dataset, run_audit, tiny_config

PER_CLASS = 14
TABLES = ("images", "training", "predictions", "regions", "clusters", "cues", "masking", "evidence", "findings")
Edit = Callable[[int], None]


@pytest.fixture
def manifest(tmp_path) -> Path:
    return draw_dataset(tmp_path / "photos", PER_CLASS)


def boxes(root: Path, manifest: Path) -> tuple[Config, Edit]:
    """Own boxes, first in the one corner of the discs and then in the other of the squares."""
    file = root / "boxes.csv"

    def write(edition: int) -> None:
        label, place = (("disc", "3,3,15,15"), ("square", "40,40,60,60"))[edition]
        rows = [f"{label}/{number:03d}.png,{place}" for number in range(PER_CLASS)]
        file.write_text("\n".join(["path,x0,y0,x1,y1", *rows]), encoding="utf-8")

    return tiny_config(manifest, own_cues=[{"name": "stamp", "boxes": str(file)}]), write


def masks(root: Path, manifest: Path) -> tuple[Config, Edit]:
    """The photographs themselves as masks, first of all discs and then of one."""
    folder = root / "masks"

    def write(edition: int) -> None:
        for path in sorted((manifest.parent / "disc").iterdir()):
            (folder / "disc").mkdir(parents=True, exist_ok=True)
            (folder / "disc" / path.name).write_bytes(path.read_bytes())
        for path in sorted((folder / "disc").iterdir())[edition or PER_CLASS :]:
            path.unlink()

    return tiny_config(manifest, own_cues=[{"name": "stamp", "masks": str(folder)}]), write


def checkpoint(root: Path, manifest: Path) -> tuple[Config, Edit]:
    """A given classifier with random weights, then one of the same form and name with others."""
    file = root / "own.pth"

    def write(edition: int) -> None:
        torch.manual_seed(edition)
        network = models.get_model("resnet18", weights=None, num_classes=2)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
        torch.save({"state_dict": network.state_dict(), "classes": ["disc", "square"]}, file)

    return tiny_config(manifest, model={"arch": "resnet18", "checkpoint": str(file), "image_size": SIDE}), write


def results(audit: AuditFolder) -> dict[str, str]:
    return {name: file_digest(getattr(audit, name)) for name in TABLES}


@pytest.mark.parametrize("at_the_end", [False, True], ids=["between-stages", "within-a-stage"])
@pytest.mark.parametrize(("of", "stopped"), [(boxes, "detect"), (masks, "detect"), (checkpoint, "masking")])
def test_an_edited_file_is_noticed(manifest, tmp_path, of, stopped, at_the_end):
    """Stopped after a stage, or in it when all its shards were written but not yet its record."""
    config, edit = of(tmp_path, manifest)
    edit(0)
    audit = run_audit(tmp_path / "audit", config, until=stopped)
    before = read_json(audit.stage_record(stopped))["outputs"]
    if at_the_end:
        audit.stage_record(stopped).unlink()
    edit(1)
    run_audit(audit.path, config)
    fresh = run_audit(tmp_path / "fresh", config)
    assert results(audit) == results(fresh)
    assert read_json(audit.stage_record(stopped))["outputs"] == read_json(fresh.stage_record(stopped))["outputs"]
    assert read_json(fresh.stage_record(stopped))["outputs"] != before
