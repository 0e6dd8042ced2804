"""Whole audits of datasets with known truth: ``python -m tests.bench.audits --data ../shared/data``.

Every case (tests/bench/audit_cases.py) is written as a folder of photographs and goes through all stages of an audit.
A finished case leaves a JSON file in ``--out`` and is not run again. What the trunk made of a photograph is kept there,
too, and what detectors made of it in the user's cache folder. Thresholds may be chosen on ``--half tune`` only; the
figures to quote are those of ``--half quote``, and where that has been seen, of another ``--draw``.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from audit.config import Config, parse_config
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder, write_json
from tests.bench.audit_cases import Case, benchmark, choose, subsamples
from tests.bench.audit_scores import about, as_json, compare, pointing, score
from tests.bench.audit_sets import settings, write_case
from tests.bench.audit_tables import SUBSAMPLE_COLUMNS, report, save_report, subsample_rows
from tests.bench.figures import add_option, save, table_lines
from tests.bench.peers import compare_peers
from tests.bench.trunk_store import prefill


@dataclass(frozen=True)
class Bench:
    """Where photographs are and results go; ``overrides`` are sections of settings that replace a case's own."""

    data: Path
    out: Path
    overrides: dict[str, Any] = field(default_factory=dict)
    peers: bool = False
    keep: bool = False

    def result(self, case: Case) -> Path:
        """Where the result of a case is kept."""
        return self.out / "results" / f"{case.name}.json"

    def kept(self, case: Case) -> dict[str, Any]:
        """The result of a case, empty before it is run."""
        path = self.result(case)
        return json.loads(path.read_text("utf-8")) if path.exists() else {}

    def is_done(self, case: Case) -> bool:
        """Whether the case need not be run: its result is there, with the peers' where they are asked for."""
        wanted = {"score", "peers"} if self.peers else {"score"}
        return wanted <= self.kept(case).keys()

    def run(self, case: Case) -> None:
        """Audit one case and keep its result; its photographs and the audit's folder are deleted again.

        Where only the peers are missing, the audit goes as far as its maps, which is all that they need.
        """
        work, result = self.out / "work" / case.name, self.kept(case)
        shutil.rmtree(work, ignore_errors=True)
        truth, folder = write_case(case, self.data, work / "photos"), AuditFolder(work / "audit")
        config = parse_config({**settings(case, work / "photos"), **self.overrides})
        seconds = run_stages(folder, config, self.out / "trunk", until="explain" if result else "record")
        if not result:
            matches = compare(folder, case, truth)
            said = asdict(score(matches, pointing(folder, case, truth)))
            told = {"seconds": seconds, **about(folder), "findings": as_json(matches)}
            result = {"case": case.name, "score": said, **told}
        if self.peers:
            result["peers"] = compare_peers(folder, truth)
        write_json(self.result(case), result)
        if not self.keep:
            shutil.rmtree(work)


def run_stages(
    folder: AuditFolder, config: Config, trunk: Path, until: str, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """All stages of an audit up to one of them; the seconds of each, those of the kept trunk under "features"."""
    seconds = {}
    for stage in STAGES[: 1 + [stage.name for stage in STAGES].index(until)]:
        began = clock()
        if stage.name == "features":
            prefill(folder, config, trunk)
        run_stage(stage, folder, config)
        seconds[stage.name] = round(clock() - began, 1)
    return {**seconds, "all": round(sum(seconds.values()), 1)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases that are not done, print the table; 2 where a case is unknown or photographs are missing."""
    options = _parser().parse_args(arguments)
    drawn = benchmark(options.draw)
    cases = subsamples(options.draw) if options.subsamples else choose(drawn, options.half)
    if options.cases:
        wanted = options.cases.split(",")
        cases = [case for case in (*drawn, *subsamples(options.draw)) if case.name in wanted]
        if unknown := sorted(set(wanted) - {case.name for case in cases}):
            print(f"No such case: {', '.join(unknown)}; --list names all.", file=sys.stderr)
            return 2
    if options.list:
        print(*(case.name for case in cases), sep="\n")
        return 0
    missing = sorted({case.carrier for case in cases if not (options.data / case.carrier / "index.csv").exists()})
    if missing:
        print(f"{options.data}: holds no {', '.join(missing)}.", file=sys.stderr)
        return 2
    bench = Bench(options.data, options.out, peers=options.peers, keep=options.keep)
    run_all(bench, cases, options.workers)
    results = [(case, bench.kept(case)) for case in cases]
    if options.subsamples:
        rows = list(subsample_rows(results))
        print(*table_lines(SUBSAMPLE_COLUMNS, rows), sep="\n")
        save(options.figures, "subsamples-whole", SUBSAMPLE_COLUMNS, rows)
    else:
        print(*report(results), sep="\n")
        save_report(options.figures, results)
    if options.json:
        write_json(options.json, {"half": options.half, "results": [result for _, result in results]})
    return 0


def run_all(bench: Bench, cases: Sequence[Case], workers: int) -> None:
    """Run the cases that are not done, in so many processes (0: in this one), saying how far the work is."""
    waiting = [case for case in cases if not bench.is_done(case)]
    threads = max(1, torch.get_num_threads() // max(1, workers))
    pool = ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (threads,)) if workers else None
    with pool or nullcontext():
        ended = _in_pool(pool, bench, waiting) if pool else _in_turn(bench, waiting)
        for number, case in enumerate(ended, 1):
            found = bench.kept(case)
            told = f"{found['score']['verdict']}, rank {found['score']['rank']}, {found['seconds']['all']:.0f} s"
            print(f"{number} of {len(waiting)}: {case.name}: {told}", file=sys.stderr, flush=True)


def _in_turn(bench: Bench, cases: Sequence[Case]):
    for case in cases:
        bench.run(case)
        yield case


def _in_pool(pool: ProcessPoolExecutor, bench: Bench, cases: Sequence[Case]):
    running = {pool.submit(partial(bench.run, case)): case for case in cases}
    for future in as_completed(running):
        future.result()
        yield running[future]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.audits", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets")
    parser.add_argument("--out", type=Path, default=Path("audits/bench"), help="where results and stores are kept")
    parser.add_argument("--half", choices=("tune", "quote", "all"), default="all")
    parser.add_argument("--draw", type=int, default=1, metavar="N", help="the N-th draw of photographs and marks")
    parser.add_argument("--cases", metavar="A,B", help="only these, whatever the half")
    parser.add_argument("--subsamples", action="store_true", help="ten biased and ten balanced draws of doctor-nurse")
    parser.add_argument(
        "--peers", action="store_true", help="ask Datalab and SpRAy as well; needs pip install .[peers]"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 for none besides this one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every result there as well")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and stop")
    parser.add_argument("--keep", action="store_true", help="keep the photographs and audit folders")
    add_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
