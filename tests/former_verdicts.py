"""The verdicts as version 1 reached them, copied before the rules were gathered: a reference, not to be tidied."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from audit.detectors.cue import Cue

Strength = Literal["strong", "weak", "none", "unknown"]
Severity = Literal["high", "medium", "low", "cleared", "expected", "not_enough_data"]
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


def verdict(
    cue: Cue,
    measured: Mapping[str, Evidence],
    shown: tuple[float | None, float | None],
    expected_cues: Collection[str],
    learned: bool,
) -> tuple[Strength, Strength, Severity]:
    """What ``findings.verdict_of`` concluded, with the figures as ``Evidence``; ``shown``: the two shares."""
    measures = {kind: measured[kind] for kind in ("difference", "leakage", "attention", "effect", "gap")}
    if not (cue.role == "scene" and cue.kind == "detector"):
        # A leak all over the scene is the background's own.
        measures["above_control"] = measured["above_control"]
    if cue.kind == "cluster":
        # It was found as what the model looks at, so that it gets much attention is no news.
        measures["attention"] = Evidence(None, None, None, None)
    # A cluster's place leaks in all photographs, any other cue in those that show it.
    everywhere = cue.kind == "cluster" or shown[0] is None
    shares = (1.0, 1.0) if everywhere else shown
    data = in_data(measures, cue.role, nameless=cue.kind == "cluster", shares=shares)
    model = in_model(measures, data) if learned else "unknown"
    is_subject = cue.role == "subject" and cue.kind == "detector" and data in ("none", "unknown")
    is_look_of = cue.within if cue.kind == "appearance" else ""
    expected = is_subject or bool({cue.name, is_look_of} & set(expected_cues))
    return data, model, severity(data, model, expected)
