"""Every combination of what can be measured and of kinds of cues: by the code, and by the published text alone."""

import re
from collections.abc import Iterator
from itertools import cycle, product
from typing import get_args

import pytest

from audit.detectors.cue import Cue, Kind, Role
from audit.findings import caveats, severity
from audit.findings.caveats import Measures
from audit.findings.severity import LOWERED, ORDER, RULES, STRENGTH_RULES, judge, lower
from audit.measures.limits import Evidence
from tests.bare_records import bare_figures

NOTHING = Evidence(None, None, None, None)
# One of each strength, and what lies on the limits: value, low, high, p.
DIFFERENCES = [
    *(Evidence(0.6, 0.5, 0.7, 0.001), Evidence(0.2, 0.1, 0.3, 0.01), Evidence(0.0, -0.05, 0.05, 0.9), NOTHING),
    *(Evidence(0.2, -0.1, 0.5, 0.3), Evidence(0.3, 0.1, 0.5, 0.01), Evidence(0.3, 0.101, 0.5, 0.01)),
    *(Evidence(0.1, 0.0, 0.19, 0.01), Evidence(0.09, 0.001, 0.2, 0.01), Evidence(0.6, 0.5, 0.7, 0.05)),
]
LEAKS = [
    *(Evidence(0.9, 0.8, 0.95, 0.001), Evidence(0.65, 0.55, 0.75, 0.01), Evidence(0.5, 0.4, 0.6, 0.9), NOTHING),
    *(Evidence(0.65, 0.45, 0.8, 0.3), Evidence(0.7, 0.6, 0.8, 0.01), Evidence(0.7, 0.601, 0.8, 0.01)),
    *(Evidence(0.6, 0.5, 0.64, 0.01), Evidence(0.59, 0.5, 0.65, 0.01), Evidence(0.9, 0.8, 0.95, None)),
]
ABOVE = [Evidence(0.2, 0.1, 0.3, None), Evidence(0.0, -0.1, 0.1, None), NOTHING, Evidence(0.05, -0.05, 0.2, None)]
SHARES = [None, (1.0, 1.0), (0.1, 0.05), (0.9, 0.0)]
EFFECTS = [
    *(Evidence(0.3, 0.2, 0.4, 0.001), Evidence(0.05, 0.01, 0.09, 0.01), Evidence(0.02, 0.01, 0.03, 0.001)),
    *(Evidence(0.0, -0.02, 0.02, 0.9), Evidence(0.05, -0.1, 0.2, 0.4), NOTHING, Evidence(0.1, 0.03, 0.2, 0.01)),
    *(Evidence(-0.1, -0.2, -0.01, 0.01), Evidence(-0.1, -0.2, -0.01, 0.06)),
]
GAPS = [
    *(Evidence(0.3, 0.2, 0.4, 0.001, 40, 9), Evidence(0.07, 0.01, 0.13, 0.01, 40, 9), NOTHING),
    *(Evidence(0.0, -0.05, 0.05, 0.9, 40, 9), Evidence(0.1, -0.1, 0.3, 0.2, 40, 9)),
    *(Evidence(0.1, 0.0, 0.2, 0.04, 20, 5), Evidence(0.05, 0.001, 0.09, 0.01, 40, 9)),
    *(Evidence(0.3, 0.2, 0.4, 0.001, 20, 5), Evidence(0.3, 0.2, 0.4, 0.001, 19, 9)),
    *(Evidence(0.3, 0.2, 0.4, 0.001, 40, 4), Evidence(0.3, 0.2, 0.4, 0.05, 40, 9)),
]
OWN_GAPS = [NOTHING, GAPS[0], GAPS[8], GAPS[3], GAPS[1]]
LIFTS = [
    *(Evidence(3.0, 2.0, 4.0, None), Evidence(1.7, 1.3, 2.1, None), Evidence(1.0, 0.9, 1.1, None), NOTHING),
    *(Evidence(1.6, 1.0, 2.5, None), Evidence(2.0, 1.5, 3.0, None), Evidence(1.5, 1.2, 1.9, None)),
    *(Evidence(0.3, 0.2, 0.5, None), Evidence(0.6, 0.5, 0.75, None)),
]
CUES = [
    Cue("one", "one", role, kind, within, number=0 if kind in ("cluster", "appearance") else None)
    for role, kind in product(get_args(Role), get_args(Kind))
    for within in ("whole",)
]
DECLARED = ([], ["one"], ["whole"], ["other"])
SOME_DATA = [DIFFERENCES[0], DIFFERENCES[1], DIFFERENCES[2], NOTHING]
SOME_LEAKS = [LEAKS[0], LEAKS[1], LEAKS[2], NOTHING]
SOME_MODEL = [(EFFECTS[0], NOTHING), (EFFECTS[3], GAPS[3]), (NOTHING, GAPS[0])]
Question = tuple[Cue, Measures, list[str], bool]


