"""Paired bootstrap of two trainings on the same images, over duplicate groups and seeds: what changed, how surely."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.measures.intervals import CHUNK, cluster_bootstrap_weights, percentile_interval
from audit.measures.measure import Floats, Ints, Random

# From weighted means (..., k) to the figure that is compared (...).
Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Draws:
    """R resamples of images and of seeds, shared by all that is compared.

    ``images`` (R, n) counts how often each image is drawn, duplicate groups together; ``seeds`` (R, S) is the share of
    each seed, rows sum to 1. Images and seeds are crossed, since every seed answers about every image, so both are
    drawn independently (the pigeonhole bootstrap: Owen 2007, which errs on the wide side). ``units`` is the number of
    duplicate groups.
    """

    images: NDArray[np.uint16]
    seeds: NDArray[np.float64]
    units: int

    @classmethod
    def of(cls, groups: Ints, seeds: int, resamples: int, rng: Random) -> "Draws":
        """Draw ``resamples`` times from images in duplicate ``groups`` (n,) and from so many seeds."""
        rng = np.random.default_rng(rng)
        images = cluster_bootstrap_weights(groups, resamples, rng)
        drawn = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
        return cls(images, drawn, len(np.unique(groups)))


@dataclass(frozen=True)
class Change:
    """A figure before and after, and its ``difference`` (after - before) with the 95 % interval ``low`` to ``high``.

    ``n`` is the number of images it rests on.
    """

    before: float
    after: float
    difference: float
    low: float
    high: float
    n: int

    def as_json(self) -> dict[str, float | int | None]:
        """Plain numbers; null for what could not be worked out."""
        named = {key: getattr(self, key) for key in ("before", "after", "difference", "low", "high")}
        return {**{key: float(value) if np.isfinite(value) else None for key, value in named.items()}, "n": self.n}


def first(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """The statistic of a single mean: means (..., k) -> the first of them (...)."""
    values: NDArray[np.float64] = means[..., 0]
    return values


def compare(before: Floats, after: Floats, weights: Floats, draws: Draws, statistic: Statistic = first) -> Change:
    """How a statistic of k weighted means differs between two trainings, seed by seed and image by image.

    ``before`` and ``after`` (S, n) hold one value per seed and image (NaN: none), ``weights`` (n, k) what each image
    counts in each mean; a mean is over images and seeds. Percentile interval over ``draws``; resamples in which a
    mean has no image are left out.
    """
    pair = before, after
    old, new = (float(statistic(_means(values, weights))) for values in pair)
    drawn = [np.concatenate([statistic(part) for part in _drawn(values, weights, draws)]) for values in pair]
    low, high = percentile_interval(drawn[1] - drawn[0], units=draws.units)
    return Change(old, new, new - old, low, high, int(weights.any(axis=1).sum()))


def _means(values: Floats, weights: Floats) -> NDArray[np.float64]:
    present = np.isfinite(values)
    return _ratio(np.nan_to_num(values).mean(0) @ weights, present.mean(0) @ weights)


def _drawn(values: Floats, weights: Floats, draws: Draws) -> Iterator[NDArray[np.float64]]:
    """The means (chunk, k) of each resample."""
    present = np.isfinite(values)
    step = max(1, CHUNK // values.shape[1])
    for start in range(0, len(draws.images), step):
        images, seeds = draws.images[start : start + step], draws.seeds[start : start + step]
        total, count = ((seeds @ part * images) @ weights for part in (np.nan_to_num(values), present.astype(float)))
        yield _ratio(total, count)


def _ratio(total: Floats, count: Floats) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
    return means
