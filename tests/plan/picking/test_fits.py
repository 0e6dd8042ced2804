"""Which photographs fit, in which order, and what the models' answers are worth in a state that they lean on."""

import numpy as np
import pytest

from audit.plan.picking.fits import Classes, in_state, pick_each_once, ranked
from audit.plan.picking.guesses import corrected, effects
from audit.plan.picking.told_cues import State
from audit.plan.plan_json import CueState, Order


def order(*cues: tuple[str, bool], label: str = "disc") -> Order:
    states = tuple(CueState(cue=name, present=present, words=name) for name, present in cues)
    return Order(label=label, state="", cues=states, have=0, need=5, add=5, ask=5, examples=(), sentence="")


def attribute(values: list[float], shown_from: float = 0.5) -> State:
    array = np.array(values)
    return State(array >= shown_from, ~np.isnan(array), array, shown_from)


def said(labels: list[int]) -> Classes:
    ones = np.ones(len(labels))
    return Classes(np.array(labels), np.zeros(len(labels), bool), ones, ones)


def test_every_state_must_be_met_and_what_is_unknown_fits_neither():
    states = {"long": attribute([0.9, 0.9, 0.1, np.nan]), "blue": attribute([0.9, 0.1, 0.9, 0.9])}
    assert in_state(order(("long", True), ("blue", True)), states).tolist() == [True, False, False, False]
    assert in_state(order(("long", False)), states).tolist() == [False, False, True, False]
    assert in_state(order(("long", True)), states).tolist() == [True, True, False, False]


def test_those_furthest_on_the_right_side_come_first():
    states = {"long": attribute([0.6, 0.95, 0.1, 0.7, 0.4, 0.0])}
    assert ranked(order(("long", True)), 0, states, said([0] * 6)).tolist() == [1, 3, 0]
    assert ranked(order(("long", False)), 0, states, said([0] * 6)).tolist() == [5, 2, 4]


def test_absent_is_surest_where_a_detector_saw_least_and_least_sure_where_it_says_nothing():
    states = {"glasses": State(np.array([False] * 4), np.ones(4, bool), np.array([0.5, 0.0, 0.1, 0.3]))}
    assert ranked(order(("glasses", False)), 0, states, said([0] * 4)).tolist() == [2, 3, 0, 1]
    attributes = {"glasses": attribute([0.4, 0.0, 0.1, 0.3])}
    assert ranked(order(("glasses", False)), 0, attributes, said([0] * 4)).tolist() == [1, 2, 3, 0]


def test_values_of_any_scale_count_alike_and_the_least_sure_decides():
    long = [0.6, 0.7, 0.8, 0.9]
    states = {"long": attribute(long), "big": attribute([4000, 3000, 2000, 1000], shown_from=500)}
    both = ranked(order(("long", True), ("big", True)), 0, states, said([0] * 4))
    assert both.tolist() == [1, 2, 0, 3]


def test_only_the_class_that_was_said_fits_and_a_guess_ranks_with_the_states():
    states = {"long": attribute([0.9, 0.9, 0.9, 0.9])}
    assert ranked(order(("long", True)), 1, states, said([0, 1, -1, 1])).tolist() == [1, 3]
    guessed = Classes(
        np.array([1, 1, 1, 0]), np.array([True, True, False, True]), np.array([0.6, 0.9, 1, 0.8]), np.ones(4)
    )
    assert ranked(order(("long", True)), 1, states, guessed).tolist() == [1, 2, 0]


def test_equally_sure_photographs_keep_their_order():
    states = {"patch": State(np.ones(5, bool), np.ones(5, bool), np.ones(5))}
    assert ranked(order(("patch", True)), 0, states, said([0, 0, 1, 0, 0])).tolist() == [0, 1, 3, 4]


def test_no_photograph_is_picked_twice_nor_more_than_asked_for():
    picked = pick_each_once([np.array([3, 1, 2]), np.array([1, 3, 4, 0])], [2, 2])
    assert [images.tolist() for images in picked] == [[3, 1], [4, 0]]


@pytest.fixture
def leaning():
    """Answers of a model that sees the class a little and a cue a lot, in 90 % of class 0 and 10 % of class 1."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100)
    shown = rng.random(200) < np.where(labels == 0, 0.9, 0.1)
    log_odds = 1.0 * (labels == 0) - 0.5 + 3.0 * (shown - 0.5) + rng.normal(0, 0.3, 200)
    share = 1 / (1 + np.exp(-log_odds))
    return np.stack([share, 1 - share], 1), labels, shown[:, None]


def test_what_a_cue_adds_to_the_answers_is_taken_off(leaning):
    answers, labels, shown = leaning
    rare = shown[:, 0] != (labels == 0)
    added = effects(answers, labels, shown, np.ones_like(shown))
    np.testing.assert_allclose(added[0], [1.5, -1.5], atol=0.15)
    assert (answers.argmax(1) == labels)[rare].mean() < 0.1
    after = corrected(answers, shown, added)
    assert (after.argmax(1) == labels)[rare].mean() > 0.85
    np.testing.assert_allclose(after.sum(1), 1)


def test_images_of_unknown_state_do_not_count(leaning):
    answers, labels, shown = leaning
    known = np.ones_like(shown)
    known[::3] = False
    spoilt = answers.copy()
    spoilt[::3] = 0.5
    np.testing.assert_allclose(
        effects(spoilt, labels, shown, known),
        effects(answers[known[:, 0]], labels[known[:, 0]], shown[known[:, 0]], known[known[:, 0]]),
    )


def test_without_any_effect_the_answers_are_the_models_own():
    answers = np.array([[0.2, 0.8], [0.9, 0.1]])
    np.testing.assert_allclose(corrected(answers, np.array([[True], [False]]), np.zeros((1, 2))), answers)
