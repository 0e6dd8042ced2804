"""An attribute that means nothing must not be flagged, though nine of ten photographs are of one class.

A published check of spurious correlations flags it there: naming the larger class is right in 90 % of cases, whatever
the attribute says.
"""

import numpy as np
import pytest

from audit.detectors.cue import Cue
from audit.findings.caveats import Measures
from audit.findings.severity import judge
from audit.measures.gap import gap
from audit.measures.intervals import wilson
from audit.measures.limits import Evidence
from audit.measures.permutation import benjamini_hochberg
from audit.measures.prevalence import prevalence

IMAGES, LARGER, SEEDS = 300, 0.9, 200
ATTRIBUTE = Cue("coin", "coin = heads", "attribute", "attribute")


def verdict(rng: np.random.Generator, share: float, in_class: np.ndarray, present: np.ndarray) -> str:
    """What an audit says of an attribute, the only one it has, for one class."""
    groups = np.arange(len(in_class))
    # As good as such models are: better on the larger class, and blind to the attribute.
    correct = rng.random(len(in_class)) < np.where(in_class == (share > 0.5), 0.95, 0.6)
    shown = prevalence(present, in_class, groups, rng)
    apart = gap(correct, in_class, present, groups, 0 * groups, rng)
    p = benjamini_hochberg([shown.p, apart.p])
    difference = Evidence(*(shown.extra[f"difference{end}"] for end in ("", "_low", "_high")), float(p[0]))
    measured = Evidence(apart.value, apart.low, apart.high, float(p[1]), apart.n, apart.extra.get("mistakes"))
    return judge(ATTRIBUTE, Measures(difference, gap=measured)).severity


@pytest.mark.parametrize("share", [LARGER, 1 - LARGER])
def test_a_noise_attribute_is_not_flagged_at_nine_to_one(share):
    severities = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        in_class = np.arange(IMAGES) < share * IMAGES
        severities.append(verdict(rng, share, in_class, present=rng.random(IMAGES) < 0.5))
    flagged = sum(severity in ("high", "medium") for severity in severities)
    low, high = wilson(flagged, SEEDS)
    assert high <= 0.03, f"{flagged} of {SEEDS} flagged, 95 % interval {low:.1%} to {high:.1%}"
    assert "high" not in severities


def test_a_real_attribute_is_flagged_there():
    flagged = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        in_class = np.arange(IMAGES) < LARGER * IMAGES
        present = rng.random(IMAGES) < np.where(in_class, 0.8, 0.2)
        flagged += verdict(rng, LARGER, in_class, present) in ("high", "medium")
    assert flagged >= 48
