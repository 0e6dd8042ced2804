"""Sentences: they hold the figures, read as sentences, and never show what a program calls nothing."""

import re
from itertools import product

import pytest

from audit.findings.sentences import data_answer, headline, model_answer, recommendations
from audit.findings.severity import ORDER
from audit.measures.figures import Figures
from audit.text import percent
from tests.bare_records import KINDS, bare_figures

STRENGTHS = ("strong", "weak", "none", "unknown")
SHOWN = {"value": 0.934, "elsewhere": 0.221, "difference": 0.713, "n": 40, "elsewhere_n": 60}
EVEN = {"value": 0.42, "elsewhere": 0.4, "difference": 0.02, "n": 40, "elsewhere_n": 60}
LEAK, EFFECT = {"value": 0.876, "n": 41}, {"value": 0.124}
GAP, LOOKS = {"value": 0.3, "together": 0.951, "apart": 0.648}, {"value": 2.345}


def figures(**given: dict) -> Figures:
    return bare_figures(**{kind: given.get(kind, {"n": 3, "reason": f"Only 3 images for {kind}."}) for kind in KINDS})


def data_sentence(*about: object) -> str:
    return data_answer(*about).sentence


def model_sentence(*about: object) -> str:
    return model_answer(*about).sentence


def is_readable(sentence: str) -> bool:
    shape = re.fullmatch(r"[“A-Z].*[^.]\.", sentence)
    return bool(shape) and not re.search(r"None|nan|inf\b|\{|\}|  ", sentence)


@pytest.mark.parametrize("severity", ORDER)
def test_headlines_name_cue_and_class(severity):
    sentence = headline("the hair", "nurse", severity)
    assert is_readable(sentence) and "he hair" in sentence and "“nurse”" in sentence


def test_headlines_differ():
    assert len({headline("the hair", "nurse", severity) for severity in ORDER}) == len(ORDER)


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({"prevalence": SHOWN, "leakage": LEAK}, ["93 %", "22 %", "“nurse”"]),
        ({"prevalence": {**SHOWN, "difference": -0.1}}, ["93 %", "22 %"]),
        ({"prevalence": EVEN, "leakage": LEAK}, ["88 %", "guessing: 50 %", "only 41 % of the photographs show it."]),
        ({"prevalence": EVEN}, ["about as common", "42 %"]),
        ({"leakage": LEAK}, ["88 %"]),
        ({"leakage": LEAK | {"control": 0.613}}, ["88 %", "same size elsewhere, in 61 %."]),
        ({}, ["Cannot be told: only 3 images for prevalence."]),
    ],
)
def test_data_sentences_hold_the_figure_that_weighs_most(given, needed):
    sentence = data_sentence("the hair", "nurse", figures(**given), "strong")
    assert is_readable(sentence) and all(text in sentence for text in needed)


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({"effect": EFFECT, "gap": GAP, "attention": LOOKS}, ["lowers", "by 12 percentage points", "95 %", "65 %"]),
        ({"effect": {"value": -0.124}}, ["raises", "by 12 percentage points"]),
        ({"gap": GAP}, ["95 %", "65 %"]),
        ({"attention": LOOKS}, ["2.3 times"]),
        ({}, ["Cannot be told: only 3 images for gap."]),
    ],
)
def test_model_sentences_hold_the_figures(given, needed):
    sentence = model_sentence("the hair", "nurse", figures(**given), "weak")
    assert is_readable(sentence) and all(text in sentence for text in needed)
    assert "times" not in sentence or "effect" not in given, "attention is told only where nothing better is known"


@pytest.mark.parametrize("value", [0.0, 0.004, -0.004])
def test_no_change_has_no_sign(value):
    assert "by 0 percentage points" in model_sentence("it", "a", figures(effect={"value": value}), "none")


@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_verdict_comes_first(strength):
    words = {"strong": "Yes: ", "weak": "A little: ", "none": "No: ", "unknown": "Not certain: "}[strength]
    assert data_sentence("it", "a", figures(prevalence=SHOWN), strength).startswith(words)
    assert model_sentence("it", "a", figures(gap=GAP), strength).startswith(words)


@pytest.mark.parametrize("known", list(product((False, True), repeat=5)))
def test_any_mixture_of_measured_and_not_is_readable(known):
    every = {"prevalence": SHOWN, "leakage": LEAK, "attention": LOOKS, "effect": EFFECT, "gap": GAP}
    given = {kind: value for (kind, value), is_known in zip(every.items(), known, strict=True) if is_known}
    for strength in STRENGTHS:
        assert is_readable(data_sentence("the hair", "nurse", figures(**given), strength))
        assert is_readable(model_sentence("the hair", "nurse", figures(**given), strength))


def test_recommendations():
    adds = ["Collect 12 more."]
    first, last = recommendations("the hair", "nurse", "high", adds)
    assert first == adds[0] and "plan/weights.csv" in last
    (compare,) = recommendations("the hair", "nurse", "low", [])
    assert is_readable(compare) and "the hair" in compare and "“nurse”" in compare
    for severity in ("cleared", "expected", "not_enough_data"):
        assert recommendations("the hair", "nurse", severity, adds, "border") == []


@pytest.mark.parametrize("adds", [[], ["Collect 12 more."]])
def test_what_can_be_masked_is_to_be_masked_first(adds):
    first, *others = recommendations("a border", "nurse", "medium", adds, "border")
    assert "“bias-audit mask”" in first and "--cue “border”" in first
    assert others == recommendations("a border", "nurse", "medium", adds)


@pytest.mark.parametrize(("share", "text"), [(0, "0 %"), (1, "100 %"), (0.996, "100 %"), (0.424, "42 %")])
def test_percent(share, text):
    assert percent(share) == text
