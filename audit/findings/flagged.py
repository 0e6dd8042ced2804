"""The findings that stand out, and those of them that the plan is to mend."""

from audit.findings.finding import Finding
from audit.store.audit_folder import AuditFolder, read_records


def flagged(audit: AuditFolder) -> list[Finding]:
    """The findings that are high or medium. Raises AuditFolderError when there are no findings yet."""
    return [finding for finding in read_records(audit.findings, Finding) if finding.is_flagged]


def to_mend(audit: AuditFolder) -> list[Finding]:
    """Those of them that no other one explains, which the plan is to mend: the others go with their cause.

    Raises AuditFolderError when there are no findings yet.
    """
    return [finding for finding in flagged(audit) if finding.is_cause]
