"""plan.json: what to collect, to leave out, to weight and to mask, and what each strategy costs."""

from collections.abc import Sequence
from typing import Literal

from audit.records import Count, Record, absent, named, newer
from audit.text import enumerated

Strategy = Literal["weight", "drop", "collect"]
Removal = Literal["crop", "inpaint", "blur"]


class PlanCell(Record):
    """Photographs of one class with or without one cue: how many there are, should be, and are to be collected."""

    finding: str
    cue: str
    words: str
    opposite: str | None = absent("words for what is there without the cue")
    label: str = named("class")
    present: bool
    have: Count
    need: Count
    add: Count
    examples: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """The cue's state in words."""
        if self.opposite and not self.present:
            return state_words([(self.opposite, True)])
        return state_words([(self.words, self.present)])

    def sentence(self) -> str:
        """What to collect, to be copied into an order."""
        return f"Collect {self.add} more “{self.label}” photographs {self.state} (there are {self.have})."


class CueState(Record):
    """A state of one cue, and what photographs in it are with or without, in words."""

    cue: str
    present: bool
    words: str


class Order(Record):
    """Photographs of one class in one state of several cues, to be collected for all findings together."""

    label: str = named("class")
    state: str
    cues: tuple[CueState, ...] | None = absent("the state of each cue of which the state is made")
    have: Count
    need: Count
    add: Count
    ask: Count | None = absent("how many to order: what is missing, rounded; 0 for fewer than five")
    first: Count | None = absent("how many of these to collect first, before the rest is decided on")
    keep: tuple[str, ...] | None = absent("what new photographs should be like in all else, with its present share")
    examples: tuple[str, ...]
    avoid: tuple[str, ...] | None = absent("photographs of the class that are not meant")
    sentence: str


class Collecting(Record):
    """The fewest photographs to collect; ``not_covered`` findings are left to the weights.

    In ``unknown`` photographs one of the cues is unknown.
    """

    possible: bool
    images: Count
    findings: tuple[str, ...]
    not_covered: tuple[str, ...] = ()
    unknown: Count = 0
    cells: tuple[Order, ...]
    cost: str
    left: str
    sentence: str

    @property
    def first(self) -> int:
        """How many of the ``images`` to collect first; 0 in an audit of an older version."""
        return sum(order.first or 0 for order in self.cells)


class Dropping(Record):
    """The fewest photographs to leave out; ``classes`` counts those that stay."""

    possible: bool
    images: Count
    left_images: Count | None = absent()
    findings: tuple[str, ...]
    classes: dict[str, Count] | None = absent()
    file: str
    cost: str
    left: str
    sentence: str


class Weighting(Record):
    """Weights under which every flagged cue is independent of the class."""

    possible: bool
    findings: tuple[str, ...]
    effective_n: float
    largest: float | None = absent()
    smallest: float | None = absent()
    clip: float | None = absent()
    file: str
    cost: str
    left: str
    sentence: str


class MaskedCue(Record):
    """A cue that can be masked, how, and in how many photographs."""

    finding: str
    cue: str
    words: str
    how: Removal
    images: Count


class Masking(Record):
    """Which of the findings' cues can be masked, and in how many photographs."""

    possible: bool
    images: Count
    cues: tuple[MaskedCue, ...]
    cost: str
    left: str
    sentence: str


class Ways(Record):
    """Four ways to make the flagged cues say nothing about the class."""

    collect: Collecting
    drop: Dropping
    weight: Weighting
    mask: Masking


class Plan(Record):
    """The content of ``plan.json``; ``cells`` are for each finding alone, ``weights`` and ``files`` are paths."""

    cells: tuple[PlanCell, ...]
    weights: str
    effective_n: float
    weights_suffice: bool | None = absent()
    ways: Ways | None = newer("four ways to make the flagged cues say nothing about the class")
    files: tuple[str, ...]


def state_words(states: Sequence[tuple[str, bool]]) -> str:
    """The state of several cues in words.

    >>> state_words([("the face", True), ("text", False), ("glasses", False)])
    'with the face, without text and without glasses'
    """
    shown = [f"{'with' if present else 'without'} {words}" for words, present in sorted(states, key=lambda s: not s[1])]
    return enumerated(shown)
