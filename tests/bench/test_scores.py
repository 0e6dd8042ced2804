"""The bench's own arithmetic: overlaps, simulated attention, names, votes, answers to questions."""

import numpy as np
import pandas as pd
import pytest

from tests.bench.cues import Bar, Question, answer, group_sentences
from tests.bench.scores import MAP, attend, iou, mean_interval, name_map, share_inside, share_of_votes_won


def _half(columns: slice) -> np.ndarray:
    mask = np.zeros((70, 70), bool)
    mask[:, columns] = True
    return mask


def test_overlaps_by_hand():
    left, middle = _half(slice(0, 35)), _half(slice(28, 42))
    assert iou(left, middle) == pytest.approx(7 / 42)
    assert share_inside(middle, left) == pytest.approx(0.5)
    assert share_inside(np.zeros_like(left), left) == 0 and iou(left & False, left & False) == 1


def test_attention_lies_on_its_region_and_bleeds_a_little():
    region = np.zeros((140, 140), bool)
    region[20:60, 80:130] = True
    for seed in range(10):
        saliency = attend(region, np.random.default_rng(seed))
        assert saliency.shape == (MAP, MAP) and (saliency >= 0).all()
        inside = saliency[2:6, 8:13].sum() / saliency.sum()
        assert 0.6 < inside < 1


def test_a_map_is_named_after_the_cue_that_it_lies_on():
    parts = {"left": _half(slice(0, 35)), "right": _half(slice(35, 70))}
    for name, mask in parts.items():
        names = [name_map(attend(mask, np.random.default_rng(seed)), parts) for seed in range(10)]
        assert names.count(name) >= 9
    assert name_map(np.zeros((MAP, MAP)), parts) == "" and name_map(np.ones((MAP, MAP)), {}) == ""


def test_votes_turn_a_majority_into_certainty_and_a_minority_into_nothing():
    names = ["hair"] * 70 + ["face"] * 30
    rng = np.random.default_rng(0)
    assert share_of_votes_won(names, {"hair"}, rng) > 0.9
    assert share_of_votes_won(names, {"face"}, rng) < 0.1


def test_intervals_hold_the_mean_and_shares_keep_a_width():
    low, high = mean_interval(np.ones(50))
    assert 0.9 < low < 1 and high == 1
    values = np.random.default_rng(0).random(200)
    low, high = mean_interval(values)
    assert low < values.mean() < high and high - low == pytest.approx(4 * values.std() / np.sqrt(200), rel=0.2)


def _found(group: str, hits: int, n: int) -> pd.DataFrame:
    about = {"collection": "doctor-nurse", "group": group, "mark": "", "cue": "face", "measure": "found", "name": ""}
    return pd.DataFrame([{**about, "value": float(i < hits)} for i in range(n)])


def test_a_question_takes_its_own_rows_only_and_the_bar_is_worked_out():
    table = pd.concat([_found("a", 45, 50), _found("b", 10, 50)])
    row = answer(Question("face", "found", "found", ("doctor-nurse",), Bar(0.9), group="a"), table)
    assert row is not None and (row.n, row.value, row.met) == (50, 0.9, True)
    assert row.low < 0.9 < row.high
    both = answer(Question("face", "found", "found", ("doctor-nurse",), Bar(0.5, at_least=False)), table)
    assert both is not None and (both.n, both.value, both.met) == (100, 0.55, False)
    assert answer(Question("hair", "found", "found", ("doctor-nurse",)), table) is None


def test_a_group_is_named_where_the_detector_is_worse_for_it_and_not_by_chance():
    worse = list(group_sentences(pd.concat([_found("dark", 60, 100), _found("light", 95, 100)])))
    assert len(worse) == 1 and "dark (60 of 100)" in worse[0]
    assert not list(group_sentences(pd.concat([_found("dark", 94, 100), _found("light", 96, 100)])))
