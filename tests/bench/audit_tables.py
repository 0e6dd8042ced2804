"""The benchmark's tables: how much of what was planted is found, by kind and by pair, beside the bars."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from audit.findings.severity import FLAGGED
from audit.measures.intervals import wilson
from tests.bench.audit_cases import GENDER, KINDS, PAIRS, PLAIN, Case
from tests.bench.audit_scores import NAMES
from tests.bench.figures import Cell, Column, save, table_lines

Result = tuple[Case, Mapping[str, Any]]
Row = tuple[Cell, ...]
STRONG = (95, 90, 80)
LEAST_FOUND, LEAST_FIRST, MOST_ALARMED = 0.95, 0.85, 0.05
_BIASED_AT_LEAST, _BALANCED_AT_MOST = 9, 1


def report(results: Sequence[Result]) -> Iterator[str]:
    """Lines of Markdown: a table by kind and pair, the figures beside their bars, and every miss and false high."""
    for columns, rows in _tables(results).values():
        yield from (*table_lines(columns, rows), "")
    yield from _failures(results)
    yield _minutes(results)


def save_report(folder: Path | None, results: Sequence[Result]) -> None:
    """Write every table of ``report`` as figures."""
    for name, (columns, rows) in _tables(results).items():
        save(folder, name, columns, rows, [_minutes(results)])


def _tables(results: Sequence[Result]) -> dict[str, tuple[Sequence[Column], list[Row]]]:
    planted = [result for result in results if not result[0].is_clean]
    clean = [result for result in results if result[0].is_clean]
    tables = {"audits": (_CROSSED, list(_crossed(planted))), "audits-bars": (_BARS, list(_bars(planted, clean)))}
    if all("peers" in found for _, found in results):
        tables["peers"] = (_PEERS, list(_peers(planted, clean)))
    return tables


def _minutes(results: Sequence[Result]) -> str:
    seconds = sum(found["seconds"]["all"] for _, found in results)
    return f"{len(results)} cases, {seconds / 60:.0f} minutes of audits."


SUBSAMPLE_COLUMNS = (Column("draws"), Column("face or hair flagged", ".2f"), *map(Column, ("high", "bar", "met")))


def subsample_rows(results: Sequence[Result]) -> Iterator[Row]:
    """In how many draws face or hair, or a look or part of them, are flagged, at the paper's bias and at balance."""
    for words, biased in (("at the paper's bias", True), ("as many men as women", False)):
        counts = {"flagged": 0, "high": 0}
        chosen = [found for case, found in results if case.is_clean != biased]
        for found in chosen:
            graded = {one["severity"] for one in found["findings"] if _is_within(one["cue"], NAMES[GENDER])}
            counts["flagged"] += bool(graded & set(FLAGGED))
            counts["high"] += "high" in graded
        met = counts["flagged"] >= _BIASED_AT_LEAST if biased else counts["high"] <= _BALANCED_AT_MOST
        bar = f"flagged ≥ {_BIASED_AT_LEAST}" if biased else f"high ≤ {_BALANCED_AT_MOST}"
        yield words, _share(counts["flagged"], len(chosen)), counts["high"], bar, _yes(met)


def _is_within(cue: str, names: frozenset[str]) -> bool:
    return cue.split(" look ")[0] in names


_CROSSED = (
    Column("found"),
    *(Column(f"{pair}/{100 - pair}") for pair in PAIRS),
    Column("first"),
    Column("maps point", ".2f"),
    Column("cue located", ".2f"),
)
_BARS = (Column("figure"), Column("share", ".2f"), Column("goal"), Column("met"))
_PEERS = tuple(map(Column, ("found at 95/5, 90/10, 80/20", "ours", "Datalab", "SpRAy, read perfectly")))


def _crossed(planted: Sequence[Result]) -> Iterator[Row]:
    for kind in (*KINDS, "all"):
        of_kind = [result for result in planted if kind in ("all", result[0].kind)]
        cells = [_count([r for r in of_kind if r[0].pair == pair], _found) for pair in PAIRS]
        strong = [result for result in of_kind if result[0].pair in STRONG]
        means = (_mean(strong, "pointing"), _mean(strong, "located"))
        yield kind, *cells, _count(strong, _first), *means


