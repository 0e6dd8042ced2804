"""Auditing a classifier that somebody else trained: any of torchvision's families, from a file that nobody trusts."""

from typing import get_args

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from audit.cam.gradcam import GradCAM
from audit.cam.target_layer import last_spatial_layer
from audit.config import Arch, Config, parse_config
from audit.data.batches import read_pixels
from audit.data.dataset import load_dataset
from audit.errors import ConfigError, MissingModelFile, ModelFileError
from audit.explain.read_maps import read_maps
from audit.model.architectures import build, split
from audit.model.checkpoint import GivenHead, load_given
from audit.model.device import Runtime
from audit.model.network import load_backbone
from audit.store.audit_folder import read_json, read_table
from reports.render import render
from tests.planted import SIDE, draw_dataset, run_audit, tiny_config

CPU = Runtime(torch.device("cpu"), "float32")
ONE_OF_EACH = ("alexnet", "vgg11_bn", "resnet18", "densenet121", "efficientnet_b0", "convnext_tiny", "mobilenet_v2")


def random_network(arch: str, classes: int = 3, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network = models.get_model(arch, weights=None, num_classes=classes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.mark.parametrize("arch", [*ONE_OF_EACH, "mobilenet_v3_small"])
def test_the_two_parts_are_the_network_and_meet_at_its_last_spatial_layer(arch):
    network, pictures = random_network(arch), torch.randn(2, 3, 64, 64)
    named = last_spatial_layer(network, (pictures,))
    explained = GradCAM(network, named)(pictures, torch.zeros(2, dtype=torch.int64)).activations
    with torch.no_grad():
        expected = network(pictures)
        trunk, rest = split(network)
        activations = trunk(pictures)
        kept = activations.clone()
        torch.testing.assert_close(rest(activations), expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(activations, kept), "the rest works in place"
    torch.testing.assert_close(activations, explained, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arch", [arch for arch in get_args(Arch) if arch != "tiny"])
def test_every_architecture_that_may_be_named_has_its_parts(arch):
    trunk, rest = split(build(arch, 5))
    assert len(trunk) and len(rest)


@pytest.fixture(scope="module")
def state():
    return random_network("resnet18").state_dict()


def settings(path, arch: str = "resnet18", **model: object) -> Config:
    return parse_config({"model": {"checkpoint": str(path), "arch": arch, **model}})


def load(path, **model: object):
    return load_given(settings(path, **model).model, path)


@pytest.mark.parametrize("form", ["state", "dictionary", "wrapped", "halves", "safetensors"])
def test_reads_the_usual_forms_of_a_checkpoint(form, state, tmp_path):
    path = tmp_path / ("own.safetensors" if form == "safetensors" else "own.pth")
    match form:
        case "state":
            torch.save(state, path)
        case "dictionary":
            torch.save({"state_dict": state, "classes": ["a", "b", "c"], "epoch": 7}, path)
        case "wrapped":
            torch.save({f"module.{key}": value for key, value in state.items()}, path)
        case "halves":
            torch.save(
                {key: value.half() if value.is_floating_point() else value for key, value in state.items()}, path
            )
        case "safetensors":
            save_file(state, path)
    given = load(path, classes=None if form == "dictionary" else ["a", "b", "c"])
    assert (given.classes, given.channels, len(given.sha256)) == (("a", "b", "c"), 512, 64)
    with torch.no_grad():
        images = torch.randn(1, 3, 64, 64)
        expected = random_network("resnet18")(images)
        torch.testing.assert_close(given.rest(given.trunk(images)), expected, rtol=1e-2, atol=1e-2)


def test_scores_come_in_the_order_of_the_datasets_classes(state, tmp_path):
    torch.save(state, tmp_path / "own.pth")
    config = settings(tmp_path / "own.pth", classes=["nurse", "doctor", "patient"])
    network = load_backbone(config).network(config.model.head, 2, CPU).eval()
    assert isinstance(network.head, GivenHead)
    network.head.answer_for(("doctor", "nurse"))
    pictures = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = random_network("resnet18")(pictures)
        torch.testing.assert_close(network(pictures), expected[:, [1, 0]], rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigError, match="no output for surgeon; its outputs are nurse, doctor, patient"):
        network.head.answer_for(("doctor", "surgeon"))


@pytest.mark.parametrize(
    ("change", "model", "error", "reason"),
    [
        (lambda s: s, {}, ConfigError, "name them in their order"),
        (lambda s: s, {"classes": ["a", "b"]}, ConfigError, "has 3 outputs"),
        (lambda s: s, {"classes": ["a", "b", "b"]}, ConfigError, "2 different names"),
        (lambda s: {"state_dict": s, "classes": "abc"}, {}, ModelFileError, "no list of names"),
        (lambda s: {"state_dict": s, "classes": [1, 2, 3]}, {}, ModelFileError, "no list of names"),
        (lambda s: s, {"arch": "densenet121"}, ModelFileError, "no layer 'classifier.weight'"),
        (lambda s: s, {"arch": "resnet34"}, ModelFileError, "does not fit resnet34"),
        (lambda s: {**s, "extra": torch.ones(1)}, {}, ModelFileError, "at 'extra'"),
        (lambda s: {k: v for k, v in s.items() if k != "conv1.weight"}, {}, ModelFileError, "at 'conv1.weight'"),
        (lambda s: {**s, "bn1.bias": torch.full((64,), torch.nan)}, {}, ModelFileError, "not hold finite"),
        (lambda s: {**s, "fc.weight": torch.ones(3)}, {}, ModelFileError, "no layer 'fc.weight'"),
        (lambda s: [1, 2], {}, ModelFileError, "no plain state_dict"),
    ],
)
def test_says_what_is_wrong_with_a_checkpoint(change, model, error, reason, state, tmp_path):
    torch.save(change(state), tmp_path / "own.pth")
    with pytest.raises(error, match=reason):
        load(tmp_path / "own.pth", **model)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bn1.running_var": torch.full((64,), -1.0)}, "answers NaN or infinity"),
        ({"fc.weight": torch.full((3, 512), 3e38)}, "answers NaN or infinity"),
        ({"bn1.weight": torch.zeros(64)}, "answers the same whatever it sees"),
        ({"fc.weight": torch.zeros(3, 512)}, r"'fc\.weight' holds nothing but zeros"),
        ({"layer4.1.bn2.weight": torch.zeros(512)}, ""),
    ],
)
def test_a_classifier_is_asked_before_it_is_used(change, reason, state, tmp_path):
    torch.save({**state, **change}, tmp_path / "own.pth")
    if not reason:
        assert load(tmp_path / "own.pth", classes=["a", "b", "c"]).channels == 512
        return
    with pytest.raises(ModelFileError, match=reason):
        load(tmp_path / "own.pth", classes=["a", "b", "c"])


def test_a_checkpoint_whose_second_half_is_zeros_is_refused(state, tmp_path):
    save_file(state, tmp_path / "own.safetensors")
    content = (tmp_path / "own.safetensors").read_bytes()
    half = len(content) // 2
    (tmp_path / "own.safetensors").write_bytes(content[:half] + bytes(len(content) - half))
    with pytest.raises(ModelFileError, match="nothing but zeros"):
        load(tmp_path / "own.safetensors", classes=["a", "b", "c"])


def test_pictures_too_small_for_an_architecture_are_told(tmp_path):
    torch.save(random_network("alexnet").state_dict(), tmp_path / "own.pth")
    with pytest.raises(ConfigError, match=r"model\.image_size: alexnet cannot look at pictures of 32 pixels"):
        load(tmp_path / "own.pth", arch="alexnet", classes=["a", "b", "c"], image_size=32)


def test_a_file_that_could_run_code_is_refused(tmp_path):
    torch.save(nn.Linear(1, 1), tmp_path / "own.pth")
    with pytest.raises(ModelFileError, match="could run code"):
        load(tmp_path / "own.pth")
    with pytest.raises(MissingModelFile, match=r"correct model\.checkpoint"):
        load(tmp_path / "nowhere.pth")


def test_an_architecture_that_is_not_trained_here_needs_a_checkpoint():
    with pytest.raises(ConfigError, match=r"give its weights as model\.checkpoint"):
        load_backbone(parse_config({"model": {"arch": "resnet50"}}))


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """An audit of a given ResNet-18 that has seen nothing but random weights."""
    root = tmp_path_factory.mktemp("given")
    network = random_network("resnet18", classes=3, seed=4)
    torch.save({"state_dict": network.state_dict(), "classes": ["square", "other", "disc"]}, root / "own.pth")
    model = {"arch": "resnet18", "checkpoint": str(root / "own.pth"), "image_size": SIDE}
    config = tiny_config(draw_dataset(root / "drawn", per_class=14), model=model)
    return run_audit(root / "audit", config), network


def test_a_given_model_is_audited_without_training(audited):
    folder, _ = audited
    record = read_json(folder.record)
    assert not len(read_table(folder.training))
    assert record["model"]["weights"].startswith("a resnet18 that was trained elsewhere")
    assert any("perhaps trained on" in sentence for sentence in record["limits"])
    assert not any("was trained for this audit" in sentence for sentence in record["limits"])


def test_its_predictions_and_maps_are_the_given_models(audited):
    folder, network = audited
    table = read_table(folder.predictions)
    images = np.arange(len(table))
    pixels = _pixels(folder, images)
    order = torch.tensor([2, 0])  # the outputs for disc and square
    with torch.no_grad():
        expected = network(pixels)[:, order].softmax(1)
    np.testing.assert_allclose(np.stack(table["probabilities"]), expected, atol=1e-4)
    outputs = order[(table["label"] == "square").to_numpy(int)]
    maps = GradCAM(network)(pixels, outputs).maps[:, 0].numpy()
    stored = read_maps(folder, images)
    np.testing.assert_allclose(stored, maps, atol=2e-3 * np.abs(maps).max())


def test_its_report_does_not_say_that_it_was_trained_here(audited):
    page = render(audited[0]).read_text(encoding="utf-8")
    assert "may have been trained on them" in page and "it was not trained further" in page
    assert "trained without it" not in page and "network was trained on these photographs" not in page


def _pixels(folder, images) -> torch.Tensor:
    config, dataset = parse_config(read_json(folder.record)["config"]), load_dataset(folder)
    return CPU.normalise(np.stack([read_pixels(dataset, int(image), config) for image in images]))
