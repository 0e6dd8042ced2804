"""Overlaps of masks, counted pixel by pixel."""

from types import SimpleNamespace

import numpy as np
import pytest

from audit.cues.overlap import shares_inside
from audit.detectors.cue import GRID, Cue


def test_shares_are_of_all_the_area_in_images_that_show_the_cue():
    rng = np.random.default_rng(0)
    places = [Cue("face", "the face", "part"), Cue("skin", "skin", "part"), Cue("cluster 1", "c", "scene", "cluster")]
    masks = {cue.name: rng.random((5, GRID, GRID)) < 0.3 for cue in places}
    present = {cue.name: rng.random(5) < 0.7 for cue in places}
    table = SimpleNamespace(present=lambda cue: present[cue.name], masks=lambda cue, images: masks[cue.name][images])
    look = Cue("face look 1", "a look", "part", "appearance", "face", 0)
    shares = shares_inside(table, [*places, look])
    assert set(shares) == {(a.name, b.name) for a in places for b in places}
    for a in places:
        for b in places:
            here = masks[a.name][present[a.name]]
            both = masks[a.name][present[a.name] & present[b.name]] & masks[b.name][present[a.name] & present[b.name]]
            assert shares[a.name, b.name] == pytest.approx(both.sum() / here.sum())


def test_nothing_has_a_place():
    assert shares_inside(SimpleNamespace(), [Cue("gender", "gender", "attribute", "attribute")]) == {}
