"""The findings that the plan is to mend."""

from audit.findings.finding import Finding
from audit.store.audit_folder import AuditFolder, read_records


def to_mend(audit: AuditFolder) -> list[Finding]:
    """The findings that the plan is to mend: high or medium, and explained by no other one.

    Raises AuditFolderError when there are no findings yet.
    """
    return [finding for finding in read_records(audit.findings, Finding) if finding.is_cause]
