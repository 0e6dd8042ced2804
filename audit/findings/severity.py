"""From evidence to a verdict: ``judge`` holds every rule, and the published table is written from the same rules."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from audit.detectors.cue import Cue
from audit.measures.figures import Figures
from audit.measures.limits import (
    ALPHA,
    DIFFERENCE,
    EFFECT,
    GAP,
    LEAKAGE,
    LIFT,
    OWN_LEAK,
    OWN_LEAK_FLOOR,
    STRENGTHS,
    TONE_LEAK,
    Evidence,
    Limit,
    Strength,
    combine_strength,
    over_all_pairs,
    strength,
)

Severity = Literal["high", "medium", "low", "cleared", "expected", "not_enough_data"]

ORDER: tuple[Severity, ...] = ("high", "medium", "low", "not_enough_data", "expected", "cleared")
# What the plan is to mend, and a report holds open.
FLAGGED: tuple[Severity, ...] = ("high", "medium")
# What a verdict is worth when the maps failed their own checks: clearing a cue needs maps that can be trusted, too.
LOWERED: Mapping[Severity, Severity] = {
    "high": "medium",
    "medium": "low",
    "low": "not_enough_data",
    "cleared": "not_enough_data",
}
UNMEASURED = Evidence(None, None, None, None)
_RISING: tuple[Strength, ...] = ("none", "unknown", "weak", "strong")


@dataclass(frozen=True)
class Measures:
    """What was measured of one cue and one class.

    ``difference``: of the shares of the class and of the others that show the cue, which are ``shares``, None where
    they are not known. ``above_control``: the leakage minus the control's.
    """

    difference: Evidence = UNMEASURED
    leakage: Evidence = UNMEASURED
    above_control: Evidence = UNMEASURED
    attention: Evidence = UNMEASURED
    effect: Evidence = UNMEASURED
    gap: Evidence = UNMEASURED
    shares: tuple[float, float] | None = None

    @classmethod
    def of(cls, figures: Figures) -> "Measures":
        """As the figures of a finding say."""
        shown, leak = figures.prevalence, figures.leakage
        known = shown.value is not None and shown.elsewhere is not None
        plain = {name: Evidence(one.value, one.low, one.high, one.p_adjusted) for name, one in figures.kinds().items()}
        return cls(
            Evidence(shown.difference, shown.difference_low, shown.difference_high, shown.p_adjusted),
            plain["leakage"],
            Evidence(leak.above_control, leak.above_control_low, leak.above_control_high, None),
            plain["attention"],
            plain["effect"],
            plain["gap"],
            (shown.value or 0.0, shown.elsewhere or 0.0) if known else None,
        )


@dataclass(frozen=True)
class Case:
    """What the rules look at.

    ``declared`` are the cues that the owner called relevant. ``learned``: the model tells the classes apart better than
    by guessing. ``data`` and ``model`` are what was concluded so far.
    """

    cue: Cue
    measures: Measures
    declared: frozenset[str]
    learned: bool
    data: Strength = "unknown"
    model: Strength = "unknown"


@dataclass(frozen=True)
class Judgement:
    """What is concluded of one cue and one class: about the data, about this model, and both together."""

    data: Strength
    model: Strength
    severity: Severity


@dataclass(frozen=True)
class Caveat:
    """Where it applies, a strength counts as another one, or as if nothing had been measured (None)."""

    name: str
    words: str
    applies: Callable[[Case], bool]
    counts_as: Mapping[Strength, Strength | None]


@dataclass(frozen=True)
class Rule:
    """When a verdict is reached."""

    severity: Severity
    words: str
    holds: Callable[[Case], bool]


def _leaks_everywhere(case: Case) -> bool:
    above, is_background = case.measures.above_control, case.cue.role == "scene" and case.cue.kind == "detector"
    if is_background or above.value is None or above.low is None:
        return False
    return above.value < OWN_LEAK or above.low <= OWN_LEAK_FLOOR


def _is_rare(case: Case) -> bool:
    auc, shares = case.measures.leakage.value, case.measures.shares
    if case.cue.kind in ("cluster", "file") or auc is None or shares is None:
        return False
    return over_all_pairs(auc, *shares) < LEAKAGE.weak


def _costs_nothing(case: Case) -> bool:
    # A sure model's probabilities barely move when one of its reasons is hidden, so a small effect counts here.
    effect = case.measures.effect
    return not (effect.low is not None and effect.low > 0 and effect.p is not None and effect.p < ALPHA)


def _is_declared(case: Case) -> bool:
    whole = case.cue.within if case.cue.kind == "appearance" else case.cue.name
    return bool({case.cue.name, whole} & case.declared)


def _is_plain_subject(case: Case) -> bool:
    return case.cue.role == "subject" and case.cue.kind == "detector" and case.data in ("none", "unknown")


_AT_MOST_WEAK: Mapping[Strength, Strength | None] = {"strong": "weak"}
_UNCERTAIN: Mapping[Strength, Strength | None] = {"strong": "unknown", "weak": "unknown"}
_NOT_COUNTED: Mapping[Strength, Strength | None] = dict.fromkeys(STRENGTHS)
_NOTHING_SAID: Mapping[Strength, Strength | None] = dict.fromkeys(STRENGTHS, "unknown")

LEAK_CAVEATS = (
    Caveat(
        "subject",
        "What the photographed thing itself looks like is what the classes differ in: its leak does not count.",
        lambda case: case.cue.role == "subject",
        _NOT_COUNTED,
    ),
    Caveat(
        "everywhere",
        f"A strong leak of anything but the background counts as weak unless its AUC is {OWN_LEAK:.2f} above that of a "
        f"place of the same size elsewhere (interval above {OWN_LEAK_FLOOR:.2f}): where any place gives the class away "
        "as well, the leak is the whole picture's and not the cue's.",
        _leaks_everywhere,
        _AT_MOST_WEAK,
    ),
    Caveat(
        "rare",
        f"Any strong leak counts as weak where few photographs show the cue: below {LEAKAGE.weak:.2f} over all pairs "
        "of photographs, those that do not show it being as good as a toss; unnamed places and files are there in all.",
        _is_rare,
        _AT_MOST_WEAK,
    ),
)
DATA_CAVEATS = (
    Caveat(
        "nameless",
        "An unnamed place on the photographed thing itself counts as weak at most: only you can say whether it is what "
        "the classes differ in.",
        lambda case: case.cue.role == "subject" and case.cue.kind == "cluster",
        _AT_MOST_WEAK,
    ),
    Caveat(
        "tone",
        f"Light, colour and detail of whole pictures, in which contents differ, are weak below an AUC of {TONE_LEAK}.",
        lambda case: case.cue.role == "tone" and (case.measures.leakage.value or 0.0) < TONE_LEAK,
        _AT_MOST_WEAK,
    ),
    Caveat(
        "origin",
        "A file's name and folder count as weak at most: no pixel shows them, and no model can use them.",
        lambda case: case.cue.role == "origin",
        _AT_MOST_WEAK,
    ),
)
GAP_CAVEATS = (
    Caveat(
        "unleaning",
        "it counts where the data lean at least weakly, elsewhere its direction is chance",
        lambda case: case.data not in ("strong", "weak"),
        _UNCERTAIN,
    ),
)
ATTENTION_CAVEATS = (
    Caveat(
        "found",
        "The attention on places that were found by it does not count",
        lambda case: case.cue.kind == "cluster",
        _NOT_COUNTED,
    ),
    Caveat(
        "idle",
        f"hiding it costs something (interval above 0, corrected p below {ALPHA})",
        _costs_nothing,
        _AT_MOST_WEAK,
    ),
)
MODEL_CAVEATS = (
    Caveat(
        "guessing",
        "of a model that tells the classes apart no better than by guessing nothing is said",
        lambda case: not case.learned,
        _NOTHING_SAID,
    ),
)
# The first that holds is the verdict.
VERDICTS = (
    Rule(
        "expected",
        "The owner of the dataset declared the cue, or what it is a look of, relevant; or a detector sees the "
        "photographed subject itself, and the data show neither strong nor weak signs.",
        lambda case: _is_declared(case) or _is_plain_subject(case),
    ),
    Rule(
        "high",
        "Both are strong: the data give the class away through the cue, and the model uses it.",
        lambda case: case.data == case.model == "strong",
    ),
    Rule(
        "medium",
        "One of the two is strong: either only the data or only this model.",
        lambda case: "strong" in (case.data, case.model),
    ),
    Rule(
        "low",
        "Neither is strong, at least one is weak.",
        lambda case: "weak" in (case.data, case.model),
    ),
    Rule(
        "not_enough_data",
        "Nothing is certain, but a value would be weak if it were, or its interval rules nothing out.",
        lambda case: "unknown" in (case.data, case.model),
    ),
    Rule(
        "cleared",
        "Neither is there: every value is below weak, and its interval ends early enough to rule it out.",
        lambda case: case.data == case.model == "none",
    ),
)


def judge(cue: Cue, measures: Measures, declared: Iterable[str] = (), learned: bool = True) -> Judgement:
    """The verdict on a cue and a class, by the published rules; ``declared`` and ``learned`` as in ``Case``.

    >>> strong = Measures(Evidence(0.8, 0.7, 0.9, 0.001), gap=Evidence(0.3, 0.2, 0.4, None))
    >>> judge(Cue("hair", "the hair", "part"), strong)
    Judgement(data='strong', model='strong', severity='high')
    """
    case = Case(cue, measures, frozenset(declared), learned)
    case = replace(case, data=_in_data(case))
    case = replace(case, model=_in_model(case))
    verdict = next(rule.severity for rule in VERDICTS if rule.holds(case))
    return Judgement(case.data, case.model, verdict)


def _in_data(case: Case) -> Strength:
    """Whether the cue gives the class away, whatever a model makes of it."""
    shown = strength(case.measures.difference, DIFFERENCE, tested=True)
    leaks = _counted(strength(case.measures.leakage, LEAKAGE, tested=True), LEAK_CAVEATS, case)
    told = [level for level in (leaks, shown) if level]
    clearest: Strength = max(told, key=_RISING.index, default="unknown")
    return _counted(clearest, DATA_CAVEATS, case) or "unknown"


def _in_model(case: Case) -> Strength:
    """Whether this model uses the cue."""
    effect = strength(case.measures.effect, EFFECT, tested=True)
    gap = _counted(strength(case.measures.gap, GAP, tested=False), GAP_CAVEATS, case)
    looks = _counted(strength(case.measures.attention, LIFT, tested=False), ATTENTION_CAVEATS, case)
    used = combine_strength(effect, gap)
    if looks in ("strong", "weak"):
        used = combine_strength(used, looks)
    return _counted(used, MODEL_CAVEATS, case) or "unknown"


def _counted(level: Strength | None, caveats: Sequence[Caveat], case: Case) -> Strength | None:
    for caveat in caveats:
        if level is not None and caveat.applies(case):
            level = caveat.counts_as.get(level, level)
    return level


def lower(severity: Severity) -> Severity:
    """The verdict one step lower, for maps that failed their checks; one that accuses and clears nothing stays."""
    return LOWERED.get(severity, severity)


def _share(limit: Limit) -> tuple[str, str, str, str, str]:
    """The figures of a limit on shares: strong, its floor, weak, its floor, ruled out."""
    values = (limit.strong, limit.strong_floor, limit.weak, limit.weak_floor, limit.ruled_out)
    strong, strong_floor, weak, weak_floor, ruled_out = (f"{value:.0%}" for value in values)
    return strong, strong_floor, weak, weak_floor, ruled_out


def _data_rules() -> str:
    strong, floor, weak, weak_floor, ruled_out = _share(DIFFERENCE)
    limits = (
        f"In the data, strong: the shares differ by {strong} or more (interval above {floor}), or the cue alone gives "
        f"the class away with an AUC of {LEAKAGE.strong:.2f} or more (interval above {LEAKAGE.strong_floor:.2f}); weak "
        f"from {weak} (above {weak_floor}) or {LEAKAGE.weak:.2f} (above {LEAKAGE.weak_floor:.2f}). Both need a "
        f"corrected p below {ALPHA}; they are ruled out by an interval below {ruled_out} and {LEAKAGE.ruled_out:.2f}."
    )
    return " ".join([limits, *(caveat.words for caveat in (*LEAK_CAVEATS, *DATA_CAVEATS))])


def _model_rules() -> str:
    (unleaning,), (found, idle), (guessing,) = GAP_CAVEATS, ATTENTION_CAVEATS, MODEL_CAVEATS
    return (
        f"In the model, strong: hiding the cue costs {EFFECT.strong:.0%} of the class's probability more than hiding "
        f"as much elsewhere (interval above {EFFECT.strong_floor:.0%}, corrected p below {ALPHA}); or accuracy is "
        f"{GAP.strong:.0%} higher where cue and class go together (interval above {GAP.strong_floor:.0f}; "
        f"{unleaning.words}); or the cue gets {LIFT.strong:.0f} times the attention that its area explains (interval "
        f"above {LIFT.strong_floor:.1f}) and {idle.words}. Weak from {EFFECT.weak:.0%} (above {EFFECT.weak_floor:.0%}),"
        f" {GAP.weak:.0%} (above {GAP.weak_floor:.0%}), or {LIFT.weak:.1f} times (above {LIFT.weak_floor:.1f}); ruled "
        f"out by an interval below the strong value. {found.words}, and {guessing.words}."
    )


RULES: tuple[tuple[Severity, str], ...] = tuple(
    (rule.severity, rule.words) for rule in sorted(VERDICTS, key=lambda rule: ORDER.index(rule.severity))
)
STRENGTH_RULES = (
    _data_rules(),
    _model_rules(),
    "Where the attention maps failed their own checks, high counts as medium, medium as low, and neither low nor "
    "cleared can be told.",
)
