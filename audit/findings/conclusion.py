"""The conclusion of an audit in two sentences: the gravest severity over all cues and classes, and what it means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.findings.audit_json import AuditRecord
from audit.findings.consequences import consequences
from audit.findings.finding import Finding
from audit.findings.severity import ORDER, Severity
from audit.text import capital, counted

SEVERITY_WORDS: Mapping[Severity, str] = {
    "high": "High",
    "medium": "Medium",
    "low": "Low",
    "not_enough_data": "Not enough data",
    "expected": "Expected",
    "cleared": "Cleared",
}


@dataclass(frozen=True)
class Conclusion:
    """``severity`` is the gravest that was found; ``headline`` says it without a full stop, ``lead`` what it means."""

    severity: Severity
    headline: str
    lead: str


def conclusion(record: AuditRecord) -> Conclusion:
    """Sum up audit.json. The strongest thing it ever says is that nothing was found among what was looked for."""
    explained = consequences(record)
    causes = [finding for finding in record.findings if finding.id not in explained]
    looked_for = {cue.name for cue in record.cues} | {finding.cue for finding in record.findings}
    gravest = min(causes, key=lambda finding: ORDER.index(finding.severity), default=None)
    return _conclude(cue_severities(causes), in_short(gravest) if gravest else "", len(looked_for))


def in_short(finding: Finding) -> str:
    """What a finding is about in the fewest words: of a part or a place what differs most in it, if that is known."""
    return finding.differences[0].words if finding.differences else finding.words


def _and_more(first: str, number: int, noun: str = "shortcut") -> str:
    """What was found, the gravest by name.

    >>> _and_more("long hair", 1), _and_more("text", 3, "possible shortcut")
    ('Long hair: a shortcut', 'Text and two more: possible shortcuts')
    """
    if number == 1:
        return f"{capital(first)}: a {noun}"
    return f"{capital(first)} and {counted(number - 1, 'more', 'more')}: {noun}s"


def cue_severities(findings: Sequence[Finding]) -> dict[str, Severity]:
    """The gravest severity of every cue over its classes, in the order of the findings."""
    worst: dict[str, Severity] = {}
    for finding in findings:
        gravest = worst.get(finding.cue, ORDER[-1])
        worst[finding.cue] = min(gravest, finding.severity, key=ORDER.index)
    return worst


def _conclude(worst: Mapping[str, Severity], first: str, looked_for: int) -> Conclusion:
    numbers = {level: sum(severity == level for severity in worst.values()) for level in ORDER}
    kinds = counted(looked_for, "kind of content", "kinds of content")
    if high := numbers["high"]:
        more = f" Besides, {counted(numbers['medium'], 'possible shortcut')}." if numbers["medium"] else ""
        pronoun = "it" if high == 1 else "them"
        lead = f"The photographs show {pronoun} unevenly and this model uses {pronoun}: right for the wrong reason."
        headline = f"{_and_more(first, high)} that this model would learn"
        return Conclusion("high", headline, lead + more)
    if medium := numbers["medium"]:
        lead = "The data or the model leans that way strongly, but not both: worth a look before training."
        return Conclusion("medium", _and_more(first, medium, "possible shortcut"), lead)
    if not worst or numbers["not_enough_data"] == len(worst):
        lead = "There are too few photographs to judge any kind of content. This is not a clean bill of health."
        return Conclusion("not_enough_data", "Nothing can be told from these photographs", lead)
    lead = "Content that was not looked for, or that no region of a picture shows, can still be a shortcut."
    return Conclusion("cleared", f"No shortcut found among the {kinds} that were looked for", lead)
