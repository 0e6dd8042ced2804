import numpy as np
import pytest

from audit.measures.gap import CELLS, gap


def drawn(rng, accuracy, sizes, exact=False):
    """Images of the four cells in the order of CELLS, with the given accuracies."""
    in_class, present = (np.repeat([cell[k] for cell in CELLS], sizes) for k in (0, 1))
    if exact:
        correct = np.concatenate([np.arange(n) < round(a * n) for a, n in zip(accuracy, sizes, strict=True)])
    else:
        correct = rng.random(sum(sizes)) < np.repeat(accuracy, sizes)
    return correct, in_class, present, np.arange(sum(sizes))


def test_planted_gap_in_exact_numbers():
    data = drawn(None, [0.9, 0.4, 0.6, 0.8], [40, 10, 20, 50], exact=True)
    measure = gap(*data, class_words="nurse", cue_words="the hair")
    assert measure.value == pytest.approx((0.9 + 0.8) / 2 - (0.4 + 0.6) / 2)
    assert measure.extra["together"] == pytest.approx(0.85) and measure.extra["apart"] == pytest.approx(0.5)
    assert measure.extra["worst"] == {"words": "nurse, without the hair", "accuracy": 0.4, "n": 10}
    assert measure.extra["leans"] == "towards" and measure.low > 0 and measure.n == 120 and measure.p is None


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
        measure = gap(*drawn(np.random.default_rng(seed), accuracy, [60, 8, 12, 50]), towards=True)
        covered += measure.low <= truth <= measure.high
    assert 0.90 <= covered / 400 <= 0.995


def test_ignoring_duplicates_gives_an_interval_that_is_too_narrow():
    correct, in_class, present, groups = drawn(np.random.default_rng(0), [0.9, 0.6, 0.7, 0.9], [12, 12, 12, 12])
    copies = [np.repeat(array, 4) for array in (correct, in_class, present, groups)]
    once, together, alone = gap(correct, in_class, present, groups), gap(*copies), gap(*copies[:3], np.arange(192))
    assert (together.low, together.high) == pytest.approx((once.low, once.high))
    assert alone.high - alone.low < 0.6 * (once.high - once.low)


def test_all_right_keeps_an_interval():
    measure = gap(*drawn(None, [1, 1, 1, 1], [30, 6, 6, 30], exact=True))
    assert measure.value == 0 and measure.low < -0.05 and measure.high > 0.2


def test_a_small_cell_is_said():
    measure = gap(*drawn(None, [1, 1, 1, 1], [30, 2, 6, 30], exact=True), class_words="nurse", cue_words="the hair")
    assert measure.value is None
    assert measure.reason == "Only 2 distinct images of the kind “nurse, without the hair”; 3 more would do."
    assert gap(*drawn(None, [1, 1, 1, 1], [30, 0, 6, 30], exact=True)).reason.startswith("No images of the kind")
