"""The layer that is explained when none is named, for the families of networks that people use."""

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from audit.cam.gradcam import GradCAM, grad_cam
from audit.cam.target_layer import evaluating, last_spatial_layer
from audit.errors import ConfigError

PICTURES = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("arch", "layer", "channels"),
    [
        ("vgg16", "features.29", 512),
        ("vgg11_bn", "features.27", 512),
        ("alexnet", "features.11", 256),
        ("resnet18", "layer4", 512),
        ("resnet50", "layer4", 2048),
        ("resnext50_32x4d", "layer4", 2048),
        ("densenet121", "features", 1024),
        ("efficientnet_b0", "features", 1280),
        ("convnext_tiny", "features", 768),
        ("mobilenet_v2", "features", 1280),
        ("mobilenet_v3_small", "features", 576),
        ("googlenet", "inception5b", 1024),
        ("swin_t", "permute", 768),
    ],
)
def test_the_last_spatial_layer_of_torchvisions_networks(arch, layer, channels):
    options = {"init_weights": False} if arch in ("googlenet", "vgg16", "vgg11_bn") else {}
    model = models.get_model(arch, weights=None, **options)
    assert last_spatial_layer(model, (PICTURES,)) == layer
    with evaluating(model):
        outputs: list[Tensor] = []
        model.get_submodule(layer).register_forward_hook(lambda _m, _i, output: outputs.append(output))
        model(PICTURES)
    assert outputs[0].shape[1] == channels and outputs[0].shape[2] > 1


def test_a_vision_transformer_asks_for_a_layer():
    model = models.VisionTransformer(64, 16, 2, 2, 24, 48, num_classes=3)
    with pytest.raises(ConfigError, match="reshape function"):
        GradCAM(model)(PICTURES, torch.tensor([0]))


def test_a_vision_transformer_is_explained_by_its_tokens():
    torch.manual_seed(0)
    model = models.VisionTransformer(64, 16, 2, 2, 24, 48, num_classes=3)
    nn.init.normal_(model.heads.head.weight)

    def places(tokens: Tensor) -> Tensor:
        return tokens[:, 1:].transpose(1, 2).unflatten(2, (4, 4))

    layer = model.encoder.layers.encoder_layer_1.ln_1
    explanation = GradCAM(model, "encoder.layers.encoder_layer_1.ln_1", places)(PICTURES, torch.tensor([[0, 2]]))
    tokens: list[Tensor] = []
    layer.register_forward_hook(lambda _m, _i, output: tokens.append(output))
    model.eval()
    scores = model(PICTURES)
    for column, k in enumerate((0, 2)):
        (gradient,) = torch.autograd.grad(scores[0, k], tokens[0], retain_graph=True)
        alpha = gradient[0, 1:].mean(0)
        by_hand = (tokens[0][0, 1:] @ alpha).view(4, 4).detach()
        torch.testing.assert_close(explanation.maps[0, column], by_hand, rtol=1e-4, atol=1e-6)
    assert explanation.maps.abs().max() > 0


def test_tokens_without_a_reshape_function_are_refused():
    model = models.VisionTransformer(64, 16, 2, 2, 24, 48, num_classes=3)
    with pytest.raises(ConfigError, match="N, C, h, w"):
        GradCAM(model, "encoder")(PICTURES, torch.tensor([0]))


def test_a_network_without_places_is_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 2))
    with pytest.raises(ConfigError, match="name one"):
        GradCAM(model)(PICTURES, torch.tensor([0]))


def test_a_module_that_runs_twice_is_passed_over():
    shared = nn.ReLU()
    model = nn.Sequential(nn.Conv2d(3, 4, 3), shared, nn.Conv2d(4, 5, 3), shared)
    assert last_spatial_layer(model, (PICTURES,)) == "2"


def test_looking_for_the_layer_leaves_no_hook_even_after_an_exception():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(7, 7)).train()
    with pytest.raises(RuntimeError):
        last_spatial_layer(model, (PICTURES,))
    assert not any(module._forward_hooks for module in model.modules()) and model.training


def test_recurrent_layers_stay_differentiable_and_every_mode_comes_back():
    model = nn.ModuleDict(
        {"plain": nn.LSTM(2, 2), "dropping": nn.LSTM(2, 2, 2, dropout=0.5), "norm": nn.BatchNorm1d(2)}
    )
    model.train()
    model["norm"].eval()
    with evaluating(model):
        assert model["plain"].training
        assert not model["dropping"].training and not model["norm"].training
    assert [module.training for module in model.values()] == [True, True, False]


def test_grad_cam_reshapes_gradients_and_activations_alike():
    tokens = torch.randn(2, 5, 3, requires_grad=True)
    scores = tokens.square().sum((1, 2))[:, None]
    maps = grad_cam(tokens, scores, lambda x: x[:, 1:].transpose(1, 2).unflatten(2, (2, 2)))
    kept = tokens.detach()[:, 1:]
    by_hand = torch.einsum("nlc,nc->nl", kept, (2 * kept).mean(1)).view(2, 1, 2, 2)
    torch.testing.assert_close(maps, by_hand)
