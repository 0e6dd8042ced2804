"""Power: which marks, put on this dataset's own photographs, an audit would have noticed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from audit.findings.finding import Finding
from audit.findings.self_audit_json import Attempt, TriedMark
from audit.selfaudit.forms import Form
from audit.selfaudit.planted_copies import PAIRS, Marked, spread
from audit.selfaudit.trial import Outcome, Trial
from audit.text import percent

_AGREEMENT = 0.5


@dataclass(frozen=True)
class Power:
    """What was tried with one form of a mark, plainest first."""

    form: Form
    attempts: tuple[Attempt, ...]

    @property
    def weakest(self) -> Attempt | None:
        """The weakest attempt that was noticed; None where not even the plainest was."""
        found = [attempt for attempt in self.attempts if attempt.found]
        return found[-1] if found else None

    def record(self) -> TriedMark:
        """As ``self-audit.json`` holds it."""
        form = self.form
        return TriedMark(kind=form.kind, form=form.name, words=form.words, attempts=self.attempts, weakest=self.weakest)


def measure_power(
    marked: Marked,
    form: Form,
    pairs: Sequence[tuple[float, float]],
    plain: Outcome,
    run: Callable[[str, Trial], Outcome],
    seed: int,
) -> Power:
    """Search for the least telling mark that is noticed, halving the ``pairs`` that are left (plainest first).

    A pair that is plainer than one that was noticed is not tried, nor one that is weaker than one that was missed.
    ``run`` audits a trial under a name; ``plain`` is what it said of the photographs without any mark.
    """

    def attempt(share: float, elsewhere: float) -> Attempt:
        planted = spread(marked.labels, share, elsewhere, seed)
        outcome = run(f"{form.name}-{share * 100:.0f}", marked.trial(form, planted))
        finding = noticed(outcome, plain, form.cue, planted, marked.labels)
        if finding is None:
            return Attempt(share=share, elsewhere=elsewhere, found=False, cue=None, severity=None)
        return Attempt(
            share=share,
            elsewhere=elsewhere,
            found=True,
            cue=finding.words,
            severity="high" if finding.severity == "high" else "medium",
        )

    attempts, first, last = [], 0, len(pairs) - 1
    while first <= last:
        middle = (first + last) // 2
        attempts.append(attempt(*pairs[middle]))
        first, last = (middle + 1, last) if attempts[-1].found else (first, middle - 1)
    return Power(form, tuple(sorted(attempts, key=lambda one: -one.share)))


def noticed(
    outcome: Outcome, plain: Outcome, named: str, planted: NDArray[np.bool_], labels: NDArray[np.int64]
) -> Finding | None:
    """The gravest finding, at least medium, that is about the mark; None if it was missed.

    It is if its cue is ``named`` as the mark and was not flagged in the ``plain`` photographs; or if the cue is present
    where the mark is: a correlation of at least 0.5, and stronger than with the class or with any cue that was flagged
    in the plain photographs. For what follows the class follows a mark of that class, too.
    """
    flagged = {one.cue for one in plain.findings if one.is_flagged}
    rivals = [labels == 0, *(plain.present[cue] for cue in flagged)]
    for finding in outcome.findings:
        present, cue = outcome.present[finding.cue], finding.cue
        is_named = cue == named and cue not in flagged
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
    seen, missed = list(_seen(powers)), [power.form.words for power in powers if not power.weakest]
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
    found = [(seen.share, seen.elsewhere, power.form.words) for power in powers if (seen := power.weakest)]
    for (share, elsewhere), alike in groupby(sorted(found, key=_pair), key=_pair):
        yield f"{_listed([words for *_, words in alike], 'or')} present {_shares(share, elsewhere)}"


def _pair(found: tuple[float, float, str]) -> tuple[float, float]:
    return found[:2]


def _shares(share: float, elsewhere: float) -> str:
    return f"in {percent(share)} of one class and {percent(elsewhere)} of the other"


def _listed(items: list[str], last: str = "and") -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"
