"""What counts as noticed, when the search for the weakest ends, and what is said of it."""

from typing import get_args

import numpy as np
import pytest

from audit.config import MarkKind
from audit.findings.self_audit_json import Attempt
from audit.selfaudit.forms import FORMS, KINDS, coverage_sentence, forms_of
from audit.selfaudit.planted_copies import PAIRS, spread
from audit.selfaudit.power import Power, agreement, measure_power, noticed, power_sentence
from audit.selfaudit.trial import Outcome
from tests.bare_records import bare_finding

LABELS = np.repeat([0, 1], 20)
SAME = spread(LABELS, 0.8, 0.2, seed=0)
OTHER = np.arange(40) % 2 == 0
CLASS = LABELS == 0
ALWAYS = np.ones(40, bool)


def outcome(cue, severity, present):
    return Outcome((bare_finding(cue=cue, words=f"the {cue}", severity=severity),), {cue: present})


def hit_at(share, elsewhere):
    return Attempt(share=share, elsewhere=elsewhere, found=True, cue="x", severity="high")


def miss_at(share, elsewhere):
    return Attempt(share=share, elsewhere=elsewhere, found=False, cue=None, severity=None)


NOTHING = Outcome((), {})
FORM = {form.name: form for form in FORMS}


@pytest.mark.parametrize(
    ("form", "cue", "severity", "present", "is_noticed"),
    [
        ("frame", "border", "high", SAME, True),
        ("frame", "border", "medium", OTHER, True),
        ("frame", "border", "low", SAME, False),
        ("frame", "border", "not_enough_data", SAME, False),
        ("sticker", "cluster 2", "high", SAME, True),
        ("sticker", "cluster 2", "high", ~SAME, True),
        ("sticker", "cluster 2", "high", OTHER, False),
        ("sticker", "cluster 2", "high", CLASS, False),
        ("sticker", "border", "high", OTHER, False),
        ("blur", "background", "medium", ALWAYS, True),
        ("object", "background", "medium", ALWAYS, False),
        ("object", "cluster 2", "high", SAME, True),
    ],
)
def test_a_mark_is_noticed_by_its_name_or_by_its_place(form, cue, severity, present, is_noticed):
    assert (noticed(outcome(cue, severity, present), NOTHING, FORM[form].cue, SAME, LABELS) is not None) == is_noticed


def test_what_was_flagged_without_the_mark_is_not_noticed_because_of_it():
    plain = outcome("background", "medium", ALWAYS)
    assert noticed(outcome("background", "high", ALWAYS), plain, "background", SAME, LABELS) is None
    assert noticed(outcome("background", "high", ALWAYS), NOTHING, "background", SAME, LABELS)


def test_a_cluster_that_was_there_before_is_not_the_mark_whatever_its_number():
    before = SAME.copy()
    before[:2] = ~before[:2]
    assert noticed(outcome("cluster 1", "medium", SAME), outcome("cluster 1", "medium", before), "patch", SAME, LABELS)
    plain, marked = outcome("cluster 1", "medium", before), outcome("cluster 2", "medium", before)
    assert noticed(marked, NOTHING, "patch", SAME, LABELS)
    assert noticed(marked, plain, "patch", SAME, LABELS) is None


def test_agreement_is_phi():
    a, b = np.array([1, 1, 1, 0, 0], bool), np.array([1, 1, 0, 0, 1], bool)
    # (n11 n00 - n10 n01) / sqrt of the product of the margins
    assert agreement(a, b) == pytest.approx((2 * 1 - 1 * 1) / np.sqrt(3 * 2 * 3 * 2))
    assert agreement(a, np.ones(5, bool)) == 0


class Marked:
    """Stands in for marked photographs; a trial is just what was planted."""

    labels = LABELS

    def trial(self, form, planted):
        return planted


@pytest.mark.parametrize("least", [0.95, 0.8, 0.7, 0.6, 1.0])
def test_the_search_finds_the_weakest_that_is_noticed_in_at_most_three_trials(least):
    tried = []

    def run(name, planted):
        tried.append(name)
        return outcome("border", "high" if planted[:20].mean() >= least else "low", planted)

    power = measure_power(Marked(), FORM["frame"], PAIRS, NOTHING, run, seed=0)
    assert len(tried) == len(set(tried)) == len(power.attempts) <= 3
    assert (power.weakest.share if power.weakest else 1.0) == least
    shares = [attempt.share for attempt in power.attempts]
    assert shares == sorted(shares, reverse=True)
    assert all(attempt.found == (attempt.share >= least) for attempt in power.attempts)
    assert power.weakest is None or power.record().weakest.cue == "the border"


@pytest.mark.parametrize(("least", "tried"), [(0.8, [0.95, 0.8]), (0.95, [0.95, 0.8]), (1.0, [0.95])])
def test_only_the_pairs_that_are_asked_for_are_tried(least, tried):
    def run(name, planted):
        return outcome("border", "high" if planted[:20].mean() >= least else "low", planted)

    power = measure_power(Marked(), FORM["frame"], PAIRS[:2], NOTHING, run, seed=0)
    assert [attempt.share for attempt in power.attempts] == tried


def test_every_form_has_a_name_and_words_of_its_own():
    assert len({form.name for form in FORMS}) == len({form.words for form in FORMS}) == len(FORMS)
    assert KINDS.keys() == set(get_args(MarkKind)) == {form.kind for form in FORMS}


def test_what_was_tried_and_what_was_not_is_told_by_form():
    tried = forms_of(["sticker", "blur", "sticker"], 2)
    assert [form.name for form in tried] == ["sticker", "edge-sticker", "blur"]
    sentence = coverage_sentence(tried)
    assert "a sticker in 2 of 4, a blurred background in 1 of 1." in sentence
    missing = [form.words for form in FORMS if form not in tried]
    assert all(words in sentence for words in missing)
    assert not any(form.words in sentence for form in tried[:2])
    assert all(form.words not in coverage_sentence(FORMS).split("Not tried")[1] for form in FORMS)


def test_the_sentence_tells_what_was_noticed_and_what_was_not():
    hit, miss = hit_at(0.7, 0.3), miss_at(0.95, 0.05)
    plainer = hit_at(0.95, 0.05)
    seen = [
        Power(FORM["tag"], (plainer, hit)),
        Power(FORM["frame"], (plainer, hit)),
        Power(FORM["sticker"], (plainer,)),
    ]
    blind = Power(FORM["tint"], (miss,))
    assert power_sentence([*seen, blind], 40, 40) == (
        "On this dataset we would have noticed words in a corner or a white frame present in 70 % of one class and "
        "30 % of the other; a small whole sticker present in 95 % of one class and 5 % of the other; weaker ones could "
        "escape us. We would have missed a warm or cold tint of the whole picture even in 95 % of one class and 5 % of "
        "the other."
    )
    assert power_sentence([blind], 40, 40).startswith(
        "On this dataset we would have missed a warm or cold tint of the whole picture"
    )


def test_the_sentence_says_when_only_some_photographs_were_tried():
    sentence = power_sentence([Power(FORM["tag"], (hit_at(0.95, 0.05),))], 40, 300)
    assert sentence == (
        "On 40 of these 300 photographs we would have noticed words in a corner present in 95 % of one class and 5 % "
        "of the other; weaker ones could escape us. How much more is noticed with all of them was not tried."
    )
