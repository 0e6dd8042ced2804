"""The findings that the plan is to mend."""

from audit.findings.finding import Finding
from audit.store.audit_folder import AuditFolder, read_records


def flagged(audit: AuditFolder) -> list[Finding]:
    """The findings that the plan is to mend. Raises AuditFolderError when there are no findings yet."""
    return [finding for finding in read_records(audit.findings, Finding) if finding.is_flagged]
