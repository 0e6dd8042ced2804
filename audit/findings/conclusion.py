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
    worst = cue_severities([finding for finding in record.findings if finding.id not in explained])
    looked_for = {cue.name for cue in record.cues} | {finding.cue for finding in record.findings}
    return _conclude(worst, len(looked_for))


def cue_severities(findings: Sequence[Finding]) -> dict[str, Severity]:
    """The gravest severity of every cue over its classes, in the order of the findings."""
    worst: dict[str, Severity] = {}
    for finding in findings:
        gravest = worst.get(finding.cue, ORDER[-1])
        worst[finding.cue] = min(gravest, finding.severity, key=ORDER.index)
    return worst


def _conclude(worst: Mapping[str, Severity], looked_for: int) -> Conclusion:
    numbers = {level: sum(severity == level for severity in worst.values()) for level in ORDER}
    kinds = counted(looked_for, "kind of content", "kinds of content")
    if high := numbers["high"]:
        more = f" Besides, {counted(numbers['medium'], 'possible shortcut')}." if numbers["medium"] else ""
        pronoun = "it" if high == 1 else "them"
        lead = f"The photographs show {pronoun} unevenly and this model uses {pronoun}: right for the wrong reason."
        headline = f"{capital(counted(high, 'shortcut'))} found that this model would learn"
        return Conclusion("high", headline, lead + more)
    if medium := numbers["medium"]:
        lead = "The data or the model leans that way strongly, but not both: worth a look before training."
        return Conclusion("medium", f"{capital(counted(medium, 'possible shortcut'))} found", lead)
    if not worst or numbers["not_enough_data"] == len(worst):
        lead = "There are too few photographs to judge any kind of content. This is not a clean bill of health."
        return Conclusion("not_enough_data", "Nothing can be told from these photographs", lead)
    lead = "Content that was not looked for, or that no region of a picture shows, can still be a shortcut."
    return Conclusion("cleared", f"No shortcut found among the {kinds} that were looked for", lead)
