"""The published table of verdicts, row by row, and the limits at their edges."""

from itertools import product

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from audit.detectors.cue import Cue
from audit.findings.caveats import Measures
from audit.findings.severity import ORDER, RULES, STRENGTH_RULES, judge
from audit.measures.limits import (
    DIFFERENCE,
    EFFECT,
    GAP,
    LEAKAGE,
    LIFT,
    Evidence,
    Strength,
    combine_strength,
    over_all_pairs,
    strength,
)

NOTHING = Evidence(None, None, None, None)
LEVELS = ("strong", "weak", "none", "unknown")
VERDICTS = {
    ("strong", "strong"): "high",
    ("strong", "weak"): "medium",
    ("strong", "none"): "medium",
    ("strong", "unknown"): "medium",
    ("weak", "weak"): "low",
    ("weak", "none"): "low",
    ("weak", "unknown"): "low",
    ("none", "none"): "cleared",
    ("none", "unknown"): "not_enough_data",
    ("unknown", "unknown"): "not_enough_data",
}

OF_DATA = {
    "strong": Evidence(0.6, 0.5, 0.7, 0.001),
    "weak": Evidence(0.2, 0.1, 0.3, 0.01),
    "none": Evidence(0.0, -0.05, 0.05, 0.9),
    "unknown": NOTHING,
}
OF_MODEL = {
    "strong": Evidence(0.3, 0.2, 0.4, 0.001),
    "weak": Evidence(0.04, 0.01, 0.07, 0.01),
    "none": Evidence(0.0, -0.02, 0.02, 0.9),
    "unknown": NOTHING,
}


@pytest.mark.parametrize(("data", "model"), list(product(LEVELS, LEVELS)))
def test_the_table(data, model):
    expected = VERDICTS.get((data, model)) or VERDICTS[model, data]
    measures = Measures(difference=OF_DATA[data], effect=OF_MODEL[model])
    found = judge(Cue("hair", "the hair", "part"), measures)
    assert (found.data, found.model, found.severity) == (data, model, expected)
    assert judge(Cue("hair", "the hair", "part"), measures, ["face", "hair"]).severity == "expected"


def test_every_verdict_has_its_rule_and_its_place():
    assert {name for name, _ in RULES} == set(ORDER) == {*VERDICTS.values(), "expected"}
    for figure in ("30%", "10%", "0.70", "0.60", "3%", "5%", "1.5"):
        assert figure in " ".join(STRENGTH_RULES)


def measure(value: float, low: float, high: float = 1.0, p: float | None = 0.01) -> Evidence:
    return Evidence(value, low, high, p)


@pytest.mark.parametrize(
    ("evidence", "limit", "expected"),
    [
        (measure(0.30, 0.11), DIFFERENCE, "strong"),
        (measure(0.30, 0.10), DIFFERENCE, "weak"),
        (measure(0.29, 0.20, 0.38), DIFFERENCE, "weak"),
        (measure(0.10, 0.01), DIFFERENCE, "weak"),
        (measure(0.10, 0.00, 0.29), DIFFERENCE, "unknown"),
        (measure(0.09, 0.00, 0.19), DIFFERENCE, "none"),
        (measure(0.09, 0.00, 0.20), DIFFERENCE, "unknown"),
        (measure(0.10, 0.00, 0.30), DIFFERENCE, "unknown"),
        (measure(0.90, 0.80, 0.95, p=0.05), DIFFERENCE, "unknown"),
        (measure(0.90, 0.80, 0.95, p=None), DIFFERENCE, "unknown"),
        (measure(0.09, 0.05, 0.13), DIFFERENCE, "none"),
        (measure(-0.5, -0.6, -0.4), DIFFERENCE, "none"),
        (measure(0.70, 0.61), LEAKAGE, "strong"),
        (measure(0.70, 0.60), LEAKAGE, "weak"),
        (measure(0.60, 0.50, 0.69), LEAKAGE, "unknown"),
        (measure(0.59, 0.50, 0.64), LEAKAGE, "none"),
        (measure(0.50, 0.40, 0.60), LEAKAGE, "none"),
        (measure(0.10, 0.04), EFFECT, "strong"),
        (measure(0.03, 0.01, 0.05), EFFECT, "weak"),
        (measure(-0.2, -0.3, -0.1), EFFECT, "none"),
    ],
)
def test_limits_of_tested_measures(evidence, limit, expected):
    assert strength(evidence, limit, tested=True) == expected


@pytest.mark.parametrize(
    ("evidence", "limit", "expected"),
    [
        (measure(0.15, 0.01, p=None), GAP, "strong"),
        (measure(0.15, 0.0, p=None), GAP, "unknown"),
        (measure(0.08, 0.01, 0.14, p=None), GAP, "weak"),
        (measure(2.0, 1.3, 9.0, p=None), LIFT, "weak"),
        (measure(2.0, 1.2, 9.0, p=None), LIFT, "unknown"),
        (measure(2.0, 1.6, 9.0, p=None), LIFT, "strong"),
    ],
)
def test_limits_of_measures_without_a_test(evidence, limit, expected):
    assert strength(evidence, limit, tested=False) == expected


def test_what_was_not_measured_is_neither_none_nor_unknown():
    assert strength(NOTHING, DIFFERENCE, True) is None
    assert strength(Evidence(0.9, None, None, 0.01), DIFFERENCE, True) is None


@pytest.mark.parametrize(("direct", "indirect"), list(product((*LEVELS, None), repeat=2)))
def test_combine_strength(direct, indirect):
    told = combine_strength(direct, indirect)
    if "strong" in (direct, indirect):
        assert told == "strong"
    elif "weak" in (direct, indirect):
        assert told == "weak"
    else:
        assert told == (direct or indirect or "unknown")


