"""False alarms counted: of the data over verdicts, of the model over the cases in which one could be raised."""

import pytest

from audit.findings.severity import Judgement
from audit.measures.intervals import wilson
from audit.selfaudit.false_alarms import false_alarms, model_alarms, said_of_model
from audit.selfaudit.permuted_cues import Told
from tests.bare_records import bare_finding


def told(model, severity, could_be="strong", gravest="high"):
    return Told(Judgement("strong", model, severity), Judgement("strong", could_be, gravest))


def verdict(severity, data):
    return bare_finding(severity=severity, in_data=data)


NOTHING = model_alarms([], [], deals=2, images=50)
TOO_FEW = told("unknown", "low", "unknown", "low")
SOME = [told("strong", "high"), told("weak", "medium"), told("none", "cleared"), TOO_FEW]


def test_of_the_data_all_verdicts_count_but_what_was_declared():
    audits = [
        [verdict("high", "strong"), verdict("low", "weak"), verdict("expected", "strong")],
        [verdict("cleared", "none"), verdict("medium", "strong")],
        [verdict("low", "weak"), verdict("not_enough_data", "unknown")],
    ]
    counted = false_alarms(audits, 50, NOTHING)
    shares = (counted.data.strong, counted.data.weak, counted.data.either)
    assert [(share.count, share.n) for share in shares] == [(2, 6), (2, 6), (4, 6)]
    assert (counted.data.strong.low, counted.data.strong.high) == wilson(2, 6)
    assert counted.counts == {"high": 1, "low": 2, "cleared": 1, "medium": 1, "not_enough_data": 1}
    figures = [(share.count, share.n) for share in (counted.high, counted.flagged, counted.audits_flagged)]
    assert figures == [(1, 6), (2, 6), (2, 3)]
    assert counted.audits_with_high.count == 1
    assert false_alarms([[verdict("expected", "strong")]], 50, NOTHING).data.strong.n == 0


def test_of_the_model_a_case_counts_where_the_rules_could_have_raised_the_alarm():
    counted = said_of_model([*SOME, told("none", "cleared", "strong", "medium")])
    assert counted.cases == 5
    assert [(share.count, share.n) for share in (counted.strong, counted.weak, counted.high)] == [
        (1, 4),
        (1, 4),
        (1, 3),
    ]
    assert counted.high.value == pytest.approx(1 / 3)
    assert (counted.strong.low, counted.strong.high) == wilson(1, 4)


def test_the_sentence_tells_both_halves_and_what_could_not_be_told():
    audits = [[verdict("high", "strong"), verdict("low", "weak")], [verdict("cleared", "none")] * 2]
    assert false_alarms(audits, 50, model_alarms(SOME, [TOO_FEW], deals=2, images=50)).sentence == (
        "With the labels of 50 photographs dealt out at random 2 times, so that there was nothing to find in the data, "
        "these looked strongly tied to a class in 1 of 4 verdicts and weakly in 1 (95 % interval 15 to 85 % for both). "
        "With all content dealt out at random among the photographs of each class 2 times, so that the model cannot "
        "have used it, it was said to use it strongly in 1 of 3 cases in which that could be said (95 % interval 6 to "
        "79 %), and 1 of 3 verdicts that could be high were (95 % interval 6 to 79 %). Of made-up attributes, in 50 % "
        "to 90 % of one class, nothing could be said in any of 1 cases, rightly or wrongly."
    )
