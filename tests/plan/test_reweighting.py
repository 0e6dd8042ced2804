from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import minimize

from audit.plan.reweighting import best_odds, effective_n, rake, shopping_list

COUNTS = st.integers(0, 12)
FILLED = arrays.arrays(np.int64, (3, 2), elements=st.integers(1, 30))


def images(table):
    """Labels and states of images with the counts ``table[class, state]``."""
    labels, state = (index.ravel() for index in np.indices(table.shape))
    return np.repeat(labels, table.ravel()), np.repeat(state, table.ravel())


def dependence(labels, state, weights):
    """Largest distance of a weighted cell from the product of its margins, by loops."""
    share = weights / weights.sum()
    return max(
        abs(share[(labels == y) & (state == s)].sum() - share[labels == y].sum() * share[state == s].sum())
        for y, s in product(np.unique(labels), np.unique(state))
    )


@given(FILLED)
def test_weights_make_cue_and_class_independent(table):
    labels, state = images(table)
    weights = rake(labels, state, clip=1e6).weights
    assert weights.mean() == pytest.approx(1) and dependence(labels, state, weights) < 1e-9
    for label in range(3):
        assert weights[labels == label].sum() == pytest.approx(table[label].sum())


def test_weights_are_the_published_formula():
    # Kamiran & Calders 2012, table 2: 10 people, P(f) = P(m) = 0.5, P(+) = 0.6; weights 0.75, 0.67, 2, 1.5.
    sex, decision = images(np.array([[3, 2], [1, 4]]))
    weights = rake(decision, sex).weights
    expected = {(s, d): np.mean(sex == s) * np.mean(decision == d) for s, d in product((0, 1), (0, 1))}
    for (s, d), share in expected.items():
        cell = (sex == s) & (decision == d)
        assert weights[cell] == pytest.approx(share / cell.mean())


def test_independent_data_keep_weight_one():
    assert rake(*images(np.array([[10, 20], [5, 10]]))).weights == pytest.approx(1)


@given(arrays.arrays(np.int64, (2, 2), elements=st.integers(0, 300)).filter(lambda table: table.sum() > 0))
def test_clipped_weights_keep_their_mean(table):
    weights = rake(*images(table), clip=3).weights
    assert weights.mean() == pytest.approx(1) and weights.max() <= 3 + 1e-6 and weights.min() > 0


def test_effective_n():
    assert effective_n(np.ones(10)) == pytest.approx(10)
    assert effective_n(np.array([1.0, 0, 0])) == pytest.approx(1)
    assert effective_n(np.array([3.0, 1])) == pytest.approx(16 / 10)


def test_raking_frees_every_cue_at_once():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=2000)
    states = np.stack([rng.random(2000) < 0.2 + 0.6 * labels, rng.random(2000) < 0.5 - 0.3 * labels], axis=1)
    raking = rake(labels, states)
    assert raking.converged and raking.worst <= 1e-4 and raking.weights.mean() == pytest.approx(1)
    assert all(dependence(labels, states[:, k], raking.weights) < 1e-3 for k in range(2))
    assert dependence(labels, states[:, 1], rake(labels, states[:, 0]).weights) > 0.01


@given(FILLED)
@settings(max_examples=30)
def test_raking_one_cue_is_reweighing(table):
    """Kamiran & Calders 2012, section 4.2, image by image."""
    labels, state = images(table)
    n = len(labels)
    expected = [
        np.sum(labels == y) * np.sum(state == s) / (n * np.sum((labels == y) & (state == s)))
        for y, s in zip(labels, state, strict=True)
    ]
    assert rake(labels, state, clip=1e6).weights == pytest.approx(np.array(expected), abs=1e-6)


def test_raking_says_when_it_cannot():
    labels, state = images(np.array([[20, 0], [10, 10]]))
    raking = rake(labels, state)
    assert not raking.converged and raking.worst > 0.01 and raking.weights.mean() == pytest.approx(1)
    labels, state = images(np.array([[200, 1], [1, 200]]))
    assert not rake(labels, state).converged and rake(labels, state, clip=1e6).converged


def added(table):
    cells = shopping_list(*images(np.array(table)[:, ::-1]), len(table))
    assert all(cell.need == cell.have + cell.add and cell.add >= 0 for cell in cells)
    return cells


def fewest_exactly_equal(table, most):
    """Brute force: the fewest images to add to a 2 x 2 table (with, without) so that the shares are equal exactly."""
    (a, b), (c, d) = table
    return min(
        w + x + y + z
        for w, x, y, z in product(range(most + 1), repeat=4)
        if w + x + y + z <= most and (a + w) * (d + z) == (b + x) * (c + y)
    )


def test_hand_made_list():
    cells = added([[90, 10], [10, 90]])
    assert [(cell.label, cell.present, cell.have, cell.add) for cell in cells] == [
        (0, True, 90, 0),
        (0, False, 10, 80),
        (1, True, 10, 80),
        (1, False, 90, 0),
    ]
    assert sum(cell.add for cell in added([[30, 10], [60, 20]])) == 0


@given(st.tuples(st.tuples(st.integers(0, 6), st.integers(0, 6)), st.tuples(st.integers(0, 6), st.integers(0, 6))))
@settings(max_examples=60, deadline=None)
def test_no_exact_solution_of_two_classes_is_more_than_the_rounding_cheaper(table):
    (a, b), (c, d) = table
    if not (a + b and c + d):
        return
    total = sum(cell.add for cell in added(table))
    assert total <= fewest_exactly_equal(table, 14) + 1


@given(arrays.arrays(np.int64, (4, 2), elements=COUNTS))
def test_shares_end_equal_to_within_one_image(table):
    cells = added(table)
    need = np.array([cell.need for cell in cells]).reshape(-1, 2)
    odds = best_odds(table[:, 0], table[:, 1])
    if odds is None:
        assert np.array_equal(need, table)
        return
    share = odds / (1 + odds)
    assert np.all(np.abs(need[:, 0] - share * need.sum(axis=1)) < 1)


@given(arrays.arrays(np.int64, (3, 2), elements=st.integers(1, 50)))
@settings(deadline=None)
def test_the_odds_are_the_cheapest(table):
    a, b = table.T.astype(float)

    def total(log_odds):
        r = np.exp(log_odds)
        return np.maximum(0, r * b - a).sum() + np.maximum(0, a / r - b).sum()

    odds = best_odds(*table.T)
    on_grid = min(total(x) for x in np.linspace(-5, 5, 501))
    refined = minimize(lambda x: total(x[0]), [np.log(odds)], method="Nelder-Mead").fun
    assert total(np.log(odds)) <= min(on_grid, refined) + 1e-6


def test_a_state_that_nobody_shows_needs_nothing_and_empty_classes_are_left_alone():
    assert not any(cell.add for cell in added([[9, 0], [5, 0]]))
    cells = added([[9, 1], [0, 0], [1, 9]])
    assert not any(cell.add for cell in cells if cell.label == 1)
