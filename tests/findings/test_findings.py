"""Findings: which comes first, and what a nameless place on the subject itself is worth."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from audit.detectors.cue import Cue
from audit.findings.findings import Verdict, caution, consequences_last, excused, lowered, verdict_of
from tests.bare_records import bare_figures

NOTHING = {"value": None, "low": None, "high": None, "p": None, "p_adjusted": None, "n": 0, "reason": "", "extra": {}}
KINDS = ("prevalence", "attention", "leakage", "effect", "gap")


def verdict(name, severity="medium", role="part", kind="detector", data="strong", model="weak", difference=0.4):
    figures = bare_figures(prevalence={"value": 0.6, "difference": difference})
    return Verdict(Cue(name, name, role, kind), "a", data, model, severity, figures)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (verdict("face", "high"), verdict("text", "medium", "mark")),
        (verdict("text", role="mark", model="none"), verdict("face", model="strong", data="weak")),
        (verdict("background", role="scene", model="none"), verdict("cluster 2", role="scene", kind="cluster")),
        (verdict("hair", model="weak"), verdict("face", model="none")),
        (verdict("hair", difference=0.5), verdict("face", difference=-0.4)),
        (verdict("face"), verdict("hair")),
    ],
)
def test_which_of_two_comes_first(first, second):
    """Gravest; marks; what has a name; what is certain; what weighs more; the alphabet."""
    assert first.rank < second.rank


def rows(difference, share=0.8, leak=None):
    shown = {"difference": difference, "difference_low": difference - 0.1, "difference_high": difference + 0.1}
    shown["elsewhere"] = share - difference
    table = [NOTHING | {"kind": kind} for kind in KINDS]
    table[KINDS.index("prevalence")] |= {"value": share, "low": 0.0, "high": 1.0, "p_adjusted": 0.001, "extra": shown}
    if leak:
        table[KINDS.index("leakage")] |= {"value": leak, "low": leak - 0.05, "high": 1.0, "p_adjusted": 0.001}
    table[KINDS.index("effect")] |= {"value": 0.2, "low": 0.1, "high": 0.3, "p_adjusted": 0.001}
    return pd.DataFrame(table).astype(dict.fromkeys(("value", "low", "high", "p", "p_adjusted"), float))


@pytest.mark.parametrize(
    ("role", "kind", "severity"),
    [("scene", "cluster", "high"), ("subject", "cluster", "medium"), ("subject", "detector", "high")],
)
def test_a_nameless_place_on_the_subject_itself_is_never_high(role, kind, severity):
    cue = Cue("cluster 1", "something", role, kind)
    assert verdict_of(cue, "a", rows(0.6), (), learned=True).severity == severity


@pytest.mark.parametrize(
    ("kind", "share", "data"), [("detector", 0.8, "strong"), ("detector", 0.1, "weak"), ("cluster", 0.1, "strong")]
)
def test_what_few_photographs_show_leaks_little_unless_its_place_is_looked_at_in_all(kind, share, data):
    cue = Cue("hair", "the hair", "part", kind)
    assert verdict_of(cue, "a", rows(0.01, share, leak=0.97), (), learned=True).data == data


def test_a_subject_that_both_classes_show_is_expected():
    cue = Cue("person", "the person", "subject")
    assert verdict_of(cue, "a", rows(0.0), (), learned=True).severity == "expected"


def test_lowering_takes_one_step():
    assert [lowered(verdict("face", level)).severity for level in ("high", "medium", "low", "cleared", "expected")] == [
        "medium",
        "low",
        "not_enough_data",
        "not_enough_data",
        "expected",
    ]


@pytest.mark.parametrize(
    ("name", "faces", "difference", "is_told"),
    [("glasses", (0.8, 0.6), 0.2, True), ("glasses", (0.8, 0.75), 0.4, False), ("sticker", (0.8, 0.6), 0.2, False)],
)
def test_where_the_face_detector_may_have_failed_in_one_class_it_is_said(name, faces, difference, is_told):
    within = {"person": "", "face": "person", "eyes": "face", "glasses": "eyes", "sticker": ""}
    cues = [Cue(cue, cue, "part", within=whole) for cue, whole in within.items()]
    labels = np.repeat([0, 1], 100)
    seen = np.concatenate([np.arange(100) < 100 * share for share in faces])
    table = SimpleNamespace(
        cues=cues, present=lambda cue: seen, known=lambda cue: seen | True, named=lambda name: cues[0]
    )
    dataset = SimpleNamespace(labels=labels, classes=["a", "b"])
    told = caution(verdict(name, difference=difference), dataset, table)
    assert ("80 %" in told and "60 %" in told) if is_told else told == ""


@pytest.mark.parametrize(("shares", "is_told"), [((0.4, 0.1), True), ((0.2, 0.2), False)])
def test_where_more_faces_of_one_class_are_in_doubt_it_is_said(shares, is_told):
    cues = [Cue("person", "person", "subject"), Cue("glasses", "glasses", "part", within="person")]
    open_ones = np.concatenate([np.arange(100) < 100 * share for share in shares])
    table = SimpleNamespace(
        cues=cues, present=lambda cue: ~open_ones, known=lambda cue: ~open_ones, named=lambda name: cues[0]
    )
    dataset = SimpleNamespace(labels=np.repeat([0, 1], 100), classes=["a", "b"])
    told = caution(verdict("glasses", difference=0.3), dataset, table)
    assert ("40 %" in told and "10 %" in told and "not counted" in told) if is_told else told == ""


def test_a_consequence_stands_behind_its_cause_and_before_the_next_one():
    names = ["skin", "face", "hat", "eyes", "text", "hair"]
    levels = ["medium", "medium", "medium", "medium", "low", "low"]
    verdicts = [verdict(name, level) for name, level in zip(names, levels, strict=True)]
    ordered, causes = consequences_last(verdicts, {0: 1, 3: 1, 5: 2, 4: 2})
    assert [one.cue.name for one in ordered] == ["face", "skin", "eyes", "hat", "text", "hair"]
    assert causes == {1: 0, 2: 0, 4: 3, 5: 3}


def test_what_an_expected_finding_explains_is_expected_and_what_an_open_one_explains_is_not():
    verdicts = [verdict("light"), verdict("skin"), verdict("sticker"), verdict("clothing", "expected")]
    told = excused(verdicts, {0: 3, 1: 2})
    assert [one.severity for one in told] == ["expected", "medium", "medium", "expected"]
    ordered, causes = consequences_last(told, {0: 3, 1: 2})
    assert [one.cue.name for one in ordered] == ["sticker", "skin", "clothing", "light"]
    assert causes == {1: 0, 3: 2}
