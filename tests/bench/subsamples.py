"""Twenty small audits for the passes of one: ``python -m tests.bench.subsamples --data ../shared/data --draw 2``.

Doctors and nurses at the paper's bias and with as many men as women, as ``tests.bench.audits --subsamples`` draws them.
All photographs are looked at and sent through the network once; each draw is a trial (audit/selfaudit/trial.py) of some
of them, with the audit's own stages from training to findings, but for the effect of hiding: nothing is hidden. So a
verdict rests on the data, the attention and the accuracy.
"""

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audit.config import parse_config
from audit.findings.severity import FLAGGED
from audit.model.activation_store import ActivationStore
from audit.selfaudit.trial import Trial, run_trial
from audit.selfaudit.trial_inputs import TrialInputs
from tests.bench.audit_cases import EXPECTED, PEOPLE, Case, subsamples
from tests.bench.audit_sets import choose_members, read_pool
from tests.bench.audit_tables import SUBSAMPLE_COLUMNS, subsample_rows
from tests.bench.figures import add_option, save, table_lines
from tests.planted import run_audit


def open_inputs(photos: Path, out: Path, overrides: Mapping[str, Any]) -> TrialInputs:
    """All photographs of a set, looked at and sent through the network; what an earlier run left is used again."""
    head = {"fine_tune": "head"}
    tree = {"dataset": {"photos": str(photos)}, "model": head, "expected_cues": EXPECTED.get(photos.name, [])}
    config = parse_config({**tree, **overrides})
    store = ActivationStore.open(run_audit(out, config, until="features"), config)
    return TrialInputs.of(store, np.arange(len(store.dataset.images)))


def run_case(inputs: TrialInputs, case: Case, data: Path, place: Path) -> dict[str, Any]:
    """What a trial of a case's photographs finds, as ``audits`` keeps it, as far as ``subsample_rows`` needs it."""
    dataset = inputs.store.dataset
    numbers = {str(path): number for number, path in enumerate(dataset.images["path"])}
    chosen = choose_members(case, read_pool(data / case.carrier), Path(), np.random.default_rng(case.seed))
    rows = {numbers[str(member.source)]: dataset.classes.index(member.label) for member in chosen}
    images = np.array(sorted(rows))
    shutil.rmtree(place, ignore_errors=True)
    found = run_trial(inputs, Trial(images, np.array([rows[image] for image in images])), True, place).findings
    return {"findings": [{"cue": one.cue, "severity": one.severity} for one in found]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is flagged in each draw, then the table; 2 where the photographs are missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.subsamples", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets")
    parser.add_argument("--out", type=Path, default=Path("audits/bench/subsamples"), help="where the one audit is kept")
    parser.add_argument("--draw", type=int, default=1, metavar="N", help="the N-th draw of all twenty")
    add_option(parser)
    options = parser.parse_args(arguments)
    if not (options.data / PEOPLE / "index.csv").exists():
        print(f"{options.data}: holds no {PEOPLE}.", file=sys.stderr)
        return 2
    inputs, results = open_inputs(options.data / PEOPLE, options.out / "all", {}), []
    for case in subsamples(options.draw):
        found = run_case(inputs, case, options.data, options.out / "trial")
        flagged = [f"{one['cue']} ({one['severity']})" for one in found["findings"] if one["severity"] in FLAGGED]
        print(f"{case.name}: {', '.join(flagged) or 'nothing'}", flush=True)
        results.append((case, found))
    rows = list(subsample_rows(results))
    print(*table_lines(SUBSAMPLE_COLUMNS, rows), sep="\n")
    save(options.figures, "subsamples", SUBSAMPLE_COLUMNS, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