def questions() -> Iterator[Question]:
    """All that is measured of the data with a few models, and all that is measured of the model with a few data."""
    for cue, difference, leak, above, shares in product(CUES, DIFFERENCES, LEAKS, ABOVE, SHARES):
        effect, gap = SOME_MODEL[(len(cue.role) + DIFFERENCES.index(difference)) % len(SOME_MODEL)]
        yield cue, Measures(difference, leak, above, NOTHING, effect, gap, shares=shares), [], True
    turn = cycle(SOME_LEAKS)
    for cue, difference, effect, gap, lift in product(CUES, SOME_DATA, EFFECTS, GAPS, LIFTS):
        yield cue, Measures(difference, next(turn), NOTHING, lift, effect, gap, shares=(0.5, 0.5)), [], True
    for cue, difference, leak, above, gap, own, along in product(
        CUES, SOME_DATA, SOME_LEAKS, ABOVE[:2], GAPS, OWN_GAPS, (True, False)
    ):
        yield cue, Measures(difference, leak, above, NOTHING, EFFECTS[3], gap, own, along, (0.9, 0.9)), [], True
    for cue, leak, above, given, gap, along in product(
        CUES, LEAKS, ABOVE[:2], (None, 0.64, 0.65, 0.95), (GAPS[0], GAPS[3]), (True, False)
    ):
        yield cue, Measures(NOTHING, leak, above, NOTHING, EFFECTS[3], gap, NOTHING, along, (0.9, 0.9), given), [], True
    for cue, difference, (effect, gap), declared, learned in product(
        CUES, SOME_DATA, SOME_MODEL, DECLARED, (True, False)
    ):
        yield cue, Measures(difference, effect=effect, gap=gap), declared, learned


GRID = list(questions())


def by_code(question: Question) -> tuple[str, str, str]:
    judgement = judge(*question)
    return judgement.data, judgement.model, judgement.severity


def figures(pattern: str, text: str) -> list[float]:
    """The figures of a sentence of the published text; per cent as shares."""
    match = re.search(pattern.replace("#", r"(-?[\d.]+%?)"), text)
    assert match, pattern
    return [float(number[:-1]) / 100 if number.endswith("%") else float(number) for number in match.groups()]


