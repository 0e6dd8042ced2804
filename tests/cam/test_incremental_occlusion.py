"""Following a changed part through the first layers gives what running them on the whole picture gives."""

import pytest
import torch
from hypothesis import given, reject
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torchvision.models import resnet18, vgg16

from audit.cam.incremental_occlusion import Leading, Span, changed_box


@st.composite
def _layers(draw):
    """One to four layers of random kinds and windows; the last pools nothing, so that all of them lead."""
    layers, channels = [], 3
    for kind in draw(st.lists(st.sampled_from(["convolution", "relu", "pooling"]), min_size=1, max_size=4)):
        kernel, lower = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
        stride, padding = draw(st.tuples(st.integers(1, kernel), st.integers(0, kernel // 2)))
        if kind == "convolution":
            layers.append(nn.Conv2d(channels, 4, (kernel, lower), (stride, 1), (padding, 0)))
            channels = 4
        elif kind == "pooling":
            layers.append(nn.MaxPool2d(kernel, stride, padding))
        else:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers, nn.MaxPool2d(1)).eval()


@given(_layers(), st.data())
def test_what_follows_is_what_the_layers_make_of_the_whole_picture(layers, data):
    height, width = data.draw(st.tuples(st.integers(8, 20), st.integers(8, 20)))
    rows, columns = (sorted(data.draw(st.tuples(*[st.integers(0, side)] * 2))) for side in (height, width))
    originals = torch.randn(2, 3, height, width)
    pictures = originals.clone()
    pictures[:, :, slice(*rows), slice(*columns)] += 1
    leading = Leading.of(layers)
    assert len(leading.layers) == len(layers)
    with torch.no_grad():
        try:
            trace, whole = leading.trace(originals), layers(pictures)
        except RuntimeError:  # too small for so many layers
            reject()
        before = [entered.clone() for entered in trace]
        followed = leading.follow(trace, pictures, changed_box(originals, pictures))
    torch.testing.assert_close(followed, whole, rtol=1e-4, atol=1e-5)
    assert followed.shape == whole.shape
    assert all(map(torch.equal, trace, before))


def test_the_box_is_the_smallest_that_holds_every_change():
    originals = torch.zeros(2, 3, 6, 9)
    pictures = originals.clone()
    assert all(span.length == 0 for span in changed_box(originals, pictures))
    pictures[0, 1, 2, 7] = pictures[1, 2, 4, 3] = 1
    assert changed_box(originals, pictures) == (Span(2, 5), Span(3, 8))


def test_only_a_part_is_computed(monkeypatch):
    """A square of 8 of 64 pixels, seen by three convolutions of 3 x 3 and two poolings of 2: worked out by hand."""
    convolutions = [nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)]
    layers = (convolutions[0], nn.MaxPool2d(2), convolutions[1], convolutions[2], nn.MaxPool2d(2))
    originals = torch.randn(1, 3, 64, 64)
    pictures = originals.clone()
    pictures[:, :, 32:40, 32:40] = 0
    leading, sides, convolve = Leading.of(layers), [], functional.conv2d

    def seen(tile, *rest, **more):
        sides.append(tuple(tile.shape[2:]))
        return convolve(tile, *rest, **more)

    with torch.no_grad():
        trace = leading.trace(originals)
        monkeypatch.setattr(functional, "conv2d", seen)
        leading.follow(trace, pictures, changed_box(originals, pictures))
    # 10 + 2 pixels; pooled to 6, 8 + 2 cells; then 10 + 2.
    assert sides == [(12, 12), (10, 10), (12, 12)]


def test_vgg16_is_followed_up_to_its_fourth_pooling_and_a_resnet_not_past_what_it_normalises():
    layers = [nn.ReLU() if isinstance(layer, nn.ReLU) else layer for layer in vgg16(weights=None).features[:30]]
    leading = Leading.of(layers)
    with torch.no_grad():
        left = leading.trace(torch.zeros(1, 3, 224, 224))[-1]
    assert len(leading.layers) == 24 and left.shape[2:] == (14, 14)
    assert Leading.of(resnet18(weights=None).children()).layers == ()


@pytest.mark.parametrize(
    "layer",
    [
        nn.ReLU(inplace=True),
        nn.Conv2d(3, 3, 3, dilation=2),
        nn.Conv2d(3, 3, 3, padding="same"),
        nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(3, 3, 1, stride=2),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.MaxPool2d(2, return_indices=True),
        nn.BatchNorm2d(3),
        nn.AdaptiveAvgPool2d(1),
    ],
)
def test_what_cannot_be_followed_ends_the_leading_layers(layer):
    first = nn.MaxPool2d(2)
    assert Leading.of((first, layer, nn.MaxPool2d(2))).layers == (first,)
