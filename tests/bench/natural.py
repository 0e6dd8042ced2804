"""Audits of what really goes together in photographs: ``python -m tests.bench.natural --data ../shared/data``.

Every case (tests/bench/natural_cases.py) goes through all stages of an audit; its findings are put beside what is known
of the photographs, its model beside its answers on photographs that were held out. A finished case leaves a JSON file
in ``--out``, under a key made of its photographs, its settings and the versions of stages and detectors, and is not run
again while that key holds; its score is worked out anew from what is kept. What detectors and trunk made of a
photograph is kept in ``--store``, which any checkout may use: ``--warm`` only fills it. Seconds are those of the
processor in this process, whatever else it does meanwhile.

Rules may be chosen on ``--half choose`` only; the figures to quote are those of ``--half quote``.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.config import Config, parse_config
from audit.detection.cache import detector_key
from audit.detection.registry import choose_detectors
from audit.steps import STEPS
from audit.store.audit_folder import AuditFolder, read_json, value_digest, write_json
from tests.bench.audit_scores import about
from tests.bench.audit_sets import Truth
from tests.bench.audits import run_stages
from tests.bench.figures import add_option
from tests.bench.natural_cases import HALVES, MOLES, PEOPLE, STICKER, NaturalCase, benchmark, choose
from tests.bench.natural_scores import as_json, compare, seen
from tests.bench.natural_sets import Drawn, draw_case, read_carrier, write_manifest
from tests.bench.natural_store import NaturalStore, warm
from tests.bench.natural_tables import Result, report, save_report
from tests.bench.natural_truth import predict_held
from tests.bench.peers import compare_peers

# Of a result's own form: raised where what is kept of a case changes.
_KEPT_VERSION = 1


@dataclass(frozen=True)
class NaturalBench:
    """Where photographs are and results go; ``overrides`` are sections of settings that replace a case's own."""

    data: Path
    out: Path
    store: NaturalStore
    overrides: Mapping[str, Any] = field(default_factory=dict)
    peers: bool = False

    def settings(self, case: NaturalCase) -> dict[str, Any]:
        """The tree of settings of a case, without its photographs: defaults, but only the head is trained."""
        tree = {
            "model": {"fine_tune": "head"},
            # The benchmark is what a self-audit is a small part of.
            "self_audit": {"permutations": 0, "power_images": 0},
            "expected_cues": list(case.expected),
        }
        return {**tree, **self.overrides}

    def draw(self, case: NaturalCase) -> Drawn:
        """The photographs of a case."""
        return draw_case(case, self.data, self.out / "files")

    def key(self, case: NaturalCase, drawn: Drawn) -> str:
        """Digest of all that a result depends on, as far as stages and detectors tell by their versions."""
        settings = {name: value for name, value in self.settings(case).items() if name != "compute"}
        detectors = list(map(detector_key, choose_detectors(parse_config(self.settings(case)))))
        steps = [(step.name, step.version) for step in STEPS]
        return value_digest(_KEPT_VERSION, drawn.digest, case.classes, settings, detectors, steps)

    def kept(self, case: NaturalCase, drawn: Drawn) -> dict[str, Any]:
        """The result of a case, empty where there is none under its key."""
        path = self._path(case)
        result: dict[str, Any] = read_json(path) if path.exists() else {}
        return result if result.get("key") == self.key(case, drawn) else {}

    def run(self, case: NaturalCase) -> dict[str, Any]:
        """The result of a case: what is kept, else of an audit made now, whose folder is deleted again."""
        drawn = self.draw(case)
        result = self.kept(case, drawn)
        if result and not (self.peers and "peers" not in result):
            return result
        work = self.out / "work" / case.name
        shutil.rmtree(work, ignore_errors=True)
        write_manifest(drawn.members, case.classes, work / "images.csv")
        config, folder = self._config(case, drawn, work), AuditFolder(work / "audit")
        seconds = run_stages(folder, config, self.store.trunk, "explain" if result else "record", time.process_time)
        if not result:
            result = self._result(case, drawn, folder, config, work, seconds)
        if self.peers:
            marked = dict(zip(drawn.members["path"], drawn.members["cue"] == 1, strict=True))
            result["peers"] = compare_peers(folder, Truth(marked, {}))
        write_json(self._path(case), result)
        shutil.rmtree(work)
        return result

    def _result(
        self,
        case: NaturalCase,
        drawn: Drawn,
        folder: AuditFolder,
        config: Config,
        work: Path,
        seconds: Mapping[str, float],
    ) -> dict[str, Any]:
        began = time.process_time()
        named = predict_held(case, drawn, folder, config, self.store.trunk, work / "held") if len(drawn.held) else []
        held = {"named": [int(one) for one in named], **{key: drawn.held[key].tolist() for key in ("cue", "label")}}
        spent = round(time.process_time() - began, 1)
        return {
            "case": case.name,
            "key": self.key(case, drawn),
            "seconds": {**seconds, "held": spent, "all": round(seconds["all"] + spent, 1)},
            **about(folder),
            "leaning": drawn.leaning,
            "held": held,
            "seen": seen(folder, drawn, "patch") if case.kind == STICKER else {},
            "findings": as_json(compare(folder, case, drawn)),
        }

    def _config(self, case: NaturalCase, drawn: Drawn, work: Path) -> Config:
        dataset = {"manifest": str(work / "images.csv"), "image_root": str(drawn.root.resolve())}
        return parse_config({**self.settings(case), "dataset": dataset})

    def _path(self, case: NaturalCase) -> Path:
        return self.out / "results" / f"{case.name}.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases that are not done, print the tables; 2 where photographs are missing or no case is meant."""
    options = _parser().parse_args(arguments)
    needed = [PEOPLE] if options.list else [PEOPLE, MOLES]
    if missing := [name for name in needed if not (options.data / name / "index.csv").exists()]:
        print(f"{options.data}: holds no {', '.join(missing)}.", file=sys.stderr)
        return 2
    cases = choose(benchmark(read_carrier(options.data / PEOPLE)), options.half, options.cases)
    if not cases:
        print(f"No case of that half is named {options.cases}; --list names all.", file=sys.stderr)
        return 2
    if options.list:
        print(*(f"{case.half} {case.name}" for case in cases), sep="\n")
        return 0
    store = NaturalStore(options.store or options.out / "store")
    with store.in_use() as models:
        bench = NaturalBench(options.data, options.out, store, _overrides(options, models), options.peers)
        if options.warm:
            _warm(bench, cases)
            return 0
        if options.done:
            cases = [case for case in cases if bench.kept(case, bench.draw(case))]
        results = [Result.of(case, kept) for case, kept in _run(bench, cases)]
    print(*report(results), sep="\n")
    save_report(options.figures, results)
    return 0


