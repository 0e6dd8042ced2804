"""The benchmark of false alarms about the model: what its lines count."""

import pytest

from audit.findings.severity import Judgement
from audit.measures.intervals import wilson
from audit.selfaudit.permuted_cues import Told
from tests.bench.unused_cues import COLUMNS, row

HIGH, MEDIUM = Judgement("strong", "strong", "high"), Judgement("strong", "weak", "medium")


def test_a_line_counts_the_cases_in_which_as_much_could_be_said():
    line = row("4 moles", [Told(HIGH, HIGH), Told(MEDIUM, HIGH), Told(MEDIUM, MEDIUM)], [Told(MEDIUM, HIGH)])
    assert len(line) == len(COLUMNS)
    words, cases, strong, high, others, never, none = line
    assert (words, cases, others) == ("4 moles", 3, 1)
    low, upper = wilson(1, 2)
    assert strong == high == {"count": 1, "of": 2, "low": pytest.approx(low), "high": pytest.approx(upper)}
    assert (never["count"], never["of"], none["of"]) == (0, 1, 1)
    assert row("no moles", [Told(MEDIUM, MEDIUM)], [])[1:4] == (1, "could not occur", "could not occur")
