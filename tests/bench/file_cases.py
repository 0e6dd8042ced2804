"""Are differences of the file and the frame found in the data, and none where there are none?

    python -m tests.bench.file_cases --data …/data [--draws 20] [--keep FILE] [--figures docs/figures]

Biased: 200 photographs of one carrier, dealt at random into two classes of 100, of which 80 of the one and 20 of the
other are changed in one way: cropped a third narrower than they were, saved as PNG, made grey, shrunk, or cropped to a
square while all others are cropped to 4:3. Every other photograph is saved as well, so that being saved again tells
nothing. Clean: as many photographs as they are, dealt likewise and not
saved again. The data half alone is asked, without a network: files are listed and decoded, facts become cues, and
evidence and verdict are the audit's own, corrected over the facts of the file.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from audit.config import Config, parse_config
from audit.cues import cue_table
from audit.cues.cue_table import CueTable
from audit.cues.file_cues import file_cues
from audit.data.dataset import build, load_dataset
from audit.evidence.causes import Suspect, consequences
from audit.evidence.evidence_table import Measurer, measure_all, read_evidence, read_probe_scores
from audit.findings.findings import verdict_of
from audit.findings.severity import COMPLAINTS, FLAGGED
from audit.measures.conditional import signal_of
from audit.measures.intervals import wilson
from audit.progress import Silence, reporting_to
from audit.store.audit_folder import AuditFolder
from tests.bench import figures
from tests.bench.figures import Cell, Column

CARRIERS = ("cats-dogs", "raccoon-kangaroo", "doctor-nurse", "lfw-hair")
PER_CLASS, SHARES, QUALITY = 100, (0.8, 0.2), 90
CLASSES = ("one", "other")
# Before the severity of what another flagged fact explains: no finding of its own.
UNDER = "under another: "


@dataclass(frozen=True)
class Change:
    """How some photographs of a case differ; ``cues``: the facts of the file of which one has to be flagged.

    ``otherwise`` is done to the others.
    """

    name: str
    cues: tuple[str, ...]
    suffix: str
    apply: Callable[[Image.Image], Image.Image]
    otherwise: Callable[[Image.Image], Image.Image] = lambda picture: picture


def _shaped(across: int, down: int) -> Callable[[Image.Image], Image.Image]:
    """Cuts the largest part of that shape out of the middle."""

    def cut(picture: Image.Image) -> Image.Image:
        unit = min(picture.width // across, picture.height // down)
        left, top = (picture.width - unit * across) // 2, (picture.height - unit * down) // 2
        return picture.crop((left, top, left + unit * across, top + unit * down))

    return cut


def _narrower(picture: Image.Image) -> Image.Image:
    """The middle of it, a third narrower."""
    edge = picture.width // 6
    return picture.crop((edge, 0, picture.width - edge, picture.height))


def _half(picture: Image.Image) -> Image.Image:
    return picture.resize((max(64, picture.width // 2), max(64, picture.height // 2)), Image.Resampling.LANCZOS)


CHANGES = (
    Change("a third narrower", ("file.aspect_ratio",), ".jpg", _narrower),
    Change("format", ("file.format=PNG", "file.format=JPEG"), ".png", lambda picture: picture),
    Change("grey", ("file.colour=grey", "file.colour=colour"), ".jpg", lambda picture: picture.convert("L")),
    Change("resolution", ("file.megapixels",), ".jpg", _half),
    Change("aspect ratio", ("file.aspect_ratio",), ".jpg", _shaped(1, 1), _shaped(4, 3)),
)


def photographs(data: Path, carrier: str) -> list[Path]:
    """All photographs of a carrier, whatever their class."""
    return [data / carrier / path for path in pd.read_csv(data / carrier / "index.csv")["path"]]


def write_clean(chosen: Sequence[Path], folder: Path) -> None:
    """Half of the photographs in either class, as they are; names tell nothing."""
    for number, source in enumerate(chosen):
        target = _target(folder, number, len(chosen), source.suffix)
        target.write_bytes(source.read_bytes())


def write_biased(chosen: Sequence[Path], change: Change, folder: Path) -> None:
    """Half of the photographs in either class, the first ``SHARES`` of each changed, all of them saved again."""
    for number, source in enumerate(chosen):
        place, label = number % (len(chosen) // 2), number // (len(chosen) // 2)
        changed = place < SHARES[label] * len(chosen) // 2
        with Image.open(source) as file:
            picture = file.convert("RGB")
        suffix = change.suffix if changed else ".jpg"
        picture = change.apply(picture) if changed else change.otherwise(picture)
        picture.save(_target(folder, number, len(chosen), suffix), quality=QUALITY)


def _target(folder: Path, number: int, total: int, suffix: str) -> Path:
    target = folder / CLASSES[number // (total // 2)] / f"{number:04d}{suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def flagged(photos: Path, place: Path, seed: int) -> dict[str, str]:
    """What the data half of an audit flags of the file, by the cue's name: its severity, and whether a consequence."""
    config = parse_config({"dataset": {"photos": str(photos)}, "seed": seed})
    folder = AuditFolder(place)
    place.mkdir(parents=True)
    with reporting_to(Silence()):
        build(folder, config)
        measure_all(_measurer(folder, config))
    return _causes_and_consequences(folder)


