"""Power: which marks, put on this dataset's own photographs, an audit would have noticed."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from audit.config import MarkKind
from audit.findings.finding import Finding
from audit.findings.self_audit_json import Attempt, TriedMark
from audit.selfaudit.planted_copies import MARKS, PAIRS, Marked, spread
from audit.selfaudit.trial import Outcome, Trial
from audit.text import percent

# Each as it is called in "... present in 70 % of one class".
WORDS: dict[MarkKind, str] = {
    "text": "words in a corner",
    "sticker": "a coloured sticker",
    "border": "a white frame",
    "tint": "a tint of the whole picture",
    "blur": "a blurred background",
}
_AGREEMENT = 0.5


@dataclass(frozen=True)
class Power:
    """What was tried with one kind of mark, plainest first."""

    kind: MarkKind
    attempts: tuple[Attempt, ...]

    @property
    def weakest(self) -> Attempt | None:
        """The weakest attempt that was noticed; None where not even the plainest was."""
        found = [attempt for attempt in self.attempts if attempt.found]
        return found[-1] if found else None

    def record(self) -> TriedMark:
        """As ``self-audit.json`` holds it."""
        return TriedMark(kind=self.kind, words=WORDS[self.kind], attempts=self.attempts, weakest=self.weakest)


def measure_power(
    marked: Marked, kind: MarkKind, plain: Outcome, run: Callable[[str, Trial], Outcome], seed: int
) -> Power:
    """Search for the least telling mark that is noticed, halving the ``PAIRS`` that are left each time.

    A pair that is plainer than one that was noticed is not tried, nor one that is weaker than one that was missed.
    ``run`` audits a trial under a name; ``plain`` is what it said of the photographs without any mark.
    """

    def attempt(share: float, elsewhere: float) -> Attempt:
        planted = spread(marked.labels, share, elsewhere, seed)
        outcome = run(f"{kind}-{share * 100:.0f}", marked.trial(kind, planted))
        finding = noticed(outcome, plain, kind, planted, marked.labels)
        if finding is None:
            return Attempt(share=share, elsewhere=elsewhere, found=False, cue=None, severity=None)
        return Attempt(
            share=share,
            elsewhere=elsewhere,
            found=True,
            cue=finding.words,
            severity="high" if finding.severity == "high" else "medium",
        )

    attempts, first, last = [], 0, len(PAIRS) - 1
    while first <= last:
        middle = (first + last) // 2
        attempts.append(attempt(*PAIRS[middle]))
        first, last = (middle + 1, last) if attempts[-1].found else (first, middle - 1)
    return Power(kind, tuple(sorted(attempts, key=lambda one: -one.share)))


def noticed(
    outcome: Outcome, plain: Outcome, kind: MarkKind, planted: NDArray[np.bool_], labels: NDArray[np.int64]
) -> Finding | None:
    """The gravest finding, at least medium, that is about the mark; None if it was missed.

    It is if its cue is the mark by name and was not flagged in the ``plain`` photographs; or if the cue is present
    where the mark is: a correlation of at least 0.5, and stronger than with the class or with any cue that was flagged
    in the plain photographs. For what follows the class follows a mark of that class, too.
    """
    flagged = {one.cue for one in plain.findings if one.is_flagged}
    rivals = [labels == 0, *(plain.present[cue] for cue in flagged)]
    for finding in outcome.findings:
        present, cue = outcome.present[finding.cue], finding.cue
        is_named = cue == MARKS[kind].cue and cue not in flagged
        follows = abs(agreement(present, planted))
        is_there = follows >= _AGREEMENT and all(follows > abs(agreement(present, rival)) for rival in rivals)
        if finding.is_flagged and (is_named or is_there):
            return finding
    return None


def agreement(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Correlation (phi) of two yes-or-no facts (n,), in [-1, 1]; 0 where one of them never changes."""
    if first.all() or second.all() or not first.any() or not second.any():
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def power_sentence(powers: Iterable[Power], n: int, images: int) -> str:
    """What would have been noticed on ``n`` of the dataset's photographs, and what was missed, in words."""
    powers = list(powers)
    where = "On this dataset" if n == images else f"On {n} of these {images} photographs"
    seen, missed = list(_seen(powers)), [WORDS[power.kind] for power in powers if not power.weakest]
    parts = []
    if seen:
        parts.append(f"{where} we would have noticed {'; '.join(seen)}; weaker ones could escape us.")
    if missed:
        parts.append(
            f"{'We' if seen else f'{where} we'} would have missed {_listed(missed)} even {_shares(*PAIRS[0])}."
        )
    if n < images:
        parts.append("How much more is noticed with all of them was not tried.")
    return " ".join(parts)


def _seen(powers: list[Power]) -> Iterator[str]:
    """The marks that were noticed, those of the same weakest shares together, the least telling first."""
    found = [(seen.share, seen.elsewhere, WORDS[power.kind]) for power in powers if (seen := power.weakest)]
    for (share, elsewhere), alike in groupby(sorted(found, key=_pair), key=_pair):
        yield f"{_listed([words for *_, words in alike], 'or')} present {_shares(share, elsewhere)}"


def _pair(found: tuple[float, float, str]) -> tuple[float, float]:
    return found[:2]


def _shares(share: float, elsewhere: float) -> str:
    return f"in {percent(share)} of one class and {percent(elsewhere)} of the other"


def _listed(items: list[str], last: str = "and") -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"
