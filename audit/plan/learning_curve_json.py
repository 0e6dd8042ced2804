"""learning-curve.json: how accuracy grows with the photographs trained on, and what more of them would give."""

from typing import Literal

from pydantic import Field

from audit.measures.figures import Share
from audit.plan.learning_curve import Trend
from audit.records import Count, Record, absent

Kind = Literal["plain", "balanced", "without"]
More = Literal["quarter", "order", "double"]


class CurvePoint(Record):
    """Accuracy of models that were trained on a share of the training photographs, ``n_train`` in the mean of folds."""

    share: float
    n_train: Count
    accuracy: Share


class Law(Record):
    """The power law through the points: accuracy = limit - scale * n_train ** -exponent."""

    limit: float
    scale: float
    exponent: float


class Projection(Record):
    """The accuracy to be expected with more photographs like those that there are.

    quarter, order: a quarter of the photographs that the plan orders, or all of them; double: as many again as were
    trained on.
    """

    more: More
    added: Count
    n_train: Count
    value: float
    low: float
    high: float


class Slope(Record):
    """Accuracy that twice as many photographs added, with its 95 % interval."""

    value: float
    low: float
    high: float


class Curve(Record):
    """One learning curve.

    plain: the accuracy as it is. balanced: as it would be if the cue of a finding said nothing about the class.
    without: on the finding's class where the cue is missing.
    """

    kind: Kind
    finding: str | None = absent()
    cue: str | None = absent()
    words: str | None = absent()
    label: str | None = absent()
    n: Count = Field(description="photographs that the accuracy is measured on")
    points: tuple[CurvePoint, ...]
    law: Law
    slope: Slope
    trend: Trend
    projections: tuple[Projection, ...]
    sentence: str


class LearningCurve(Record):
    """The content of ``learning-curve.json``: no curves where it was left out, and then the sentence says why."""

    status: Literal["done", "left_out"]
    sentence: str
    curves: tuple[Curve, ...] = ()
