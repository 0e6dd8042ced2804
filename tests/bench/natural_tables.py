"""The natural benchmark's tables: what is found by kind and lean, what clean twins are accused of, and use."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.findings.severity import FLAGGED
from audit.measures.intervals import wilson
from tests.bench.figures import Cell, Column, save, table_lines
from tests.bench.natural_cases import ATTRIBUTE, KINDS, NaturalCase
from tests.bench.natural_scores import NaturalScore, read, score

Row = tuple[Cell, ...]
LEAST_FOUND, MOST_HIGH, MOST_MEDIUM, MOST_FALSE = 0.9, 0.02, 0.1, 1.0
LEAST_SEEN, MOST_SEEN_FALSELY = 60 / 70, 0.02
_USES = ("yes", "unclear", "no")
_SAID = ("strong", "weak", "unknown", "none", "not said")


@dataclass(frozen=True)
class Result:
    """A case, its score, and what its file keeps."""

    case: NaturalCase
    score: NaturalScore
    kept: dict[str, Any]

    @classmethod
    def of(cls, case: NaturalCase, kept: dict[str, Any]) -> "Result":
        """Scored anew, by the rules of this checkout, from the findings that are kept."""
        return cls(case, score(case, read(kept["findings"]), kept["leaning"], kept["held"]), kept)


def report(results: Sequence[Result]) -> Iterator[str]:
    """Lines of Markdown: all tables, then every case."""
    for columns, rows in tables(results).values():
        yield from (*table_lines(columns, rows), "")
    yield from table_lines(_BY_CASE, list(_cases(results)))


def save_report(folder: Path | None, results: Sequence[Result]) -> None:
    """Write every table as figures."""
    seconds = sum(result.kept["seconds"]["all"] for result in results)
    notes = [f"{len(results)} cases, {seconds / 60:.0f} minutes of audits."]
    for name, (columns, rows) in tables(results).items():
        save(folder, name, columns, rows, notes)


def tables(results: Sequence[Result]) -> dict[str, tuple[Sequence[Column], list[Row]]]:
    """Columns and rows of each table, by the name of its figures."""
    made = {
        "natural": (_KINDS, list(_kinds(results))),
        "natural-bars": (_BARS, list(_bars(results))),
        "natural-use": (_USE, list(_use(results))),
    }
    if any("peers" in result.kept for result in results):
        made["natural-peers"] = (_PEERS, list(_peers(results)))
    return made


_KINDS = (
    Column("kind"),
    Column("found at 90/10", ".2f"),
    Column("found at 80/20 or as the set is", ".2f"),
    Column("false findings, each of these", ".1f"),
    Column("consequences, each", ".1f"),
    Column("open findings in all, each", ".1f"),
    Column("clean: with a high", ".2f"),
    Column("clean: with a medium", ".2f"),
    Column("clean: false findings, each", ".1f"),
)
_BARS = (Column("figure"), Column("value", ".2f"), Column("goal"), Column("met"))
_USE = (
    Column("held photographs: the model uses it"),
    *map(Column, ("strong", "weak", "not certain", "no", "not said")),
)
_PEERS = (Column("cases"), Column("ours", ".2f"), Column("Datalab", ".2f"), Column("SpRAy, read perfectly", ".2f"))
_BY_CASE = (
    *map(Column, ("case", "half", "right", "rank", "false: high", "false: medium", "consequences", "of the task")),
    *map(Column, ("said of the model", "used, by held photographs")),
)


def _kinds(results: Sequence[Result]) -> Iterator[Row]:
    for kind in (*KINDS, "all"):
        of_kind = [result for result in results if kind in ("all", result.case.kind)]
        leaning, clean = _divided(of_kind)
        strong = [result for result in leaning if result.case.leaning == "90"]
        others = [result for result in leaning if result.case.leaning != "90"]
        yield (
            kind,
            _share(strong, _found),
            _share(others, _found),
            _mean(leaning, lambda score: score.false),
            _mean(leaning, lambda score: score.consequences),
            _mean(leaning, lambda score: score.open),
            _share(clean, lambda score: bool(score.highs)),
            _share(clean, lambda score: bool(score.mediums)),
            _mean(clean, lambda score: score.false),
        )


def _bars(results: Sequence[Result]) -> Iterator[Row]:
    leaning, clean = _divided(results)
    strong = [result for result in leaning if result.case.leaning == "90"]
    twins = [result for result in clean if result.case.kind == ATTRIBUTE]
    yield _at_least("found at 90/10", _share(strong, _found), LEAST_FOUND)
    yield _at_most("balanced twins with a high", _share(twins, lambda score: bool(score.highs)), MOST_HIGH)
    yield _at_most("balanced twins with a medium", _share(twins, lambda score: bool(score.mediums)), MOST_MEDIUM)
    false = _mean(results, lambda score: score.false)
    met = None if false is None else _yes(false <= MOST_FALSE)
    yield "open findings that are neither cause nor consequence, each case", false, f"≤ {MOST_FALSE:.0f}", met
    yield from _seen(results)


def _seen(results: Sequence[Result]) -> Iterator[Row]:
    """How many stickers the detector of coloured patches sees in the whole set, and how often it errs."""
    for result in results:
        seen = result.kept.get("seen") or {}
        if result.case.name == "stickers-own" and seen:
            yield _at_least("stickers seen, of all in the set", _counted(seen["seen"], seen["with"]), LEAST_SEEN)
            falsely = _counted(seen["false"], seen["without"])
            yield _at_most("stickers seen where there is none", falsely, MOST_SEEN_FALSELY)
            right = [one for one in read(result.kept["findings"]) if one.cue == "patch" and one.severity in FLAGGED]
            leans = any(one.label == result.case.classes[result.case.lean] for one in right)
            yield "named a patch, for the right class", "yes" if leans else "no", "yes", _yes(leans)


def _use(results: Sequence[Result]) -> Iterator[Row]:
    """What is said of the model and the confounder beside what held photographs show."""
    leaning = [result for result in _divided(results)[0] if result.score.truth]
    for use in _USES:
        of_use = [result for result in leaning if result.score.truth and result.score.truth.use == use]
        yield use, *(float(sum(result.score.said == said for result in of_use)) for said in _SAID)


def _peers(results: Sequence[Result]) -> Iterator[Row]:
    leaning, clean = _divided([result for result in results if "peers" in result.kept])
    counts = (_peer(leaning, "datalab", "found"), _peer(leaning, "spray", "found"))
    yield "leaning", _share(leaning, _found), *counts
    highs = _share(clean, lambda score: bool(score.highs))
    yield "clean, with a high or an alarm", highs, _peer(clean, "datalab", "flagged"), None


def _cases(results: Sequence[Result]) -> Iterator[Row]:
    for case, said in ((result.case, result.score) for result in results):
        truth = said.truth
        used = f"{truth.use} ({truth.value:.2f} [{truth.low:.2f}, {truth.high:.2f}])" if truth else ""
        verdict, of_model = ("", "") if case.is_clean else (said.verdict, said.said)
        rank = "" if said.rank is None else str(said.rank)
        listed = map(", ".join, (said.highs, said.mediums, said.consequences, said.of_task))
        yield case.name, case.half, verdict, rank, *listed, of_model, used


def _divided(results: Sequence[Result]) -> tuple[list[Result], list[Result]]:
    """Those in which something leans, and clean ones."""
    return [one for one in results if not one.case.is_clean], [one for one in results if one.case.is_clean]


def _found(score: NaturalScore) -> bool:
    return bool(score.found)


def _share(results: Sequence[Result], test: Callable[[NaturalScore], bool]) -> Cell:
    return _counted(sum(test(result.score) for result in results), len(results)) if results else None


def _peer(results: Sequence[Result], peer: str, answer: str) -> Cell:
    hits = sum(bool(result.kept["peers"][peer][answer]) for result in results)
    return _counted(hits, len(results)) if results else None


def _counted(hits: int, of: int) -> dict[str, float]:
    low, high = wilson(float(hits), of)
    return {"count": hits, "of": of, "low": low, "high": high}


def _mean(results: Sequence[Result], cues: Callable[[NaturalScore], Sequence[str]]) -> float | None:
    return sum(len(cues(result.score)) for result in results) / len(results) if results else None


def _at_least(words: str, share: Cell, least: float) -> Row:
    met = _yes(share["count"] >= least * share["of"] - 1e-9) if isinstance(share, dict) else None
    return words, share, f"≥ {least:.2f}", met


def _at_most(words: str, share: Cell, most: float) -> Row:
    met = _yes(share["count"] <= most * share["of"] + 1e-9) if isinstance(share, dict) else None
    return words, share, f"≤ {most:.2f}", met


def _yes(met: bool) -> str:
    return "yes" if met else "**no**"
