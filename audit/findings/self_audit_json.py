"""self-audit.json: how often an audit cries wolf on its own images, and what it would have noticed."""

from typing import Annotated, Literal

from pydantic import Field

from audit.config import MarkKind
from audit.measures.figures import CountedShare
from audit.records import Count, Positive, Record


class Attempt(Record):
    """A mark in a share of one class and of the other; cue and severity say what it was noticed as."""

    share: float
    elsewhere: float
    found: bool
    cue: str | None
    severity: Literal["high", "medium"] | None


class TriedMark(Record):
    """What was tried with one kind of mark, plainest first."""

    kind: MarkKind
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


class FalseAlarms(Record):
    """Audits of labels dealt out at random; flagged is high or medium."""

    sentence: str
    audits: Positive
    images: Positive
    counts: dict[str, Positive] = Field(description="verdicts by severity")
    high: CountedShare
    flagged: CountedShare
    audits_with_high: CountedShare
    audits_flagged: CountedShare


class SelfAudit(Record):
    """How often this audit cries wolf on this dataset, and what it would have noticed."""

    status: Literal["done", "not_run"]
    sentence: str
    null: FalseAlarms | None = Field(description="audits of labels dealt out at random; flagged is high or medium")
    power: PowerFigures | None = Field(
        description="marks put on n of the dataset's photographs; the first class got more of them"
    )
    left_out: tuple[str, ...]
