"""Repeated findings: further looks of a part of which one look was reported already."""

from collections import Counter

from audit.findings.audit_json import AuditRecord


def part_of_looks(record: AuditRecord) -> dict[str, str]:
    """Every look, by the cue's name, with the name of the part that it is a look of."""
    return {cue.name: cue.within for cue in record.cues if cue.kind == "appearance"}


def repeated(record: AuditRecord) -> dict[str, str]:
    """The findings (ids) about a look of a part of which another look comes first, each with the id of that one.

    Images are sorted by what the part looks like, so where one look leans to a class, the others must lean away.
    """
    part = part_of_looks(record)
    first: dict[str, str] = {}
    repeats = {}
    for finding in record.findings:
        if name := part.get(finding.cue):
            first.setdefault(name, finding.id)
            if first[name] != finding.id:
                repeats[finding.id] = first[name]
    return repeats


def further(record: AuditRecord) -> Counter[str]:
    """How many findings that are high or medium repeat another, by the id of that one."""
    repeats = repeated(record)
    return Counter(repeats[finding.id] for finding in record.findings if finding.id in repeats and finding.is_flagged)
