from itertools import combinations, product

import numpy as np
import pytest

from audit.measures.gap import BETWEEN, CELLS, LEAST, MOST, gap, likeness_thirds, presence_words


def drawn(rng, accuracy, sizes, exact=False):
    """Images of the four cells in the order of CELLS, with the given accuracies."""
    in_class, present = (np.repeat([cell[k] for cell in CELLS], sizes) for k in (0, 1))
    if exact:
        correct = np.concatenate([np.arange(n) < round(a * n) for a, n in zip(accuracy, sizes, strict=True)])
    else:
        correct = rng.random(sum(sizes)) < np.repeat(accuracy, sizes)
    return correct, in_class, present, np.arange(sum(sizes)), np.zeros(sum(sizes), int), 0


def test_planted_gap_in_exact_numbers():
    data = drawn(None, [0.9, 0.4, 0.6, 0.8], [40, 10, 20, 50], exact=True)
    measure = gap(*data, words=presence_words("nurse", "the hair"))
    assert measure.value == pytest.approx((0.9 + 0.8) / 2 - (0.4 + 0.6) / 2)
    assert measure.extra["together"] == pytest.approx(0.85) and measure.extra["apart"] == pytest.approx(0.5)
    assert measure.extra["worst"] == {"words": "nurse, without the hair", "accuracy": 0.4, "n": 10}
    assert measure.extra["leans"] == "towards" and measure.low > 0
    # The smaller side: 10 of the class without the hair, 20 others with it.
    assert measure.n == 30 and measure.extra["mistakes"] == 4 + 6 + 8 + 10


def test_harder_class_and_harder_cue_make_no_gap():
    measure = gap(*drawn(None, [0.9, 0.7, 0.6, 0.4], [90, 10, 20, 300], exact=True))
    assert measure.value == pytest.approx(0)


def test_direction_follows_the_data_or_the_argument():
    data = drawn(None, [0.5, 0.9, 0.8, 0.6], [10, 40, 40, 10], exact=True)
    away = gap(*data)
    assert away.extra["leans"] == "away" and away.value == pytest.approx(0.3)
    assert gap(*data, towards=True).value == pytest.approx(-0.3)


@pytest.mark.parametrize("accuracy", [[0.85, 0.85, 0.85, 0.85], [0.95, 0.7, 0.75, 0.9]])
def test_interval_covers(accuracy):
    truth = (accuracy[0] + accuracy[3] - accuracy[1] - accuracy[2]) / 2
    covered = 0
    for seed in range(400):
        measure = gap(*drawn(np.random.default_rng(seed), accuracy, [60, 8, 12, 50]), towards=True, permutations=1)
        covered += measure.low <= truth <= measure.high
    assert 0.90 <= covered / 400 <= 0.995


def test_ignoring_duplicates_gives_an_interval_that_is_too_narrow():
    *data, rng = drawn(np.random.default_rng(0), [0.9, 0.6, 0.7, 0.9], [12, 12, 12, 12])
    copies = [np.repeat(array, 4) for array in data]
    once, together = gap(*data, rng), gap(*copies, rng)
    alone = gap(*copies[:3], np.arange(192), copies[4], rng)
    assert together.p == pytest.approx(once.p, abs=0.03) and alone.p < once.p
    assert (together.low, together.high) == pytest.approx((once.low, once.high))
    assert alone.high - alone.low < 0.6 * (once.high - once.low)


def test_all_right_keeps_an_interval():
    measure = gap(*drawn(None, [1, 1, 1, 1], [30, 6, 6, 30], exact=True))
    assert measure.value == 0 and measure.low < -0.05 and measure.high > 0.2


def test_a_small_cell_is_said():
    measure = gap(*drawn(None, [1, 1, 1, 1], [30, 2, 6, 30], exact=True), words=presence_words("nurse", "the hair"))
    assert measure.value is None
    assert measure.reason == "Only 2 distinct images of the kind “nurse, without the hair”; 3 more would do."
    assert gap(*drawn(None, [1, 1, 1, 1], [30, 0, 6, 30], exact=True)).reason.startswith("No images of the kind")