class Reader:
    """Judges by the published text alone: every limit and every exception is what its sentences say."""

    def __init__(self, rules: tuple[str, ...]) -> None:
        self.data, self.model = rules[0], rules[1]
        limits = figures(
            r"differ by # or more \(interval above #\), or .* AUC of # or more \(interval above #\); weak from # "
            r"\(above #\) or # \(above #\)\. Both need a corrected p below #; .* interval below # and #\.",
            self.data,
        )
        shown, shown_floor, leak, leak_floor, weak, weak_floor, weak_leak, weak_leak_floor, self.alpha, *out = limits
        self.difference = (shown, shown_floor, weak, weak_floor, out[0])
        self.leak = (leak, leak_floor, weak_leak, weak_leak_floor, out[1])
        effect, effect_floor = figures(r"costs # of .*? \(interval above #\)", self.model)
        gap, gap_floor = figures(r"accuracy is # higher .*? \(interval above #\)", self.model)
        lift, lift_floor = figures(r"gets # times .*? \(interval above #\)", self.model)
        weak_effect, effect_start, weak_gap, gap_start, weak_lift, lift_start = figures(
            r"Weak from # \(above #\), # \(above #\), or # times \(above #\); ruled out by an interval below the",
            self.model,
        )
        (self.model_alpha,) = figures(r"Effect and gap need a corrected p below #\.", self.model)
        self.effect = (effect, effect_floor, weak_effect, effect_start, effect)
        self.gap = (gap, gap_floor, weak_gap, gap_start, gap)
        self.lift = (lift, lift_floor, weak_lift, lift_start, lift)

    def graded(self, one: Evidence, limit: tuple[float, ...], tested: bool) -> str:
        if one.value is None:
            return ""
        strong, strong_floor, weak, weak_floor, out = limit
        certain = not tested or (one.p is not None and one.p < self.alpha)
        if certain and one.value >= strong and one.low > strong_floor:
            return "strong"
        if certain and one.value >= weak and one.low > weak_floor:
            return "weak"
        return "unknown" if one.value >= weak or one.high >= out else "none"

    def in_data(self, cue: Cue, of: Measures) -> str:
        shown, leak = self.graded(of.difference, self.difference, True), self.graded(of.leakage, self.leak, True)
        if (
            "the photographed thing itself looks like is what the classes differ in: its leak does not count"
            in self.data
        ):
            leak = "" if cue.role == "subject" else leak
        if leak == "strong" and "A strong leak of anything but the background counts as weak unless" in self.data:
            own, own_floor = figures(r"unless its AUC is # above .*? \(interval above #\)", self.data)
            above, background = of.above_control, cue.role == "scene" and cue.kind == "detector"
            if not background and above.value is not None and not (above.value >= own and above.low > own_floor):
                leak = "weak"
        if (
            leak == "strong"
            and of.shares
            and "strong leak counts as weak where few photographs show the cue" in self.data
        ):
            (least,) = figures(r"below # over all pairs of photographs", self.data)
            neither = (1 - of.shares[0]) * (1 - of.shares[1])
            everywhere = cue.kind in ("cluster", "file") and "unnamed places and files are there in all" in self.data
            if not everywhere and of.leakage.value * (1 - neither) + 0.5 * neither < least:
                leak = "weak"
        if (
            leak == "strong"
            and of.given_declared is not None
            and "A strong leak counts as weak where it is" in self.data
        ):
            (least,) = figures(r"counts as weak where it is below # among photographs that are alike", self.data)
            leak = "weak" if of.given_declared < least else leak
        if shown == "strong" and "A strong difference of a look counts as weak unless" in self.data:
            own, own_floor = figures(r"unless it is # above that of the looks .*? \(interval above #\)", self.data)
            above = of.above_control
            if (
                cue.kind == "appearance"
                and above.value is not None
                and not (above.value >= own and above.low > own_floor)
            ):
                shown = "weak"
        self.leak_counts_as = leak
        best = next((level for level in ("strong", "weak", "unknown", "none") if level in (shown, leak)), "unknown")
        if cue.role == "tone" and "Light, colour and detail of whole pictures" in self.data:
            (least,) = figures(r"are weak below an AUC of #\.", self.data)
            best = "weak" if best == "strong" and (of.leakage.value or 0) < least else best
        if cue.role == "origin" and "A file's name and folder count as weak at most" in self.data:
            best = "weak" if best == "strong" else best
        capped = "An unnamed place on the photographed thing itself counts as weak at most" in self.data
        best = "weak" if capped and best == "strong" and (cue.role, cue.kind) == ("subject", "cluster") else best
        capped = (
            "What the photographed thing itself is like, its colour for example, counts as weak at most" in self.data
        )
        return "weak" if capped and best == "strong" and (cue.role, cue.kind) == ("subject", "attribute") else best

    def by_gap(self, contrast: Evidence, cue: Cue, of: Measures, data: str) -> str:
        level = self.graded(contrast, self.gap, True)
        if "A gap of places that were found by the attention does not count" in self.model and cue.kind == "cluster":
            return ""
        along = self.leak_counts_as if of.along_leak else self.graded(of.difference, self.difference, True)
        leaning = "It counts where what it is taken along leans to the class, at least weakly" in self.model
        if leaning and along not in ("strong", "weak") and level in ("strong", "weak"):
            level = "unknown"
        if (
            "Along a leak that counts as weak it is weak at most, and so is that of a look whose difference"
            in self.model
        ):
            weak_lean = data == "weak" if cue.kind == "appearance" else of.along_leak and along == "weak"
            level = "weak" if weak_lean and level == "strong" else level
        if level == "strong" and "Of light, colour and detail of whole pictures that leak" in self.model:
            (least,) = figures(r"that leak with an AUC below # it is weak at most", self.model)
            level = "weak" if cue.role == "tone" and (of.leakage.value or 0) < least else level
        if level == "strong" and "on the smaller side, or fewer than" in self.model:
            images, mistakes = figures(r"From fewer than # photographs .*? fewer than # mistakes", self.model)
            few = contrast.n is not None and (contrast.n < images or contrast.mistakes < mistakes)
            level = "weak" if few else level
        return level

    def in_model(self, cue: Cue, of: Measures, data: str, learned: bool) -> str:
        effect, lift = self.graded(of.effect, self.effect, True), self.graded(of.attention, self.lift, False)
        if cue.role == "origin" and "That the model uses a file's name or folder is ruled out" in self.model:
            return "none"
        if "no better than by guessing nothing is said" in self.model and not learned:
            return "unknown"
        gaps = [self.by_gap(contrast, cue, of, data) for contrast in (of.gap, of.own_gap)]
        if "The attention on places that were found by it does not count" in self.model and cue.kind == "cluster":
            lift = ""
        certain = of.effect.value is not None and (of.effect.p or 1) < self.alpha
        if "Attention is strong where hiding the cue costs something, too" in self.model and lift == "strong":
            lift = "strong" if certain and of.effect.low > 0 else "weak"
        told = [effect, *gaps, lift]
        used = next((level for level in ("strong", "weak") if level in told), effect or gaps[0] or gaps[1] or "unknown")
        if used == "strong" and "Strong signs that are contradicted count as weak" in self.model:
            (idle,) = figures(r"than its area explains \(interval below # times\)", self.model)
            ignored = of.attention.value is not None and of.attention.high < idle and cue.kind != "cluster"
            contradicted = of.effect.high < 0 or (ignored and not of.effect.low > 0) if certain else ignored
            used = "weak" if contradicted else used
        return used

    def verdict(self, question: Question) -> tuple[str, str, str]:
        cue, measures, declared, learned = question
        data = self.in_data(cue, measures)
        model = self.in_model(cue, measures, data, learned)
        return data, model, self.severity(cue, data, model, declared)

    def severity(self, cue: Cue, data: str, model: str, declared: list[str]) -> str:
        said = dict(RULES)
        assert "declared the cue relevant, or what it is a look or an attribute of, lies within" in said["expected"]
        assert (
            "a detector sees the photographed subject itself, and the data show neither strong nor weak"
            in (said["expected"])
        )
        subject = (cue.role, cue.kind) == ("subject", "detector") and data not in ("strong", "weak")
        look = cue.kind in ("appearance", "attribute") and cue.within in declared
        if subject or look or cue.name in declared:
            return "expected"
        found = {data, model}
        if said["high"].startswith("Both are strong") and found == {"strong"}:
            return "high"
        if said["medium"].startswith("One of the two is strong") and "strong" in found:
            return "medium"
        if said["low"].startswith("Neither is strong, at least one is weak") and "weak" in found:
            return "low"
        if said["not_enough_data"].startswith("Nothing is certain, but a value would be weak if it were"):
            return "not_enough_data" if "unknown" in found else "cleared"
        raise AssertionError(said)


