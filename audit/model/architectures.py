"""torchvision's networks in two parts: up to the last layer with spatial output, and what follows it."""

from collections.abc import Callable

import torch
from torch import nn
from torchvision import models

from audit.config import Arch

Parts = tuple[nn.Sequential, nn.Sequential]


def build(arch: Arch, classes: int) -> nn.Module:
    """A network of torchvision's without weights (on the meta device), in evaluation mode."""
    with torch.device("meta"):
        network: nn.Module = models.get_model(arch, weights=None, num_classes=classes)
    return network.eval()


def split(network: nn.Module) -> Parts:
    """The layers up to and with the one that ``last_spatial_layer`` names, and the rest; together, the network.

    The parts share the network's own modules. Nothing in them works in place, so that the activations between them can
    be kept. Raises KeyError for a network that is not of a family below.
    """
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False  # type: ignore[assignment]
    return _FAMILIES[type(network)](network)


def _vgg(network: models.VGG | models.AlexNet) -> Parts:
    features = network.features
    return features[:-1], nn.Sequential(features[-1], network.avgpool, nn.Flatten(), network.classifier)


def _resnet(network: models.ResNet) -> Parts:
    stem = (network.conv1, network.bn1, network.relu, network.maxpool)
    layers = (network.layer1, network.layer2, network.layer3, network.layer4)
    return nn.Sequential(*stem, *layers), nn.Sequential(network.avgpool, nn.Flatten(), network.fc)


def _densenet(network: models.DenseNet) -> Parts:
    return network.features, nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), network.classifier)


def _convnext(network: models.ConvNeXt) -> Parts:
    return network.features, nn.Sequential(network.avgpool, network.classifier)


def _pooled(network: models.EfficientNet | models.MobileNetV2 | models.MobileNetV3) -> Parts:
    return network.features, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), network.classifier)


_FAMILIES: dict[type[nn.Module], Callable[[nn.Module], Parts]] = {
    models.AlexNet: _vgg,
    models.VGG: _vgg,
    models.ResNet: _resnet,
    models.DenseNet: _densenet,
    models.ConvNeXt: _convnext,
    models.EfficientNet: _pooled,
    models.MobileNetV2: _pooled,
    models.MobileNetV3: _pooled,
}
