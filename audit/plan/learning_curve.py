"""How accuracy grows with the images trained on: a power law through nested subsets, and what more of them would give.

Pure statistics: arrays in, numbers out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from audit.measures.intervals import cluster_bootstrap_totals, percentile_interval
from audit.measures.measure import Bools, Floats, Ints, Random, distinct

Trend = Literal["rising", "flat", "unclear", "falling"]

# What the exponent may be: near 0 the curve is straight over the logarithm of n, at 2 it has ended.
EXPONENTS = np.geomspace(0.05, 2.0, 40)
# A curve is told nothing about beyond this many times the images that it was measured up to.
FARTHEST = 2.0
# Twice as many images that surely add less accuracy than this would not help.
NO_HELP = 0.02


@dataclass(frozen=True)
class PowerLaw:
    """``limit - scale * n ** -exponent`` for each of k curves, all float64 (k,); ``scale`` >= 0, ``limit`` <= 1."""

    limit: NDArray[np.float64]
    scale: NDArray[np.float64]
    exponent: NDArray[np.float64]

    @classmethod
    def fit(cls, sizes: Ints | Floats, accuracy: Floats) -> "PowerLaw":
        """The least squares through ``accuracy`` (k, p), at p images trained on, ``sizes`` (p,), rising or flat.

        For a fixed exponent the law is a straight line over n ** -exponent, so that limit and scale follow in closed
        form within their bounds; of ``EXPONENTS`` that is taken which fits best. A form long used for learning curves
        (Cortes et al. 1993; Viering & Loog 2022 review it).

        >>> law = PowerLaw.fit(np.array([50, 100, 150, 200]), np.array([[0.7, 0.7, 0.7, 0.7]]))
        >>> float(law.scale[0]), round(float(law.at(400)[0]), 2)
        (0.0, 0.7)
        """
        # Sizes relative to the largest, so that the scale is what all the images still lack.
        largest = float(np.max(sizes))
        lines = [_line((np.asarray(sizes) / largest) ** -exponent, accuracy) for exponent in EXPONENTS]
        best = np.argmin([error for *_, error in lines], axis=0)
        limit, lacking = (np.array([line[part] for line in lines])[best, np.arange(len(best))] for part in (0, 1))
        exponent = EXPONENTS[best]
        return cls(limit, lacking * largest**exponent, exponent)

    def at(self, n: float) -> NDArray[np.float64]:
        """The accuracy of each curve at n images, (k,)."""
        return np.asarray(self.limit - self.scale * n**-self.exponent, np.float64)


@dataclass(frozen=True)
class Expected:
    """The accuracy that is expected of more images, ``n`` in all to train on, with its 95 % interval."""

    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class CurveFit:
    """``accuracy`` (p,) at p sizes, the law through them, the trend and what is expected of more images.

    ``slope`` is the accuracy that doubling the images added, by a straight line over log2 n that may also fall, with
    its 95 % interval.
    """

    accuracy: NDArray[np.float64]
    law: PowerLaw
    slope: tuple[float, float, float]
    trend: Trend
    expected: tuple[Expected, ...]


def fit_curve(
    correct: Bools,
    weights: Floats,
    groups: Ints,
    sizes: Ints,
    today: tuple[float, float],
    wanted: Sequence[int],
    resamples: int,
    rng: Random,
) -> CurveFit:
    """The learning curve of trainings on nested subsets of ``sizes`` (p,), ascending, tested on the same n images.

    ``correct`` (d, p, n) is whether each training was right about each image, of d draws of the subsets; the last size
    holds all images and is the same training in every draw. ``weights`` (n,) are what an image counts, above 0 for
    some; ``groups`` (n,) are the duplicate groups. ``today`` is the interval of the last accuracy, by whatever suits
    its weights.

    Expected of ``wanted`` images is the accuracy measured with all of them plus what the law adds from there on.
    Interval: percentiles of the same over resamples of groups, all trainings together, since they are tested on the
    same images; in each resample the accuracies are moved by Student's t times ``scatter_between``, since other subsets
    would have given others. Never narrower than ``today``. More than ``FARTHEST`` times the largest size is not
    answered.
    """
    rng, counted = np.random.default_rng(rng), weights > 0
    columns = np.column_stack([(correct.mean(0) * weights).T, weights])[counted]
    units = distinct(groups[counted])
    totals = cluster_bootstrap_totals(columns, groups[counted], resamples, rng)
    totals = totals[totals[:, -1] > 0]
    scatter = scatter_between(correct @ weights / weights.sum())
    freedom = max(1, (len(correct) - 1) * (len(sizes) - 1))
    drawn = totals[:, :-1] / totals[:, -1:] + scatter * rng.standard_t(freedom, (len(totals), len(sizes)))
    measured = columns[:, :-1].sum(0) / columns[:, -1].sum()
    slope, slopes = float(_slopes(sizes, measured[None])[0]), _slopes(sizes, drawn)
    around = (slope, *percentile_interval(slopes, units=units))
    law, laws = PowerLaw.fit(sizes, measured[None]), PowerLaw.fit(sizes, drawn)
    near = [n for n in wanted if n <= FARTHEST * sizes[-1]]
    expected = tuple(_expected(n, sizes, measured, drawn, law, laws, today, units) for n in near)
    return CurveFit(np.asarray(measured, np.float64), law, around, trend_of(around), expected)


def scatter_between(accuracy: Floats) -> NDArray[np.float64]:
    """Standard error (p,) of the mean ``accuracy`` (d, p) of d draws that comes from which images were drawn.

    Pooled over the sizes but the last, for which there is one training only; 0 for a single draw, which tells nothing.
    """
    if len(accuracy) == 1:
        return np.zeros(accuracy.shape[1])
    spread = float(np.sqrt(accuracy[:, :-1].var(0, ddof=1).mean()))
    return np.asarray(spread / np.sqrt(np.append(np.full(accuracy.shape[1] - 1, len(accuracy)), 1)), np.float64)


def trend_of(slope: tuple[float, float, float]) -> Trend:
    """What a slope (value, low, high), in accuracy per doubling of the images, says of more of them.

    >>> trend_of((0.03, 0.01, 0.05)), trend_of((0.0, -0.01, 0.01)), trend_of((0.01, -0.03, 0.05))
    ('rising', 'flat', 'unclear')
    """
    _, low, high = slope
    if low > 0:
        return "rising"
    if high < 0:
        return "falling"
    return "flat" if high < NO_HELP else "unclear"


def _expected(
    n: int,
    sizes: Ints,
    measured: Floats,
    drawn: Floats,
    law: PowerLaw,
    laws: PowerLaw,
    today: tuple[float, float],
    units: int,
) -> Expected:
    most = float(sizes[-1])
    gain = float((law.at(n) - law.at(most))[0])
    low, high = percentile_interval(drawn[:, -1] + laws.at(n) - laws.at(most), units=units)
    low, high = min(low, today[0] + gain), max(high, today[1] + gain)
    return Expected(n, *(float(np.clip(value, 0, 1)) for value in (measured[-1] + gain, low, high)))


def _slopes(sizes: Ints, accuracy: Floats) -> NDArray[np.float64]:
    """Least-squares slopes (k,) of ``accuracy`` (k, p) over log2 of the sizes."""
    x = np.log2(np.asarray(sizes, np.float64))
    x -= x.mean()
    return np.asarray(accuracy @ x / (x @ x), np.float64)


def _line(x: Floats, accuracy: Floats) -> tuple[Floats, Floats, Floats]:
    """limit (k,), scale (k,) and squared error (k,) of ``limit - scale * x`` with limit <= 1 and scale >= 0."""
    centred = x - x.mean()
    scale = np.maximum(0.0, -(accuracy @ centred) / (centred @ centred))
    limit = accuracy.mean(1) + scale * x.mean()
    # Where the best line ends above 1, the best within the bounds ends at 1.
    beyond = limit > 1
    scale = np.where(beyond, np.maximum(0.0, (1 - accuracy) @ x / (x @ x)), scale)
    limit = np.where(beyond, 1.0, limit)
    return limit, scale, ((accuracy - limit[:, None] + scale[:, None] * x) ** 2).sum(1)