def _run(bench: NaturalBench, cases: Sequence[NaturalCase]) -> list[tuple[NaturalCase, dict[str, Any]]]:
    done = []
    for number, case in enumerate(cases, 1):
        done.append((case, bench.run(case)))
        told = Result.of(*done[-1])
        words = f"{told.score.verdict}, {len(told.score.false)} false, {told.kept['seconds']['all']:.0f} s"
        print(f"{number} of {len(cases)}: {case.name}: {words}", file=sys.stderr, flush=True)
    return done


def _warm(bench: NaturalBench, cases: Sequence[NaturalCase]) -> None:
    """Look at every photograph of the cases, each once."""
    wanted: dict[Path, dict[str, None]] = {}
    for drawn in map(bench.draw, cases):
        for table in (drawn.members, drawn.held):
            wanted.setdefault(drawn.root.resolve(), {}).update(dict.fromkeys(table["path"]))
    for root, paths in wanted.items():
        for done in warm(bench.store, root, list(paths), bench.settings(cases[0])):
            print(f"{root.name}: {done} of {len(paths)}", file=sys.stderr, flush=True)


def _overrides(options: argparse.Namespace, models: Path) -> dict[str, Any]:
    return {"compute": {"models": str(models), "workers": options.workers}}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.natural", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets")
    parser.add_argument("--out", type=Path, default=Path("audits/natural"), help="where results are kept")
    parser.add_argument("--store", type=Path, help="where detections and activations are kept; default: OUT/store")
    parser.add_argument("--half", choices=(*HALVES, "all"), default="all")
    parser.add_argument("--cases", default="*", metavar="GLOB", help="only those whose names match, as '*-90'")
    parser.add_argument("--peers", action="store_true", help="ask Datalab and SpRAy; needs pip install .[peers]")
    parser.add_argument("--workers", type=int, default=0, help="processes that look for cues; 0: this one alone")
    parser.add_argument("--warm", action="store_true", help="only fill the store with what the cases need")
    parser.add_argument("--done", action="store_true", help="only cases that are finished: no audit is made")
    parser.add_argument("--list", action="store_true", help="print half and name of the cases and stop")
    add_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
