"""Connected regions of a Grad-CAM map, and the share of its positive mass on masks."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn.functional import adaptive_avg_pool2d

from audit.config import AttentionConfig

_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Region:
    """One connected area of a map. ``mask`` is boolean (h, w); ``mass`` its share of the map's positive mass."""

    mask: NDArray[np.bool_]
    mass: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The smallest box around the mask, (x0, y0, x1, y1) as shares of width and height, 0..1."""
        height, width = self.mask.shape
        rows, columns = np.flatnonzero(self.mask.any(1)), np.flatnonzero(self.mask.any(0))
        x0, x1, y0, y1 = columns[0] / width, (columns[-1] + 1) / width, rows[0] / height, (rows[-1] + 1) / height
        return float(x0), float(y0), float(x1), float(y1)

    @property
    def area(self) -> float:
        """Share of the image that the mask covers, 0..1."""
        return float(self.mask.mean())


def find_regions(saliency: NDArray[np.floating], settings: AttentionConfig) -> list[Region]:
    """Regions of one signed map (h, w), heaviest first; an empty list when no value is positive.

    A region is an 8-connected area of values of at least ``threshold`` times the map's maximum. Those with less than
    ``min_region_mass`` of the positive mass are left out, and all but the ``max_regions`` heaviest.

    >>> [r.box for r in find_regions(np.array([[0.0, 0, 0], [0, 0, 8]]), AttentionConfig())]
    [(0.6666666666666666, 0.5, 1.0, 1.0)]
    """
    positive = np.maximum(saliency, 0).astype(np.float64)
    peak, total = positive.max(initial=0.0), positive.sum()
    if peak <= 0:
        return []
    labelled, count = ndimage.label(positive >= settings.threshold * peak, structure=_EIGHT_NEIGHBOURS)
    masks = [labelled == index for index in range(1, count + 1)]
    regions = [Region(mask, float(positive[mask].sum() / total)) for mask in masks]
    heavy = [region for region in regions if region.mass >= settings.min_region_mass]
    return sorted(heavy, key=lambda region: -region.mass)[: settings.max_regions]


def cover(masks: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Share of each cell of a grid (h, w) that masks (..., H, W) cover: float32 (..., h, w), 0..1."""
    height, width = shape
    flat = torch.from_numpy(masks.reshape(-1, 1, *masks.shape[-2:])).float()
    covered: NDArray[np.float32] = adaptive_avg_pool2d(flat, (height, width)).numpy().reshape(*masks.shape[:-2], *shape)
    return covered


def mass_on(maps: NDArray[np.floating], coverage: NDArray[np.floating]) -> NDArray[np.float64]:
    """Share of each map's positive mass that lies on each of K masks: (N, h, w), (N, K, h, w) -> (N, K).

    Maps are signed; ``coverage`` is the share of each cell that a mask covers, 0..1 (``cover``). A row is NaN where the
    map has no positive value.
    """
    positive = np.maximum(maps, 0).astype(np.float64)
    total = positive.sum((1, 2))
    total[total == 0] = np.nan
    shares: NDArray[np.float64] = np.einsum("nhw,nkhw->nk", positive, coverage) / total[:, None]
    return shares
