"""Geometry of the report's small charts: positions only, which the templates draw as SVG."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from audit.cues.cue_json import Distribution
from audit.findings.finding import Finding
from audit.measures.figures import EvidenceFigure, HasInterval, Leakage, Prevalence
from reports.text import decimal, percent, points

WIDTH = 240.0
MARGIN = 9.0
# A report that compares more classes than this in one figure, or names more bars, cannot be read.
MOST_HISTOGRAMS = 6


@dataclass(frozen=True)
class Scale:
    """A horizontal axis over ``WIDTH`` units from ``low`` to ``high``, linear or logarithmic, with its null value."""

    low: float
    high: float
    null: float
    log: bool = False

    def x(self, value: float) -> float:
        """Position in SVG units; values outside the axis are put at its end."""
        low, high, inside = (self._t(v) for v in (self.low, self.high, min(max(value, self.low), self.high)))
        return round(MARGIN + (WIDTH - 2 * MARGIN) * (inside - low) / (high - low), 1)

    def _t(self, value: float) -> float:
        return math.log(value) if self.log else value


@dataclass(frozen=True)
class Dot:
    """A value and its interval in SVG units. ``hollow`` marks what the value is compared with."""

    x: float
    low: float
    high: float
    hollow: bool = False


@dataclass(frozen=True)
class DotPlot:
    """Dots on one axis. ``ticks`` are (position, label); ``null`` is the reference line; ``words`` the text version."""

    dots: tuple[Dot, ...]
    ticks: tuple[tuple[float, str], ...]
    null: float | None
    words: str


def scales(findings: Iterable[Finding]) -> dict[str, Scale]:
    """One axis per kind of evidence for the whole report, so that the cards can be compared with each other."""
    values_of: dict[str, list[float]] = {"attention": [], "effect": [], "gap": [], "leakage": []}
    for finding in findings:
        measured = finding.evidence.kinds()
        for kind, values in values_of.items():
            fact = measured[kind]
            shown = (fact.value, fact.low, fact.high, fact.rest if isinstance(fact, Leakage) else None)
            values += [value for value in shown if value is not None]
    lifts = [value for value in values_of["attention"] if value > 0]
    farthest = min(64.0, 2 ** math.ceil(math.log2(max([2.0, *lifts, *(1 / value for value in lifts)]))))
    return {
        "prevalence": Scale(0, 1, 0),
        "attention": Scale(1 / farthest, farthest, 1, log=True),
        "leakage": Scale(min(0.4, _floor(values_of["leakage"])), 1, 0.5),
        "effect": Scale(min(-0.1, _floor(values_of["effect"])), max(0.2, _ceiling(values_of["effect"])), 0),
        "gap": Scale(min(-0.1, _floor(values_of["gap"])), max(0.2, _ceiling(values_of["gap"])), 0),
    }


def dot_plot(kind: str, fact: EvidenceFigure, scale: Scale) -> DotPlot | None:
    """The drawing of one fact; None where it could not be measured."""
    if fact.value is None:
        return None
    dots = [_dot(scale, fact.value, fact.low, fact.high)]
    compared, low, high = _beside(fact)
    if compared is not None:
        dots.append(_dot(scale, compared, low, high, hollow=True))
    null = None if kind == "prevalence" else scale.x(scale.null)
    return DotPlot(tuple(dots), _ticks(kind, scale), null, _words(kind, fact))


def share_plot(fact: HasInterval) -> DotPlot:
    """A share in [0, 1] with its interval, on an axis from 0 to 100 %; no dot where it could not be measured."""
    scale = Scale(0, 1, 0)
    dots = () if fact.value is None else (_dot(scale, fact.value, fact.low, fact.high),)
    return DotPlot(dots, _ticks("prevalence", scale), None, _words("share", fact))


def _beside(fact: HasInterval) -> tuple[float | None, float | None, float | None]:
    """The value that a fact is compared with, with its interval: the other classes, or everything else in the image."""
    if isinstance(fact, Prevalence):
        return fact.elsewhere, fact.elsewhere_low, fact.elsewhere_high
    if isinstance(fact, Leakage):
        return fact.rest, fact.rest_low, fact.rest_high
    return None, None, None


def _dot(scale: Scale, value: float, low: float | None, high: float | None, hollow: bool = False) -> Dot:
    start, end = (scale.x(value if bound is None else bound) for bound in (low, high))
    return Dot(scale.x(value), start, end, hollow)


def _ticks(kind: str, scale: Scale) -> tuple[tuple[float, str], ...]:
    if kind == "attention":
        labels = [(1 / scale.high, f"1/{scale.high:.0f}"), (1.0, "1"), (scale.high, f"{scale.high:.0f}")]
    elif kind == "leakage":
        labels = [(0.5, "0.5"), (0.75, "0.75"), (1.0, "1")]
    elif kind == "prevalence":
        labels = [(0.0, "0"), (0.5, "50"), (1.0, percent(1.0))]
    else:
        labels = [(scale.low, points(scale.low)), (0.0, "0"), (scale.high, points(scale.high))]
    return tuple((scale.x(value), label) for value, label in labels)


def _words(kind: str, fact: HasInterval) -> str:
    """The chart in words, for those who do not see it."""
    write = {"prevalence": percent, "share": percent, "effect": points, "gap": points}.get(kind, decimal)
    interval = f", 95 % interval {write(fact.low)} to {write(fact.high)}" if fact.low is not None else ""
    compared, *_ = _beside(fact)
    beside = f"; everything else {write(compared)}" if compared is not None else ""
    return f"{write(fact.value)}{interval}{beside}"


def _floor(values: list[float]) -> float:
    return max(-1.0, math.floor(min(values, default=0.5) * 10) / 10)


def _ceiling(values: list[float]) -> float:
    return min(1.0, math.ceil(max(values, default=0.0) * 10) / 10)


@dataclass(frozen=True)
class BarRow:
    """A histogram of one class: ``bars`` are (x, y, width, height) in SVG units, y pointing down; ``words`` say it."""

    label: str
    bars: tuple[tuple[float, float, float, float], ...]
    words: str


@dataclass(frozen=True)
class BarChart:
    """Histograms of some classes on one axis and one scale.

    ``ticks`` are (position, SVG's text-anchor, label); ``key`` are the words that numbers below the bars stand for,
    empty where the bars are labelled themselves.
    """

    rows: tuple[BarRow, ...]
    ticks: tuple[tuple[float, str, str], ...]
    key: tuple[str, ...] = ()


def bar_chart(spread: Distribution, label: str, is_ordered: bool = True) -> BarChart:
    """Shares of each class by bin, figure 240 x 40 units per class; of many classes the one and all others together.

    Bins that are ``is_ordered`` are labelled at both ends. Those of kinds are numbered instead, for each must be told,
    and words such as a file's name have no room below a bar.
    """
    counts = spread.counts
    if len(counts) > MOST_HISTOGRAMS:
        others = [some for name, some in counts.items() if name != label]
        counts = {label: counts[label], "all others": tuple(map(sum, zip(*others, strict=True)))}
    shares = {name: [count / max(1, sum(some)) for count in some] for name, some in counts.items()}
    tallest = max((share for some in shares.values() for share in some), default=0.0) or 1.0
    step = (WIDTH - 2 * MARGIN) / max(1, len(spread.bins))
    rows = [
        BarRow(
            name,
            tuple(
                (round(MARGIN + place * step + 1, 1), round(38 - height, 1), round(step - 2, 1), round(height, 1))
                for place, height in enumerate(36 * share / tallest for share in some)
            ),
            ", ".join(f"{words}: {percent(share)}" for words, share in zip(spread.bins, some, strict=True) if share),
        )
        for name, some in shares.items()
    ]
    if is_ordered:
        return BarChart(tuple(rows), _end_ticks(spread.bins))
    numbers = (str(place + 1) for place in range(len(spread.bins)))
    ticks = tuple((round(MARGIN + (place + 0.5) * step, 1), "middle", number) for place, number in enumerate(numbers))
    return BarChart(tuple(rows), ticks, spread.bins)


def _end_ticks(bins: Sequence[str]) -> tuple[tuple[float, str, str], ...]:
    """The first and the last bin, or the only one."""
    if len(bins) == 1:
        return ((WIDTH / 2, "middle", bins[0]),)
    ends = ((MARGIN, "start"), (WIDTH - MARGIN, "end"))
    return tuple((x, anchor, words) for (x, anchor), words in zip(ends, bins[:: max(1, len(bins) - 1)], strict=True))


@dataclass(frozen=True)
class Curve:
    """One quantity of one fold by epoch: SVG ``points`` of training and validation, and where the kept epoch is."""

    title: str
    training: str
    validation: str
    best: tuple[float, float] | None
    top: str
    bottom: str
    words: str


@dataclass(frozen=True)
class FoldCurves:
    """The curves of one fold; ``epochs`` is the number of epochs it was trained for."""

    fold: int
    epochs: int
    curves: tuple[Curve, ...]


def training_curves(training: pd.DataFrame) -> list[FoldCurves]:
    """Accuracy and loss of every fold, on axes shared by all folds. Figure: 160 x 64 units, y pointing down."""
    top = float(training[["loss", "validation_loss"]].max().max())
    ceiling = top if math.isfinite(top) and top > 0 else 1.0
    last = max(2, int(training["epoch"].max()) - int(training["epoch"].min()) + 1) if len(training) else 2
    return [
        FoldCurves(
            int(str(fold)),
            len(rows),
            (_curve(rows, "accuracy", 1.0, last, "100 %"), _curve(rows, "loss", ceiling, last, f"{ceiling:.2g}")),
        )
        for fold, rows in training.sort_values("epoch").groupby("fold")
    ]


def _curve(rows: pd.DataFrame, name: str, ceiling: float, last: int, top: str) -> Curve:
    def position(step: int, value: float) -> tuple[float, float]:
        height = min(max(value / ceiling, 0.0), 1.0) if math.isfinite(value) else 0.0
        return round(4 + 152 * step / (last - 1), 1), round(60 - 56 * height, 1)

    held_out = [position(i, float(value)) for i, value in enumerate(rows[f"validation_{name}"])]
    trained = [position(i, float(value)) for i, value in enumerate(rows[name])]
    kept_epochs = [point for point, best in zip(held_out, rows["best"], strict=True) if best]
    write = percent if name == "accuracy" else decimal
    final = rows.iloc[-1]
    words = (
        f"{name} after {len(rows)} epochs: {write(float(final[name]))} on the training photographs, "
        f"{write(float(final[f'validation_{name}']))} on those set aside"
    )
    return Curve(name, _path(trained), _path(held_out), kept_epochs[-1] if kept_epochs else None, top, "0", words)


def _path(places: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)
