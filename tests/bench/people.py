"""How often apparent gender and age are right, and of whom: `python -m tests.bench.people --data ../shared/data`.

Alignment, limits and the age that counts as old were chosen on the photographs whose path has an even SHA-256; the
others are asked here. Truth is what people wrote down: the gender and skin of doctors and nurses, and whether a
celebrity is a man and young. With ``--accuracy audit/attributes/people/apparent_accuracy.json`` what a report prints
is written.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from audit.attributes.attribute import UNKNOWN
from audit.attributes.people.apparent import LOOKS_FEMALE, LOOKS_OLD, ApparentReader
from audit.attributes.people.apparent_accuracy import LEAST_RIGHT, GroupAccuracy
from audit.config import model_folder
from audit.data.decode import open_photo
from audit.detectors.photo import LONGEST, Networks, Photo
from audit.measures.intervals import share_interval
from audit.store.model_files import require
from tests.bench.figures import Cell, Column, add_option, save, table_lines

DOCTORS, CELEBRITIES = "doctor-nurse", "celeba-dev"
WORDS = {DOCTORS: "stock photographs of doctors and nurses", CELEBRITIES: "photographs of celebrities, 89 pixels wide"}
ALL = "all"
_LEAST_RIGHT_OF_ALL = 0.93
_MOST_MS, _TIMED, _REPEATS = 4.0, 41, 20
COLUMNS = (
    *map(Column, ("takes people for", "photographs", "of")),
    Column("right", ".3f"),
    *map(Column, ("cannot tell", "bar", "met")),
)
TITLES = {LOOKS_FEMALE.name: "a woman or a man", LOOKS_OLD.name: f"{LOOKS_OLD.shown_from:g} or older, or younger"}


def is_quoted(path: str) -> bool:
    """Whether a photograph belongs to the half that nothing was chosen on."""
    return int(hashlib.sha256(path.encode()).hexdigest(), 16) % 2 == 1


def measured_rows(
    attribute: str, photographs: str, values: pd.Series, limit: float, truth: pd.Series, people: pd.DataFrame
) -> Iterator[GroupAccuracy]:
    """The accuracy for all and for every group of ``people`` (columns group and copies, numbers of duplicate groups).

    ``values`` are NaN where it could not be told; the attribute is said of a photograph from ``limit`` on.
    """
    known, right = values.notna(), (values >= limit) == truth
    for group in (ALL, *sorted(people["group"].unique())):
        among = known if group == ALL else known & (people["group"] == group)
        asked = len(people) if group == ALL else int((people["group"] == group).sum())
        low, high = share_interval(right[among].to_numpy(bool), people["copies"][among].to_numpy())
        of = int(among.sum())
        yield GroupAccuracy(attribute, photographs, group, int(right[among].sum()), of, low, high, asked - of)


def line(found: GroupAccuracy) -> tuple[Cell, ...]:
    """A row of the table. Bars stand where the project set itself one: the gender of doctors and nurses."""
    has_bar = found.attribute == LOOKS_FEMALE.name and found.photographs == WORDS[DOCTORS]
    bar = _LEAST_RIGHT_OF_ALL if found.group == ALL else LEAST_RIGHT
    met = "yes" if found.right >= bar * found.of else "**no**"
    right = {"count": found.right, "of": found.of, "low": found.low, "high": found.high}
    named = (TITLES[found.attribute], found.photographs, found.group)
    return *named, right, found.untold, f"≥ {bar:g}" if has_bar else "", met if has_bar else ""


def ask(folder: Path, paths: pd.Series) -> pd.DataFrame:
    """What is measured on the photographs of a set, a column per attribute, NaN where it cannot be told."""
    networks, reader = Networks(model_folder()), ApparentReader()
    columns = [one.name for one in reader.attributes]
    measured = (reader.measure(_open(folder / path, networks)) for path in paths)
    rows = [{name: values.get(name, UNKNOWN) for name in columns} for values in measured]
    return pd.DataFrame(rows, index=paths.index)


def milliseconds(folder: Path) -> Iterator[float]:
    """Processor time for some of a set's photographs beyond the search for the face: the fastest of several times."""
    networks, reader = Networks(model_folder()), ApparentReader()
    paths = _quoted(folder)["path"]
    for path in paths[:: -(-len(paths) // _TIMED)]:
        photo = _open(folder / path, networks)
        if reader.measure(photo):  # from now on the face is known, and the networks are loaded
            yield min(_clocked(reader, photo) for _ in range(_REPEATS))


def _clocked(reader: ApparentReader, photo: Photo) -> float:
    before = time.thread_time()
    reader.measure(photo)
    return 1000 * (time.thread_time() - before)


def doctors(folder: Path) -> list[GroupAccuracy]:
    """Apparent gender by skin and gender."""
    table = _quoted(folder)
    plural = {"female": "women", "male": "men"}
    people = pd.DataFrame({"group": table["skin"] + " " + table["gender"].map(plural), "copies": _copies(table)})
    values = ask(folder, table["path"])[LOOKS_FEMALE.name]
    rows = measured_rows(
        LOOKS_FEMALE.name,
        WORDS[DOCTORS],
        values,
        LOOKS_FEMALE.shown_from,
        table["gender"] == "female",
        people,
    )
    return list(rows)


def celebrities(folder: Path) -> list[GroupAccuracy]:
    """Apparent gender and age by gender and age."""
    table = _quoted(folder)
    is_man, is_young = table["Male"] == 1, table["Young"] == 1
    ages, genders = is_young.map({True: "young ", False: "older "}), is_man.map({True: "men", False: "women"})
    people = pd.DataFrame({"group": ages + genders, "copies": np.arange(len(table))}, index=table.index)
    values = ask(folder, table["path"])
    rows: list[GroupAccuracy] = []
    for one, truth in ((LOOKS_FEMALE, ~is_man), (LOOKS_OLD, ~is_young)):
        rows += measured_rows(one.name, WORDS[CELEBRITIES], values[one.name], one.shown_from, truth, people)
    return rows


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets")
    parser.add_argument("--accuracy", type=Path, metavar="FILE", help="write what reports print there as well")
    add_option(parser)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for model in ApparentReader.models:
        require(model_folder(), model.name)
    found = [*doctors(options.data / DOCTORS), *celebrities(options.data / CELEBRITIES)]
    lines, notes = [line(one) for one in found], (*NOTES, _cost(list(milliseconds(options.data / DOCTORS))))
    print(*table_lines(COLUMNS, lines), *notes, sep="\n")
    save(options.figures, "people", COLUMNS, lines, notes)
    if options.accuracy:
        options.accuracy.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n", "utf-8")


NOTES = (
    "Half of each set, parted by the SHA-256 of the paths; alignment and limits were chosen on the other half.",
    "Truth is what people wrote down of the photographs, which is an appearance as well. Years were not checked: older "
    "are celebrities whom people did not call young.",
    "It cannot be told where no face is found, the face mesh hardly fits, or the eyes are less than 12 pixels apart.",
)


def _cost(times: Sequence[float]) -> str:
    middle = float(np.median(times))
    met = "met" if middle <= _MOST_MS else "not met"
    return (
        f"Beyond the search for the face a photograph costs {middle:.1f} ms of processor time: the median of "
        f"{len(times)}, each the fastest of {_REPEATS} times (bar: at most {_MOST_MS:g} ms, {met})."
    )


def _open(path: Path, networks: Networks) -> Photo:
    return Photo(np.asarray(open_photo(path, longest=LONGEST)), networks)


def _quoted(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / "index.csv")
    return table[table["path"].map(is_quoted)].reset_index(drop=True)


def _copies(table: pd.DataFrame) -> pd.Series:
    """The number of each photograph's duplicate group; one without a group is a group of its own."""
    names = table["dup_group"].astype(object).where(table["dup_group"].notna(), table["path"])
    return pd.Series(pd.factorize(names)[0], index=table.index)


if __name__ == "__main__":
    main()