def test_the_grid_reaches_every_verdict_for_every_kind_of_cue():
    found = {(question[0].role, question[0].kind, by_code(question)[2]) for question in GRID}
    assert found >= {(role, kind, level) for role, kind, level in product(get_args(Role), get_args(Kind), ORDER)} - {
        ("subject", "detector", "cleared"),
        ("subject", "detector", "not_enough_data"),
        ("subject", "cluster", "high"),
        ("subject", "attribute", "high"),
        *(("origin", kind, level) for kind in get_args(Kind) for level in ("high", "medium")),
    }
    assert {(data, model) for data, model, _ in map(by_code, GRID)} == set(
        product(("strong", "weak", "none", "unknown"), repeat=2)
    )


def test_the_published_text_says_what_the_code_does():
    reader = Reader(STRENGTH_RULES)
    differing = [question for question in GRID if by_code(question) != reader.verdict(question)]
    assert not differing, (len(differing), differing[0], by_code(differing[0]), reader.verdict(differing[0]))


CAVEATS = [
    (name, caveat.name) for name in vars(caveats) if name.endswith("_CAVEATS") for caveat in getattr(caveats, name)
]


@pytest.mark.parametrize(("group", "caveat"), CAVEATS)
def test_no_exception_is_idle(group, caveat, monkeypatch):
    """Left out of the code, verdicts change; left out of the text as well, both agree again."""
    (dropped,) = (kept for kept in getattr(severity, group) if kept.name == caveat)
    monkeypatch.setattr(severity, group, tuple(kept for kept in getattr(severity, group) if kept.name != caveat))
    text = tuple(rule.replace(dropped.words, "") for rule in STRENGTH_RULES)
    assert text != STRENGTH_RULES
    whole, less = Reader(STRENGTH_RULES), Reader(text)
    some = GRID[::11]
    assert any(by_code(question) != whole.verdict(question) for question in some)
    assert all(by_code(question) == less.verdict(question) for question in some)


