"""Whether the right word is told for what differs: ``python -m tests.bench.words --data DIR --store DIR``.

Of labelled faces that no reader of attributes was fitted on, two classes are drawn that differ in one listed attribute
(their label) and of which another one, the confounder, leans to one class in 90 of 100 photographs, or, in the even
twin, to neither. ``differences`` then says in words in what the classes differ besides their label. Right: the word
of the confounder. Wrong, in a twin: a word whose listed attribute does not differ between the classes.
"""

import argparse
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.attributes.attribute import Attribute, AttributeDetector
from audit.attributes.registry import PEOPLE_READERS, READERS
from audit.config import cache_folder
from audit.cues.cue_json import Difference
from audit.cues.differences import Trait, differences
from audit.data.decode import open_photo
from audit.data.folds import assign_folds
from audit.detectors.cue import Detector
from audit.detectors.parts.eyes import EyesDetector
from audit.detectors.photo import LONGEST, Networks, Photo
from audit.measures.intervals import wilson
from audit.store.audit_folder import value_digest
from tests.bench.figures import Cell, Column, add_option, save
from tests.bench.natural_cases import PAIRS, PEOPLE, NaturalCase, column_of, of_pair
from tests.bench.natural_sets import choose_photos, read_carrier

GLASSES = Attribute("glasses", "glasses", "no glasses", "eyes", 0.65, "glasses before the eyes", "glasses")
# The words that are right for a confounder, by the word of the table of attributes.
RIGHT: Mapping[str, frozenset[str]] = {
    "glasses": frozenset({"glasses"}),
    "hat": frozenset({"headwear"}),
    "blond": frozenset({"blond_hair"}),
    "grey": frozenset({"grey_hair"}),
    "black": frozenset({"black_hair"}),
    "bald": frozenset({"bald"}),
    "beard": frozenset({"beard"}),
    "smiling": frozenset({"smile"}),
    "man": frozenset({"looks_female"}),
    "young": frozenset({"looks_old"}),
}
# What else a label is told by, so that it is no answer to the question what differs besides it.
_OF_LABEL: Mapping[str, frozenset[str]] = {
    "hat": frozenset({"hair"}),
    "bald": frozenset({"hair"}),
    "blond": frozenset({"hair"}),
    "grey": frozenset({"hair"}),
    "black": frozenset({"hair"}),
}
BLACK = (("glasses", "black", 1), ("hat", "black", 1), ("smiling", "black", 1), ("necktie", "black", 0))
FOLDS = 3
_DIFFERS = 0.1


@dataclass(frozen=True)
class Case:
    """A case and what was told of it, largest difference first; ``false``: words of attributes that do not differ."""

    case: NaturalCase
    told: tuple[Difference, ...]
    false: tuple[str, ...]

    def is_right(self, first: int) -> bool:
        """Whether the confounder's word is among the first so many."""
        return any(one.attribute in RIGHT[self.case.cue] for one in self.told[:first])


