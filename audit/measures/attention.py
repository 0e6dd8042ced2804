"""Attention: lift of the map's mass on the cue over the cue's area."""

import numpy as np

from audit.measures.intervals import ratio_interval
from audit.measures.measure import Floats, Ints, Measure, Random, distinct, too_few, unmeasured


def attention(
    share: Floats, area: Floats, groups: Ints, rng: Random, resamples: int = 1000, min_images: int = 10
) -> Measure:
    """Lift: attention on the cue / attention that its size alone would draw; 1 = no more than chance, range >= 0.

    Estimator: mean(share) / mean(area), with ``share`` (n,) the share of the map's positive mass on the cue and
    ``area`` (n,) the share of the image that the cue covers. A ratio of means, since the mean of the ratios is ruled
    by the few images where the cue is tiny. Images with an empty map (NaN share) are left out. Interval: studentised
    bootstrap over duplicate ``groups`` (n,). There is no p: a lift of 1 is no natural null hypothesis for a network.

    ``extra``: ``share`` and ``area`` (means), ``empty`` (images left out). ``n`` counts the images used.
    """
    used = np.isfinite(share) & np.isfinite(area)
    n = int(used.sum())
    reason = too_few(distinct(groups[used]), min_images, "show the cue and have a map that is not empty")
    if reason:
        return unmeasured(reason, n)
    share, area, groups = share[used].astype(float), area[used].astype(float), groups[used]
    if not area.sum() > 0:
        return unmeasured("The cue covers no area in any image.", n)
    low, high = ratio_interval(share, area, groups, resamples, rng)
    extra = {"share": float(share.mean()), "area": float(area.mean()), "empty": len(used) - n}
    return Measure(float(share.sum() / area.sum()), max(0.0, low), high, n, extra=extra)
