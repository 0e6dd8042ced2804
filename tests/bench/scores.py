"""How a found mask is compared with the marked one, how simulated attention is named, and the intervals of both."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from audit.cam.regions import cover, find_regions, mass_on
from audit.config import AttentionConfig
from audit.detectors.cue import Mask
from audit.detectors.mask_grid import to_grid
from audit.explain.cluster_names import vote
from audit.measures.intervals import wilson

Floats = NDArray[np.floating]

MAP = 14
VOTERS = 15
# Attention's window has a standard deviation of so many cells of the map, and then bleeds by half a cell.
_NARROWEST, _WIDEST, _BLEEDING = 1.0, 2.5, 0.5
_RESAMPLES, _DRAWS = 400, 200


def iou(found: Mask, marked: Mask) -> float:
    """Intersection over union of two masks (h, w); 1 when both are empty.

    >>> iou(np.array([[True, True, False]]), np.array([[False, True, True]]))
    0.3333333333333333
    """
    union = int((found | marked).sum())
    return int((found & marked).sum()) / union if union else 1.0


def share_inside(found: Mask, marked: Mask) -> float:
    """Share of the found pixels that are marked (precision, by pixels); 0 when nothing is found."""
    return float(marked[found].mean()) if found.any() else 0.0


def attend(region: Mask, rng: np.random.Generator) -> NDArray[np.float64]:
    """A map (MAP, MAP) as Grad-CAM might give for a region (h, w): the cells around one of its pixels, as far as the
    region fills them, blurred by half a cell."""
    spots = np.argwhere(region)
    y, x = (spots[rng.integers(len(spots))] + 0.5) / region.shape * MAP
    rows, columns = np.mgrid[:MAP, :MAP] + 0.5
    spread = rng.uniform(_NARROWEST, _WIDEST)
    window = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * spread**2))
    blurred: NDArray[np.float64] = gaussian_filter(cover(region[None], (MAP, MAP))[0] * window, _BLEEDING)
    return blurred


def name_map(saliency: Floats, masks: Mapping[str, Mask]) -> str:
    """What an audit calls the heaviest region of a map, given the masks of the cues that were found; "" for nothing."""
    regions = find_regions(saliency, AttentionConfig())
    if not regions or not masks:
        return ""
    coverage = cover(np.stack([to_grid(mask) for mask in masks.values()]), saliency.shape)[None]
    areas = np.array([[mask.mean() for mask in masks.values()]])
    winner = int(vote(mass_on((saliency * regions[0].mask)[None], coverage), areas)[0])
    return list(masks)[winner] if winner >= 0 else ""


def share_of_votes_won(names: Sequence[str], right: Collection[str], rng: np.random.Generator) -> float:
    """How often the commonest name of VOTERS images, drawn with replacement, is a right one. Ties count as lost."""
    drawn = rng.integers(len(names), size=(_DRAWS, VOTERS))
    return float(np.mean([_winner([names[i] for i in row]) in right for row in drawn]))


def mean_interval(values: Floats) -> tuple[float, float]:
    """95 % interval of a mean: Wilson's where all values are 0 or 1, else by bootstrap over images."""
    if np.isin(values, (0, 1)).all():
        return wilson(float(values.sum()), len(values))
    draws = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(1), (0.025, 0.975))
    return float(low), float(high)


def votes_interval(names: Sequence[str], right: Collection[str]) -> tuple[float, float]:
    """95 % interval of ``share_of_votes_won``, by bootstrap over images."""
    rng, n = np.random.default_rng(0), len(names)
    samples = ([names[i] for i in rng.integers(n, size=n)] for _ in range(_RESAMPLES // 4))
    low, high = np.quantile([share_of_votes_won(sample, right, rng) for sample in samples], (0.025, 0.975))
    return float(low), float(high)


def _winner(names: Sequence[str]) -> str:
    first, *rest = Counter(names).most_common(2)
    return "" if rest and rest[0][1] == first[1] else first[0]
