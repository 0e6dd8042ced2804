"""The verdict of a report: headline, findings to read, all other cues by severity, and warnings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.findings.audit_json import AuditRecord
from audit.findings.conclusion import conclusion, cue_severities
from audit.findings.consequences import consequences, flagged_consequences, part_of_looks
from audit.findings.finding import Finding
from audit.findings.severity import FLAGGED
from reports.text import percent


@dataclass(frozen=True)
class Group:
    """Cues that share a verdict: a heading, what it means, and the cues in words."""

    severity: str
    title: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """``headline`` and ``lead`` are sentences; ``open`` the findings to read; ``groups`` all other cues by verdict.

    What another finding explains is not among them; ``further`` counts these by the id of that one.

    ``alarm`` is what must be read before the verdict, else empty; ``warnings`` are sentences that limit or accompany
    the verdict.
    """

    severity: str
    headline: str
    lead: str
    open: tuple[Finding, ...]
    further: Mapping[str, int]
    groups: tuple[Group, ...]
    warnings: tuple[str, ...]
    alarm: str


def verdict(record: AuditRecord) -> Verdict:
    """Sum up audit.json. The strongest thing it ever says is that nothing was found among what was looked for."""
    explained, summary = consequences(record), conclusion(record)
    first = [finding for finding in record.findings if finding.id not in explained]
    reported = tuple(f for level in FLAGGED for f in first if f.severity == level)
    groups, warnings = _groups(record, cue_severities(record.findings)), tuple(_warnings(record))
    return Verdict(
        summary.severity,
        summary.headline,
        summary.lead,
        reported,
        flagged_consequences(record),
        groups,
        warnings,
        _alarm(record),
    )


def _groups(record: AuditRecord, worst: Mapping[str, str]) -> tuple[Group, ...]:
    words = {cue.name: cue.words for cue in record.cues}
    words |= {finding.cue: finding.words for finding in record.findings}
    titles = {
        "low": "Weak signs only",
        "cleared": "Cleared",
        "expected": "Expected to matter",
        "not_enough_data": "Too few photographs to tell",
    }
    part = part_of_looks(record)
    judged_groups = [
        (level, title, [name for name, severity in worst.items() if severity == level])
        for level, title in titles.items()
    ]
    # What regions are like is told only where it leans: the list of what was measured would hide the rest.
    attributes = {cue.name for cue in record.cues if cue.kind == "attribute" and cue.within}
    left_out = [name for name in words if name not in worst and name not in attributes]
    unjudged = ("not_enough_data", "Looked for, but not judged", left_out)
    groups = [Group(level, title, _named(names, words, part)) for level, title, names in (*judged_groups, unjudged)]
    return tuple(group for group in groups if group.words)


def _named(names: Sequence[str], words: Mapping[str, str], part: Mapping[str, str]) -> tuple[str, ...]:
    """Cues in words; looks of one ``part`` in one number, unless only one of them is named.

    The part stands where its first look does.
    """
    named_looks, looks = Counter(part.get(name) for name in names), Counter(part.values())

    def in_words(name: str) -> str:
        of = part.get(name)
        if of is None or named_looks[of] == 1:
            return words[name]
        all_looks = "both" if looks[of] == 2 else f"all {looks[of]}"
        return (
            f"{all_looks if named_looks[of] == looks[of] else f'{named_looks[of]} of {looks[of]}'} looks of {words[of]}"
        )

    return tuple(dict.fromkeys(map(in_words, names)))


def _alarm(record: AuditRecord) -> str:
    if record.sanity.trusted:
        return ""
    return (
        f"{record.sanity.sentence} Do not rely on them: every verdict below, but for those about the file, is one step "
        "lower for it."
    )


def _warnings(record: AuditRecord) -> list[str]:
    accuracy, majority = record.model.accuracy, record.model.majority_share
    warnings = []
    if accuracy.low <= majority:
        warnings.append(
            f"The model hardly learned the task: it is right for {percent(accuracy.value)} of the photographs, and "
            f"always naming the largest class would be right for {percent(majority)}. What it did not learn, it cannot "
            "be caught using, so read “the model does not use it” with caution."
        )
    if record.model.empty_maps.share > 0.2:
        share = percent(record.model.empty_maps.share)
        warnings.append(f"For {share} of the photographs the model's attention map is empty; they say nothing here.")
    return warnings + list(record.dataset.warnings)
