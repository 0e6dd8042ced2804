"""Contradicting detectors: what is left open, in which images, and how often in each class."""

from pathlib import Path

import numpy as np
import pandas as pd

from audit.cues.cue_json import CueSummary
from audit.cues.undecided import outermost, undecided, undecided_by_class
from audit.data.dataset import Dataset
from audit.detectors.cue import Cue
from audit.findings.limitations import undecided_faces
from audit.measures.intervals import wilson

WITHIN = {"person": "", "main_object": "", "face": "person", "eyes": "face", "glasses": "eyes", "text": ""}
CUES = [Cue(name, name, "part", within=whole) for name, whole in WITHIN.items()]


def answers(face: bool, score: float, glasses: bool = False) -> tuple[list[bool], list[float]]:
    present = [face, not face, face, face, glasses, True]
    return present, [float(one) for one in present[:2]] + [score] + [float(one) for one in present[3:]]


def test_without_a_face_what_one_network_sees_leaves_all_of_people_open_but_what_is_seen():
    rows = [answers(True, 0.9), answers(False, 0.0), answers(False, 0.6), answers(False, 0.6, glasses=True)]
    present, score = (np.array(part) for part in zip(*rows, strict=True))
    told = [
        [cue.name for cue, is_open in zip(CUES, row, strict=True) if is_open] for row in undecided(CUES, present, score)
    ]
    assert told[:2] == [[], []]
    assert told[2] == ["person", "main_object", "face", "eyes", "glasses"]
    assert told[3] == ["person", "main_object", "face", "eyes"]


def test_nothing_is_open_where_faces_were_not_looked_for():
    cues = [cue for cue in CUES if cue.name != "face"]
    assert not undecided(cues, np.zeros((3, len(cues)), bool), np.ones((3, len(cues)))).any()


def test_the_outermost_is_followed_through_every_whole():
    assert [outermost(cue, CUES) for cue in CUES] == ["person", "main_object", "person", "person", "person", "text"]


def test_shares_are_told_by_class_with_copies_counted_once():
    labels, groups = ["a"] * 6 + ["b"] * 10, [0, 0, 0, 1, 2, 3, *range(4, 14)]
    images = pd.DataFrame({"label": labels, "group": groups})
    dataset = Dataset("d", Path(), ("a", "b"), (), images, images.iloc[:0])
    told = undecided_by_class(np.array([True] * 3 + [False] * 3 + [True] * 2 + [False] * 8), dataset)
    assert (told["a"].count, told["a"].n, told["a"].value) == (3, 6, 0.5)
    assert (told["b"].low, told["b"].high) == wilson(2, 10)
    assert told["a"].high - told["a"].low > wilson(3, 6)[1] - wilson(3, 6)[0]


def test_the_report_says_how_often_the_face_detectors_contradict_each_other():
    dataset = Dataset("d", Path(), ("a", "b"), (), pd.DataFrame({"label": list("aabb"), "group": range(4)}), None)
    shares = undecided_by_class(np.array([True, False, False, False]), dataset)
    face, text = (
        CueSummary(
            name=name,
            kind="detector",
            role="part",
            within="",
            words=name,
            n_present=1,
            present_share={},
            attention=None,
            examples=(),
            text=(),
            **({"undecided": shares} if name == "face" else {}),
        )
        for name in ("face", "text")
    )
    (told,) = undecided_faces([text, face])
    assert "50 % of “a”" in told and "0 % of “b”" in told and "n = 2" in told
    assert undecided_faces([text]) == []
