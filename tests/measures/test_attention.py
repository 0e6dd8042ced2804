import numpy as np
import pytest

from audit.measures.attention import attention


def test_lift_is_a_ratio_of_means_and_leaves_empty_maps_out():
    share = np.tile([0.6, 0.2, np.nan], 10)
    area = np.tile([0.1, 0.3, 0.9], 10)
    measure = attention(share, area, np.arange(30), 0)
    assert measure.value == pytest.approx(0.8 / 0.4)
    assert measure.n == 20 and measure.extra["empty"] == 10 and measure.p is None
    assert measure.extra["share"] == pytest.approx(0.4) and measure.extra["area"] == pytest.approx(0.2)
    assert measure.low < 2 < measure.high


def test_one_tiny_area_does_not_rule():
    share, area = np.full(50, 0.2), np.full(50, 0.2)
    share[0], area[0] = 0.3, 1e-6
    assert attention(share, area, np.arange(50), 0).value < 1.1


def test_interval_covers_planted_and_null_lift():
    for lift in (1.0, 2.5):
        covered = 0
        for seed in range(300):
            rng = np.random.default_rng(seed)
            area = np.repeat(rng.uniform(0.05, 0.3, 40), 2)
            share = lift * area * np.repeat(rng.gamma(4, 1 / 4, 40), 2)
            measure = attention(share, area, np.repeat(np.arange(40), 2), rng, resamples=400)
            covered += measure.low <= lift <= measure.high
        assert 0.90 <= covered / 300 <= 0.99


@pytest.mark.parametrize(
    ("share", "area", "reason"),
    [
        (np.full(20, np.nan), np.full(20, 0.1), "No images show the cue"),
        (np.full(20, 0.1), np.zeros(20), "covers no area"),
        (np.full(4, 0.1), np.full(4, 0.1), "6 more would do"),
    ],
)
def test_what_cannot_be_measured_is_said(share, area, reason):
    measure = attention(share, area, np.arange(len(share)), 0)
    assert measure.value is None and reason in measure.reason
