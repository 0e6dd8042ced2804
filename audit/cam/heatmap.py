"""Renderings of maps: heat laid over an image, and gradients by the pixel in relief."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Inferno (Smith & van der Walt, matplotlib) from its middle up: the dark half would look like shadow on a photograph.
_INFERNO = ((101, 21, 110), (159, 42, 99), (212, 72, 66), (245, 125, 21), (250, 193, 39), (252, 255, 164))
_LEVELS = 256


def heat_colours(levels: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """RGB colours (levels, 3) and opacities (levels,), uint8, from no attention, transparent, to the strongest."""
    steps = np.linspace(0, 1, levels)
    anchors = np.linspace(0, 1, len(_INFERNO))
    colours = np.stack([np.interp(steps, anchors, channel) for channel in np.array(_INFERNO).T], axis=1)
    opacities = 0.82 * np.clip((steps - 0.06) / 0.5, 0, 1) ** 0.9
    return colours.round().astype(np.uint8), (opacities * 255).round().astype(np.uint8)


def lay_heat(photo: Image.Image, saliency: NDArray[np.floating]) -> Image.Image:
    """An image overlaid with a signed map (h, w) as heat: the maximum is brightest, transparent where it is <= 0.

    The map may have any unit and grid; it is scaled to its maximum and enlarged. Returns RGB of the image's size.
    """
    positive = np.maximum(saliency, 0).astype(np.float32)
    smooth = np.asarray(Image.fromarray(positive / (positive.max() or 1)).resize(photo.size, Image.Resampling.BICUBIC))
    levels = np.rint(np.clip(smooth, 0, 1) * (_LEVELS - 1)).astype(np.intp)
    colours, opacities = heat_colours(_LEVELS)
    heat = Image.fromarray(np.dstack([colours[levels], opacities[levels]]))
    return Image.alpha_composite(photo.convert("RGBA"), heat).convert("RGB")


def relief(gradient: NDArray[np.floating]) -> Image.Image:
    """A gradient by the pixels (H, W, 3) on grey: lighter where it is positive, darker where it is negative.

    The strongest 0.5 % of the values are saturated, so that a single pixel does not leave all else grey. Returns RGB
    (H, W); the gradient may have any unit.
    """
    scale = float(np.quantile(np.abs(gradient), 0.995)) or float(np.abs(gradient).max()) or 1.0
    return Image.fromarray(np.rint(127.5 + 127.5 * np.clip(gradient / scale, -1, 1)).astype(np.uint8))
