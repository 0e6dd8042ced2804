"""Descriptors of the pixels under a mask: colours, edges, sharpness, and nothing of what lies beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.integer | np.floating]

_COLOURS = 4
_ANGLES = 8
_OCTAVES = 4
# Pixels on a block's side; at the coarsest octave a block is one pixel.
_BLOCK = 2 ** (_OCTAVES - 1)
# Of a block, else it is left out.
_LEAST_SEEN = 0.25
_QUANTILES = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
# About the error of rounding to whole grey levels: finer detail than that says nothing.
_ROUNDING = 0.25
DIMENSIONS = 6 + _COLOURS**3 + _ANGLES + 1 + _OCTAVES + (_OCTAVES - 1) * len(_QUANTILES)


@dataclass(frozen=True)
class Surface:
    """What the pixels of a picture say that no area changes: worked out once, for areas to be described from.

    ``lab`` uint8 (S, S, 3); ``codes`` of 64 colours, uint8 (S, S); ``strength`` and ``angles`` (one of 8) of gradients,
    float32 and uint8 (S, S); ``details``: the size of the Laplacian at each octave, float32, a side of whole blocks.
    """

    lab: NDArray[np.uint8]
    codes: NDArray[np.uint8]
    strength: NDArray[np.float32]
    angles: NDArray[np.uint8]
    details: tuple[Plane, ...]

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> Self:
        """For uint8 RGB pixels (S, S, 3)."""
        levels = pixels // (256 // _COLOURS)
        codes = (levels[..., 0] * _COLOURS + levels[..., 1]) * _COLOURS + levels[..., 2]
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
        across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
        angles = (np.arctan2(down, across) % np.pi / np.pi * _ANGLES).astype(np.uint8) % _ANGLES
        lab = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB), np.uint8)
        return cls(lab, codes, np.hypot(across, down), angles, tuple(_details(grey)))

    def texture(self, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Descriptor (DIMENSIONS,) of the pixels under a mask on any grid; zeros where it covers too little.

        Mean and spread of the Lab channels, a histogram of 4 x 4 x 4 colours, the gradients' shares by angle and their
        mean, and how sharp it is. The mask is shrunk by a cell first, so that the outline of what it leaves out does
        not enter; one so thin that nothing would remain, as that of a line of text, is taken whole. A deep layer's
        activations would not do: each sees a good part of the picture around it.
        """
        whole, side = mask.astype(np.uint8), len(self.lab)
        shrunk = cv2.erode(whole, np.ones((3, 3), np.uint8), borderValue=1)
        inside = cv2.resize(shrunk if shrunk.any() else whole, (side, side), interpolation=cv2.INTER_NEAREST)
        if inside.sum() < _ANGLES**2:
            return np.zeros(DIMENSIONS, np.float32)
        mean, spread = (values[:, 0] for values in cv2.meanStdDev(self.lab, mask=inside))
        there = inside.astype(bool)
        parts = [mean, spread, self._colours(there), self._edges(there), _sharpness(self.details, inside)]
        return np.concatenate(parts).astype(np.float32)

    def _colours(self, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
        counts = np.bincount(self.codes[inside], minlength=_COLOURS**3)
        roots: NDArray[np.float64] = np.sqrt(counts / counts.sum())
        return roots

    def _edges(self, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
        strength = self.strength[inside]
        shares = np.bincount(self.angles[inside], strength, _ANGLES) / max(float(strength.sum()), 1e-6)
        return np.append(shares, np.log1p(strength.mean()))


def _details(grey: NDArray[np.float32]) -> Iterator[Plane]:
    """The size of the Laplacian / 4 at each octave, the next one half as large."""
    side = len(grey) // _BLOCK * _BLOCK
    low: Plane = grey[:side, :side]
    for octave in range(_OCTAVES):
        if octave:
            low = _shrunk(low, len(low) // 2)
        yield np.abs(cv2.Laplacian(low, cv2.CV_32F)) / 4


def _sharpness(details: Sequence[Plane], inside: Plane) -> NDArray[np.float64]:
    """Detail of four octaves, and how it changes from each to the next coarser one, (4 + 3 x 5,).

    log(L + 1/4), with L the mean of ``details`` over a block of 8 x 8 pixels: its mean over the blocks for every
    octave, then the quantiles over the blocks of its difference between neighbouring octaves. Contrast drops out of the
    difference, so that a sharp plain wall and a blurred ward differ, and quantiles show a blurred part beside a sharp
    one. Log energies of octaves are those of Vu & Chandler (IEEE Signal Processing Letters 19, 2012), their slope in
    blocks that of S3 (Vu, Phan & Chandler, IEEE Transactions on Image Processing 21, 2012). A Laplacian is blind to
    even gradients, which no blur removes. Zeros for octaves at which the area is too thin.
    """
    side = len(details[0])
    whole: Plane = inside[:side, :side].astype(np.float32)
    octaves = []
    for detail in details:
        if len(detail) < len(whole):
            # A pixel of the next octave counts if all four that it is the mean of do.
            whole = np.floor(_shrunk(whole, len(detail)))
        octaves.append(_by_block(detail, whole, side // _BLOCK))
    means = [log[seen].mean() if seen.any() else 0.0 for log, seen in octaves]
    changes = np.zeros((_OCTAVES - 1, len(_QUANTILES)))
    for row, ((fine, seen), (coarse, also)) in zip(changes, pairwise(octaves), strict=True):
        if (both := seen & also).any():
            ordered = np.sort((fine - coarse)[both])
            row[:] = ordered[((len(ordered) - 1) * _QUANTILES).round().astype(np.int64)]
    return np.append(means, changes)


def _by_block(detail: Plane, whole: Plane, blocks: int) -> tuple[Plane, NDArray[np.bool_]]:
    """log(L + 1/4) of every block, and whether enough of it is seen: where a Laplacian has no pixel from outside."""
    alone = cv2.erode(whole, np.ones((3, 3), np.uint8), borderValue=1)
    share, size = _shrunk(alone, blocks), _shrunk(detail * alone, blocks)
    return np.log(size / np.maximum(share, _LEAST_SEEN) + _ROUNDING), share >= _LEAST_SEEN


def _shrunk(plane: Plane, side: int) -> Plane:
    return cv2.resize(plane, (side, side), interpolation=cv2.INTER_AREA)
