"""How a notebook shows an audit: its conclusion, its findings and the way to its report, in HTML without scripts."""

import os
from html import escape
from pathlib import Path
from urllib.parse import quote

from audit.findings.audit_json import AuditRecord
from audit.findings.conclusion import SEVERITY_WORDS, conclusion
from audit.findings.consequences import consequences
from audit.findings.finding import Finding
from audit.processes import working_folder
from audit.text import printable

SHOWN = 12
_LEFT = ' style="text-align: left"'


def as_html(record: AuditRecord, report: Path) -> str:
    """The audit as a piece of HTML. Names of classes and files come from strangers: all text is escaped."""
    explained = consequences(record)
    findings = [finding for finding in record.findings if finding.id not in explained]
    return f"<div>{_verdict(record)}{_table(findings[:SHOWN])}{_rest(len(record.findings))}{_link(report)}</div>"


def _verdict(record: AuditRecord) -> str:
    summary = conclusion(record)
    alarm = "" if record.sanity.trusted else f"<p><strong>{_text(record.sanity.sentence)}</strong></p>"
    return f"{alarm}<p><strong>{_text(summary.headline)}.</strong> {_text(summary.lead)}</p>"


def _table(findings: list[Finding]) -> str:
    head = _row("th", "severity", "class", "cue", "what was found")
    rows = (
        _row("td", SEVERITY_WORDS[finding.severity], finding.label, finding.words, finding.sentence)
        for finding in findings
    )
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>" if findings else ""


def _row(tag: str, *cells: str) -> str:
    return f"<tr>{''.join(f'<{tag}{_LEFT}>{_text(cell)}</{tag}>' for cell in cells)}</tr>"


def _rest(number: int) -> str:
    return f"<p>All {number} findings with their figures: <code>.to_frame()</code></p>" if number else ""


def _link(report: Path) -> str:
    shown = _text(str(report))
    return f'<p>Report: <a href="{escape(_address(report))}" target="_blank" rel="noopener">{shown}</a></p>'


def _address(report: Path) -> str:
    """Relative where the file lies below the notebook's folder, for browsers follow no other link from a notebook."""
    folder = working_folder()
    if folder is not None and report.is_relative_to(folder):
        return "./" + quote(os.fsencode(report.relative_to(folder)))
    return report.as_uri()


def _text(text: str) -> str:
    return escape(printable(text))
