"""Grad-CAM against captum, against CAM's closed form, and what it must leave untouched."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn
from torchvision.models import densenet121, resnet18, vgg16

from audit.cam.gradcam import GradCAM, counterfactual, enlarge, grad_cam
from audit.errors import ConfigError
from audit.model.network import GapHead


def small_net(inplace: bool, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(inplace),
        nn.Conv2d(8, 6, 3, padding=1),
        nn.ReLU(inplace),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(6 * 36, 5),
    )


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.randn(4, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def captum_maps(model: nn.Module, layer: nn.Module, inputs: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    attributor = LayerGradCam(model, layer)
    return torch.stack([attributor.attribute(inputs, target=column).squeeze(1) for column in classes.T], 1).detach()


def relative_error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("layer", ["0", "1", "2", "3"])
def test_equals_captum_on_a_small_net(layer, pictures):
    model, classes = small_net(inplace=False).eval(), torch.tensor([[0, 1], [2, 3], [4, 4], [1, 0]])
    ours = GradCAM(model, layer)(pictures, classes).maps
    assert relative_error(ours, captum_maps(model, model.get_submodule(layer), pictures, classes)) <= 1e-5


@pytest.mark.parametrize("layer", ["0", "2"])
def test_an_inplace_relu_behind_the_layer_changes_nothing(layer, pictures):
    classes = torch.arange(4)
    plain = GradCAM(small_net(inplace=False), layer)(pictures, classes)
    inplace = GradCAM(small_net(inplace=True), layer)(pictures, classes)
    assert torch.equal(plain.maps, inplace.maps)
    assert torch.equal(plain.activations, inplace.activations)
    assert (inplace.activations < 0).any()


@pytest.mark.parametrize(("build", "layer"), [(vgg16, "features.29"), (resnet18, "layer4"), (densenet121, "features")])
def test_equals_captum_on_real_architectures(build, layer):
    torch.manual_seed(0)
    model = build(weights=None, num_classes=7).eval()
    inputs, classes = torch.randn(2, 3, 64, 64), torch.tensor([[1, 6, 0], [5, 5, 2]])
    theirs = captum_maps(model, model.get_submodule(layer), inputs, classes)
    assert relative_error(GradCAM(model)(inputs, classes).maps, theirs) <= 1e-5
    channels_last = inputs.contiguous(memory_format=torch.channels_last)
    assert relative_error(GradCAM(model, layer)(channels_last, classes).maps, theirs) <= 1e-5


def test_bfloat16_agrees_with_float32():
    torch.manual_seed(0)
    model, inputs, classes = vgg16(weights=None, num_classes=7), torch.randn(4, 3, 64, 64), torch.arange(4)
    exact = GradCAM(model, "features.29")(inputs, classes).maps.flatten(1)
    with torch.autocast("cpu", torch.bfloat16):
        fast = GradCAM(model, "features.29")(inputs, classes).maps.flatten(1)
    assert fast.dtype == torch.float32
    assert (torch.cosine_similarity(exact, fast) >= 0.99).all()


def test_equals_cam_for_a_global_average_pool():
    """Paper, section 3.1: with a GAP head, Grad-CAM is CAM up to the constant 1/Z."""
    head = GapHead(5, 3)
    nn.init.normal_(head.linear.weight)
    head.standardise(torch.rand(20, 5))
    activations = torch.rand(2, 5, 4, 4, requires_grad=True)
    maps = grad_cam(activations, head(activations))
    weights = (head.linear.weight / head.std).detach().numpy().astype(np.float64)
    cam = np.einsum("kc,nchw->nkhw", weights, activations.detach().numpy().astype(np.float64)) / 16
    np.testing.assert_allclose(maps.numpy(), cam, rtol=1e-5, atol=1e-6)


def test_the_map_finds_the_place_of_the_evidence():
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    nn.init.ones_(model[0].weight)
    picture = torch.zeros(1, 1, 6, 6)
    picture[0, 0, 4, 1] = 3.0
    saliency = GradCAM(model, "1")(picture, torch.tensor([0])).maps[0, 0]
    assert int(saliency.argmax()) == 4 * 6 + 1
    assert float(saliency.sum()) == pytest.approx(3.0 / 36)


def test_a_batch_equals_its_images_one_by_one(pictures):
    cam, classes = GradCAM(small_net(inplace=True), "2"), torch.arange(4)
    single = [cam(pictures[i : i + 1], classes[i : i + 1]).maps for i in range(4)]
    torch.testing.assert_close(cam(pictures, classes).maps, torch.cat(single), rtol=1e-5, atol=1e-6)


def test_several_classes_at_once_equal_one_after_the_other(pictures):
    cam, classes = GradCAM(small_net(inplace=True), "0"), torch.tensor([[0, 1, 2, 2]] * 4)
    single = [cam(pictures, column).maps for column in classes.T]
    torch.testing.assert_close(cam(pictures, classes).maps, torch.cat(single, 1), rtol=1e-5, atol=1e-6)


def test_several_classes_work_where_gradients_cannot_be_batched(pictures, monkeypatch):
    model, classes = small_net(inplace=False), torch.tensor([[0, 1]] * 4)
    expected = GradCAM(model, "2")(pictures, classes).maps
    plain = torch.autograd.grad

    def refuse(*arguments, is_grads_batched, **named):
        if is_grads_batched:
            raise RuntimeError("no batching rule")
        return plain(*arguments, **named)

    monkeypatch.setattr(torch.autograd, "grad", refuse)
    torch.testing.assert_close(GradCAM(model, "2")(pictures, classes).maps, expected, rtol=1e-5, atol=1e-6)


def test_a_function_of_the_output_is_explained(pictures):
    model, classes = small_net(inplace=False), torch.tensor([[3, 0]] * 4)
    picked = GradCAM(model, "2")(pictures, lambda output: output[:, [3, 0]])
    by_class = GradCAM(model, "2")(pictures, classes)
    assert torch.equal(picked.maps, by_class.maps)
    assert torch.equal(picked.scores, by_class.output[:, [3, 0]])
    difference = GradCAM(model, "2")(pictures, lambda output: output[:, 3] - output[:, 0])
    torch.testing.assert_close(difference.maps[:, 0], by_class.maps[:, 0] - by_class.maps[:, 1], rtol=1e-4, atol=1e-6)


class Siamese(nn.Module):
    """Two inputs, a picture and a vector, and a dictionary for an output: how alike are they?"""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True))

    def forward(self, pictures, words):
        return {"similarity": torch.cosine_similarity(self.layers(pictures).mean((2, 3)), words)}


def test_models_of_several_inputs_and_any_output(pictures):
    model, words = Siamese(), torch.rand(4, 4)
    explanation = GradCAM(model)((pictures, words), lambda output: output["similarity"])
    activations = model.layers(pictures).detach().requires_grad_()
    similarity = torch.cosine_similarity(activations.mean((2, 3)), words)
    assert torch.equal(explanation.maps, grad_cam(activations, similarity[:, None]))
    assert explanation.maps.abs().max() > 0 and explanation.maps.shape == (4, 1, 12, 12)


def test_counterfactual_maps_are_those_of_the_negated_score():
    """Paper, section 3.3, derived here by negating the score instead of the map."""
    activations = torch.randn(2, 3, 4, 4, requires_grad=True)
    scores = (activations.sin().sum((2, 3)) @ torch.randn(3, 2)).tanh()
    against = grad_cam(activations, -scores).clamp(min=0)
    torch.testing.assert_close(counterfactual(grad_cam(activations, scores)), against)
    assert against.max() > 0


def test_enlarged_maps_keep_constants_and_places():
    assert torch.allclose(enlarge(torch.full((1, 2, 3, 3), 7.0), (10, 8)), torch.full((1, 2, 10, 8), 7.0))
    spot = torch.zeros(1, 1, 4, 4)
    spot[0, 0, 1, 2] = 1.0
    assert divmod(int(enlarge(spot, (44, 44)).argmax()), 44) == (16, 27)


def test_leaves_the_model_the_input_and_autograd_as_they_were(pictures):
    model = small_net(inplace=True).train()
    model[2].eval()
    modes = [module.training for module in model.modules()]
    before = pictures.clone()
    GradCAM(model, "2")(pictures, torch.arange(4))
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model[2]._forward_hooks
    assert torch.equal(pictures, before)
    assert torch.is_grad_enabled()


def test_cleans_up_after_an_exception(pictures):
    model = small_net(inplace=True).train()
    with pytest.raises(RuntimeError):
        GradCAM(model, "2")(pictures[:, :, :5, :5], torch.arange(4))
    assert model.training
    assert not model[2]._forward_hooks
    assert torch.is_grad_enabled()


def test_works_in_place_on_copies_of_the_pictures_only(pictures):
    model, before = nn.Sequential(nn.ReLU(inplace=True), *small_net(inplace=True)), pictures.clone()
    GradCAM(model, "3")(pictures, torch.arange(4))
    assert torch.equal(pictures, before)


def test_the_callers_gradients_and_modes_do_not_matter(pictures):
    model, classes = small_net(inplace=True), torch.arange(4)
    expected = GradCAM(model, "2")(pictures, classes).maps
    with torch.inference_mode():
        assert torch.equal(GradCAM(model, "2")(pictures.clone(), classes).maps, expected)
    wanting = pictures.clone().requires_grad_()
    assert torch.equal(GradCAM(model.requires_grad_(False), "2")(wanting, classes).maps, expected)
    assert wanting.grad is None


def test_says_which_layer_is_missing_or_has_no_place():
    with pytest.raises(ConfigError, match="no layer 'nowhere'"):
        GradCAM(small_net(inplace=False), "nowhere")
    with pytest.raises(ConfigError, match="N, C, h, w"):
        GradCAM(small_net(inplace=False), "5")(torch.randn(1, 3, 12, 12), torch.tensor([0]))


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (torch.arange(3), "each of 4 images"),
        (torch.tensor([0, 1, 2, 5]), "classes 0 to 4"),
        (lambda output: output.sum(), r"scores \(N,\)"),
        (lambda output: output[:2, 0], "for the 4 images"),
        (lambda output: torch.ones(4), "does not depend"),
    ],
)
def test_says_what_is_wrong_with_a_target(target, reason, pictures):
    with pytest.raises(ConfigError, match=reason):
        GradCAM(small_net(inplace=False), "2")(pictures, target)


def test_says_that_classes_need_an_output_of_classes(pictures):
    with pytest.raises(ConfigError, match="a function of it"):
        GradCAM(Siamese(), "layers")((pictures, torch.rand(4, 4)), torch.arange(4))
