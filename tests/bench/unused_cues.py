"""How often a model is said to use what it cannot: `python -m tests.bench.unused_cues --data ../shared/data`.

The self-audit's trials about the model (``audit.selfaudit.permuted_cues``), many of them, on audits of three real sets;
a trial needs no training and no pass through the network. Nothing was chosen by these figures.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from audit.config import Config, parse_config
from audit.findings.self_audit_json import SaidOfModel
from audit.measures.figures import CountedShare
from audit.selfaudit.false_alarms import said_of_model
from audit.selfaudit.permuted_cues import Told, UnusedCues
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder, read_table
from tests.bench.figures import Cell, Column, add_option, save, table_lines

# Columns beside the path that are tested as attributes; the label of the faces is one of theirs.
SETS = {"doctor-nurse": ["gender"], "celeba-dev": [], "isic-dev": ["colour_patch"]}
WORDS = {
    "doctor-nurse": "doctors and nurses",
    "celeba-dev": "faces of men and women",
    "isic-dev": "melanomas and other moles",
}
COLUMNS = (
    Column("photographs"),
    Column("content dealt out: cases"),
    Column("said to be used strongly", ".1%"),
    Column("high", ".1%"),
    Column("made-up attributes: cases"),
    Column("said to be used strongly ", ".1%"),
    Column("high ", ".1%"),
)
NOTES = (
    "A case is a cue and a class in one deal. Shares are of the cases in which the rules could have said as much, with "
    "Wilson's intervals, which are a little narrow: the cases of a deal share its order.",
    "Audits with `model.fine_tune=head` of 400 photographs at most. Content is dealt out within each class and fold; "
    "made-up attributes are in 90/10, 80/20, 70/30 and 50/50 % of the two classes.",
)
_MOST = 400


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets")
    parser.add_argument("--deals", type=int, default=40, help="trials for each set")
    parser.add_argument("--audits", type=Path, help="where the audits are kept, and looked for; else in a passing one")
    add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as passing:
        audits = options.audits or Path(passing)
        rows = [measured(name, options.data, audits, options.deals) for name in SETS]
    print(*table_lines(COLUMNS, rows), *NOTES, sep="\n")
    save(options.figures, "unused-cues", COLUMNS, rows, NOTES)


def measured(name: str, data: Path, audits: Path, deals: int) -> tuple[Cell, ...]:
    """Audit a set as far as needed, and deal its cues out so many times."""
    folder, config = AuditFolder(audits / name), _settings(name, data, audits)
    for stage in STAGES:
        run_stage(stage, folder, config)
        print(name, stage.name, file=sys.stderr, flush=True)
        if stage.name == "evidence":
            break
    images = np.arange(len(read_table(folder.predictions)))
    unused = UnusedCues.of(folder, config, images)
    with threadpool_limits(1):
        permuted = [case for seed in range(deals) for case in unused.permuted(seed)]
        attributes = [case for seed in range(deals) for case in unused.null_attributes(seed)]
    return row(f"{len(images)} {WORDS[name]}", permuted, attributes)


def row(words: str, permuted: Sequence[Told], attributes: Sequence[Told]) -> tuple[Cell, ...]:
    """A line of the table."""
    return words, *_cells(said_of_model(permuted)), *_cells(said_of_model(attributes))


def _cells(said: SaidOfModel) -> tuple[Cell, ...]:
    return said.cases, _cell(said.strong), _cell(said.high)


def _cell(share: CountedShare) -> Cell:
    if not share.n:
        return "could not occur"
    return {"count": share.count, "of": share.n, "low": share.low, "high": share.high}


def _settings(name: str, data: Path, audits: Path) -> Config:
    listed = pd.read_csv(data / name / "index.csv", dtype=str)
    if name == "celeba-dev":
        listed["label"] = listed["Male"].map({"1": "man", "0": "woman"})
    chosen = listed[["path", "label", *SETS[name]]]
    chosen = chosen.sample(min(_MOST, len(chosen)), random_state=0)
    manifest = audits / f"{name}.csv"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    chosen.to_csv(manifest, index=False)
    tree = {
        "dataset": {"manifest": str(manifest), "image_root": str(data / name)},
        "model": {"fine_tune": "head"},
        "compute": {"device": "cpu", "workers": 0},
        "self_audit": {"permutations": 0, "power_images": 0},
    }
    return parse_config(tree)


if __name__ == "__main__":
    main()