def _causes_and_consequences(folder: AuditFolder) -> dict[str, str]:
    """The severity of what is flagged, and after ``UNDER`` the severity of what another flagged fact explains."""
    dataset = load_dataset(folder)
    facts = {one.cue.name: one for one in file_cues(dataset.images)}
    rows = read_evidence(folder).groupby(["cue", "class"])
    verdicts = [verdict_of(facts[str(name)].cue, str(label), some, (), True) for (name, label), some in rows]
    flags = sorted((one for one in verdicts if one.severity in FLAGGED), key=lambda one: one.rank)
    scores = read_probe_scores(folder, len(dataset.images))
    suspects = []
    for one in flags:
        fact, label = facts[one.cue.name], dataset.classes.index(one.label)
        signal = signal_of(fact.present, fact.known, scores.get((one.cue.name, one.label)), dataset.folds)
        suspects.append(Suspect(one.cue, label, COMPLAINTS.index(one.severity), signal))
    under = consequences(suspects, dataset.labels, dataset.groups, dataset.folds, {})
    return {one.cue.name: (UNDER if place in under else "") + one.severity for place, one in enumerate(flags)}


def _measurer(folder: AuditFolder, config: Config) -> Measurer:
    """What measures the facts of the file of a folder that no model has seen; all answers count as right."""
    dataset = load_dataset(folder)
    cues, rows = cue_table.files_of(dataset)
    table = CueTable(folder, tuple(cues), rows.set_index(["cue", "image"]).sort_index(), None)
    return Measurer(config, dataset, table, np.ones(len(dataset.images), bool), pd.DataFrame())


@dataclass(frozen=True)
class Outcome:
    """What one draw came to: the severities of the facts that were flagged."""

    carrier: str
    change: str
    draw: int
    flagged: Mapping[str, str]


def outcomes(
    data: Path, carriers: Sequence[str], draws: int, keep: Path | None = None, round_number: int = 0
) -> Iterator[Outcome]:
    """Every draw of every case: clean ones of all carriers, biased ones of each change, the carriers in turn.

    What is in the file ``keep``, one outcome a line, is not done again; what is done is added to it. Another
    ``round_number`` draws other photographs.
    """
    known = {(one.carrier, one.change, one.draw): one for one in kept(keep)} if keep else {}
    clean = [
        (carrier, None, draw, (number, draw, 0)) for number, carrier in enumerate(carriers) for draw in range(draws)
    ]
    biased = [
        (carriers[draw % len(carriers)], change, draw, (draw, draw, kind))
        for kind, change in enumerate(CHANGES, 1)
        for draw in range(draws)
    ]
    for carrier, change, draw, seed in (*clean, *biased):
        done = known.get((carrier, change.name if change else "", draw))
        if done is None:
            done = _outcome(photographs(data, carrier), carrier, change, draw, (*seed, round_number))
            if keep:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(done)) + "\n")
        yield done