def by_enumeration(correct, in_class, present):
    """p of the larger standardised contrast over every way of dealing out who is right inside the classes."""
    own, mean = np.array([1.0, -1, 0, 0]), np.array([0.5, -0.5, -0.5, 0.5])
    cells = np.stack([(in_class == inside) & (present == shown) for inside, shown in CELLS])

    def contrasts(right):
        accuracy = (cells & right).sum(axis=1) / cells.sum(axis=1)
        return np.array([mean @ accuracy, own @ accuracy])

    sides = [np.flatnonzero(in_class), np.flatnonzero(~in_class)]
    ways = [list(combinations(side, int(correct[side].sum()))) for side in sides]
    dealt = np.array([contrasts(np.isin(np.arange(len(correct)), first + second)) for first, second in product(*ways)])
    statistic = (dealt / dealt.std(axis=0)).max(axis=1)
    return float((statistic >= (contrasts(correct) / dealt.std(axis=0)).max() - 1e-9).mean())


@pytest.mark.parametrize("accuracy", [[1, 0.2, 0.4, 1], [0.8, 0.6, 0.6, 0.6]])
def test_p_is_that_of_all_permutations(accuracy):
    data = drawn(None, accuracy, [5, 5, 5, 5], exact=True)
    measure = gap(*data, towards=True, permutations=4000)
    assert measure.p == pytest.approx(by_enumeration(*data[:3]), abs=0.02)


def test_p_is_honest_where_being_right_has_nothing_to_do_with_the_cue():
    ps = [
        gap(*drawn(np.random.default_rng(seed), [0.95, 0.95, 0.7, 0.7], [60, 7, 9, 60]), permutations=99).p
        for seed in range(300)
    ]
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(ps) <= level) <= level + 3 * (level * (1 - level) / 300) ** 0.5


def test_the_classes_own_contrast_needs_no_other_class_with_the_cue():
    # Right in 64 of 67 men and 41 of 52 women among the doctors, and only 3 nurses are men.
    measure = gap(*drawn(None, [64 / 67, 41 / 52, 1 / 3, 0.9], [67, 52, 3, 100], exact=True))
    assert measure.value is None and measure.reason
    own = measure.extra["own"]
    assert own["value"] == pytest.approx(64 / 67 - 41 / 52) and own["low"] > 0
    assert (own["n"], own["mistakes"]) == (52, 14) and measure.p < 0.05


def test_a_cue_that_makes_images_harder_gives_no_contrast_of_its_own():
    measure = gap(*drawn(None, [0.5, 0.9, 0.5, 0.9], [60, 40, 20, 80], exact=True))
    assert measure.value == pytest.approx(0) and measure.extra["own"]["high"] < 0 and measure.p > 0.5


def test_thirds_are_counted_inside_class_and_fold():
    rng = np.random.default_rng(0)
    in_class, folds = rng.random(90) < 0.5, rng.integers(3, size=90)
    # Probes of different folds on different scales.
    scores = rng.normal(size=90) * 10.0**folds + 100 * folds
    third = likeness_thirds(scores, in_class, folds)
    for fold, side in product(range(3), (True, False)):
        rows = np.flatnonzero((folds == fold) & (in_class == side))
        ordered = rows[np.argsort(scores[rows])]
        expected = [min(MOST, int((place + 0.5) / len(rows) * 3)) for place in range(len(rows))]
        assert third[ordered].tolist() == expected
    assert set(third.tolist()) == {LEAST, BETWEEN, MOST}
    assert (likeness_thirds(np.full(90, np.nan), in_class, folds) == BETWEEN).all()


def test_a_model_that_reads_the_cue_has_a_gap_along_its_leak_and_one_that_does_not_has_none():
    rng, n = np.random.default_rng(1), 400
    in_class, folds, groups = np.arange(n) < 200, rng.integers(3, size=n), np.arange(n)
    scores = np.where(in_class, 0.5, -0.5) + rng.normal(size=n)
    reads = (scores > 0) == in_class
    blind = rng.random(n) < 0.8
    third = likeness_thirds(scores, in_class, folds)
    used = third != BETWEEN
    for correct, uses in ((reads, True), (blind, False)):
        values = (correct, in_class, third == MOST, groups, folds)
        measure = gap(*(value[used] for value in values), 0, towards=True)
        assert (measure.low > 0.3 and measure.p < 0.01) == uses
        assert uses or measure.low < 0 < measure.high
