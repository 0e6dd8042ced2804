"""An incremental forward pass over the receptive field of a changed patch, exact and layer by layer.

A convolution looks at a small window, so a changed part of an image changes a part of what leaves the first layers,
and the rest is as the original left it. This is the incremental, exact half of Nakandala, Kumar & Papakonstantinou,
"Incremental and Approximate Inference for Faster Occlusion-based Deep CNN Explanations" (SIGMOD 2019).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

Trace = tuple[Tensor, ...]


class Span(NamedTuple):
    """Rows or columns of a grid from ``start`` to before ``stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Number of rows or columns."""
        return self.stop - self.start

    def common(self, other: "Span") -> "Span":
        """The intersection with another span; empty where they do not meet."""
        start = max(self.start, other.start)
        return Span(start, max(start, min(self.stop, other.stop)))

    def counted_from(self, start: int) -> slice:
        """As a slice of a grid that begins at ``start``."""
        return slice(self.start - start, self.stop - start)


# Rows and columns of a grid.
Box = tuple[Span, Span]
_FROM_0: Box = (Span(0, 0), Span(0, 0))


class Window(NamedTuple):
    """The receptive field of a cell of a layer's output in its input, along one axis, in cells."""

    kernel: int
    stride: int
    padding: int

    def outputs(self, span: Span, size: int) -> Span:
        """Which of an output's ``size`` cells have any of a span of the input in their receptive field."""
        start = max(0, (span.start + self.padding - self.kernel) // self.stride + 1)
        return Span(start, max(start, min(size, (span.stop - 1 + self.padding) // self.stride + 1)))

    def inputs(self, span: Span) -> Span:
        """The receptive field of a span of the output; the padding lies below 0 and above the input's length."""
        start = span.start * self.stride - self.padding
        return Span(start, start + (span.length - 1) * self.stride + self.kernel)


@dataclass(frozen=True)
class Leading:
    """The first layers of a network, through which a changed patch is followed by the receptive field."""

    layers: tuple[nn.Module, ...]

    @classmethod
    def of(cls, network: Iterable[nn.Module]) -> Self:
        """Convolutions, poolings and ReLUs up to the last pooling; behind it a change is soon everywhere."""
        layers = [*takewhile(_can_be_followed, network)]
        while layers and not isinstance(layers[-1], nn.MaxPool2d):
            layers.pop()
        return cls(tuple(layers))

    def trace(self, originals: Tensor) -> Trace:
        """The input of each layer, and the output of the last, for normalised images (N, 3, rows, columns).

        Of a ReLU it holds what leaves: what enters is not needed, and would be half of all that is kept.
        """
        trace = [originals]
        for layer in self.layers:
            trace.append(layer(trace[-1]))
            if isinstance(layer, nn.ReLU):
                trace[-2] = trace[-1]
        return tuple(trace)

    def follow(self, trace: Trace, images: Tensor, box: Box) -> Tensor:
        """Incremental forward pass: the last layer's output (N, C, h, w) for images that differ in a box alone.

        ``images`` (N, 3, rows, columns) are normalised and equal the originals of the ``trace`` outside the box.
        """
        part = images[_cells(box)]
        for layer, (original, behind) in zip(self.layers, pairwise(trace), strict=True):
            if not _area(box):
                break
            part, box = _through(layer, original, part, box, behind)
        output = trace[-1].clone()
        if _area(box):
            output[_cells(box)] = part
        return output


def _through(layer: nn.Module, original: Tensor, part: Tensor, box: Box, behind: Tensor) -> tuple[Tensor, Box]:
    """The changed part behind a layer, and where it lies there; ``original`` entered that layer, ``behind`` left it."""
    if isinstance(layer, nn.ReLU):
        return layer(part), box
    windows = _windows(layer)
    changed = windows[0].outputs(box[0], behind.shape[2]), windows[1].outputs(box[1], behind.shape[3])
    if not _area(changed):
        return part, changed
    rows, columns = (window.inputs(span) for window, span in zip(windows, changed, strict=True))
    inside = rows.common(Span(0, original.shape[2])), columns.common(Span(0, original.shape[3]))
    tile = original[_cells(inside)].clone()
    # The last cells of a grid may be seen by no window of the layer.
    common = box[0].common(inside[0]), box[1].common(inside[1])
    tile[_cells(common, inside)] = part[_cells(common, box)]
    beyond = inside[1].start - columns.start, columns.stop - inside[1].stop
    return _unpadded(layer, tile, (*beyond, inside[0].start - rows.start, rows.stop - inside[0].stop)), changed


def changed_box(originals: Tensor, images: Tensor) -> Box:
    """The smallest box outside of which images (N, C, h, w) equal their originals; it can be empty."""
    changed = (originals != images).any(dim=1).any(dim=0)
    rows, columns = (torch.nonzero(changed.any(dim=axis))[:, 0].tolist() or [0, -1] for axis in (1, 0))
    return Span(rows[0], rows[-1] + 1), Span(columns[0], columns[-1] + 1)


def _can_be_followed(layer: nn.Module) -> bool:
    """Whether it looks at a window around each place, leaving out none between them, and leaves its input as it is."""
    if isinstance(layer, nn.ReLU):
        return not layer.inplace
    if isinstance(layer, nn.Conv2d):
        plain = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    elif isinstance(layer, nn.MaxPool2d):
        plain = not layer.ceil_mode and not layer.return_indices
    else:
        return False
    return (
        plain and _pair(layer.dilation) == (1, 1) and all(window.stride <= window.kernel for window in _windows(layer))
    )


def _windows(layer: Any) -> tuple[Window, Window]:
    """Those of a convolution or a pooling, along rows and columns."""
    pairs = zip(*(_pair(value) for value in (layer.kernel_size, layer.stride, layer.padding)), strict=True)
    rows, columns = (Window(*values) for values in pairs)
    return rows, columns


def _pair(value: Any) -> tuple[int, int]:
    rows, columns = (value, value) if isinstance(value, int) else value
    return rows, columns


def _unpadded(layer: nn.Module, tile: Tensor, beyond: tuple[int, int, int, int]) -> Tensor:
    """The layer on a tile that is padded by ``beyond`` only: left, right, above and below."""
    if isinstance(layer, nn.Conv2d):
        padded = functional.pad(tile, beyond)
        return functional.conv2d(padded, layer.weight, layer.bias, layer.stride, groups=layer.groups)
    rows, columns = _windows(layer)
    padded = functional.pad(tile, beyond, value=-torch.inf)
    return functional.max_pool2d(padded, (rows.kernel, columns.kernel), (rows.stride, columns.stride))


def _cells(box: Box, frame: Box = _FROM_0) -> tuple[Any, ...]:
    """Index of a box into tensors (n, C, h, w) that begin where a frame does."""
    return (..., *(span.counted_from(start.start) for span, start in zip(box, frame, strict=True)))


def _area(box: Box) -> int:
    return box[0].length * box[1].length
