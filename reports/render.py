"""Rendering of an audit folder as one self-contained HTML file."""

import base64
import hashlib
from functools import partial
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from audit.config import Config, parse_config
from audit.findings.audit_json import AuditRecord, read_audit
from audit.findings.conclusion import SEVERITY_WORDS
from audit.store.audit_folder import AuditFolder, read_table, write_bytes
from reports.cards import FAILURES, MATRIX, attended_clusters, cards, mistakes
from reports.charts import scales, share_plot, training_curves
from reports.did_it_help import verified
from reports.images import embed_images
from reports.learning_curve import curve_chart
from reports.plan import SAMPLER, orders
from reports.spotlights import looks, spotlights
from reports.text import FILTERS, decimal, percent, points, visible
from reports.verdict import verdict

TEMPLATES = Path(__file__).parent / "templates"


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: write ``report.html`` from the finished record, tables, maps and images.

    Raises AuditFolderError when the record or a table is missing.
    """
    return [render(folder, config)]


def render(folder: AuditFolder, config: Config | None = None) -> Path:
    """Write ``report.html`` and return its path; ``config`` defaults to the settings that the record carries.

    The page is one file without any outside resource, below 5 MB whatever the number of images. An image
    that is no longer where the dataset had it becomes a placeholder. Raises AuditFolderError when audit.json or a
    table is missing or damaged.
    """
    record = read_audit(folder)
    page = environment().get_template("report.html").render(_context(folder, record, config or _settings(record)))
    content = page.encode("utf-8", "replace")
    write_bytes(folder.report, content)
    return folder.report


def environment() -> Environment:
    """Jinja2 with everything escaped, and an error for every name that the context lacks."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(FILTERS, share_plot=share_plot)
    templates.globals.update(percent=percent, points=points, decimal=decimal, tenth=partial(decimal, places=1))
    return templates


def _context(folder: AuditFolder, record: AuditRecord, config: Config) -> dict[str, object]:
    """Everything the templates may name."""
    by_severity = cards(record, scales(record.findings), config.report.exemplars)
    clusters = attended_clusters(record, folder)
    failures = record.failures[:FAILURES]
    failed = [failure.path for failure in failures]
    all_cards = [card for some in by_severity.values() for card in some]
    shown = [path for card in all_cards if not card.is_file for path in card.paths]
    shown += [path for cluster in clusters for path in cluster.exemplars] + failed
    examples = spotlights(record, folder)
    sorted_looks = looks(record, folder)
    to_collect, verifications = orders(record), verified(folder)
    plain = [path for cue in examples for path in cue.layers] + [path for cue in sorted_looks for path in cue.boxes]
    plain += [path for card in all_cards if card.is_file for path in card.paths]
    plain += [path for order in to_collect for path in (*order.examples, *(order.avoid or ()))]
    plain += [sight.path for verification in verifications for sight in verification.sights]
    root = Path(record.dataset.root)
    return {
        "title": config.report.title,
        "record": record,
        "verdict": verdict(record),
        "severity_words": SEVERITY_WORDS,
        "cards": by_severity,
        "hidden_findings": len(record.findings) - sum(map(len, by_severity.values())),
        "places": clusters,
        "mistakes": mistakes(record.model.confusion),
        "matrix": len(record.model.confusion.classes) <= MATRIX,
        "failures": failures,
        "curves": training_curves(read_table(folder.training)),
        "labels": _labels(folder),
        "book": embed_images(
            folder, root, shown, failed, plain, config.report.thumbnail, config.dataset.max_megapixels
        ),
        "former": record.former,
        "orders": to_collect,
        "names": {name.cue: name for name in record.names or ()},
        "learning": curve_chart(record.learning_curve),
        "sampler": SAMPLER,
        "verifications": verifications,
        "found": examples,
        "looks": sorted_looks,
        "text_read": {cue.name: cue.text for cue in record.cues},
        "settings": yaml.safe_dump(record.config, sort_keys=False, allow_unicode=True),
        **assets(),
    }


def _labels(folder: AuditFolder) -> dict[str, str]:
    table = read_table(folder.images)
    return dict(zip(table["path"], table["label"], strict=True))


def assets() -> dict[str, str]:
    """Style and script, trusted because they are ours, and the policy that lets only them run."""
    style, script = (TEMPLATES / name for name in ("report.css", "report.js"))
    code = script.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return {"style": Markup(style.read_text(encoding="utf-8")), "script": Markup(code), "policy": policy}


def _settings(record: AuditRecord) -> Config:
    return parse_config(record.config)
