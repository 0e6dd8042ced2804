"""The control of looks: its figures by loops, planted leans inside and everywhere, and a null."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from audit.cues.appearance_groups import sort_looks
from audit.evidence.look_control import NO_ROOM, beside_control_groups, control_groups
from audit.measures.intervals import cluster_bootstrap_weights


def kinds(rng: np.random.Generator, second: np.ndarray) -> np.ndarray:
    """Activations (n, 48) of one kind or, where ``second``, of another."""
    return np.abs(rng.normal(1, 0.3, (len(second), 48)) + np.outer(second, 2.0 * (np.arange(48) < 12)))


def test_groups_are_formed_as_looks_are():
    rng = np.random.default_rng(0)
    control = kinds(rng, rng.random(150) < 0.4)
    looks = sort_looks(control, seed=0)
    assert looks and adjusted_rand_score(control_groups(control, 2, seed=0), looks[0]) == 1.0


def test_images_without_room_are_in_no_group():
    control = kinds(np.random.default_rng(1), np.arange(80) % 2 == 0)
    control[:20] = 0
    assigned = control_groups(control, 2, seed=0)
    assert (assigned[:20] == NO_ROOM).all() and set(assigned[20:]) == {0, 1}
    assert control_groups(np.zeros((5, 48)), 2, seed=0).tolist() == [NO_ROOM] * 5


def by_loops(
    present: np.ndarray, in_class: np.ndarray, assigned: np.ndarray, weights: np.ndarray
) -> tuple[float, float]:
    """The control's difference and the look's above it, of images that count so many times."""

    def difference(shown: np.ndarray) -> float:
        shares = [float((weights * shown * side).sum() / (weights * side).sum()) for side in (in_class, ~in_class)]
        return abs(shares[0] - shares[1])

    control = max(difference(assigned == group) for group in set(assigned))
    return control, difference(present) - control


def test_figures_and_intervals_are_those_of_loops():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(60), np.where(np.arange(60) % 4 == 0, 2, 1))
    n = len(groups)
    in_class, present, assigned = rng.random(n) < 0.5, rng.random(n) < 0.4, rng.integers(-1, 3, n)
    found = beside_control_groups(present, in_class, assigned, groups, 5, resamples=300, min_images=10)
    room = assigned != NO_ROOM
    parts = present[room], in_class[room], assigned[room]
    control, above = by_loops(*parts, np.ones(room.sum()))
    assert found["control_difference"] == pytest.approx(control) and found["above_control"] == pytest.approx(above)
    drawn = [by_loops(*parts, weights) for weights in cluster_bootstrap_weights(groups[room], 300, 5)]
    for name, values in zip(("control_difference", "above_control"), np.transpose(drawn), strict=True):
        # The percentiles are moved outwards a little, since there are few groups.
        low, high = found[f"{name}_low"], found[f"{name}_high"]
        assert np.quantile(values, 0.01) <= low <= np.quantile(values, 0.025) + 1e-9
        assert np.quantile(values, 0.975) - 1e-9 <= high <= np.quantile(values, 0.99)


def measured(inside: float, elsewhere: float, seed: int) -> dict[str, float]:
    """A class of 80 and 80 others: the share of the class with the look, and with the second kind of control."""
    rng, in_class = np.random.default_rng(seed), np.arange(160) < 80
    present = rng.random(160) < np.where(in_class, inside, 1 - inside)
    control = kinds(rng, rng.random(160) < np.where(in_class, elsewhere, 1 - elsewhere))
    return beside_control_groups(present, in_class, control_groups(control, 2, 0), np.arange(160), rng, 400, 10)


def test_a_look_that_leans_alone_is_above_its_control():
    figures = measured(0.9, 0.5, seed=0)
    assert figures["above_control_low"] > 0.4 and figures["control_difference"] < 0.3


def test_a_look_that_leans_like_the_whole_picture_is_not():
    figures = [measured(0.9, 0.9, seed) for seed in range(40)]
    assert min(one["control_difference_low"] for one in figures) > 0.4
    assert np.mean([one["above_control_low"] > 0 for one in figures]) <= 0.1


def test_a_look_that_leans_the_other_way_counts_alike():
    assert measured(0.1, 0.5, seed=2)["above_control_low"] > 0.4


def test_the_interval_holds_the_truth_where_both_lean_and_errs_to_the_careful_side_where_neither_does():
    held = [measured(0.8, 0.7, seed) for seed in range(100)]
    # 0.6 inside, 0.4 elsewhere.
    assert np.mean([one["above_control_low"] <= 0.2 <= one["above_control_high"] for one in held]) >= 0.9
    null = [measured(0.5, 0.5, seed) for seed in range(100)]
    assert np.mean([one["above_control_low"] > 0 for one in null]) <= 0.05


def test_too_few_images_with_a_control_give_no_figures():
    in_class, assigned = np.arange(40) < 20, np.zeros(40, int)
    assigned[:11] = NO_ROOM
    few = beside_control_groups(in_class, in_class, assigned, np.arange(40), 0, 50, min_images=10)
    assert few == {} and beside_control_groups(in_class, in_class, assigned, np.arange(40), 0, 50, min_images=9)
    nobody = beside_control_groups(in_class, in_class, np.full(40, NO_ROOM), np.arange(40), 0, 50, min_images=1)
    assert nobody == {}
