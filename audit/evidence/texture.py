"""What the pixels of an area look like: colours and edges, and nothing of what lies beside it."""

import cv2
import numpy as np
from numpy.typing import NDArray

_COLOURS = 4
_ANGLES = 8
DIMENSIONS = 6 + _COLOURS**3 + _ANGLES + 1


def texture(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Descriptor (DIMENSIONS,) of the pixels (S, S, 3) under a mask on any grid; zeros where it covers too little.

    Mean and spread of the Lab channels, a histogram of 4 x 4 x 4 colours, the gradients' shares by angle and their
    mean. The mask is shrunk by a cell first, so that the outline of what it leaves out does not enter; one so thin that
    nothing would remain, as that of a line of text, is taken whole. A deep layer's activations would not do: each sees
    a good part of the picture around it.
    """
    side = len(pixels)
    whole = mask.astype(np.uint8)
    shrunk = cv2.erode(whole, np.ones((3, 3), np.uint8), borderValue=1)
    inside = cv2.resize(shrunk if shrunk.any() else whole, (side, side), interpolation=cv2.INTER_NEAREST).astype(bool)
    if inside.sum() < _ANGLES**2:
        return np.zeros(DIMENSIONS, np.float32)
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[inside].astype(np.float32)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.concatenate([lab.mean(0), lab.std(0), _colours(pixels[inside]), _edges(grey, inside)]).astype(np.float32)


def _colours(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    levels = (rgb.astype(np.int64) * _COLOURS) // 256
    codes = (levels[:, 0] * _COLOURS + levels[:, 1]) * _COLOURS + levels[:, 2]
    return np.sqrt(np.bincount(codes, minlength=_COLOURS**3) / len(codes))


def _edges(grey: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0)[inside], cv2.Sobel(grey, cv2.CV_32F, 0, 1)[inside]
    strength = np.hypot(across, down)
    angles = (np.arctan2(down, across) % np.pi / np.pi * _ANGLES).astype(np.int64) % _ANGLES
    shares = np.bincount(angles, strength, _ANGLES) / max(float(strength.sum()), 1e-6)
    return np.append(shares, np.log1p(strength.mean()))
