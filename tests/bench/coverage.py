"""How often the intervals of the evidence hold the truth: ``python -m tests.bench.coverage --repetitions 4000``.

Every scenario draws a dataset whose truth is known, measures it as an audit does, and says whether the interval holds
that truth. A 95 % interval should in 95 of 100 datasets; the bar is 93 to 97 %.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from audit.measures.attention import attention
from audit.measures.effect import Answers, effect, may_show_more, weaker
from audit.measures.gap import CELLS, gap
from audit.measures.intervals import wilson
from audit.measures.leakage import leakage
from audit.measures.limits import EFFECT
from audit.measures.measure import Floats, Ints, Measure
from audit.measures.prevalence import prevalence
from tests.bench.figures import Cell, Column, add_option, save

LOWEST, HIGHEST = 0.93, 0.97
Rng = np.random.Generator


@dataclass(frozen=True)
class Drawn:
    """What was measured in one dataset: the value, its interval, and the truth (None: the mean value of many)."""

    value: float
    low: float
    high: float
    truth: float | None


@dataclass(frozen=True)
class Coverage:
    """Share of intervals that held the truth, its own 95 % interval, and how many missed it on either side."""

    name: str
    share: float
    low: float
    high: float
    repetitions: int
    truth_above: float
    truth_below: float
    width: float


def coverage(name: str, repetitions: int, seed: int = 0) -> Coverage:
    """Repeat one scenario."""
    found = [SCENARIOS[name](np.random.default_rng((seed, number))) for number in range(repetitions)]
    mean = float(np.mean([one.value for one in found]))
    truth = np.array([mean if one.truth is None else one.truth for one in found])
    lows, highs = np.array([one.low for one in found]), np.array([one.high for one in found])
    held = (lows <= truth) & (truth <= highs)
    low, high = wilson(float(held.sum()), repetitions)
    above, below = float((truth > highs).mean()), float((truth < lows).mean())
    return Coverage(name, float(held.mean()), low, high, repetitions, above, below, float((highs - lows).mean()))


def _share(n: int, copies: int = 1) -> Callable[[Rng], Drawn]:
    """Prevalence of a cue whose true share is anything from 5 to 95 %: coverage of a share depends on the share."""

    def draw(rng: Rng) -> Drawn:
        share = rng.uniform(0.05, 0.95)
        present, in_class, groups = _shown(rng, n, share, share, copies)
        measure = prevalence(present, in_class, groups, rng, permutations=1)
        return _plain(measure, share)

    return draw


def _difference(n: int, copies: int = 1, apart: float = 0.3) -> Callable[[Rng], Drawn]:
    """Difference of two such shares."""

    def draw(rng: Rng) -> Drawn:
        elsewhere = rng.uniform(0.05, 0.95 - apart)
        extra = prevalence(*_shown(rng, n, elsewhere + apart, elsewhere, copies), rng, permutations=1).extra
        return _beside(extra, "difference", apart)

    return draw


def _shown(rng: Rng, n: int, share: float, elsewhere: float, copies: int) -> tuple[np.ndarray, np.ndarray, Ints]:
    """``n`` photographs of the class and twice as many others, a third of them ``copies`` times."""
    in_class = np.arange(3 * n) < n
    present = rng.random(3 * n) < np.where(in_class, share, elsewhere)
    groups = np.repeat(np.arange(3 * n), np.where(np.arange(3 * n) % 3 == 0, copies, 1))
    return present[groups], in_class[groups], groups


def _attention(n: int, lift: float, copies: int = 1) -> Callable[[Rng], Drawn]:
    """Skewed attention, whose lift is ``lift`` on average and higher the smaller the cue."""

    def draw(rng: Rng) -> Drawn:
        area = rng.uniform(0.05, 0.3, n)
        # E[share] / E[area] = lift, although no image's own ratio has that mean.
        share = np.minimum(1, lift * 0.175 * rng.gamma(2.0, 0.5, n))
        groups = np.repeat(np.arange(n), np.where(np.arange(n) % 3 == 0, copies, 1))
        return _plain(attention(share[groups], area[groups], groups, rng), lift)

    return draw


def _leakage(n: int, features: int, strength: float, share: float = 0.4, copies: int = 1) -> Callable[[Rng], Drawn]:
    """One class leans ``strength`` standard deviations away in one of the features.

    With one feature, or none that leans, the true AUC is known; else it is that of such a probe on average.
    """
    truth = float(norm.cdf(strength / 2**0.5)) if features == 1 or not strength else None

    def draw(rng: Rng) -> Drawn:
        inside, labels, folds = _leaning(rng, n, features, strength, share)
        groups = np.repeat(np.arange(n), np.where(np.arange(n) % 3 == 0, copies, 1))
        shown = inside[groups]
        measure = leakage(shown, shown[:, :1], labels[groups], groups, folds[groups], rng, 500, 100)
        return _plain(measure, truth)

    return draw


def _above_control(n: int, features: int, strength: float, elsewhere: float) -> Callable[[Rng], Drawn]:
    """The cue leans more, or as much, as the control."""

    def draw(rng: Rng) -> Drawn:
        inside, labels, folds = _leaning(rng, n, features, strength)
        control = rng.normal(size=inside.shape)
        control[:, 0] += elsewhere * labels
        extra = leakage(
            inside, inside[:, :1], labels, np.arange(n), folds, rng, 500, permutations=100, control=control
        ).extra
        return _beside(extra, "above_control", 0.0 if strength == elsewhere else None)

    return draw


def _leaning(rng: Rng, n: int, features: int, strength: float, share: float = 0.4) -> tuple[Floats, np.ndarray, Ints]:
    labels = rng.permutation(np.arange(n) < share * n)
    inside = rng.normal(size=(n, features))
    inside[:, 0] += strength * labels
    folds = np.empty(n, int)
    for side in (labels, ~labels):
        folds[side] = rng.permutation(np.arange(side.sum())) % 3
    return inside, labels, folds


def _effect(n: int, mean: float, first: int | None = None) -> Callable[[Rng], Drawn]:
    """Drops of a probability: most of them small, some large, and as many images as an audit asks about.

    Where the ``first`` few rule an effect out, the others are not asked.
    """

    def draw(rng: Rng) -> Drawn:
        return _plain(_hidden(rng, mean * _drops(rng, n), first), mean)

    return draw


def _weaker_effect(n: int, means: tuple[float, float]) -> Callable[[Rng], Drawn]:
    """The same under two fillings, whose effects on an image correlate by 0.8 as measured on photographs.

    The truth is the smaller mean.
    """

    def draw(rng: Rng) -> Drawn:
        shared = _drops(rng, n)
        found = {str(i): _hidden(rng, mean * (2 * shared + _drops(rng, n)) / 3) for i, mean in enumerate(means)}
        return _plain(weaker(found), min(means))

    return draw


def _drops(rng: Rng, n: int) -> Floats:
    return rng.gamma(1.0, 1.0, n)


def _hidden(rng: Rng, drops: Floats, first: int | None = None) -> Measure:
    n = len(drops)
    control = 0.9 + rng.normal(0, 0.05, n)
    masked = control - drops + rng.normal(0, 0.02, n)
    if first and not may_show_more((control - masked)[:first], EFFECT.ruled_out, rng):
        n = first
    zeros = np.zeros(n, int)
    views = (Answers(p[:n], zeros) for p in (np.full(n, 0.95), masked, control))
    return effect(*views, zeros, np.arange(n), rng, permutations=1)


def _gap(sizes: tuple[int, int, int, int]) -> Callable[[Rng], Drawn]:
    """Cells of these sizes, in the order of ``CELLS``, whose true accuracies are anything from 50 to 98 %."""

    def draw(rng: Rng) -> Drawn:
        accuracy = rng.uniform(0.5, 0.98, 4)
        in_class, present = (np.repeat([cell[k] for cell in CELLS], sizes) for k in (0, 1))
        correct = rng.random(sum(sizes)) < np.repeat(accuracy, sizes)
        images = np.arange(sum(sizes))
        measure = gap(correct, in_class, present, images, 0 * images, rng, towards=True, permutations=1)
        return _plain(measure, float(accuracy @ [0.5, -0.5, -0.5, 0.5]))

    return draw


def _own_gap(sizes: tuple[int, int, int, int]) -> Callable[[Rng], Drawn]:
    """The class's own half of it."""

    def draw(rng: Rng) -> Drawn:
        accuracy = rng.uniform(0.5, 0.98, 4)
        in_class, present = (np.repeat([cell[k] for cell in CELLS], sizes) for k in (0, 1))
        correct = rng.random(sum(sizes)) < np.repeat(accuracy, sizes)
        images = np.arange(sum(sizes))
        own = gap(correct, in_class, present, images, 0 * images, rng, towards=True, permutations=1).extra["own"]
        return Drawn(own["value"], own["low"], own["high"], float(accuracy @ [1, -1, 0, 0]))

    return draw


