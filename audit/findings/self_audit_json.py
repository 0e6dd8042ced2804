"""self-audit.json: how often an audit cries wolf on its own images, and what it would have noticed."""

from typing import Annotated, Literal

from pydantic import Field

from audit.config import MarkKind
from audit.measures.figures import CountedShare
from audit.records import Count, Positive, Record, newer


class Attempt(Record):
    """A mark in a share of one class and of the other; cue and severity say what it was noticed as."""

    share: float
    elsewhere: float
    found: bool
    cue: str | None
    severity: Literal["high", "medium"] | None


class TriedMark(Record):
    """What was tried with one form of a kind of mark, plainest first."""

    kind: MarkKind
    form: str | None = newer()
    words: str
    attempts: Annotated[tuple[Attempt, ...], Field(min_length=1)]
    weakest: Attempt | None = Field(description="null where even the plainest was missed")


class PowerFigures(Record):
    """Marks put on n of the dataset's photographs; the first class got more of them."""

    sentence: str
    n: Count
    images: Positive
    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=2)]
    marks: tuple[TriedMark, ...]
    coverage: str | None = newer("which kinds of marks were tried, in how many forms, and which not")


class DataAlarms(Record):
    """What was said of the data with labels dealt out at random: shares of all verdicts."""

    strong: CountedShare
    weak: CountedShare
    either: CountedShare


class SaidOfModel(Record):
    """What was said of the model and of content that it cannot have used.

    strong and weak are shares of the cases in which the rules could have said strong, high of those in which they could
    have said high.
    """

    cases: Count
    strong: CountedShare
    weak: CountedShare
    high: CountedShare


class ModelAlarms(Record):
    """The audit's own model, asked about content that it cannot have used.

    permuted: content dealt out at random among the photographs of each class. attributes: made-up ones, in each of
    shares of one class and in one minus it of the others.
    """

    sentence: str
    deals: Positive
    images: Positive
    permuted: SaidOfModel
    attributes: SaidOfModel
    shares: tuple[float, ...]


class FalseAlarms(Record):
    """False alarms about the data and about the model.

    The counts of verdicts are of audits of labels dealt out at random; flagged is high or medium. No model learns from
    such labels, so that they tell of the data alone and high hardly occurs there: high is counted under model.
    """

    sentence: str
    audits: Positive
    images: Positive
    counts: dict[str, Positive] = Field(description="verdicts by severity")
    high: CountedShare
    flagged: CountedShare
    audits_with_high: CountedShare
    audits_flagged: CountedShare
    data: DataAlarms | None = newer()
    model: ModelAlarms | None = newer()


class SelfAudit(Record):
    """How often this audit cries wolf on this dataset, and what it would have noticed."""

    status: Literal["done", "not_run"]
    sentence: str
    null: FalseAlarms | None = Field(description="audits of labels dealt out at random; flagged is high or medium")
    power: PowerFigures | None = Field(
        description="marks put on n of the dataset's photographs; the first class got more of them"
    )
    left_out: tuple[str, ...]