def in_data(measures: dict, role: str, **more: object) -> Strength:
    return judge(Cue("hair", "the hair", role), Measures(**measures, **more)).data


STRONG_LEAK, NO_LEAK = measure(0.95, 0.9), measure(0.5, 0.45, 0.55)
STRONG_DIFFERENCE, NO_DIFFERENCE = measure(0.6, 0.5), measure(0.0, -0.05, 0.05)


@pytest.mark.parametrize(
    ("leak", "difference", "role", "expected"),
    [
        (STRONG_LEAK, NO_DIFFERENCE, "part", "strong"),
        (STRONG_LEAK, NO_DIFFERENCE, "scene", "strong"),
        (STRONG_LEAK, NO_DIFFERENCE, "subject", "none"),
        (STRONG_LEAK, STRONG_DIFFERENCE, "subject", "strong"),
        (STRONG_LEAK, NOTHING, "subject", "unknown"),
        (NO_LEAK, STRONG_DIFFERENCE, "part", "strong"),
        (NOTHING, NO_DIFFERENCE, "attribute", "none"),
        (NO_LEAK, NOTHING, "part", "none"),
        (NO_LEAK, measure(0.14, 0.0, 0.28, p=0.2), "part", "unknown"),
        (measure(0.55, 0.4, 0.75), NO_DIFFERENCE, "part", "unknown"),
        (NOTHING, NOTHING, "part", "unknown"),
    ],
)
def test_in_data(leak, difference, role, expected):
    assert in_data({"leakage": leak, "difference": difference}, role) == expected


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        (measure(0.05, -0.04), "strong"),
        (measure(0.20, 0.10), "strong"),
        (measure(0.04, 0.01), "weak"),
        (measure(0.05, -0.05), "weak"),
        (measure(-0.10, -0.20), "weak"),
        (NOTHING, "strong"),
    ],
)
def test_a_leak_that_any_place_has_is_not_the_cues_own(above, expected):
    measures = {"leakage": STRONG_LEAK, "difference": NO_DIFFERENCE, "above_control": above}
    assert in_data(measures, "part") == expected
    assert in_data(measures | {"difference": STRONG_DIFFERENCE}, "part") == "strong"
    assert in_data(measures | {"leakage": NO_LEAK}, "part") == "none"


@pytest.mark.parametrize(
    ("auc", "shares", "expected"),
    [
        (0.97, (1.0, 1.0), "strong"),
        (0.97, (0.08, 0.07), "weak"),
        (0.97, (0.25, 0.25), "strong"),
        (0.75, (0.25, 0.25), "strong"),
        (0.75, (0.2, 0.2), "weak"),
        (0.75, (1.0, 0.0), "strong"),
    ],
)
def test_a_leak_in_few_photographs_is_weak(auc, shares, expected):
    measures = {"leakage": measure(auc, auc - 0.05), "difference": NO_DIFFERENCE}
    assert in_data(measures, "part", shares=shares) == expected
    assert in_data(measures | {"difference": STRONG_DIFFERENCE}, "part", shares=shares) == "strong"
    assert in_data(measures | {"leakage": NO_LEAK}, "part", shares=shares) == "none"


def test_an_auc_over_all_pairs_is_that_of_scores_which_only_those_have_that_show_the_cue():
    rng, n = np.random.default_rng(0), 4000
    seen = rng.random((2, n)) < [[0.3], [0.2]]
    # Sure on both sides of what an image without the cue gets.
    scores = np.where(seen, [[1.0], [-1.0]], 0.0)
    auc = roc_auc_score(np.repeat([1, 0], n), scores.ravel())
    assert auc == pytest.approx(over_all_pairs(1.0, *seen.mean(axis=1)))


def model(
    effect: Evidence = NOTHING, gap: Evidence = NOTHING, attention: Evidence = NOTHING, data: Strength = "weak"
) -> str:
    measures = Measures(OF_DATA[data], effect=effect, gap=gap, attention=attention)
    return judge(Cue("hair", "the hair", "part"), measures).model


def test_in_model():
    effect, none, gap, looks = measure(0.3, 0.2), measure(0, -0.02, 0.02), measure(0.2, 0.1), measure(3.0, 2.0, 4.0)
    assert model() == "unknown"
    assert model(effect) == model(gap=gap) == model(none, gap) == model(effect, attention=looks) == "strong"
    assert model(none) == model(none, none) == "none"
    assert model(attention=looks) == model(none, attention=looks) == "weak", "attention alone is never strong"
    assert model(none, attention=measure(1.0, 0.9, 1.1)) == "none"


@pytest.mark.parametrize(("data", "expected"), [("strong", "strong"), ("weak", "strong"), ("none", "unknown")])
def test_a_gap_counts_only_where_the_data_lean(data, expected):
    assert model(gap=measure(0.2, 0.1), data=data) == expected
    assert model(measure(0.3, 0.2), gap=measure(0.2, 0.1), data=data) == "strong"


def test_strong_attention_counts_as_use_only_if_hiding_the_cue_costs_something():
    looks, small = measure(3.0, 2.0, 4.0), measure(0.02, 0.01, 0.03)
    assert model(small, attention=looks) == "strong"
    assert model(small, attention=measure(1.6, 1.3, 1.9)) == "weak"
    assert model(small) == "none"
    assert model(measure(0.02, 0.01, 0.03, p=0.2), attention=looks) == "weak"
    assert model(measure(0.02, -0.01, 0.05), attention=looks) == "weak"
