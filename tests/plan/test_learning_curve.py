"""Learning curves: laws that are known, intervals that hold the truth, and curves that promise nothing."""

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.stats import norm

from audit.measures.intervals import share_interval
from audit.plan.learning_curve import EXPONENTS, CurveFit, PowerLaw, fit_curve

SIZES = np.array([50, 100, 150, 200])


def law(n, limit, scale, exponent):
    return limit - scale * np.asarray(n, float) ** -exponent


def answers(truth: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Whether each of p trainings is right about each of n images: right as often as ``truth`` (p,) says.

    Hard images are hard for all trainings: the answers about one image correlate by 0.8 on the normal scale.
    """
    hard, own = rng.normal(size=n), rng.normal(size=(len(truth), n))
    return np.sqrt(0.8) * hard + np.sqrt(0.2) * own < norm.ppf(truth)[:, None]


def fitted(correct: np.ndarray, wanted=(250, 400), weights=None, groups=None, resamples=300) -> CurveFit:
    n = correct.shape[-1]
    weights = np.ones(n) if weights is None else weights
    groups = np.arange(n) if groups is None else groups
    draws = correct if correct.ndim == 3 else correct[None]
    return fit_curve(draws, weights, groups, SIZES, share_interval(draws[0, -1], groups), wanted, resamples, 0)


@pytest.mark.parametrize("exponent", EXPONENTS[[5, 20, 30]])
def test_a_law_without_noise_is_found_again(exponent):
    truth = law(SIZES, 0.93, 0.4 * 50**exponent, exponent)
    found = PowerLaw.fit(SIZES, truth[None])
    assert [found.limit[0], found.exponent[0]] == pytest.approx([0.93, exponent])
    assert found.at(400)[0] == pytest.approx(law(400, 0.93, 0.4 * 50**exponent, exponent))


def test_no_other_law_within_the_bounds_is_nearer():
    """An independent derivation: SciPy's bounded non-linear least squares, over the exponents between ours too."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        noisy = law(SIZES, 0.9, 1.5, 0.6) + rng.normal(0, 0.01, 4)
        ours = PowerLaw.fit(SIZES, noisy[None])
        error = ((law(SIZES, ours.limit[0], ours.scale[0], ours.exponent[0]) - noisy) ** 2).sum()
        start = ours.limit[0] - 1e-6, ours.scale[0] + 1e-6, ours.exponent[0]
        bounds = [0, 0, EXPONENTS[0] - 1e-9], [1, np.inf, EXPONENTS[-1] + 1e-9]
        theirs, _ = curve_fit(law, SIZES, noisy, start, bounds=bounds, max_nfev=20_000)
        assert error <= ((law(SIZES, *theirs) - noisy) ** 2).sum() + 1e-5
        assert ours.at(300)[0] == pytest.approx(law(300, *theirs), abs=0.003)


def test_a_law_neither_falls_nor_ends_above_one():
    laws = PowerLaw.fit(SIZES, np.array([[0.9, 0.88, 0.86, 0.84], [0.4, 0.6, 0.8, 1.0]]))
    assert laws.scale[0] == 0 and laws.at(400)[0] == pytest.approx(0.87)
    assert laws.limit[1] == 1 and laws.at(400)[1] <= 1


def test_what_is_expected_is_what_was_measured_plus_what_the_law_adds():
    correct = answers(law(SIZES, 0.9, 1.5, 0.6), 400, np.random.default_rng(1))
    fit = fitted(correct)
    gain = fit.law.at(250) - fit.law.at(200)
    assert fit.accuracy == pytest.approx(correct.mean(1))
    assert fit.expected[0].value == pytest.approx(correct[-1].mean() + gain[0])
    assert fit.expected[0].low < fit.expected[0].value < fit.expected[0].high


@pytest.mark.parametrize("limits", [(0.9, 1.5, 0.6), (0.95, 0.6, 0.2), (0.85, 0.0, 0.5)])
def test_the_interval_holds_the_truth(limits):
    """Of 150 datasets of 200 images: what is expected of 250 and 400 images lies within in 95 of 100, or nearly."""
    rng, held, off = np.random.default_rng(2), np.zeros(2), []
    for _ in range(150):
        fit = fitted(answers(law(SIZES, *limits), 200, rng), resamples=200)
        truth = law([250, 400], *limits)
        held += [one.low <= value <= one.high for one, value in zip(fit.expected, truth, strict=True)]
        off.append([one.value for one in fit.expected] - truth)
    assert (held / 150 >= 0.91).all()
    assert np.abs(np.mean(off, axis=0)).max() < 0.015


@pytest.mark.parametrize(("draws", "least", "most"), [(3, 0.9, 1.0), (1, 0.0, 0.89)])
def test_several_draws_tell_how_much_trainings_scatter(draws, least, most):
    """Trainings on other subsets differ by 3 points: three draws of them show it, a single one cannot."""
    rng, limits, held = np.random.default_rng(7), (0.9, 1.5, 0.6), 0
    for _ in range(100):
        fit = fitted(trainings(law(SIZES, *limits), 300, 0.03, draws, rng), wanted=(250,), resamples=200)
        held += fit.expected[0].low <= law(250, *limits) <= fit.expected[0].high
    assert least <= held / 100 <= most


def trainings(truth: np.ndarray, n: int, scatter: float, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Answers (draws, p, n) of trainings that are better or worse by so much than the truth; one for the last size."""
    off = rng.normal(0, scatter, (draws, len(truth)))
    off[:, -1] = off[0, -1]
    hard, own = rng.normal(size=n), rng.normal(size=(draws, len(truth), n))
    own[:, -1] = own[0, -1]
    return np.sqrt(0.8) * hard + np.sqrt(0.2) * own < norm.ppf(truth + off)[:, :, None]


def test_trends_are_told_apart():
    """A curve that rises is not called flat, one that is flat is not said to rise, and few images tell neither."""
    rng = np.random.default_rng(3)
    rising = [fitted(answers(law(SIZES, 0.9, 2.5, 0.6), 500, rng)).trend for _ in range(40)]
    flat = [fitted(answers(np.full(4, 0.85), 1500, rng)).trend for _ in range(40)]
    few = [fitted(answers(np.full(4, 0.85), 40, rng)).trend for _ in range(40)]
    assert rising.count("rising") >= 38
    assert flat.count("flat") >= 35 and flat.count("rising") <= 3
    assert few.count("unclear") >= 20 and few.count("rising") <= 4


def test_a_curve_that_falls_is_not_continued_upwards():
    fit = fitted(answers(np.array([0.95, 0.88, 0.84, 0.8]), 800, np.random.default_rng(4)))
    assert fit.trend == "falling"
    assert fit.law.at(400) == pytest.approx(fit.law.at(50))


def test_nothing_is_told_beyond_twice_the_images():
    correct = answers(law(SIZES, 0.9, 1.5, 0.6), 200, np.random.default_rng(5))
    assert [one.n for one in fitted(correct, wanted=(201, 400, 401)).expected] == [201, 400]


def test_a_model_that_is_always_right_is_not_certain_to_stay_so():
    fit = fitted(np.ones((4, 30), bool))
    assert fit.expected[0].value == 1 and fit.expected[0].low < 0.9


def test_images_without_weight_do_not_count_and_copies_count_once():
    rng = np.random.default_rng(6)
    correct = answers(law(SIZES, 0.9, 1.5, 0.6), 100, rng)
    padded = np.concatenate([correct, np.zeros((4, 50), bool)], axis=1)
    weights = np.repeat([1.0, 0.0], [100, 50])
    assert fitted(padded, weights=weights, groups=np.arange(150)).accuracy == pytest.approx(correct.mean(1))
    copied, groups = np.repeat(correct, 3, axis=1), np.repeat(np.arange(100), 3)
    once, thrice, separate = fitted(correct), fitted(copied, groups=groups), fitted(copied)
    width = [fit.slope[2] - fit.slope[1] for fit in (once, thrice, separate)]
    assert width[1] == pytest.approx(width[0], rel=0.15) and width[2] < 0.75 * width[0]
