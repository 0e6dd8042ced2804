"""Causes and consequences among planted facts."""

import numpy as np
import pytest

from audit.cues.overlap import covered_cues
from audit.detectors.cue import Cue
from audit.evidence.causes import Suspect, consequences
from audit.measures.conditional import signal_of
from tests.measures.test_conditional import N, world

GROUPS = np.arange(N)


def suspect(name, folds, present=None, scores=None, level=0, role="part", declared=False, **more):
    everywhere = np.ones(N, bool)
    signal = signal_of(everywhere if present is None else present, everywhere, scores, folds)
    return Suspect(Cue(name, name, role, **more), 1, level, signal, declared)


def explained(suspects, in_class, folds, inside=None):
    under = consequences(suspects, in_class.astype(int), GROUPS, folds, inside or {})
    names = [one.cue.name for one in suspects]
    return {names[place]: names[cause] for place, cause in under.items()}


def test_views_of_one_fact_are_its_consequences_and_another_fact_is_a_cause():
    in_class, folds, fact, other, (view, again) = world()
    suspects = [
        *(suspect("sticker", folds, fact), suspect("skin", folds, scores=view)),
        *(suspect("hat", folds, other), suspect("background", folds, scores=again)),
    ]
    assert explained(suspects, in_class, folds) == {"skin": "sticker", "background": "sticker"}


def test_the_cause_is_what_explains_the_others_although_a_view_of_it_comes_first():
    in_class, folds, fact, _, (view, _) = world()
    blurred = view + np.random.default_rng(1).normal(0, 1, N)
    suspects = [suspect("skin", folds, scores=blurred), suspect("sticker", folds, fact)]
    assert explained(suspects, in_class, folds) == {"skin": "sticker"}


def test_nothing_is_put_under_what_is_less_grave():
    in_class, folds, fact, _, (view, _) = world()
    suspects = [suspect("skin", folds, scores=view), suspect("sticker", folds, fact, level=1)]
    assert "skin" not in explained(suspects, in_class, folds)


def test_looks_of_one_part_mirror_each_other_and_the_part():
    in_class, folds, fact, other, _ = world()
    suspects = [
        suspect("hair look 1", folds, fact, kind="appearance", within="hair"),
        suspect("hair look 2", folds, ~fact, kind="appearance", within="hair"),
        suspect("hair", folds, other),
    ]
    assert explained(suspects, in_class, folds) == {"hair look 2": "hair look 1", "hair": "hair look 1"}


@pytest.mark.parametrize(("overlap", "expected"), [(0.9, {"eyes": "face"}), (0.1, {})])
def test_where_no_photographs_are_alike_lying_on_each_other_decides(overlap, expected):
    rng = np.random.default_rng(0)
    in_class, folds = np.arange(N) < N // 2, rng.integers(3, size=N)
    shown = in_class ^ (rng.random(N) < 0.05)
    suspects = [suspect("face", folds, in_class), suspect("eyes", folds, shown)]
    assert explained(suspects, in_class, folds, {("eyes", "face"): overlap}) == expected


def test_what_tells_the_classes_apart_and_nothing_else_cannot_be_told_from_its_like():
    folds = np.random.default_rng(0).integers(3, size=N)
    in_class = np.arange(N) < N // 2
    suspects = [suspect("camera", folds, in_class), suspect("format", folds, ~in_class)]
    assert explained(suspects, in_class, folds) == {"format": "camera"}


def test_every_cause_is_explained_by_nothing():
    rng = np.random.default_rng(3)
    in_class, folds, fact, other, views = world(3)
    suspects = [
        suspect(f"cue {place}", folds, scores=rng.choice([fact, other, *views]) + rng.normal(0, 0.3, N))
        for place in range(12)
    ]
    under = consequences(suspects, in_class.astype(int), GROUPS, folds, {})
    assert under and not set(under) & set(under.values())


