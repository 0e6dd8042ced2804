"""Localisation by a map (Grad-CAM paper, section 4): boxes, segmentation seeds, pointing game; and section 5.1."""

from dataclasses import dataclass

import torch
from scipy import ndimage
from torch import Tensor
from torchvision.ops import box_iou

from audit.cam.gradcam import enlarge

Box = tuple[int, int, int, int]


def find_box(saliency: Tensor, size: tuple[int, int], threshold: float = 0.15) -> Box | None:
    """Box around the largest connected area of a map (section 4.1): x0, y0, x1, y1 in pixels, x1 and y1 just outside.

    The signed map (h, w) is enlarged to the image's ``size`` (height, width) and cut at ``threshold`` times its
    maximum; the box encloses the largest connected area, corners touching. None where no value is positive.

    >>> find_box(torch.tensor([[0.0, 0.0, 0.0, 9.0]]), (1, 4))
    (3, 0, 4, 1)
    """
    large = enlarge(saliency[None, None].float(), size)[0, 0]
    if large.max() <= 0:
        return None
    areas, _ = ndimage.label((large >= threshold * large.max()).cpu().numpy(), structure=[[1] * 3] * 3)
    sizes = torch.bincount(torch.from_numpy(areas).flatten())
    rows, columns = ndimage.find_objects(areas)[int(sizes[1:].argmax())]
    return int(columns.start), int(rows.start), int(columns.stop), int(rows.stop)


def box_overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes, 0 to 1.

    >>> box_overlap((0, 0, 2, 2), (1, 0, 3, 2))
    0.3333333333333333
    """
    ours, theirs = torch.tensor([[first], [second]], dtype=torch.float64)
    return float(box_iou(ours, theirs))


def segmentation_seed(maps: Tensor, size: tuple[int, int], threshold: float = 0.2) -> Tensor:
    """Seeds of a weakly supervised segmentation, a class or -1 per pixel (section 4.2): int64 (N, height, width).

    ``maps`` (N, K, h, w) are those of the K classes that an image is known to show. A pixel gets the class whose
    enlarged map reaches ``threshold`` of its own maximum there, and -1 where none does. Where several do, the class
    that claims the fewest pixels takes it, so that a small thing is not lost in front of a large one.
    """
    large = enlarge(maps.float(), size)
    peaks = large.amax((2, 3), keepdim=True)
    claimed = (large >= threshold * peaks) & (peaks > 0)
    area = claimed.sum((2, 3), keepdim=True).masked_fill(~claimed, size[0] * size[1] + 1)
    return area.argmin(1).masked_fill(~claimed.any(1), -1)


@dataclass(frozen=True)
class Pointing:
    """Result of the pointing game: how often the map's maximum was right, out of how many."""

    hits: int
    n: int

    @property
    def accuracy(self) -> float:
        """Hits by all trials; NaN where there were none."""
        return self.hits / self.n if self.n else float("nan")


def pointing_game(maps: Tensor, masks: Tensor, tolerance: int = 0, stop_below: float | None = None) -> Pointing:
    """Pointing game (section 4.3): how often the maximum of a map lies on the object.

    ``maps`` (N, K, h, w) signed; ``masks`` boolean (N, K, H, W), where each class's object is in each image, empty
    where the image does not show it; ``tolerance`` in pixels, sideways, up and down. A trial is a class that the
    image shows. With ``stop_below`` every class is one, as in the paper's variant that also measures recall: a map
    whose maximum is below that score says "not there", which is a hit where the class is absent and a miss otherwise.
    """
    large = enlarge(maps.float(), (masks.shape[2], masks.shape[3])).flatten(2)
    peaks, points = large.max(2)
    near_object = torch.nn.functional.max_pool2d(masks.float(), 2 * tolerance + 1, 1, tolerance).flatten(2) > 0
    on_object = near_object.gather(2, points[:, :, None])[:, :, 0]
    shown = masks.flatten(2).any(2)
    if stop_below is None:
        return Pointing(int((on_object & shown).sum()), int(shown.sum()))
    stopped = peaks < stop_below
    return Pointing(int(torch.where(shown, on_object & ~stopped, stopped).sum()), shown.numel())


def class_discrimination(first: Tensor, second: Tensor) -> Tensor:
    """Class discrimination of two classes' maps of the same images (section 5.1), measured without people.

    The share of the maps' positive mass that they do not share: with each map (N, h, w) rectified and scaled to sum 1,
    1 - sum_ij min(p_ij, q_ij). Returns float64 (N,): 0 for maps that light up the same, 1 for maps that nowhere
    overlap, NaN where a map has no positive value.

    >>> class_discrimination(torch.tensor([[[1.0, 1.0, -9.0]]]), torch.tensor([[[0.0, 2.0, 2.0]]])).tolist()
    [0.5]
    """
    masses = [maps.detach().double().clamp(min=0).flatten(1) for maps in (first, second)]
    p, q = (mass / mass.sum(1, keepdim=True) for mass in masses)
    return 1 - torch.minimum(p, q).sum(1)
