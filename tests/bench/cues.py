"""How good the cue detectors are, as one table: ``python -m tests.bench.cues --data ../shared/data``.

Every row asks one question of one set of photographs; a bar stands where the project promises one, and whether it is
met is worked out. Cues that no detector looks for are left out and named.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

from audit.config import model_folder
from audit.detection.registry import DETECTORS
from audit.detectors.photo import Networks
from audit.errors import BiasAuditError
from audit.measures.permutation import benjamini_hochberg
from audit.store.model_files import require
from tests.bench.cue_sets import HEADS, PEOPLE, PLANTED, SETS, Example, read_examples
from tests.bench.figures import Cell, Column, add_option, machine, save, table_lines
from tests.bench.measuring import EVERYTHING, RIGHT_NAMES, WITHOUT_TEXT, Measurement, clock, known, measure
from tests.bench.scores import VOTERS, mean_interval, share_of_votes_won, votes_interval

DOCTORS, ANIMALS, BOXED, THINGS = "doctor-nurse", "cats-dogs", "raccoon-kangaroo", "imagenet-sample"
CELLS = ("dark female", "dark male", "light female", "light male")
_TIMED = 41
_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Bar:
    """What a figure has to reach."""

    limit: float
    at_least: bool = True

    def met_by(self, value: float) -> bool:
        """Whether a figure reaches it."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"


@dataclass(frozen=True)
class Question:
    """A row of the table: the mean of a measure over the photographs of some sets, a group, a mark.

    ``votes`` asks instead how often the commonest name of 15 photographs is a right one.
    """

    cue: str
    words: str
    measure: str
    sets: tuple[str, ...]
    bar: Bar | None = None
    group: str | None = None
    mark: str | None = None
    votes: bool = False


@dataclass(frozen=True)
class Row:
    """A question and its answer: ``n`` photographs, a figure and its 95 % interval; ``met`` is None without a bar."""

    cue: str
    words: str
    sets: str
    n: int
    value: float
    low: float
    high: float
    bar: str
    met: bool | None


def _at_most(limit: float) -> Bar:
    return Bar(limit, at_least=False)


def _planted(cue: str, mark: str, bar: Bar | None = None) -> tuple[Question, Question]:
    found = Question(cue, f"found, {mark}", "found", (PLANTED,), bar, mark=mark)
    return found, Question(cue, f"IoU, {mark}", "iou", (PLANTED,), mark=mark)


def _naming(
    cue: str, sets: tuple[str, ...], single: Bar | None = None, many: Bar | None = None
) -> tuple[Question, ...]:
    words = "attention on it named so"
    return (
        Question(cue, words, "named", sets, single),
        Question(cue, f"{words} by {VOTERS} votes", "named", sets, many, votes=True),
    )