def test_what_is_declared_covers_its_parts_and_what_consists_of_it_but_no_mark():
    cues = [
        Cue("face", "the face", "part"),
        Cue("eyes", "the eyes", "part", within="face"),
        Cue("skin", "bare skin", "part"),
        Cue("sticker", "a sticker", "mark"),
        Cue("hair", "the hair", "part"),
    ]
    inside = {("skin", "face"): 0.6, ("sticker", "face"): 1.0, ("hair", "face"): 0.2, ("eyes", "face"): 0.4}
    assert covered_cues(["face"], cues, inside) == {"face", "eyes", "skin"}
    assert covered_cues([], cues, inside) == set()


def excused(effect, folds, in_class, declared, level=0, role="tone", inside=None, **more):
    """Whether a declared cue, of presence or scores ``declared``, explains another one with the scores ``effect``."""
    suspects = [
        suspect("clothing", folds, **{"present" if declared.dtype == bool else "scores": declared}, declared=True),
        suspect("light", folds, scores=effect, role=role, level=level, **more),
    ]
    return bool(explained(suspects, in_class, folds, inside))


def coats_and_light(seed):
    """Classes, folds, another fact's view, coats that lean, and a light that they change."""
    in_class, folds, fact, other, (view, _) = world(seed)
    return in_class, folds, np.where(other, 1.0, -1.0) + np.random.default_rng(seed).normal(0, 0.5, N), fact, view


def test_what_follows_from_a_declared_cue_is_excused_and_what_only_shares_the_class_is_not():
    for seed in range(5):
        in_class, folds, beside, coats, light = coats_and_light(seed)
        assert excused(light, folds, in_class, coats)
        assert not excused(beside, folds, in_class, coats)


def test_what_follows_from_a_declared_cue_and_leans_on_its_own_besides_is_not_excused():
    for seed in range(5):
        in_class, folds, beside, coats, light = coats_and_light(seed)
        assert not excused(light + 1.5 * beside, folds, in_class, coats)


def test_a_declared_cue_that_leans_to_no_class_excuses_nothing():
    for seed in range(5):
        in_class, folds, _, _, light = coats_and_light(seed)
        noise = np.random.default_rng(seed).normal(0, 1, N)
        assert not excused(light, folds, in_class, noise)
        assert not excused(light + noise, folds, in_class, noise)


@pytest.mark.parametrize("role", ["mark", "file", "origin"])
def test_marks_and_files_are_never_excused(role):
    in_class, folds, _, coats, light = coats_and_light(0)
    assert not excused(light, folds, in_class, coats, role=role, inside={("light", "clothing"): 1.0})


def test_a_declared_cue_excuses_nothing_that_is_graver_and_needs_photographs_that_are_alike():
    in_class, folds, _, coats, light = coats_and_light(0)
    graver = [
        suspect("light", folds, scores=light, role="tone"),
        suspect("clothing", folds, coats, level=1, declared=True),
    ]
    assert not explained(graver, in_class, folds)
    assert excused(light, folds, in_class, coats, level=1)
    assert not excused(light, folds, in_class, in_class)


def test_what_is_declared_is_never_a_consequence():
    in_class, folds, fact, _, (view, _) = world()
    suspects = [suspect("sticker", folds, fact, role="mark"), suspect("clothing", folds, scores=view, declared=True)]
    assert explained(suspects, in_class, folds) == {}


def test_an_attribute_takes_what_its_region_and_looks_say():
    in_class, folds, fact, _, (view, _) = world()
    suspects = [
        suspect("hair", folds, scores=view),
        suspect("hair look 1", folds, fact, kind="appearance", within="hair"),
        suspect("long_hair", folds, fact, kind="attribute", within="hair"),
    ]
    assert explained(suspects, in_class, folds) == {"hair": "long_hair", "hair look 1": "long_hair"}


def test_two_attributes_of_one_region_that_differ_for_reasons_of_their_own_are_two():
    in_class, folds, fact, other, _ = world()
    suspects = [
        suspect("long_hair", folds, fact, kind="attribute", within="hair"),
        suspect("blond_hair", folds, other, kind="attribute", within="hair"),
    ]
    assert explained(suspects, in_class, folds) == {}
