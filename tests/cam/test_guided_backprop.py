"""Guided Backpropagation and Guided Grad-CAM against captum and a closed form, and what they must leave untouched."""

import pytest
import torch
from captum.attr import GuidedBackprop, GuidedGradCam
from torch import nn
from torchvision.models import densenet121, resnet18, vgg16

from audit.cam.gradcam import GradCAM
from audit.cam.guided_backprop import guided_backprop, guided_grad_cam

CLASSES = torch.tensor([[1, 4], [0, 4]])


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(True), nn.Conv2d(4, 5, 3), nn.ReLU(True), nn.Flatten(), nn.Linear(5 * 60 * 60, 5)
    )


def relative_error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs.detach()).abs().max() / theirs.detach().abs().max())


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU", "ignore:Input Tensor 0 did not already require")
@pytest.mark.parametrize(("build", "layer"), [(vgg16, "features.29"), (resnet18, "layer4"), (densenet121, "features")])
def test_equals_captum_on_real_architectures(build, layer, pictures):
    torch.manual_seed(0)
    model = build(weights=None, num_classes=5).eval()
    theirs_fine, theirs_guided = GuidedBackprop(model), GuidedGradCam(model, model.get_submodule(layer))
    fine, guided = guided_backprop(model, pictures, CLASSES), guided_grad_cam(GradCAM(model, layer), pictures, CLASSES)
    assert guided.abs().max() > 0
    for k, column in enumerate(CLASSES.T):
        assert relative_error(fine[:, k], theirs_fine.attribute(pictures, target=column)) <= 1e-5
        expected = theirs_guided.attribute(pictures, target=column, interpolate_mode="bilinear")
        assert relative_error(guided[:, k], expected) <= 1e-5


def test_equals_its_closed_form_on_one_hidden_layer():
    """With one ReLU: the gradient is W1^T [active and w2 > 0] w2."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 2))
    picture = torch.randn(1, 3, 2, 2)
    active = (model[1](picture.flatten(1)) > 0)[0]
    by_hand = model[1].weight.T @ (model[3].weight[1].clamp(min=0) * active)
    gradient = guided_backprop(model, picture, torch.tensor([1]))
    torch.testing.assert_close(gradient.flatten(), by_hand.detach())


def test_a_batch_equals_its_images_one_by_one(small_net, pictures):
    batch = guided_grad_cam(GradCAM(small_net, "2"), pictures, CLASSES)
    single = [guided_grad_cam(GradCAM(small_net, "2"), pictures[i : i + 1], CLASSES[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(batch, torch.cat(single), rtol=1e-5, atol=1e-7)


def test_an_inplace_relu_changes_nothing(small_net, pictures):
    inplace = guided_backprop(small_net, pictures, CLASSES)
    small_net[1].inplace = small_net[3].inplace = False
    assert torch.equal(inplace, guided_backprop(small_net, pictures, CLASSES))
    assert inplace.shape == (2, 2, 3, 64, 64)


def test_the_first_of_several_inputs_is_explained():
    class Scaled(nn.Module):
        def forward(self, pictures, factor, shift):
            return (pictures.sum((1, 2, 3)) * factor + shift)[:, None]

    gradients = guided_backprop(Scaled(), (torch.ones(2, 3, 2, 2), torch.tensor([2.0, 5.0]), 1), torch.tensor([0, 0]))
    assert gradients[0].eq(2).all() and gradients[1].eq(5).all()


def test_a_relu_that_no_gradient_reaches_is_no_obstacle():
    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, pictures, words):
            return pictures.mean((2, 3)) * self.relu(words)

    gradients = guided_backprop(
        Beside(), (torch.ones(1, 3, 2, 2), torch.tensor([[4.0, -4.0, 4.0]])), torch.tensor([[0, 1]])
    )
    assert gradients.flatten(2).sum(2).tolist() == [[4, 0]]


def test_leaves_everything_as_it_was_even_after_an_exception(small_net, pictures):
    small_net.train()
    before = pictures.clone()
    with torch.no_grad():
        guided_backprop(nn.Sequential(nn.ReLU(True), small_net), pictures, CLASSES)
        assert not torch.is_grad_enabled()
    with pytest.raises(RuntimeError):
        guided_backprop(small_net, pictures[:, :, :9], CLASSES)
    assert torch.equal(pictures, before) and not pictures.requires_grad
    assert small_net.training and all(module.training for module in small_net)
    assert all(parameter.grad is None for parameter in small_net.parameters())
    assert not any(module._forward_hooks for module in small_net)