def test_measures_are_those_of_the_figures():
    names = ("prevalence", "leakage", "attention", "effect", "gap")
    numbers = {
        name: {"value": place / 10, "low": float(-place), "high": float(place), "p_adjusted": place / 100}
        for place, name in (enumerate(names, 1))
    }
    numbers["prevalence"] |= {"elsewhere": 0.05, "difference": 0.7, "difference_low": 0.6, "difference_high": 0.8}
    numbers["gap"] |= {"n": 12, "mistakes": 3, "along": "leak"}
    numbers["gap"]["own"] = {"value": 0.25, "low": 0.125, "high": 0.5, "n": 7, "mistakes": 2}
    numbers["leakage"] |= {"above_control": 0.3, "above_control_low": 0.2, "above_control_high": 0.4}
    numbers["leakage"]["given_declared"] = 0.55
    assert Measures.of(bare_figures(**numbers)) == Measures(
        Evidence(0.7, 0.6, 0.8, 0.01),
        Evidence(0.2, -2, 2, 0.02),
        Evidence(0.3, 0.2, 0.4, None),
        Evidence(0.3, -3, 3, 0.03),
        Evidence(0.4, -4, 4, 0.04),
        Evidence(0.5, -5, 5, 0.05, 12, 3),
        Evidence(0.25, 0.125, 0.5, 0.05, 7, 2),
        True,
        (0.1, 0.05),
        0.55,
    )
    assert Measures.of(bare_figures()) == Measures()


def test_one_step_lower_is_what_the_text_says():
    (said,) = (rule for rule in STRENGTH_RULES if "failed their own checks" in rule)
    steps = dict(re.findall(r"(high|medium)(?: counts)? as (medium|low)", said))
    assert "neither low nor cleared can be told" in said
    assert steps | dict.fromkeys(("low", "cleared"), "not_enough_data") == dict(LOWERED)
    assert [lower(level) for level in ORDER if level not in LOWERED] == [
        level for level in ORDER if level not in LOWERED
    ]