def _plain(measure: Measure, truth: float | None) -> Drawn:
    return Drawn(measure.value, measure.low, measure.high, truth)


def _beside(extra: object, name: str, truth: float | None) -> Drawn:
    return Drawn(extra[name], extra[f"{name}_low"], extra[f"{name}_high"], truth)


SCENARIOS: dict[str, Callable[[Rng], Drawn]] = {
    "prevalence, 20 images": _share(20),
    "prevalence, 100 images": _share(100),
    "prevalence, 100 images, copies": _share(100, copies=3),
    "prevalence, difference, 20 and 40 images": _difference(20),
    "prevalence, difference, 100 and 200 images": _difference(100),
    "prevalence, no difference, copies": _difference(60, copies=3, apart=0.0),
    "attention, lift 1, 15 images": _attention(15, 1.0),
    "attention, lift 2, 60 images": _attention(60, 2.0),
    "attention, lift 2, 60 images, copies": _attention(60, 2.0, copies=3),
    "leakage, none, 16 features": _leakage(100, 16, 0.0),
    "leakage, none, 200 features": _leakage(100, 200, 0.0),
    "leakage, known, 1 feature": _leakage(100, 1, 1.2),
    "leakage, 16 features": _leakage(150, 16, 1.5),
    "leakage, 200 features": _leakage(150, 200, 3.0),
    "leakage, none, 79 features, 40 images": _leakage(40, 79, 0.0),
    "leakage, 79 features, 40 images": _leakage(40, 79, 2.0),
    "leakage, 79 features": _leakage(150, 79, 1.5),
    "leakage, 79 features, strong": _leakage(120, 79, 4.0),
    "leakage, 79 features, small class": _leakage(200, 79, 2.0, share=0.15),
    "leakage, 79 features, copies": _leakage(100, 79, 2.0, copies=3),
    "leakage, 16 features, nearly separated, copies": _leakage(60, 16, 3.0, copies=3),
    "leakage, 512 features, 300 images": _leakage(300, 512, 3.0),
    "leakage, as the control": _above_control(120, 16, 1.5, 1.5),
    "leakage, as the control, 40 images": _above_control(40, 79, 2.0, 2.0),
    "leakage, above the control": _above_control(120, 16, 2.0, 0.7),
    "leakage, above the control, 79 features": _above_control(200, 79, 3.0, 1.0),
    "effect, 15 images": _effect(15, 0.1),
    "effect, 40 images": _effect(40, 0.1),
    "effect, none, 15 images": _effect(15, 0.0),
    "effect, none, 10 or 15 images": _effect(15, 0.0, first=10),
    "effect, small, 10 or 15 images": _effect(15, 0.02, first=10),
    "effect, 10 or 15 images": _effect(15, 0.1, first=10),
    "effect, weaker of two equal": _weaker_effect(15, (0.1, 0.1)),
    "effect, weaker of two unequal": _weaker_effect(15, (0.1, 0.3)),
    "gap, small cells": _gap((40, 6, 8, 40)),
    "gap, large cells": _gap((90, 30, 40, 90)),
    "gap, the class's own": _own_gap((67, 25, 3, 100)),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--only", action="append", metavar="BEGINNING", help="scenarios that begin so; may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    add_option(parser)
    given = parser.parse_args(arguments)
    found = []
    for name in SCENARIOS:
        if name.startswith(tuple(given.only or [""])):
            one = coverage(name, given.repetitions, given.seed)
            found.append(asdict(one))
            mark = "" if LOWEST <= one.share <= HIGHEST else "  outside 93 to 97 %"
            print(
                f"{name:46} {one.share:6.1%}  ({one.low:.1%} to {one.high:.1%})  truth above {one.truth_above:.1%}, "
                f"below {one.truth_below:.1%}; width {one.width:.3f}{mark}",
                flush=True,
            )
    if given.json:
        print(json.dumps(found, indent=2))
    save(given.figures, "coverage-scenarios", COLUMNS, [_row(one) for one in found])


COLUMNS = (
    Column("datasets of the kind"),
    Column("drawn"),
    Column("intervals that hold the truth", ".1%"),
    Column("truth above", ".1%"),
    Column("truth below", ".1%"),
    Column("mean width", ".3f"),
)


def _row(found: Mapping[str, Any]) -> tuple[Cell, ...]:
    held = {"value": found["share"], "low": found["low"], "high": found["high"]}
    return found["name"], found["repetitions"], held, found["truth_above"], found["truth_below"], found["width"]


if __name__ == "__main__":
    main()
