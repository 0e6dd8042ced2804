"""Figures as JSON files hold them: shares, measured values, and the five kinds of evidence about a cue and a class."""

from collections.abc import Mapping
from typing import Literal, Protocol, Self

from pydantic import Field

from audit.records import Count, Record, absent

Filling = Literal["blur", "mean"]


class HasInterval(Protocol):
    """A value with its 95 % interval; None where it could not be measured."""

    @property
    def value(self) -> float | None:
        """The value."""

    @property
    def low(self) -> float | None:
        """Where the interval starts."""

    @property
    def high(self) -> float | None:
        """Where it ends."""


class Share(Record):
    """A share with its 95 % interval."""

    value: float
    low: float
    high: float
    n: Count


class CountedShare(Share):
    """A share with its 95 % interval, and the count that it is of n."""

    count: Count


class Interval(Record):
    """A value with its 95 % interval."""

    value: float | None = Field(
        description="a measured value with its 95 % interval; value is null where nothing could be measured, and "
        "reason says why"
    )
    low: float | None
    high: float | None


class Measured(Interval):
    """A measured value with its 95 % interval; value is null where nothing could be measured, and reason says why."""

    n: Count
    p: float | None
    reason: str = ""


class AttentionInClass(Measured):
    """Lift of the attention on a cue in one class; share of the attention, area of the picture, empty maps left out."""

    share: float | None = absent()
    area: float | None = absent()
    empty: Count | None = absent()


class EvidenceFigure(Interval):
    """A measured value with its 95 % interval; value is null where nothing could be measured, and reason says why."""

    p: float | None
    p_adjusted: float | None = Field(default=None, description="corrected over all tests of the audit")
    n: Count
    reason: str = ""

    @property
    def best_p(self) -> float | None:
        """The corrected p, or the plain one where none was corrected."""
        return self.p_adjusted if "p_adjusted" in self.model_fields_set else self.p


class Prevalence(EvidenceFigure):
    """Share of the class that shows the cue; elsewhere: of the other classes; difference: the one minus the other.

    Of a look also control_difference: the largest difference of as many groups formed from a region of the same size
    elsewhere; above_control: by how much the look's own difference, whatever its sign, is larger.
    """

    elsewhere: float | None = absent()
    elsewhere_low: float | None = absent()
    elsewhere_high: float | None = absent()
    elsewhere_n: Count | None = absent()
    difference: float | None = absent()
    difference_low: float | None = absent()
    difference_high: float | None = absent()
    cramers_v: float | None = absent()
    control_difference: float | None = absent(
        "of a look: the largest that looks of a place of the same size elsewhere have"
    )
    control_difference_low: float | None = absent()
    control_difference_high: float | None = absent()
    above_control: float | None = absent("the difference, whatever its sign, minus the control's")
    above_control_low: float | None = absent()
    above_control_high: float | None = absent()


class Attention(EvidenceFigure):
    """How many times the attention that its area explains the cue gets; share and area are the means of both."""

    share: float | None = absent()
    area: float | None = absent()
    empty: Count | None = absent()


class Leakage(EvidenceFigure):
    """rest: everything else in the picture; control: a region of the same size and shape elsewhere; above_control: the
    cue's AUC minus the control's; given_declared: the AUC among images that are alike in what was declared relevant."""

    rest: float | None = None
    rest_low: float | None = None
    rest_high: float | None = None
    control: float | None = None
    control_low: float | None = None
    control_high: float | None = None
    above_control: float | None = None
    above_control_low: float | None = None
    above_control_high: float | None = None
    given_declared: float | None = absent("the AUC among photographs that are alike in what was declared relevant")


class UnderFilling(Interval):
    """The effect under one filling, with its 95 % interval."""

    p: float | None


class Effect(EvidenceFigure):
    """The smaller of the effects of hiding the cue under a blur and under the dataset's mean colour."""

    drop: float | None = absent()
    control_drop: float | None = absent()
    flip_rate: float | None = absent()
    control_flip_rate: float | None = absent()
    accuracy: float | None = absent()
    accuracy_masked: float | None = absent()
    accuracy_control: float | None = absent()
    filling: Filling | None = absent("under which filling the effect is smallest; the value is that one's")
    blur: UnderFilling | None = absent()
    mean: UnderFilling | None = absent()
    evened_out: Literal["taken", "given"] | None = absent(
        "of a fact of the file: whether it was taken from photographs, or they were given it; masked is that view, and "
        "control one changed as much the other way round"
    )


class WorstCell(Record):
    """The cell of class and cue in which the model is right least often."""

    words: str
    accuracy: float
    n: Count


class OwnGap(Interval):
    """Accuracy of the class's own images that show the cue minus that of those that do not."""

    n: Count = Field(description="images of the smaller side")
    mistakes: Count


class Gap(EvidenceFigure):
    """Accuracy where cue and class go together minus accuracy where they do not; n is that of the smaller side."""

    along: Literal["presence", "leak"] | None = absent(
        "leak: nearly all images show the cue, so together are those in which it looks like their class's"
    )
    together: float | None = absent()
    apart: float | None = absent()
    mistakes: Count | None = absent()
    own: OwnGap | None = absent()
    leans: Literal["towards", "away"] | None = absent()
    worst: WorstCell | None = absent()


class Figures(Record):
    """The five kinds of evidence about one cue and one class."""

    prevalence: Prevalence
    attention: Attention
    leakage: Leakage
    effect: Effect
    gap: Gap

    def with_leak_given_declared(self, auc: float | None) -> Self:
        """The same, with the leak's AUC among images alike in what was declared; None where that is not known."""
        if auc is None:
            return self
        return self.model_copy(update={"leakage": self.leakage.model_copy(update={"given_declared": auc})})

    def kinds(self) -> Mapping[str, EvidenceFigure]:
        """The five by their names."""
        return {name: getattr(self, name) for name in type(self).model_fields}