# The bars are those that the project set itself; for borders and patches they are what a first trial reached.
QUESTIONS: tuple[Question, ...] = (
    *(Question("face", f"found, {cell}", "found", (DOCTORS,), Bar(0.98), cell) for cell in CELLS),
    Question("face", "false", "false", (ANIMALS,), _at_most(0.05)),
    Question("face", "false", "false", (BOXED,)),
    Question("face", "false", "false", (THINGS,), _at_most(0)),
    *_naming("face", (HEADS,)),
    Question("eyes", "found", "found", (DOCTORS,)),
    Question("eyes", "share inside the face", "inside face", (DOCTORS,)),
    *(Question("hair", "IoU", "iou", (name,)) for name in ("lfw-hair", "figaro1k-hair", "ccp600")),
    *_naming("hair", ("lfw-hair", HEADS), Bar(0.9), Bar(0.98)),
    Question("skin", "IoU", "iou", ("ccp600",)),
    Question("skin", "IoU, darkest quarter", "iou", ("ccp600",), group="darkest quarter"),
    Question("person", "IoU", "iou", ("ccp600",)),
    Question("clothing", "IoU", "iou", ("ccp600",)),
    Question("clothing", "precision", "precision", ("ccp600",)),
    *_naming("clothing", (HEADS,)),
    *_naming("background", (HEADS,)),
    Question("main_object", "IoU with the boxes", "iou", (BOXED,)),
    Question("main_object", "precision", "precision", (BOXED,)),
    Question("text", "found, stock footer", "found", (DOCTORS,), Bar(1)),
    Question("text", "false", "false", (ANIMALS,), _at_most(0.03)),
    *_planted("text", "corner tag"),
    *_planted("text", "caption bar"),
    *_planted("text", "centre watermark"),
    Question("border", "false", "false", (ANIMALS, THINGS), _at_most(0.02)),
    *_planted("border", "black letterbox", Bar(0.99)),
    *_planted("border", "colour bar", Bar(0.99)),
    *_planted("border", "white frame", Bar(0.925)),
    *_planted("border", "thin black frame", Bar(0.925)),
    Question("vignette", "false", "false", (ANIMALS, THINGS), _at_most(0.02)),
    Question("patch", "false", "false", (ANIMALS, THINGS), _at_most(0.04)),
    *_planted("patch", "sticker", Bar(0.81)),
)
TIMES: tuple[Question, ...] = (
    *(Question(detector.name, "ms per photograph", "ms", (DOCTORS,)) for detector in DETECTORS),
    Question(WITHOUT_TEXT, "ms per photograph", "ms", (DOCTORS,), _at_most(80)),
    Question(EVERYTHING, "ms per photograph", "ms", (DOCTORS,), _at_most(150)),
)


def answer(question: Question, table: pd.DataFrame) -> Row | None:
    """The row of a question, given all measurements; None where there is none for it."""
    rows = table[(table["cue"] == question.cue) & (table["measure"] == question.measure)]
    rows = rows[rows["collection"].isin(question.sets)]
    for column in ("group", "mark"):
        wanted = getattr(question, column)
        rows = rows if wanted is None else rows[rows[column] == wanted]
    if rows.empty:
        return None
    if question.votes:
        names, right = rows["name"].tolist(), RIGHT_NAMES[question.cue]
        value, interval = share_of_votes_won(names, right, np.random.default_rng(0)), votes_interval(names, right)
    else:
        value, interval = float(rows["value"].mean()), mean_interval(rows["value"].to_numpy())
    met = question.bar.met_by(value) if question.bar else None
    bar = str(question.bar) if question.bar else ""
    return Row(question.cue, question.words, ", ".join(question.sets), len(rows), value, *interval, bar, met)


def group_sentences(table: pd.DataFrame) -> Iterator[str]:
    """One for every cue that is found significantly less often in a group of people than in the others (Fisher)."""
    found = table[(table["collection"] == DOCTORS) & (table["measure"] == "found") & table["cue"].isin(PEOPLE)]
    counts = found.groupby(["cue", "group"])["value"].agg(["sum", "count"]).astype(int)
    totals = counts.groupby("cue").sum()
    tests = []
    for (cue, group), (hits, n) in zip(counts.index, counts.to_numpy(), strict=True):
        others, of = totals.loc[cue, "sum"] - hits, totals.loc[cue, "count"] - n
        p = fisher_exact([[hits, n - hits], [others, of - others]], alternative="less").pvalue
        tests.append((cue, group, hits, n, others, of, p))
    for test, p in zip(tests, benjamini_hochberg([test[-1] for test in tests]), strict=True):
        if p < _SIGNIFICANT:
            cue, group, hits, n, others, of, _ = test
            yield (
                f"{cue}: found less often in photographs of people who are {group} ({hits} of {n}) than in the others "
                f"({others} of {of}), p = {p:.2g} after correction."
            )


GROUP_COLUMNS = (Column(f"found in {DOCTORS}"), *(Column(cell, ".3f") for cell in CELLS))


