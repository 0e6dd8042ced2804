"""Joint balance of several cues, against brute force on tiny tables and an independent formula on larger ones."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import minimize

from audit.plan.rebalancing import JointTable, fewest_to_add, fewest_to_drop
from audit.plan.reweighting import shopping_list

PAIRS = np.array(list(product((0, 1), repeat=2)))
TINY = arrays.arrays(np.int64, (2, 4), elements=st.integers(0, 2)).filter(lambda table: table.sum(1).all())
FILLED = arrays.arrays(np.int64, (3, 4), elements=st.integers(1, 40))


def table_of(counts: np.ndarray, states: np.ndarray = PAIRS) -> JointTable:
    """The table of images with these counts (classes, S); states that nobody shows are not in it."""
    labels, places = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    return JointTable.of(labels, states[places], len(counts))


def is_balanced(counts: np.ndarray, states: np.ndarray) -> bool:
    """Whether each cue is exactly as common in both classes."""
    shown, total = counts @ states, counts.sum(1)
    return bool((shown[0] * total[1] == shown[1] * total[0]).all())


def fewest_exactly(table: JointTable, most: int) -> float:
    """Brute force: the fewest images to add, at most ``most`` to a cell, so that the shares are equal exactly."""
    additions = (np.reshape(some, table.counts.shape) for some in product(range(most + 1), repeat=table.counts.size))
    totals = (one.sum() for one in additions if is_balanced(table.counts + one, table.states))
    return min(totals, default=np.inf)


def cheapest(counts: np.ndarray) -> float:
    """The least total of all classes where every joint state may be asked for.

    Then any number of new images can show any number of each cue, so class c ends with
    M_c = max over cues of max(a_cj / p_j, b_cj / (1 - p_j)) images, a with and b without the cue; convex in p.
    """
    shown = counts @ PAIRS
    hidden = counts.sum(1, keepdims=True) - shown

    def total(logits: np.ndarray) -> float:
        p = 1 / (1 + np.exp(-logits))
        return float(np.maximum(shown / p, hidden / (1 - p)).max(1).sum())

    grid = np.linspace(-4, 4, 81)
    start = min(product(grid, grid), key=lambda point: total(np.array(point)))
    return float(minimize(total, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-7}).fun)


@given(TINY)
@settings(max_examples=25, deadline=None)
def test_no_exact_plan_is_more_than_the_rounding_cheaper(counts):
    table = table_of(counts)
    need = fewest_to_add(table)
    assert (need >= table.counts).all()
    assert need.sum() - counts.sum() <= fewest_exactly(table, 2) + 1


@given(FILLED)
@settings(max_examples=40, deadline=None)
def test_the_plan_costs_what_the_formula_says(counts):
    need, least = fewest_to_add(table_of(counts)), cheapest(counts)
    assert least - 0.1 <= need.sum() < least + len(counts) + 0.1


@given(FILLED)
@settings(max_examples=40, deadline=None)
def test_every_cue_ends_as_common_in_every_class_to_within_an_image(counts):
    need = fewest_to_add(table_of(counts))
    shown, total = need @ PAIRS, need.sum(1, keepdims=True)
    assert (((shown - 1) / total).max(0) <= ((shown + 1) / total).min(0) + 1e-9).all()


@given(arrays.arrays(np.int64, (3, 2), elements=st.integers(0, 40)).filter(lambda table: table.sum() > 0))
def test_one_cue_is_the_closed_form(counts):
    states = np.array([[0], [1]])
    table = table_of(counts, states)
    labels, shown = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    assert fewest_to_add(table).sum() == sum(cell.need for cell in shopping_list(labels, shown, 3))


def test_nothing_impossible_is_asked_for():
    """Two looks of one face exclude each other, and no photograph has neither."""
    looks = np.array([[0, 1], [1, 0]])
    table = table_of(np.array([[30, 10], [5, 45]]), looks)
    assert table.states.tolist() == looks.tolist()
    assert fewest_to_add(table).sum() == fewest_to_add(table_of(np.array([[30, 10], [5, 45]]), looks[:, :1])).sum()


def test_two_cues_at_once_cost_less_than_one_after_the_other():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=400)
    states = (rng.random((400, 2)) < np.array([[0.2, 0.3], [0.7, 0.8]])[labels]).astype(int)
    alone = [fewest_to_add(JointTable.of(labels, column[:, None], 2)).sum() - 400 for column in states.T]
    joint = fewest_to_add(JointTable.of(labels, states, 2)).sum() - 400
    assert max(alone) - 2 <= joint < sum(alone) - 20


def test_where_it_does_not_matter_photographs_are_asked_for_as_they_occur():
    """Half of all images show a second, even cue: half of the new ones are to show it, too, not all or none."""
    counts = np.array([[45, 45, 5, 5], [5, 5, 45, 45]])
    added = fewest_to_add(table_of(counts)) - counts
    assert 160 <= added.sum() <= 161 and (added @ PAIRS)[:, 1] == pytest.approx([40, 40], abs=2)


def test_a_balanced_table_needs_nothing():
    counts = np.array([[10, 20, 30, 40], [5, 10, 15, 20]])
    table = table_of(counts)
    assert (fewest_to_add(table) == counts).all() and (fewest_to_drop(table, 10) == counts).all()


def can_be_parts(keep: np.ndarray, counts: np.ndarray, states: np.ndarray) -> bool:
    """Whether class sizes and cue counts are the same parts of every class, to within half an image."""
    size = counts.sum(1)
    groups = [np.ones(len(states), bool)]
    groups += [column == value for column in states.T for value in np.unique(column)]
    sums = np.array([keep[:, group].sum(1) for group in groups])
    return bool((((sums - 0.5) / size).max(1) <= ((sums + 0.5) / size).min(1) + 1e-9).all())


@given(TINY)
@settings(max_examples=40, deadline=None)
def test_no_larger_subset_is_balanced(counts):
    table = table_of(counts)
    tables = (np.reshape(some, table.counts.shape) for some in product(*map(range, table.counts.ravel() + 1)))
    fit = [keep.sum() for keep in tables if (keep.sum(1) >= 1).all() and can_be_parts(keep, table.counts, table.states)]
    keep = fewest_to_drop(table, 1)
    assert (keep is None) == (not fit)
    if keep is not None:
        assert keep.sum() == max(fit) and (keep <= table.counts).all()
        assert can_be_parts(keep, table.counts, table.states)


@given(FILLED)
@settings(max_examples=30, deadline=None)
def test_classes_shrink_alike(counts):
    keep = fewest_to_drop(table_of(counts), 1)
    if keep is not None:
        kept = keep.sum(1) / counts.sum(1)
        assert np.ptp(kept) <= (1 / counts.sum(1)).max()


def test_a_class_without_a_state_can_only_be_mended_by_collecting():
    counts = np.array([[40, 0], [0, 40]])
    table = table_of(counts, np.array([[0], [1]]))
    assert fewest_to_drop(table, 10) is None
    assert (fewest_to_add(table) == 40).all()


def test_a_cue_of_few_images_is_dropped_altogether():
    keep = fewest_to_drop(table_of(np.array([[95, 5], [100, 0]]), np.array([[0], [1]])), 10)
    assert keep is not None and keep[:, 1].sum() <= 1 and keep.sum() >= 189


def test_unknown_is_a_state_of_its_own():
    keep = fewest_to_drop(table_of(np.array([[40, 40, 20], [40, 40, 2]]), np.array([[0], [1], [2]])), 10)
    assert keep is not None
    shares = keep / keep.sum(1, keepdims=True)
    assert shares[0] == pytest.approx(shares[1], abs=0.02)
