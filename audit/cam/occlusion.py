"""Faithfulness (Grad-CAM paper, section 5.3): rank correlation of a map with the fall of the score under occlusion."""

from collections.abc import Callable

import torch
from scipy import stats
from torch import Tensor

Score = Callable[[Tensor], Tensor]


def occlusion_maps(score: Score, inputs: Tensor, window: int, stride: int, fill: float | Tensor) -> Tensor:
    """Occlusion maps: how much the score falls when a square of the image is occluded, for squares all over it.

    The squares are centred on the cells of a grid of ``stride`` pixels and cut off at the image's edges, so that with
    the stride of a layer (16 for VGG-16's conv5_3) the result lies on the same grid as that layer's Grad-CAM map.

    Parameters: ``score`` turns images (N, 3, H, W) into N numbers and is called once with the images as they are
    and once per square, always with all N in order, so it may hold a class per image. ``window`` is the side of the
    squares in pixels, ``fill`` what occludes them: a number, or anything that broadcasts to the images, such as a mean
    colour (3, 1, 1) or the images blurred. Returns float32 (N, ceil(H / stride), ceil(W / stride)), in units of
    score; positive where occlusion lowers it. ``inputs`` is not modified. Raises ValueError unless both are at least 1.

    >>> picture = torch.zeros(1, 1, 2, 3)
    >>> picture[0, 0, 1, 2] = 5
    >>> occlusion_maps(lambda x: x.sum((1, 2, 3)), picture, window=1, stride=1, fill=0).tolist()
    [[[0.0, 0.0, 0.0], [0.0, 0.0, 5.0]]]
    """
    if window < 1 or stride < 1:
        raise ValueError(f"window ({window}) and stride ({stride}) are in pixels and must be at least 1.")
    filling = torch.as_tensor(fill, dtype=inputs.dtype, device=inputs.device).expand_as(inputs)
    rows, columns = (_spans(side, window, stride) for side in inputs.shape[2:])
    with torch.no_grad():
        before = score(inputs)
        drops = [before - score(_occluded(inputs, filling, row, column)) for row in rows for column in columns]
    return torch.stack(drops, 1).float().view(len(inputs), len(rows), len(columns))


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's rank correlation of each pair of maps (N, h, w) on the same grid; equal values share their mean rank.

    Returns float64 (N,) in -1..1 on the CPU, NaN where one of the two maps is constant. The paper reports the mean over
    images: 0.254 for Grad-CAM and 0.261 for Guided Grad-CAM with VGG-16 on PASCAL VOC 2007. Raises ValueError for maps
    of different shapes.

    >>> rank_correlation(torch.tensor([[[1.0, 2, 3]]]), torch.tensor([[[10.0, 20, 5]]])).tolist()
    [-0.5]
    """
    if a.shape != b.shape:
        raise ValueError(f"The maps must lie on the same grid, and {tuple(a.shape)} is not {tuple(b.shape)}.")
    ranks = [torch.from_numpy(stats.rankdata(maps.detach().float().cpu().flatten(1), axis=1)) for maps in (a, b)]
    x, y = (rank - rank.mean(1, keepdim=True) for rank in ranks)
    return (x * y).sum(1) / (x.square().sum(1) * y.square().sum(1)).sqrt()


def _spans(side: int, window: int, stride: int) -> list[slice]:
    """Rows (or columns) of each square: ``window`` long around the middle of each step, within 0..side."""
    starts = [cell + (stride - window) // 2 for cell in range(0, side, stride)]
    return [slice(max(start, 0), min(start + window, side)) for start in starts]


def _occluded(inputs: Tensor, filling: Tensor, rows: slice, columns: slice) -> Tensor:
    occluded = inputs.clone()
    occluded[:, :, rows, columns] = filling[:, :, rows, columns]
    return occluded