def _bars(planted: Sequence[Result], clean: Sequence[Result]) -> Iterator[Row]:
    strong = [result for result in planted if result[0].pair in STRONG]
    faint = [result for result in planted if result[0].pair == min(PAIRS)]
    yield _bar("found at 95/5, 90/10, 80/20", strong, _found, LEAST_FOUND)
    flagged = _flagged_anyway(clean)
    sure = [(case, {**found, "anyway": flagged.get(case.carrier, frozenset())}) for case, found in strong]
    yield _bar("found by what no plain audit flags", sure, _found_beyond, None)
    yield _bar("true cue first, at these", strong, _first, LEAST_FIRST)
    yield _bar("60/40 not cleared", faint, lambda found: found["score"]["verdict"] != "cleared", 1.0)
    yield _bar("clean audits without a high", clean, lambda found: not found["score"]["highs"], 1 - MOST_ALARMED)
    yield _bar("clean audits without a medium or high", clean, lambda found: not _alarms(found), None)


def _flagged_anyway(clean: Sequence[Result]) -> dict[str, frozenset[str]]:
    """The detectors' cues that plain audits of each carrier flag: finding one of them proves little."""
    flagged: dict[str, frozenset[str]] = {}
    for case, found in clean:
        if case.kind == PLAIN:
            cues = {one["cue"] for one in found["findings"] if _is_flag(one) and one["kind"] == "detector"}
            flagged[case.carrier] = flagged.get(case.carrier, frozenset()) | cues
    return flagged


def _found_beyond(found: Mapping[str, Any]) -> bool:
    return any(_is_flag(one) and one["right"] and one["cue"] not in found["anyway"] for one in found["findings"])


def _is_flag(finding: Mapping[str, Any]) -> bool:
    return finding["severity"] in FLAGGED


def _peers(planted: Sequence[Result], clean: Sequence[Result]) -> Iterator[Row]:
    """What the peers find of the strong cases; what counts as found is said in tests/bench/peers.py."""
    strong = [result for result in planted if result[0].pair in STRONG]
    for kind in (*KINDS, "all"):
        of_kind = [result for result in strong if kind in ("all", result[0].kind)]
        cells = (_count(of_kind, test) for test in (_found, _peer("datalab", "found"), _peer("spray", "found")))
        yield kind, *cells
    alarmed = _count(clean, _peer("datalab", "flagged"))
    clusters = [found["peers"]["spray"]["clusters"] for _, found in (*planted, *clean)]
    ours = _count(clean, lambda found: bool(found["score"]["highs"]))
    yield "clean audits with a high or an alarm", ours, alarmed, None
    yield "groups of maps to look at", None, None, f"{sum(clusters) / len(clusters):.1f} per audit"


def _peer(peer: str, answer: str) -> Callable[[Any], bool]:
    return lambda found: bool(found["peers"][peer][answer])


def _bar(words: str, results: Sequence[Result], test: Callable[[Any], bool], least: float | None) -> Row:
    if not results:
        return words, None, None, None
    hits = sum(map(test, (found for _, found in results)))
    met = (None, None) if least is None else (f"≥ {least:.2f}", _yes(hits >= least * len(results)))
    return words, _share(hits, len(results)), *met


def _share(hits: int, of: int) -> Cell:
    low, high = wilson(float(hits), of)
    return {"count": hits, "of": of, "low": low, "high": high}


def _failures(results: Sequence[Result]) -> Iterator[str]:
    for case, found in results:
        said = found["score"]
        if case.is_clean and _alarms(found):
            high, medium = (", ".join(said[name]) or "none" for name in ("highs", "mediums"))
            yield f"- {case.name}: high {high}; medium {medium}"
        elif not case.is_clean and case.pair in STRONG and said["rank"] != 1:
            yield f"- {case.name}: {said['verdict']}, rank {said['rank']}; before it {', '.join(_before(found))}"


def _before(found: Mapping[str, Any]) -> list[str]:
    rank = found["score"]["rank"] or 4
    return [f"{one['cue']} ({one['severity']})" for one in found["findings"] if one["rank"] < rank][:4]


def _alarms(found: Mapping[str, Any]) -> list[str]:
    return [*found["score"]["highs"], *found["score"]["mediums"]]


def _found(found: Mapping[str, Any]) -> bool:
    return bool(found["score"]["found"])


def _first(found: Mapping[str, Any]) -> bool:
    return found["score"]["rank"] == 1


def _count(results: Sequence[Result], test: Callable[[Any], bool]) -> Cell:
    return {"count": sum(test(found) for _, found in results), "of": len(results)} if results else None


def _mean(results: Sequence[Result], name: str) -> float | None:
    values = [found["score"][name] for _, found in results if found["score"][name] is not None]
    return sum(values) / len(values) if values else None


def _yes(met: bool) -> str:
    return "yes" if met else "**no**"
