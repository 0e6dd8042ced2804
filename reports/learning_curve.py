"""Geometry of the learning curves' chart: positions only, which the template draws as SVG."""

import math
from dataclasses import dataclass

from audit.plan.learning_curve_json import Curve, LearningCurve
from reports.text import percent

WIDTH, HEIGHT = 320.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 12.0, 8.0, 24.0
_STEPS = 24
# So far apart, in units, the curves' points of one size are drawn, that the intervals of all can be seen.
_ASIDE = 5.0


@dataclass(frozen=True)
class Reach:
    """A point of a curve with its interval, in SVG units, y pointing down."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """One curve: what was measured, what is expected of more photographs, the law between them, and its words."""

    kind: str
    measured: tuple[Reach, ...]
    expected: tuple[Reach, ...]
    law: str
    words: str


@dataclass(frozen=True)
class CurveChart:
    """Lines on one pair of axes; ``across`` and ``up`` are the ticks (position, label), ``end`` is where today is."""

    lines: tuple[Line, ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    end: float


@dataclass(frozen=True)
class _Axes:
    most: int
    floor: float

    def x(self, n: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * n / self.most, 1)

    def y(self, accuracy: float) -> float:
        share = (min(max(accuracy, self.floor), 1.0) - self.floor) / (1 - self.floor)
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * share, 1)

    def reach(self, n: int, value: float, low: float, high: float, aside: float) -> Reach:
        return Reach(round(self.x(n) + aside, 1), self.y(value), self.y(low), self.y(high))


def curve_chart(learning: LearningCurve | None) -> CurveChart | None:
    """The chart, 320 x 150 units; None where there are no curves, as in an older audit."""
    if learning is None or not learning.curves:
        return None
    curves = learning.curves
    sizes = [point.n_train for point in curves[0].points]
    lows = [point.accuracy.low for curve in curves for point in curve.points]
    lows += [one.low for curve in curves for one in curve.projections]
    most = max(sizes + [one.n_train for curve in curves for one in curve.projections])
    axes = _Axes(most, min(0.9, math.floor(min(lows) * 10) / 10))
    shown, middle = sorted({*sizes, most}), (len(curves) - 1) / 2
    return CurveChart(
        lines=tuple(_line(curve, axes, (place - middle) * _ASIDE) for place, curve in enumerate(curves)),
        across=tuple((axes.x(n), f"{n:,}") for n in shown),
        up=tuple((axes.y(share), percent(share)) for share in (axes.floor, (axes.floor + 1) / 2, 1.0)),
        end=axes.x(sizes[-1]),
    )


def _line(curve: Curve, axes: _Axes, aside: float) -> Line:
    measured = [(point.n_train, point.accuracy) for point in curve.points]
    expected = [(one.n_train, one) for one in curve.projections]
    return Line(
        kind=curve.kind,
        measured=tuple(axes.reach(n, one.value, one.low, one.high, aside) for n, one in measured),
        expected=tuple(axes.reach(n, one.value, one.low, one.high, aside) for n, one in expected),
        law=_law(curve, axes, aside),
        words=curve.sentence,
    )


def _law(curve: Curve, axes: _Axes, aside: float) -> str:
    """The power law as an SVG polyline's points, from the smallest size to the largest that is expected."""
    first, last = curve.points[0].n_train, max((one.n_train for one in curve.projections), default=0)
    last = max(last, curve.points[-1].n_train)
    sizes = [first + (last - first) * step / _STEPS for step in range(_STEPS + 1)]
    places = ((axes.x(n) + aside, axes.y(curve.law.limit - curve.law.scale * n**-curve.law.exponent)) for n in sizes)
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
