"""Findings that another finding explains: its consequences, listed under it and not counted as causes."""

from collections import Counter

from audit.findings.audit_json import AuditRecord


def part_of_looks(record: AuditRecord) -> dict[str, str]:
    """Every look, by the cue's name, with the name of the part that it is a look of."""
    return {cue.name: cue.within for cue in record.cues if cue.kind == "appearance"}


def consequences(record: AuditRecord) -> dict[str, str]:
    """The findings (ids) that another explains, each with the id of that one.

    Audits of before version 0.2 do not say so; of theirs these are the further looks of a part: images are sorted by
    what the part looks like, so where one look leans to a class, the others must lean away.
    """
    part = part_of_looks(record)
    first: dict[str, str] = {}
    causes = {}
    for finding in record.findings:
        if finding.explained_by:
            causes[finding.id] = finding.explained_by
        elif (name := part.get(finding.cue)) and first.setdefault(name, finding.id) != finding.id:
            causes[finding.id] = first[name]
    return causes


def flagged_consequences(record: AuditRecord) -> Counter[str]:
    """How many findings that are high or medium another one explains, by the id of that one."""
    causes = consequences(record)
    return Counter(causes[finding.id] for finding in record.findings if finding.id in causes and finding.is_flagged)
