"""An audit in miniature: stages that take no time unless told to. As a program, it is the command line with them."""

import hashlib
import os
import sys
import time

from audit import stages
from audit.errors import DatasetError
from audit.findings.self_audit_json import SelfAudit
from audit.progress import track
from audit.stages import Stage
from audit.store.audit_folder import write_json, write_record, write_text
from tests.bare_records import bare_finding, bare_record

STAGES = (
    Stage("dataset", (), ("dataset",), entry="standin_stages:dataset"),
    Stage("work", ("dataset",), ("training.epochs",), entry="standin_stages:work"),
    Stage("self-audit", ("work",), ("self_audit",), entry="standin_stages:self_audit"),
    Stage("record", ("work", "self-audit"), ("evidence",), entry="standin_stages:record"),
)
REPORT = Stage("report", ("record",), ("report",), entry="standin_stages:report")
CREATED = "2026-01-02T03:04:05+00:00"


def dataset(folder, config):
    if not config.dataset.photos.is_dir():
        raise DatasetError(f"{config.dataset.photos}: no such folder; check the path.")
    write_json(folder.dataset, sorted(path.name for path in config.dataset.photos.iterdir()))
    return [folder.dataset]


def work(folder, config):
    """Say that it began, then be slow, stuck in one long call, or broken, as the environment asks."""
    print("work began", file=sys.stderr, flush=True)
    mood = os.environ.get("STANDIN", "")
    if mood == "slow":
        with track("looking", 600) as advance:
            for _ in range(600):
                time.sleep(0.1)
                advance(1)
    if mood == "stuck":
        hashlib.pbkdf2_hmac("sha256", b"", b"", 40_000_000)
    if mood == "broken":
        error = ValueError("wrong colour")
        error.add_note("image cats/7.jpg")
        raise error
    write_text(folder / "work.txt", f"{config.training.epochs}\n")
    return [folder / "work.txt"]


def self_audit(folder, config):
    settings = config.self_audit
    sentence = f"{settings.permutations} deals, {settings.power_images} marked."
    write_record(folder.self_audit, SelfAudit(status="done", sentence=sentence, null=None, power=None, left_out=()))
    return [folder.self_audit]


def record(folder, config):
    said = {"severity": "medium", "words": "the hair", "sentence": "Looks at hair."}
    write_record(folder.record, bare_record(folder.path.name, CREATED, [bare_finding(label="nurse", **said)]))
    return [folder.record]


def report(folder, config):
    write_text(folder.report, "<p>report</p>")
    return [folder.report]


if __name__ == "__main__":
    from audit.run import run_here
    from flows.cli import main

    run_here.require_ready = lambda config: None
    stages.STAGES, stages.REPORT = STAGES, REPORT
    main()