def group_rows(table: pd.DataFrame) -> Iterator[tuple[Cell, ...]]:
    """How often each cue of people is found, by skin and gender."""
    for cue in sorted(PEOPLE & known()):
        found = [answer(Question(cue, "", "found", (DOCTORS,), group=cell), table) for cell in CELLS]
        if any(found):
            yield cue, *(_share(row) if row else None for row in found)


def _share(row: Row) -> Cell:
    return {"value": row.value, "low": row.low, "high": row.high, "words": f", n = {row.n}"}


COLUMNS = tuple(
    map(Column, ("cue", "question", "photographs", "n", "figure", "95 % interval", "bar", "met")),
)


def table_rows(rows: Sequence[Row]) -> Iterator[tuple[Cell, ...]]:
    """The rows as the table shows them."""
    for row in rows:
        digits = 1 if row.words.startswith("ms") else 3
        value, low, high = (f"{number:.{digits}f}" for number in (row.value, row.low, row.high))
        met = {None: "", True: "yes", False: "**no**"}[row.met]
        yield row.cue, row.words, row.sets, row.n, value, f"{low} to {high}", row.bar, met


def run(examples: Sequence[Example], workers: int) -> pd.DataFrame:
    """All measurements: accuracy with a pool of workers, then the time on one thread of this process."""
    if workers:
        with ProcessPoolExecutor(workers, get_context("spawn"), _start) as pool:
            found = list(pool.map(_measure, examples, chunksize=8))
    else:
        _start()
        found = list(map(_measure, examples))
    _start()
    timed = [example for example in examples if example.collection == DOCTORS]
    times = clock(timed[:: -(-len(timed) // _TIMED)], Networks(model_folder())) if timed else ()
    return pd.DataFrame([asdict(one) for one in (*(figure for part in found for figure in part), *times)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 2 where photographs or model files are missing."""
    options = _parser().parse_args(arguments)
    examples = read_examples(options.data, options.half, options.images)
    if not examples:
        print(f"{options.data}: holds none of the sets {', '.join(SETS)}.", file=sys.stderr)
        return 2
    try:
        for model in dict.fromkeys(model for detector in DETECTORS for model in detector.models):
            require(model_folder(), model.name)
    except BiasAuditError as error:
        print(error, file=sys.stderr)
        return 2
    table = run(examples, options.workers)
    rows = [row for question in (*QUESTIONS, *TIMES) if (row := answer(question, table))]
    shown, groups, notes = list(table_rows(rows)), list(group_rows(table)), list(_notes(table, options.half))
    print(*table_lines(COLUMNS, shown), "", *table_lines(GROUP_COLUMNS, groups), "", *notes, sep="\n")
    save(options.figures, "cues", COLUMNS, shown, notes)
    save(options.figures, "cues-groups", GROUP_COLUMNS, groups)
    if options.json:
        about = {"date": date.today().isoformat(), "machine": _machine(), "half": options.half}
        options.json.write_text(json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=1), "utf-8")
    return 0


def _notes(table: pd.DataFrame, half: str) -> Iterator[str]:
    yield from group_sentences(table) if len(table) else ()
    missing = sorted({question.cue for question in QUESTIONS} - known())
    if missing:
        yield f"No detector looks for: {', '.join(missing)}."
    yield f"{date.today():%d %B %Y}, {_machine()}, {half} images of each set."


def _machine() -> str:
    return f"{machine()}, OpenCV {cv2.__version__}, times on one thread"


_networks: Networks


def _start() -> None:
    global _networks
    cv2.setNumThreads(1)
    _networks = Networks(model_folder())


def _measure(example: Example) -> list[Measurement]:
    return measure(example, _networks)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cues", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets")
    parser.add_argument("--images", type=int, metavar="N", help="at most so many of each set")
    parser.add_argument("--half", choices=("all", "even", "odd"), default="all", help="thresholds saw only the odd one")
    parser.add_argument("--workers", type=int, default=2, help="processes; 0 for none besides this one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    add_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
