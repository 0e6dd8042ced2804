"""Names of clusters: who wins a vote, by how much, and the plain words for place and size."""

import math

import numpy as np
import pytest

from audit.detectors.cue import Cue
from audit.detectors.describe import place_words, size_words
from audit.explain.cluster_names import Name, name_cluster, vote

CUES = tuple(Cue(name, f"the {name}", "part") for name in ("face", "hair", "border"))
ALWAYS = np.ones(3)
PERSON, FACE, EYES, HAIR, TEXT = NESTED = (
    Cue("person", "the person", "subject"),
    Cue("face", "the face", "part", within="person"),
    Cue("eyes", "the eyes", "part", within="face"),
    Cue("hair", "the hair", "part", within="person"),
    Cue("text", "text", "mark"),
)


def test_a_small_cue_beats_a_large_one_that_holds_as_much():
    share, area = np.array([[0.6, 0.6]]), np.array([[0.4, 0.05]])
    assert vote(share, area).tolist() == [1]


def test_a_large_cue_wins_where_the_small_one_is_hardly_touched():
    share, area = np.array([[0.9, 0.1]]), np.array([[0.4, 0.05]])
    expected = 0.9 / math.sqrt(0.405) > 0.1 / math.sqrt(0.055)
    assert expected and vote(share, area).tolist() == [0]


def test_a_vanishing_cue_gains_nothing_from_its_size():
    """The floor of 0.005 keeps a cue of one cell from winning with a sliver of the region."""
    assert vote(np.array([[0.5, 0.02]]), np.array([[0.2, 0.0003]])).tolist() == [0]


def test_absent_cues_and_regions_that_show_none():
    share = np.array([[0.9, 0.1], [0.0, 0.0], [0.9, 0.0], [np.nan, np.nan]])
    area = np.array([[0.0, 0.3], [0.2, 0.3], [0.0, 0.3], [0.1, 0.1]])
    assert vote(share, area).tolist() == [1, -1, -1, -1]


def test_no_cues_no_votes():
    assert vote(np.zeros((3, 0)), np.zeros((3, 0))).tolist() == [-1, -1, -1]
    assert vote(np.zeros((0, 2)), np.zeros((0, 2))).tolist() == []


def votes(*counts: int) -> np.ndarray:
    """So many votes for cue 0, 1, 2, and the last count for none."""
    return np.repeat([0, 1, 2, -1], counts)


@pytest.mark.parametrize(
    ("counts", "name"),
    [
        ((100, 0, 0, 0), Name("face", 1.0)),
        ((50, 35, 15, 0), Name("face", 0.5)),
        ((49, 10, 10, 31), Name(None, 0.49)),
        ((56, 44, 0, 0), Name(None, 0.56)),
        ((0, 58, 42, 0), Name("hair", 0.58)),
        ((50, 50, 0, 0), Name(None, 0.5)),
        ((0, 0, 60, 40), Name("border", 0.6)),
        ((10, 0, 0, 90), Name(None, 0.1)),
        ((0, 0, 0, 9), Name(None, 0.0)),
        ((0, 0, 0, 0), Name(None, 0.0)),
    ],
)
def test_the_winner_needs_half_and_a_margin(counts, name):
    assert name_cluster(votes(*counts), ALWAYS, CUES) == name


def test_a_name_needs_a_detector_that_really_fired():
    assert name_cluster(votes(70, 10, 0, 20), np.array([0.6, 1, 1]), CUES) == Name("face", 0.7)
    assert name_cluster(votes(70, 10, 0, 20), np.array([0.59, 1, 1]), CUES) == Name(None, 0.7)


@pytest.mark.parametrize(
    ("counts", "name"),
    [
        ({EYES: 40, FACE: 40, TEXT: 20}, Name("face", 0.8)),
        ({EYES: 60, FACE: 40}, Name("eyes", 0.6)),
        ({EYES: 25, FACE: 25, HAIR: 45, TEXT: 5}, Name("person", 0.95)),
        ({EYES: 30, HAIR: 30, PERSON: 30, TEXT: 10}, Name("person", 0.9)),
        ({EYES: 25, FACE: 30, TEXT: 45}, Name(None, 0.55)),
        ({FACE: 40, HAIR: 10, TEXT: 50}, Name(None, 0.5)),
    ],
)
def test_votes_for_parts_join_until_they_agree(counts, name):
    ballots = np.repeat([NESTED.index(cue) for cue in counts], list(counts.values()))
    assert name_cluster(ballots, np.ones(5), NESTED) == name


def test_parts_of_what_was_not_looked_for_stay_parts():
    assert name_cluster(np.array([0, 0, 1, 1]), np.ones(2), (FACE, HAIR)) == Name(None, 0.5)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (0.5, 0.5, "centre"),
        (0.1, 0.1, "top left"),
        (0.9, 0.1, "top right"),
        (0.5, 0.9, "bottom"),
        (0.1, 0.5, "left"),
        (0.5, 0.0, "top"),
        (1.0, 1.0, "bottom right"),
    ],
)
def test_places(x, y, words):
    assert place_words(x, y) == words


@pytest.mark.parametrize(
    ("area", "word"), [(0.01, "small"), (0.05, "medium-sized"), (0.25, "medium-sized"), (0.3, "large")]
)
def test_sizes(area, word):
    assert size_words(area) == word