def main() -> None:
    """Measure, print, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with celeba-dev")
    parser.add_argument("--store", type=Path, required=True, help="where values are kept between runs")
    parser.add_argument("--half", choices=("choose", "quote"), default="choose")
    add_option(parser)
    options = parser.parse_args()
    pool = half_of(read_carrier(options.data / PEOPLE), options.half)
    traits = measured(options.data / PEOPLE, pool["path"].tolist(), options.store)
    cases = [tell(case, pool, traits) for case in cases_of(pool)]
    for one in cases:
        words = ", ".join(
            f"{told.words} {told.n}/{told.of} against {told.n_elsewhere}/{told.of_elsewhere}" for told in one.told
        )
        print(f"{one.case.name}: {words or 'nothing'}{f' (false: {one.false})' if one.false else ''}")
    for row in rows_of(cases):
        print(*row)
    save(options.figures, "words", COLUMNS, rows_of(cases), notes_of(cases))


def half_of(pool: pd.DataFrame, half: str) -> pd.DataFrame:
    """The photographs of one half, by the hash of the path: readers were fitted on ``choose`` alone."""
    odd = [int(hashlib.sha256(path.encode()).hexdigest(), 16) % 2 for path in pool["path"]]
    return pool[np.array(odd) == (half == "quote")].reset_index(drop=True)


def cases_of(pool: pd.DataFrame) -> Iterator[NaturalCase]:
    """A confounded case at 90/10 and its even twin of every pair that the pool has photographs for."""
    for label, cue, lean in (*PAIRS, *BLACK):
        if cue not in RIGHT:
            continue
        try:
            made = list(of_pair(pool, label, cue, lean))
        except ValueError:
            continue
        yield from (case for case in made if case.leaning != "80")


def measured(folder: Path, paths: Sequence[str], store: Path) -> list[Trait]:
    """All attributes and glasses of the photographs, kept in ``store`` under what they were made from."""
    detectors: list[Detector] = [
        EyesDetector(),
        *map(AttributeDetector, [make() for make in (*READERS, *PEOPLE_READERS)]),
    ]
    attributes = [GLASSES, *(one for make in (*READERS, *PEOPLE_READERS) for one in make.attributes)]
    names = ["glasses", *(one.name for one in attributes[1:])]
    key = value_digest([(one.name, one.version) for one in detectors], list(paths))
    kept = store / f"words-{key[:16]}.npz"
    if not kept.exists():
        networks = Networks(cache_folder())
        rows = [_look(detectors, names, folder / path, networks) for path in paths]
        store.mkdir(parents=True, exist_ok=True)
        np.savez(kept, values=np.array([row[0] for row in rows]), shown=np.array([row[1] for row in rows]))
    with np.load(kept) as arrays:
        values, shown = arrays["values"], arrays["shown"]
    return [Trait(one, values[:, place], shown[:, place]) for place, one in enumerate(attributes)]


def _look(
    detectors: Sequence[Detector], names: Sequence[str], path: Path, networks: Networks
) -> tuple[list[float], list[bool]]:
    image = open_photo(path, 100.0)
    image.thumbnail((LONGEST, LONGEST))
    photo = Photo(np.asarray(image), networks, path.name)
    seen = {name: sighting for detector in detectors for name, sighting in detector.detect(photo).items()}
    has_face = seen["eyes"].present
    values = [seen[name].score if name != "glasses" or has_face else float("nan") for name in names]
    return values, [seen[name].present for name in names]


def tell(case: NaturalCase, pool: pd.DataFrame, traits: Sequence[Trait]) -> Case:
    """What is told of a case, the class that the confounder leans to against the other."""
    own = {column_of(name) for name in (case.label, case.cue)}
    further = [name for name in pool.select_dtypes("number") if name not in own]
    named = pool.assign(label=pool[column_of(case.label)], cue=pool[column_of(case.cue)])
    members, _ = choose_photos(case, named[["path", "label", "cue", *further]])
    place = {path: row for row, path in enumerate(pool["path"])}
    rows = np.array([place[path] for path in members["path"]])
    labels = members["label"].to_numpy(int)
    asked = [_of(trait, rows) for trait in traits if not _tells_label(trait.attribute, case.label)]
    groups = np.arange(len(rows))
    folds = assign_folds(labels, groups, [value_digest(path) for path in members["path"]], FOLDS)
    here = labels == case.lean
    told = tuple(differences(asked, here, ~here, groups, folds))
    return Case(case, told, tuple(one.words for one in told if not _differs(one, pool.iloc[rows], here, case)))


def _of(trait: Trait, rows: NDArray[np.integer]) -> Trait:
    return Trait(trait.attribute, trait.values[rows], trait.shown[rows])


def _tells_label(attribute: Attribute, label: str) -> bool:
    return attribute.name in RIGHT.get(label, ()) or attribute.within in _OF_LABEL.get(label, ())


def _differs(told: Difference, members: pd.DataFrame, here: NDArray[np.bool_], case: NaturalCase) -> bool:
    """Whether the listed attribute of a word differs between the classes; words that none lists are not judged."""
    listed = [word for word, names in RIGHT.items() if told.attribute in names]
    if not listed:
        return True
    values = members[column_of(listed[0])].to_numpy(float)
    return listed[0] == case.label or abs(values[here].mean() - values[~here].mean()) >= _DIFFERS


COLUMNS = (
    Column("confounder"),
    Column("its word first", ".2f"),
    Column("among the first three", ".2f"),
    Column("even twins with a wrong word", ".2f"),
)


def rows_of(cases: Sequence[Case]) -> list[tuple[Cell, ...]]:
    """A row for each confounder and one for all."""
    by_cue = {cue: [one for one in cases if one.case.cue == cue] for cue in RIGHT}
    return [_row(cue, of_cue) for cue, of_cue in by_cue.items() if of_cue] + [_row("all", cases)]


def _row(name: str, cases: Sequence[Case]) -> tuple[Cell, ...]:
    leaning = [one for one in cases if not one.case.is_clean]
    clean = [one for one in cases if one.case.is_clean]
    return (
        name,
        _share([one.is_right(1) for one in leaning]),
        _share([one.is_right(3) for one in leaning]),
        _share([bool(one.false) for one in clean]),
    )


def _share(hits: Sequence[bool]) -> Cell:
    low, high = wilson(sum(hits), len(hits))
    return {"count": sum(hits), "of": len(hits), "low": low, "high": high} if hits else None


def notes_of(cases: Sequence[Case]) -> list[str]:
    """How many cases there are, and what was told instead where the right word was not first."""
    leaning = [one for one in cases if not one.case.is_clean]
    missed = [
        f"{one.case.name} ({one.told[0].words if one.told else 'nothing'})" for one in leaning if not one.is_right(1)
    ]
    sizes = sorted(sum(one.case.cells) for one in leaning)
    listed = f"Not first in: {', '.join(missed)}." if missed else "The right word was first in all."
    return [f"{len(leaning)} pairs of {sizes[0]} to {sizes[-1]} photographs, each with its even twin.", listed]


if __name__ == "__main__":
    main()
