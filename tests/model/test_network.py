"""The classifier's parts: the split into trunk and tail loses nothing, and the heads compute what they say."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import vgg16

from audit.config import Config, parse_config
from audit.errors import ConfigError
from audit.model import network
from audit.model.device import Runtime
from audit.model.network import FcHead, GapHead, load_backbone

CPU = Runtime(torch.device("cpu"), "float32")


@pytest.fixture(scope="module")
def reference() -> nn.Sequential:
    """torchvision's own convolutions with random weights that float16 holds exactly."""
    torch.manual_seed(0)
    layers = vgg16(weights=None, init_weights=False).features[:30].eval().requires_grad_(False)
    for parameter in layers.parameters():
        parameter.copy_(parameter.half().float())
    return layers


@pytest.fixture(scope="module")
def weights(reference, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "vgg16.safetensors"
    save_file({f"features.{key}": value.half() for key, value in reference.state_dict().items()}, path)
    return path


def settings(**model: object) -> Config:
    return parse_config({"model": model})


@pytest.mark.parametrize(("fine_tune", "in_trunk"), [("head", 30), ("conv5", 24), ("all", 0)])
def test_trunk_and_tail_are_torchvision_s_vgg16(fine_tune, in_trunk, reference, weights):
    backbone = load_backbone(settings(weights=str(weights), fine_tune=fine_tune))
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = backbone.tail(backbone.trunk(pixels))
        torch.testing.assert_close(ours, reference(pixels), rtol=1e-4, atol=1e-6)
    assert (len(backbone.trunk), len(backbone.tail), backbone.channels) == (in_trunk, 30 - in_trunk, 512)
    assert ours.shape == (2, 512, 4, 4)


def test_the_origin_names_the_file_and_its_checksum(weights):
    origin = load_backbone(settings(weights=str(weights))).origin
    assert "vgg16.safetensors" in origin.sentence and len(origin.sha256) == 64


def test_conv5_1_is_the_first_trained_layer(weights):
    backbone = load_backbone(settings(weights=str(weights), fine_tune="conv5"))
    assert [type(layer).__name__ for layer in backbone.tail] == ["Conv2d", "ReLU"] * 3


@pytest.mark.parametrize(("fine_tune", "in_trunk"), [("head", 8), ("conv5", 6), ("all", 0)])
def test_the_tiny_network_is_the_same_however_it_is_split(fine_tune, in_trunk):
    backbone = load_backbone(settings(arch="tiny", fine_tune=fine_tune))
    whole = load_backbone(settings(arch="tiny", fine_tune="head")).trunk
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(backbone.tail(backbone.trunk(pixels)), whole(pixels))
    assert len(backbone.trunk) == in_trunk
    assert whole(pixels).shape == (2, backbone.channels, 16, 16)


def test_the_tiny_network_depends_on_the_seed_alone():
    first, again, other = (
        load_backbone(parse_config({"model": {"arch": "tiny"}, "seed": seed})).tail[0].weight for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_gap_head_equals_its_formula_in_float64():
    torch.manual_seed(0)
    head = GapHead(5, 3)
    nn.init.normal_(head.linear.weight)
    nn.init.normal_(head.linear.bias)
    pooled, activations = torch.rand(20, 5) * 9, torch.rand(4, 5, 3, 2)
    head.standardise(pooled)
    p, a, w, b = (t.detach().double().numpy() for t in (pooled, activations, head.linear.weight, head.linear.bias))
    expected = (a.mean((2, 3)) - p.mean(0)) / p.std(0, ddof=1) @ w.T + b
    np.testing.assert_allclose(head(activations).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_a_channel_that_never_varies_stays_finite():
    head = GapHead(2, 3)
    head.standardise(torch.tensor([[4.0, 1.0], [4.0, 2.0]]))
    assert head.std[0] == pytest.approx(1e-3)
    assert torch.isfinite(head(torch.rand(1, 2, 2, 2))).all()


def test_a_new_gap_head_has_no_opinion():
    assert torch.equal(GapHead(4, 3)(torch.rand(2, 4, 5, 5)), torch.zeros(2, 3))


def test_networks_share_the_frozen_trunk_and_copy_the_tail():
    backbone = load_backbone(settings(arch="tiny", fine_tune="conv5"))
    first, second = (backbone.network("gap", 2, CPU) for _ in range(2))
    assert first.trunk is second.trunk
    first.tail[0].weight.data.zero_()
    assert second.tail[0].weight.abs().sum() > 0 and backbone.tail[0].weight.abs().sum() > 0
    assert not any(p.requires_grad for p in [*first.trunk.parameters(), *backbone.tail.parameters()])
    assert all(p.requires_grad for p in [*first.tail.parameters(), *first.head.parameters()])


def test_trained_state_goes_into_a_fresh_network():
    config = settings(arch="tiny", fine_tune="conv5")
    backbone = load_backbone(config)
    first, second = (backbone.network(config.model.head, 2, CPU).eval() for _ in range(2))
    for parameter in [*first.tail.parameters(), *first.head.parameters()]:
        nn.init.normal_(parameter)
    first.head.standardise(torch.rand(9, backbone.channels))
    state = first.trained_state()
    assert not any(key.startswith("trunk.") for key in state)
    second.load_trained_state(state)
    pixels = torch.randn(1, 3, 64, 64)
    assert torch.equal(first(pixels), second(pixels))


def test_no_relu_overwrites_what_was_handed_out():
    backbone = load_backbone(settings(arch="tiny", fine_tune="conv5"))
    assert not any(m.inplace for part in (backbone.trunk, backbone.tail) for m in part if isinstance(m, nn.ReLU))


def test_an_fc_head_without_fully_connected_weights_is_refused(weights):
    config = settings(weights=str(weights), head="fc")
    with pytest.raises(ConfigError, match="--full-vgg"):
        load_backbone(config).network(config.model.head, 2, CPU)


@pytest.fixture
def small_classifier(monkeypatch) -> nn.Sequential:
    """An fc6 and fc7 of VGG-16's form at a hundredth of their size."""
    torch.manual_seed(0)
    layers = [nn.Linear(2 * 49, 6), nn.ReLU(True), nn.Dropout(), nn.Linear(6, 4096), nn.ReLU(True), nn.Dropout()]
    classifier = nn.Sequential(*layers, nn.Linear(4096, 1000))
    standin = type("Vgg", (), {"classifier": classifier})
    monkeypatch.setattr(network, "vgg16", lambda **_: standin)
    return classifier


def test_fc_head_is_pool5_fc6_fc7_and_a_new_fc8(small_classifier):
    classifier = {key: torch.randn_like(value) for key, value in small_classifier.state_dict().items()}
    head = FcHead(classifier, 3).eval()
    activations = torch.rand(2, 2, 14, 14)
    pooled = activations.double().numpy().reshape(2, 2, 7, 2, 7, 2).max((3, 5)).reshape(2, -1)
    w = {key: value.double().numpy() for key, value in classifier.items()}
    fc6 = np.maximum(pooled @ w["0.weight"].T + w["0.bias"], 0)
    fc7 = np.maximum(fc6 @ w["3.weight"].T + w["3.bias"], 0)
    fc8 = fc7 @ head.fc8.weight.detach().double().numpy().T
    np.testing.assert_allclose(head(activations).detach().numpy(), fc8, rtol=1e-4, atol=1e-4)


def test_an_fc_head_takes_fc6_and_fc7_of_a_file_that_ends_otherwise(small_classifier):
    """Fine-tuned files often replace fc8 by several layers."""
    state = {key: value for key, value in small_classifier.state_dict().items() if key[0] != "6"}
    FcHead({**state, "6.weight": torch.zeros(9, 4096), "9.weight": torch.zeros(2, 9), "60.bias": torch.zeros(2)}, 2)
