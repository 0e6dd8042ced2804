"""From evidence to a verdict: ``judge`` holds every rule, and the published table is written from the same rules."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from audit.detectors.cue import Cue
from audit.findings.caveats import (
    ATTENTION_CAVEATS,
    DATA_CAVEATS,
    DIFFERENCE_CAVEATS,
    GAP_CAVEATS,
    LEAK_CAVEATS,
    MODEL_CAVEATS,
    Case,
    Caveat,
    Measures,
    counted,
)
from audit.measures.limits import (
    ALPHA,
    DIFFERENCE,
    EFFECT,
    GAP,
    LEAKAGE,
    LEAST_ALIKE,
    LIFT,
    Limit,
    Strength,
    combine_strength,
    strength,
)

Severity = Literal["high", "medium", "low", "cleared", "expected", "not_enough_data"]

# From the gravest to the most harmless.
ORDER: tuple[Severity, ...] = ("high", "medium", "low", "not_enough_data", "expected", "cleared")
# What accuses a cue.
COMPLAINTS: tuple[Severity, ...] = ("high", "medium", "low")
# What the plan is to mend, and a report holds open.
FLAGGED: tuple[Severity, ...] = ("high", "medium")
# What a verdict is worth when the maps failed their own checks: clearing a cue needs maps that can be trusted, too.
LOWERED: Mapping[Severity, Severity] = {
    "high": "medium",
    "medium": "low",
    "low": "not_enough_data",
    "cleared": "not_enough_data",
}
_RISING: tuple[Strength, ...] = ("none", "unknown", "weak", "strong")


@dataclass(frozen=True)
class Judgement:
    """What is concluded of one cue and one class: about the data, about this model, and both together."""

    data: Strength
    model: Strength
    severity: Severity


@dataclass(frozen=True)
class Rule:
    """When a verdict is reached."""

    severity: Severity
    words: str
    holds: Callable[[Case], bool]


# The first that holds is the verdict.
VERDICTS = (
    Rule(
        "expected",
        "The owner of the dataset declared the cue relevant, or what it is a look or an attribute of, lies within or "
        "mostly consists of, or what explains it, as told below; or a detector sees the photographed subject itself, "
        "and the data show neither strong nor weak signs.",
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
    """The verdict on a cue and a class, by the published rules.

    ``declared`` are the names of the cues that the dataset's owner called relevant, with all that these cover
    (``audit.cues.overlap``). ``learned``: the model tells the classes apart better than by guessing.

    >>> from audit.measures.limits import Evidence
    >>> strong = Measures(Evidence(0.8, 0.7, 0.9, 0.001), gap=Evidence(0.3, 0.2, 0.4, 0.001))
    >>> judge(Cue("hair", "the hair", "part"), strong)
    Judgement(data='strong', model='strong', severity='high')
    """
    case = Case(cue, measures, frozenset(declared), learned)
    case = replace(case, leak=counted(strength(measures.leakage, LEAKAGE, tested=True), LEAK_CAVEATS, case))
    case = replace(case, data=_in_data(case))
    case = replace(case, model=_in_model(case))
    verdict = next(rule.severity for rule in VERDICTS if rule.holds(case))
    return Judgement(case.data, case.model, verdict)


def undeclared(cue: Cue, data: Strength, model: Strength) -> Severity:
    """The verdict on a cue of which so much is concluded, were nothing declared.

    >>> undeclared(Cue("clothing", "the clothing", "part"), "strong", "none")
    'medium'
    """
    case = Case(cue, Measures(), frozenset(), True, data=data, model=model)
    return next(rule.severity for rule in VERDICTS if rule.holds(case))


def _in_data(case: Case) -> Strength:
    """Whether the cue gives the class away, whatever a model makes of it."""
    shown = counted(strength(case.measures.difference, DIFFERENCE, tested=True), DIFFERENCE_CAVEATS, case)
    levels = [level for level in (case.leak, shown) if level]
    clearest: Strength = max(levels, key=_RISING.index, default="unknown")
    return counted(clearest, DATA_CAVEATS, case) or "unknown"


def _in_model(case: Case) -> Strength:
    """Whether this model uses the cue."""
    effect = strength(case.measures.effect, EFFECT, tested=True)
    of_all, of_own = (_by_gap(replace(case, contrast=gap)) for gap in (case.measures.gap, case.measures.own_gap))
    used = combine_strength(effect, combine_strength(of_all, of_own) if of_all or of_own else None)
    looks = counted(strength(case.measures.attention, LIFT, tested=False), ATTENTION_CAVEATS, case)
    if looks in ("strong", "weak"):
        used = combine_strength(used, looks)
    return counted(used or "unknown", MODEL_CAVEATS, case) or "unknown"


def _by_gap(case: Case) -> Strength | None:
    return counted(strength(case.contrast, GAP, tested=True), GAP_CAVEATS, case)


def _is_declared(case: Case) -> bool:
    return bool({case.cue.name, case.cue.whole} & case.declared)


def _is_plain_subject(case: Case) -> bool:
    return case.cue.role == "subject" and case.cue.kind == "detector" and case.data in ("none", "unknown")


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
    return _with_words(limits, *LEAK_CAVEATS, *DIFFERENCE_CAVEATS, *DATA_CAVEATS)


def _model_rules() -> str:
    limits = (
        f"In the model, strong: hiding the cue costs {EFFECT.strong:.0%} of the class's probability more than hiding "
        f"as much elsewhere, or evening out a fact of the file that more than changing it as much the other way round "
        f"(interval above {EFFECT.strong_floor:.0%}); or accuracy is {GAP.strong:.0%} higher where "
        f"cue and class go together (interval above {GAP.strong_floor:.0f}), over all photographs or over the class's "
        f"own; or the cue gets {LIFT.strong:.0f} times the attention that its area explains (interval above "
        f"{LIFT.strong_floor:.1f}). Weak from {EFFECT.weak:.0%} (above {EFFECT.weak_floor:.0%}), {GAP.weak:.0%} "
        f"(above {GAP.weak_floor:.0%}), or {LIFT.weak:.1f} times (above {LIFT.weak_floor:.1f}); ruled out by an "
        f"interval below the strong value. Effect and gap need a corrected p below {ALPHA}."
    )
    return _with_words(limits, *GAP_CAVEATS, *ATTENTION_CAVEATS, *MODEL_CAVEATS)


def _with_words(limits: str, *caveats: Caveat) -> str:
    return " ".join([limits, *(caveat.words for caveat in caveats)])


RULES: tuple[tuple[Severity, str], ...] = tuple(
    (rule.severity, rule.words) for rule in sorted(VERDICTS, key=lambda rule: ORDER.index(rule.severity))
)
STRENGTH_RULES = (
    _data_rules(),
    _model_rules(),
    "A cue that was declared relevant explains another one, which then counts as expected, where it would be as grave "
    "itself, both go together within the classes or lie on each other, and at most a third of what the other one says "
    "of the class is left among photographs that are alike in the declared one, of which there must be "
    f"{LEAST_ALIKE} distinct ones of either side. It never explains a mark, the file or its origin.",
    "Where the attention maps failed their own checks, high counts as medium, medium as low, and neither low nor "
    "cleared can be told. What is said of the file stays: it needs no map.",
)
