"""From evidence to a verdict: one published table of limits, the same for every audit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Strength = Literal["strong", "weak", "none", "unknown"]
Severity = Literal["high", "medium", "low", "cleared", "expected", "not_enough_data"]

ORDER: tuple[Severity, ...] = ("high", "medium", "low", "not_enough_data", "expected", "cleared")
# What the plan is to mend, and a report holds open.
FLAGGED: tuple[Severity, ...] = ("high", "medium")
ALPHA = 0.05


@dataclass(frozen=True)
class Limit:
    """A measured value is strong or weak from here on, if its 95 % interval starts above ``floor``.

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

_RISING: tuple[Strength, ...] = ("none", "unknown", "weak", "strong")

RULES: tuple[tuple[Severity, str], ...] = (
    ("high", "Both are strong: the data give the class away through the cue, and the model uses it."),
    ("medium", "One of the two is strong: either only the data or only this model."),
    ("low", "Neither is strong, at least one is weak."),
    ("not_enough_data", "Nothing is certain, but a value would be weak if it were, or its interval rules nothing out."),
    ("expected", "The owner of the dataset declared the cue relevant, or it is the photographed subject itself."),
    ("cleared", "Neither is there: every value is below weak, and its interval ends early enough to rule it out."),
)
STRENGTH_RULES = (
    f"In the data, strong: the shares differ by {DIFFERENCE.strong:.0%} or more (interval above "
    f"{DIFFERENCE.strong_floor:.0%}), or the cue alone gives the class away with an AUC of {LEAKAGE.strong:.2f} or "
    f"more (interval above {LEAKAGE.strong_floor:.2f}); weak from {DIFFERENCE.weak:.0%} or {LEAKAGE.weak:.2f}. Both "
    f"need a corrected p below {ALPHA}; they are ruled out by an interval below {DIFFERENCE.ruled_out:.0%} and "
    f"{LEAKAGE.ruled_out:.2f}. A strong leak of anything but the background counts as weak unless its AUC is "
    f"{OWN_LEAK:.2f} above that of a place of the same size elsewhere (interval above {OWN_LEAK_FLOOR:.2f}): where any "
    "place gives the class away as well, the leak is the whole picture's and not the cue's. Any strong leak counts "
    f"as weak where few photographs show the cue: below {LEAKAGE.weak:.2f} over all pairs of photographs, those that "
    "do not show it at all being as good as a toss. An unnamed place on the photographed "
    "thing itself counts as weak at most: only you can say whether it is what the classes differ in.",
    f"In the model, strong: hiding the cue costs {EFFECT.strong:.0%} of the class's probability more than hiding as "
    f"much elsewhere (interval above {EFFECT.strong_floor:.0%}, corrected p below {ALPHA}); or accuracy is "
    f"{GAP.strong:.0%} higher where cue and class go together (interval above 0; it counts where the data lean at "
    f"least weakly, elsewhere its direction is chance); or the cue gets {LIFT.strong:.0f} times the attention that its "
    f"area explains (interval above {LIFT.strong_floor:.1f}) and hiding it costs something (interval above 0, "
    f"corrected p below {ALPHA}). Weak from {EFFECT.weak:.0%}, {GAP.weak:.0%}, or {LIFT.weak:.1f} times; ruled out by "
    "an interval below the strong value. The attention on places that were found by it does not count, and of a model "
    "that tells the classes apart no better than by guessing nothing is said.",
)


@dataclass(frozen=True)
class Evidence:
    """One measure as the evidence table holds it; ``p`` is corrected, None where nothing is tested."""

    value: float | None
    low: float | None
    high: float | None
    p: float | None


def strength(measure: Evidence, limit: Limit, tested: bool) -> Strength | None:
    """How strong one measure is; None if it was not measured.

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


def first_told(direct: Strength | None, indirect: Strength | None) -> Strength:
    """Strong or weak if either measure is; otherwise what the direct one says, or the indirect one without it.

    >>> first_told("none", "weak"), first_told("none", "unknown"), first_told(None, None)
    ('weak', 'none', 'unknown')
    """
    for level in ("strong", "weak"):
        if level in (direct, indirect):
            return level
    return direct or indirect or "unknown"


def in_data(
    measures: Mapping[str, Evidence], role: str, nameless: bool = False, shares: tuple[float, float] = (1.0, 1.0)
) -> Strength:
    """Whether the cue gives the class away, whatever a model makes of it.

    What the photographed subject looks like is what the classes differ in, so its leakage is no evidence. Nor is a leak
    the cue's own where any place of its size leaks as much: ``above_control``, where it is given, is the difference.
    Nor does it say much if the ``shares`` of the class and of the others that show the cue are small.
    A ``nameless`` part of the subject may be the very thing that the classes are told apart by: weak at most.
    """
    shown = strength(measures["difference"], DIFFERENCE, tested=True)
    leaks = None if role == "subject" else strength(measures["leakage"], LEAKAGE, tested=True)
    if leaks == "strong" and not (_is_own(measures.get("above_control")) and _is_common(measures["leakage"], shares)):
        leaks = "weak"
    told = [level for level in (leaks, shown) if level]
    clearest: Strength = max(told, key=_RISING.index, default="unknown")
    return "weak" if clearest == "strong" and nameless and role == "subject" else clearest


def _is_own(above: Evidence | None) -> bool:
    if above is None or above.value is None or above.low is None:
        return True
    return above.value >= OWN_LEAK and above.low > OWN_LEAK_FLOOR


def _is_common(leak: Evidence, shares: tuple[float, float]) -> bool:
    return leak.value is not None and over_all_pairs(leak.value, *shares) >= LEAKAGE.weak


def over_all_pairs(auc: float, shown: float, elsewhere: float) -> float:
    """An AUC among images that show a cue, spread over all: the cue is in these shares of the class and of the others.

    Where one image of a pair shows it, the pair counts as one in which both do; where neither does, as a coin toss.

    >>> over_all_pairs(0.9, 1.0, 0.2), over_all_pairs(0.9, 0.5, 0.5)
    (0.9, 0.8)
    """
    return 0.5 + (auc - 0.5) * (1 - (1 - shown) * (1 - elsewhere))


def in_model(measures: Mapping[str, Evidence], data: Strength) -> Strength:
    """Whether this model uses the cue.

    Where the ``data`` do not lean, which photographs count as going together is chance, and so is a gap between them.
    """
    effect, gap = measures["effect"], strength(measures["gap"], GAP, tested=False)
    if gap in ("strong", "weak") and data not in ("strong", "weak"):
        gap = "unknown"
    used = first_told(strength(effect, EFFECT, tested=True), gap)
    looks = strength(measures["attention"], LIFT, tested=False)
    if looks == "strong" and _is_positive(effect):
        return "strong"
    return "weak" if looks in ("strong", "weak") and used not in ("strong", "weak") else used


def _is_positive(tested: Evidence) -> bool:
    # A sure model's probabilities barely move when one of its reasons is hidden, so a small effect counts here.
    return tested.low is not None and tested.low > 0 and tested.p is not None and tested.p < ALPHA


def severity(data: Strength, model: Strength, expected: bool) -> Severity:
    """The verdict of the published table.

    >>> severity("strong", "strong", False), severity("none", "none", False), severity("strong", "strong", True)
    ('high', 'cleared', 'expected')
    """
    if expected:
        return "expected"
    if data == model == "strong":
        return "high"
    if "strong" in (data, model):
        return "medium"
    if "weak" in (data, model):
        return "low"
    return "not_enough_data" if "unknown" in (data, model) else "cleared"
