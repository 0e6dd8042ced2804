"""How often apparent gender and age are right, and of whom: what ``python -m tests.bench.people`` measured."""

import json
from dataclasses import dataclass
from pathlib import Path

MEASURED = Path(__file__).with_name("apparent_accuracy.json")
LEAST_RIGHT = 0.9


@dataclass(frozen=True)
class GroupAccuracy:
    """How an attribute agrees with what people wrote down, of one group among some photographs.

    ``right`` of the ``of`` photographs in which it could be told agree, a share that lies in ``low`` to ``high`` with
    95 % confidence (each in [0, 1]); in ``untold`` further ones it could not be told. ``group`` is "all" where the
    groups are taken together.
    """

    attribute: str
    photographs: str
    group: str
    right: int
    of: int
    low: float
    high: float
    untold: int

    @property
    def is_poor(self) -> bool:
        """Whether fewer than LEAST_RIGHT of the answers are right, which a report has to say."""
        return self.right < LEAST_RIGHT * self.of


def accuracy() -> tuple[GroupAccuracy, ...]:
    """What was measured of each attribute, set of photographs and group, on photographs that no limit was fitted on."""
    return tuple(GroupAccuracy(**row) for row in json.loads(MEASURED.read_text("utf-8")))