def kept(path: Path) -> list[Outcome]:
    """The outcomes of a file, one a line; none where there is no file."""
    return [Outcome(**json.loads(line)) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def _outcome(pool: Sequence[Path], carrier: str, change: Change | None, draw: int, seed: Sequence[int]) -> Outcome:
    chosen = _drawn(pool, np.random.default_rng(seed))
    with tempfile.TemporaryDirectory() as place:
        photos = Path(place) / "photos"
        if change is None:
            write_clean(chosen, photos)
        else:
            write_biased(chosen, change, photos)
        return Outcome(carrier, change.name if change else "", draw, flagged(photos, Path(place) / "audit", draw))


def _drawn(pool: Sequence[Path], rng: np.random.Generator) -> list[Path]:
    count = min(2 * PER_CLASS, len(pool) // 2 * 2)
    order: NDArray[np.int64] = rng.permutation(len(pool))[:count]
    return [pool[place] for place in order]


COLUMNS = (
    Column("photographs"),
    Column("planted"),
    Column("draws in which the planted fact is medium or above", ".2f"),
    Column("draws in which anything else of the file is a finding of its own", ".2f"),
    Column("what else"),
)


def table(found: Sequence[Outcome]) -> list[tuple[Cell, ...]]:
    """A row per carrier without a difference, and per change."""
    rows: list[tuple[Cell, ...]] = []
    for carrier in dict.fromkeys(one.carrier for one in found if not one.change):
        clean = [one for one in found if one.carrier == carrier and not one.change]
        rows.append(
            (carrier, "nothing", None, _count(sum(bool(one.flagged) for one in clean), len(clean)), _names(clean, ()))
        )
    for change in CHANGES:
        biased = [one for one in found if one.change == change.name]
        if biased:
            seen = sum(bool(set(one.flagged) & set(change.cues)) for one in biased)
            others = sum(bool(_open(one) - set(change.cues)) for one in biased)
            counts = _count(seen, len(biased)), _count(others, len(biased))
            rows.append(("all in turn", change.name, *counts, _names(biased, change.cues)))
    return rows


def _open(one: Outcome) -> set[str]:
    """The flagged facts that are findings of their own."""
    return {name for name, severity in one.flagged.items() if not severity.startswith(UNDER)}


def _count(count: int, of: int) -> Cell:
    low, high = wilson(count, of)
    return {"count": count, "of": of, "low": low, "high": high}


def _names(found: Sequence[Outcome], but: Sequence[str]) -> str:
    """The other facts that are findings of their own, with the number of draws."""
    names = pd.Series([name for one in found for name in sorted(_open(one)) if name not in but], dtype=object)
    return ", ".join(f"{name} {count}" for name, count in names.value_counts().items())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.file_cases", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the carriers")
    parser.add_argument("--draws", type=int, default=20, help="draws of each case")
    parser.add_argument("--carriers", nargs="+", default=list(CARRIERS), help="carriers to draw from")
    parser.add_argument("--round", type=int, default=0, help="another number draws other photographs")
    parser.add_argument("--keep", type=Path, help="file of outcomes, from which an interrupted run goes on")
    figures.add_option(parser)
    given = parser.parse_args(arguments)
    found = []
    for one in outcomes(given.data, given.carriers, given.draws, given.keep, given.round):
        found.append(one)
        print(one.carrier, one.change or "clean", dict(one.flagged), flush=True)
    rows = table(found)
    print("\n".join(figures.table_lines(COLUMNS, rows)))
    figures.save(given.figures, "file-cases", COLUMNS, rows)


if __name__ == "__main__":
    main()
