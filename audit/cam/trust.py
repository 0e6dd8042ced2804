"""Trust (Grad-CAM paper, section 5.2): how much of two models' attention lies on the object, compared."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.cam.regions import cover, mass_on
from audit.measures.intervals import cluster_bootstrap_totals, percentile_interval
from audit.measures.measure import Random

Maps = NDArray[np.floating]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class TrustComparison:
    """Mean share of each model's attention on the object, 0 to 1, over the same ``n`` images.

    ``difference`` is first minus second, ``low`` and ``high`` its 95 % interval; NaN where ``n`` is 0.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    n: int


def compare_trust(
    first: Maps, second: Maps, objects: Bools, agreed: Bools, rng: Random, resamples: int = 1000
) -> TrustComparison:
    """Compare two models on images that both name rightly, so that only their reasons differ.

    The paper asked people which model seemed more reasonable and they chose the more accurate one; here the share of
    each map's positive mass on the object stands for their judgement. ``first`` (N, h, w) and ``second`` (N, h', w')
    are signed maps of the true class, ``objects`` boolean (N, H, W), ``agreed`` (N,) marks the images that both
    models name rightly. Images with an empty map are left out. The interval is a paired bootstrap over images.
    """
    shares = np.stack([_on_object(maps, objects) for maps in (first, second)], axis=1)
    shares = shares[agreed & np.isfinite(shares).all(1)]
    n = len(shares)
    if not n:
        return TrustComparison(math.nan, math.nan, math.nan, math.nan, math.nan, 0)
    differences = shares[:, :1] - shares[:, 1:]
    means = cluster_bootstrap_totals(differences, np.arange(n), resamples, rng)[:, 0] / n
    low, high = percentile_interval(means, units=n)
    a, b = (float(mean) for mean in shares.mean(0))
    return TrustComparison(a, b, a - b, low, high, n)


def _on_object(maps: Maps, objects: Bools) -> NDArray[np.float64]:
    return mass_on(maps, cover(objects[:, None], maps.shape[1:]))[:, 0]
