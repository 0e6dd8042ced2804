"""Limits of the measures: from which values on something is strong, weak, ruled out or unknown."""

from dataclasses import dataclass
from typing import Literal, get_args

Strength = Literal["strong", "weak", "none", "unknown"]
STRENGTHS: tuple[Strength, ...] = get_args(Strength)
ALPHA = 0.05


@dataclass(frozen=True)
class Limit:
    """The values from which on a measure is strong or weak, if its 95 % interval starts above ``floor``.

    What is neither is ruled out if its interval ends below ``ruled_out``.
    """

    strong: float
    strong_floor: float
    weak: float
    weak_floor: float
    ruled_out: float


DIFFERENCE = Limit(strong=0.30, strong_floor=0.10, weak=0.10, weak_floor=0.0, ruled_out=0.20)
LEAKAGE = Limit(strong=0.70, strong_floor=0.60, weak=0.60, weak_floor=0.5, ruled_out=0.65)
EFFECT = Limit(strong=0.10, strong_floor=0.03, weak=0.03, weak_floor=0.0, ruled_out=0.10)
GAP = Limit(strong=0.10, strong_floor=0.0, weak=0.05, weak_floor=0.0, ruled_out=0.10)
LIFT = Limit(strong=2.0, strong_floor=1.5, weak=1.5, weak_floor=1.2, ruled_out=2.0)
# By how much a leak must exceed that of a place of the same size elsewhere to be the cue's own, as value and floor.
OWN_LEAK, OWN_LEAK_FLOOR = 0.05, -0.05
# By how much a look's difference must exceed that of looks of such a place elsewhere, as value and floor.
OWN_LOOK, OWN_LOOK_FLOOR = 0.10, 0.0
# A cue that this share of the images or more shows is no matter of presence, but of what it looks like.
NEARLY_ALL = 0.8
# From this difference of the shares on a cue is said to be unevenly spread.
UNEVEN = 0.1
# A contrast of accuracies from fewer images, or fewer mistakes, than these is weak at most.
FEW_IMAGES, FEW_MISTAKES = 20, 5
# One cue is said to explain another by fewer photographs of either side that are alike in it in no case.
LEAST_ALIKE = 10
# Attention whose interval ends below this share of what the area explains speaks against use.
IDLE_LIFT = 0.75
# AUC from which light, colour or detail of the whole picture leaks strongly: by the content alone, brightness and tone
# of animals, moles and faces tell classes apart with up to 0.72.
TONE_LEAK = 0.75


@dataclass(frozen=True)
class Evidence:
    """One measure as the evidence table holds it; ``p`` is corrected, None where nothing is tested.

    ``n`` (of the smaller side) and ``mistakes`` are known of contrasts of accuracies.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int | None = None
    mistakes: int | None = None


def strength(measure: Evidence, limit: Limit, tested: bool) -> Strength | None:
    """Strength of one measure; None if it was not measured.

    Unknown if it would be weak were it certain, or if its interval does not rule it out.

    >>> strength(Evidence(0.8, 0.7, 0.9, 0.001), LEAKAGE, True)
    'strong'
    """
    if measure.value is None or measure.low is None or measure.high is None:
        return None
    significant = not tested or (measure.p is not None and measure.p < ALPHA)
    if significant and measure.value >= limit.strong and measure.low > limit.strong_floor:
        return "strong"
    if significant and measure.value >= limit.weak and measure.low > limit.weak_floor:
        return "weak"
    return "unknown" if measure.value >= limit.weak or measure.high >= limit.ruled_out else "none"


def combine_strength(direct: Strength | None, indirect: Strength | None) -> Strength:
    """Strong or weak if either measure is; otherwise what the direct one says, or the indirect one without it.

    >>> combine_strength("none", "weak"), combine_strength("none", "unknown"), combine_strength(None, None)
    ('weak', 'none', 'unknown')
    """
    for level in ("strong", "weak"):
        if level in (direct, indirect):
            return level
    return direct or indirect or "unknown"


def over_all_pairs(auc: float, shown: float, elsewhere: float) -> float:
    """An AUC among images that show a cue, spread over all: ``shown`` and ``elsewhere``, 0..1, are the shares that do.

    Where one image of a pair shows it, the pair counts as one in which both do; where neither does, as a coin toss.

    >>> over_all_pairs(0.9, 1.0, 0.2), over_all_pairs(0.9, 0.5, 0.5)
    (0.9, 0.8)
    """
    return 0.5 + (auc - 0.5) * (1 - (1 - shown) * (1 - elsewhere))
