"""What would stop an audit later is told before the work: by `check`, and by `run` before it reads a photograph."""

import pytest
import torch
from torchvision import models
from typer.testing import CliRunner

from audit.run import run_here
from flows.cli import app
from tests.planted import draw_dataset

TINY = ("--set", "model.arch=tiny", "--set", "compute.device=cpu")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("drawn"), per_class=12)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Two files of a ResNet-18: one that answers NaN, one for other classes."""
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    state = models.resnet18(weights=None, num_classes=2).state_dict()
    torch.save({"state_dict": state, "classes": ["disc", "triangle"]}, folder / "other.pth")
    broken = {**state, "bn1.running_var": torch.full((64,), -1.0)}
    torch.save({"state_dict": broken, "classes": ["disc", "square"]}, folder / "nan.pth")
    return folder


def _given(path) -> tuple[str, ...]:
    return ("--set", "model.arch=resnet18", "--set", f"model.checkpoint={path}", "--set", "cues=[border]")


OBSTACLES = {
    "no checkpoint": (lambda folder: _given(folder / "nowhere.pth"), "there is no such file; correct model.checkpoint"),
    "NaN": (lambda folder: _given(folder / "nan.pth"), "answers NaN or infinity"),
    "no weights": (
        lambda folder: ("--set", f"model.weights={folder}/nowhere.pth", "--set", "cues=[border]"),
        "there is no such file; correct model.weights",
    ),
    "no VGG-16": (
        lambda folder: ("--set", f"compute.models={folder}", "--set", "cues=[border]"),
        "is missing; run `bias-audit fetch --set compute.models=",
    ),
    "no detector": (
        lambda folder: (*TINY, "--set", f"compute.models={folder}", "--set", "cues=[face]"),
        "is missing; run `bias-audit fetch --set compute.models=",
    ),
    "no networks about people": (
        lambda folder: (*TINY, "--set", f"compute.models={folder}", "--set", "cues=[face]", "--set", "people=true"),
        "gender-v1.onnx is missing; run `bias-audit fetch --people --set compute.models=",
    ),
    "unknown cue": (lambda _: (*TINY, "--set", "cues=[fase]"), "nearest is 'face'"),
    "no GPU": (
        lambda _: ("--set", "model.arch=tiny", "--set", "cues=[border]", "--set", "compute.device=cuda"),
        "torch finds no GPU",
    ),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_run_and_check_tell_what_would_stop_an_audit(obstacle, manifest, checkpoints, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.setattr(run_here, "read_photographs", lambda *_: pytest.fail("photographs were read first"))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    settings, told = OBSTACLES[obstacle]
    arguments = ["--manifest", str(manifest), *settings(checkpoints)]
    for command in (["check"], ["run", "--out", str(tmp_path / "audits")]):
        done = CliRunner().invoke(app, [*command, *arguments])
        assert done.exit_code == 2, done.output
        assert told in done.stderr and "can be audited" not in done.stdout
    assert not list((tmp_path / "audits").iterdir())


def test_check_knows_that_a_given_model_has_no_output_for_a_class(manifest, checkpoints):
    done = CliRunner().invoke(app, ["check", "--manifest", str(manifest), *_given(checkpoints / "other.pth")])
    assert done.exit_code == 2
    assert "no output for square; its outputs are disc, triangle" in done.stderr


def test_check_has_nothing_to_say_where_all_is_there(manifest):
    done = CliRunner().invoke(app, ["check", "--manifest", str(manifest), *TINY, "--set", "cues=[border]"])
    assert done.exit_code == 0, done.output
    assert "These photographs can be audited." in done.stdout
