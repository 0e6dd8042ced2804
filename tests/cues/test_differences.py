"""What differs, in words: found where it was planted, not by chance, and never what another attribute explains."""

import numpy as np
import pytest

from audit.attributes.attribute import Attribute
from audit.cues.cue_json import Difference
from audit.cues.differences import LEAST, MOST, Trait, differences, in_words
from audit.measures.intervals import contrast_interval, wilson

N = 300


def attribute(name, topic=""):
    return Attribute(name, f"{name} shown", f"no {name}", "hair", 0.5, "", topic or name)


def trait(name, shown, known=None, topic=""):
    values = shown.astype(float)
    values[np.zeros(len(shown), bool) if known is None else ~known] = np.nan
    return Trait(attribute(name, topic), values, shown)


def two_sides(rng):
    """Half of the images here, half there; three folds; every image for itself."""
    here = rng.permutation(N) < N // 2
    return here, np.arange(N), rng.permutation(N) % 3


def leaning(rng, here, share, elsewhere):
    return rng.random(N) < np.where(here, share, elsewhere)


def test_a_planted_difference_is_told_with_its_shares():
    rng = np.random.default_rng(0)
    here, groups, folds = two_sides(rng)
    shown = leaning(rng, here, 0.8, 0.1)
    noise = [trait(f"noise {number}", leaning(rng, here, 0.5, 0.5)) for number in range(20)]
    told = differences([*noise, trait("long", shown)], here, ~here, groups, folds)
    assert [one.words for one in told] == ["long shown"]
    (one,) = told
    assert (one.n, one.of, one.n_elsewhere, one.of_elsewhere) == (
        (shown & here).sum(), here.sum(), (shown & ~here).sum(), (~here).sum(),
    )  # fmt: skip
    shares = np.array([one.n / one.of, one.n_elsewhere / one.of_elsewhere])
    ends = np.array([wilson(one.n, one.of), wilson(one.n_elsewhere, one.of_elsewhere)]).T
    assert (one.low, one.high) == pytest.approx(contrast_interval(np.array([1, -1]), shares, *ends))


def test_the_other_end_is_told_where_it_is_the_rarer_one():
    rng = np.random.default_rng(1)
    here, groups, folds = two_sides(rng)
    told = differences([trait("long", leaning(rng, here, 0.1, 0.9))], here, ~here, groups, folds)
    assert told[0].words == "no long" and told[0].difference > 0.6


def test_chance_is_seldom_told():
    told = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        here, groups, folds = two_sides(rng)
        traits = [trait(f"noise {number}", leaning(rng, here, 0.4, 0.4)) for number in range(30)]
        told += bool(differences(traits, here, ~here, groups, folds))
    assert told <= 3


def test_what_another_attribute_explains_is_not_told():
    rng = np.random.default_rng(3)
    here, groups, folds = two_sides(rng)
    cause = leaning(rng, here, 0.85, 0.1)
    effect = rng.random(N) < np.where(cause, 0.8, 0.1)
    own = leaning(rng, here, 0.7, 0.2)
    traits = [trait("effect", effect), trait("cause", cause), trait("own", own)]
    assert [one.attribute for one in differences(traits, here, ~here, groups, folds)] == ["cause", "own"]


def test_of_one_topic_the_largest_is_told():
    rng = np.random.default_rng(4)
    here, groups, folds = two_sides(rng)
    colours = [trait(name, leaning(rng, here, *shares), topic="colour") for name, shares in (
        ("black", (0.8, 0.2)), ("blond", (0.1, 0.5)),
    )]  # fmt: skip
    assert [one.attribute for one in differences(colours, here, ~here, groups, folds)] == ["black"]


def test_copies_count_once_and_few_images_say_nothing():
    rng = np.random.default_rng(5)
    here = np.repeat([True, False], 150)
    shown, folds = here.copy(), rng.permutation(300) % 3
    copies = np.arange(300) // 20
    assert differences([trait("long", shown)], here, ~here, copies, copies % 3) == []
    assert differences([trait("long", shown)], here, ~here, np.arange(300), folds)


def test_unknown_images_are_left_out():
    rng = np.random.default_rng(6)
    here, groups, folds = two_sides(rng)
    known = rng.random(N) < 0.5
    told = differences([trait("long", here & known, known)], here, ~here, groups, folds)
    assert told[0].of == (here & known).sum() and told[0].of_elsewhere == (~here & known).sum()


def test_no_attributes_and_no_images_say_nothing():
    nothing = np.zeros(N, bool)
    assert differences([], ~nothing, nothing, np.arange(N), np.arange(N) % 3) == []
    assert differences([trait("long", nothing)], ~nothing, nothing, np.arange(N), np.arange(N) % 3) == []


def test_at_most_three_each_at_least_as_large_as_promised():
    rng = np.random.default_rng(7)
    here, groups, folds = two_sides(rng)
    traits = [trait(f"t{number}", leaning(rng, here, 0.75, 0.25)) for number in range(6)]
    told = differences(traits, here, ~here, groups, folds)
    assert len(told) == MOST
    assert all(one.difference > LEAST and one.low > 0 for one in told)
    assert [one.difference for one in told] == sorted((one.difference for one in told), reverse=True)


def test_values_that_differ_are_told_though_few_show_it():
    rng = np.random.default_rng(8)
    here, groups, folds = two_sides(rng)
    values = rng.normal(size=N) + 1.2 * here
    grey = Trait(attribute("grey"), values, values > 1.5)
    (told,) = differences([grey], here, ~here, groups, folds)
    assert told.n / told.of < 0.5 and told.low > 0


def test_a_look_is_named_by_what_most_of_its_images_show_and_else_keeps_its_words():
    told = Difference(
        attribute="a", words="long hair", n=25, of=50, n_elsewhere=0, of_elsewhere=50, difference=0.5, low=0.3, high=0.6
    )
    assert in_words("one look", [told]) == "one look, mostly with long hair"
    assert in_words("one look", [told.model_copy(update={"n": 24})]) == in_words("one look", []) == "one look"
