"""The natural cases: which photographs of which set, how their label is made, and how far a confounder leans.

A case has two classes, 0 and 1, and a confounder that a photograph has (1) or not (0): four cells. At 90, the
confounder is in 90 % of one class and in 10 % of the other. The even case of the same pair, its clean twin, has it in
the same share of both, as near to a half as the counts allow.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product

import numpy as np
import pandas as pd

from tests.bench.natural_cues import ATTRIBUTES, expected

PEOPLE, MOLES = "celeba-dev", "isic-dev"
# Their classes, and the word for what these are told apart by.
FILE_CARRIERS: Mapping[str, tuple[tuple[str, str], str]] = {
    "cats-dogs": (("cat", "dog"), "animal"),
    "raccoon-kangaroo": (("kangaroo", "raccoon"), "animal"),
    "doctor-nurse": (("doctor", "nurse"), "uniform"),
}
FILE_CUES = ("aspect", "format", "grey scale", "resolution")
ATTRIBUTE, STICKER, FILE, OCCLUDED, NULL = KINDS = ("attribute", "sticker", "file", "occluded", "null")
HALVES = ("choose", "quote")
CELLS = tuple(product((0, 1), (0, 1)))
LEANINGS: Mapping[str, float | None] = {"90": 0.9, "80": 0.8, "even": None}
LEAST_HELD, MOST_HELD = 10, 40
_MOST = (100, 150, 150, 200)
_LEAST_EVEN_SHARE = 0.1

# Label, confounder, and the class that the confounder leans to: 1 has the attribute of the label, 0 lacks it.
PAIRS: tuple[tuple[str, str, int], ...] = (
    ("glasses", "man", 1),
    ("glasses", "young", 0),
    ("glasses", "grey", 0),
    ("glasses", "beard", 0),
    ("glasses", "hat", 0),
    ("glasses", "necktie", 0),
    ("glasses", "smiling", 0),
    ("hat", "man", 1),
    ("hat", "young", 1),
    ("hat", "beard", 0),
    ("hat", "glasses", 0),
    ("hat", "smiling", 0),
    ("blond", "young", 1),
    ("blond", "smiling", 1),
    ("grey", "beard", 0),
    ("grey", "glasses", 0),
    ("grey", "necktie", 0),
    ("grey", "smiling", 0),
    ("bald", "glasses", 0),
    ("bald", "young", 0),
    ("beard", "glasses", 0),
    ("beard", "grey", 0),
    ("beard", "hat", 0),
    ("beard", "necktie", 0),
    ("necktie", "beard", 0),
    ("necktie", "glasses", 0),
    ("necktie", "grey", 0),
    ("necktie", "smiling", 1),
    ("necktie", "young", 1),
    ("smiling", "blond", 1),
    ("smiling", "glasses", 0),
    ("smiling", "grey", 0),
    ("smiling", "hat", 0),
    ("smiling", "man", 1),
    ("smiling", "necktie", 1),
    ("man", "glasses", 1),
    ("young", "glasses", 0),
    ("young", "necktie", 0),
)


@dataclass(frozen=True)
class NaturalCase:
    """One dataset: how many photographs it has of each cell, and how many are ``held`` out of all audits of the pair.

    ``cells`` and ``held`` have the order of CELLS (class, confounder). ``label`` and ``cue`` are words of the table of
    attributes. ``dealt`` is what chance decides instead of a column of the carrier: nothing, the label or the cue.
    """

    name: str
    pair: str
    kind: str
    carrier: str
    classes: tuple[str, str]
    label: str
    cue: str
    leaning: str
    lean: int
    cells: tuple[int, int, int, int]
    held: tuple[int, int, int, int]
    dealt: str = ""
    expected: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether the confounder leans to neither class."""
        return self.leaning == "even"

    @property
    def half(self) -> str:
        """The half that its pair belongs to, whatever other pairs there are."""
        return half_of(self.pair)

    def seed(self, use: str) -> int:
        """A seed of its own for each use; the same for all cases of a pair where ``use`` is about held photographs."""
        return _digest(f"{self.pair if use == 'held' else self.name} {use}")


def half_of(pair: str) -> str:
    """One of HALVES, by the hash of the name alone."""
    return HALVES[_digest(pair) % 2]


def benchmark(people: pd.DataFrame) -> tuple[NaturalCase, ...]:
    """All cases; ``people`` are the photographs of celeba-dev, whose counts decide how large its cases are."""
    made = [case for label, cue, lean in PAIRS for case in of_pair(people, label, cue, lean)]
    return (*made, *_stickers(), *_files(), *_occluded(people), *_nulls())


def choose(cases: Sequence[NaturalCase], half: str, pattern: str = "*") -> list[NaturalCase]:
    """The cases of a half, or of ``all``, whose names match a pattern with wildcards."""
    return [case for case in cases if half in ("all", case.half) and fnmatchcase(case.name, pattern)]


def of_pair(people: pd.DataFrame, label: str, cue: str, lean: int) -> Iterator[NaturalCase]:
    """The cases of one pair of attributes, all of one size. Raises ValueError where the photographs are too few."""
    pair = f"{label}-by-{cue}"
    counts = cell_counts(people, column_of(label), column_of(cue))
    size = min(_MOST[_digest(pair) // 2 % len(_MOST)], *(largest(counts, share, lean) for share in (0.9, 0.8)))
    share = even_share(counts, size)
    if share is None or size < 2 * LEAST_HELD:
        raise ValueError(f"{pair}: too few photographs for an even twin of {size} in each class")
    wanted = {name: cells_of(size, leaning or share, lean, even=leaning is None) for name, leaning in LEANINGS.items()}
    needed = np.max(list(wanted.values()), axis=0)
    held = _four(np.minimum(MOST_HELD, np.array(counts) - needed).tolist())
    about = ATTRIBUTES[label]
    for name, cells in wanted.items():
        yield NaturalCase(
            f"{pair}-{name}", pair, ATTRIBUTE, PEOPLE, (about.absent, about.present), label, cue, name, lean,
            cells, held, expected=expected(cue, label),
        )  # fmt: skip


def cell_counts(pool: pd.DataFrame, label: str, cue: str) -> tuple[int, int, int, int]:
    """How many photographs there are of each cell of two columns of 0 and 1."""
    return _four([int(((pool[label] == y) & (pool[cue] == c)).sum()) for y, c in CELLS])


def cells_of(size: int, share: float, lean: int, even: bool = False) -> tuple[int, int, int, int]:
    """The cells of two classes of ``size`` each: ``share`` of the class that the cue leans to has it.

    Of the other class 1 - ``share`` has it, or, ``even``, the same share.

    >>> cells_of(100, 0.9, lean=1), cells_of(100, 0.9, lean=0), cells_of(100, 0.5, 1, even=True)
    ((90, 10, 10, 90), (10, 90, 90, 10), (50, 50, 50, 50))
    """
    having = [round(size * (share if even or y == lean else 1 - share)) for y in (0, 1)]
    return (size - having[0], having[0], size - having[1], having[1])


def largest(counts: Sequence[int], share: float, lean: int) -> int:
    """The most photographs per class, with LEAST_HELD of each cell left to be held out."""
    of_share = cells_of(1000, share, lean)
    return min(int((have - LEAST_HELD) * 1000 // part) for have, part in zip(counts, of_share, strict=True))


def even_share(counts: Sequence[int], size: int) -> float | None:
    """The share nearest to a half that both classes can have, None where fewer than a tenth would have or lack it."""
    spare = [have - LEAST_HELD for have in counts]
    most, least = min(spare[1], spare[3]) / size, 1 - min(spare[0], spare[2]) / size
    share = min(max(0.5, least), most)
    possible = share >= least and _LEAST_EVEN_SHARE <= share <= 1 - _LEAST_EVEN_SHARE
    return share if possible else None


def column_of(attribute: str) -> str:
    """The column that lists an attribute of a word of the table."""
    return ATTRIBUTES[attribute].column


def _stickers() -> Iterator[NaturalCase]:
    """Moles: the set's own labels, in which only harmless ones have stickers, and labels dealt out among these."""
    own, declared = (MOLES, ("melanoma", "not melanoma"), "mole", "sticker"), expected("sticker", "mole")
    for name, leaning, cells, held in (
        ("own", "own", (150, 0, 180, 70), (0, 0, 0, 0)),
        ("half", "own", (120, 0, 60, 60), (30, 0, 40, 10)),
        ("none", "even", (110, 0, 140, 0), (40, 0, 40, 10)),
    ):
        pair = "stickers-own"
        yield NaturalCase(f"stickers-{name}", pair, STICKER, *own, leaning, 1, cells, held, expected=declared)
    for draw, lean in ((1, 0), (2, 1)):
        pair, dealt = f"stickers-dealt-{draw}", (MOLES, ("first", "second"), "chance", "sticker")
        for name, share in (("90", 0.9), ("80", 0.8), ("even", 0.5)):
            cells = cells_of(60, share, lean, even=name == "even")
            yield NaturalCase(
                f"{pair}-{name}", pair, STICKER, *dealt, name, lean, cells, (20, 10, 20, 0), dealt="label"
            )


def _files() -> Iterator[NaturalCase]:
    """What files are like: every photograph of a carrier exists in both forms, and chance deals them."""
    for carrier, (classes, label) in FILE_CARRIERS.items():
        for place, cue in enumerate(FILE_CUES):
            pair, lean = f"{carrier}-{cue.replace(' ', '-')}", place % 2
            made = (pair, FILE, carrier, classes, label, cue)
            cells, declared = cells_of(100, 0.8, lean), expected(cue, label)
            yield NaturalCase(f"{pair}-80", *made, "80", lean, cells, (25,) * 4, "cue", declared)
        made = (f"{carrier}-files", FILE, carrier, classes, label, "nothing")
        declared = expected("nothing", label)
        yield NaturalCase(f"{carrier}-files-even", *made, "even", 1, (100, 0, 100, 0), (0,) * 4, "cue", declared)


def _occluded(people: pd.DataFrame) -> Iterator[NaturalCase]:
    """Faces of one class occluded more often: the detector of faces fails there."""
    for label, lean in (("hat", 1), ("necktie", 0), ("blond", 1), ("grey", 0)):
        pair, about = f"{label}-by-occluder", ATTRIBUTES[label]
        size = min(100, int(people[column_of(label)].sum()) - MOST_HELD)
        made = (pair, OCCLUDED, PEOPLE, (about.absent, about.present), label, "occluder")
        cells, declared = cells_of(size, 0.8, lean), expected("occluder", label)
        yield NaturalCase(f"{pair}-80", *made, "80", lean, cells, (20,) * 4, "cue", declared)


def _nulls() -> Iterator[NaturalCase]:
    """Parts that all show, and nothing that leans: labels dealt out among people."""
    for draw, size in enumerate((100, 150, 200, 150), 1):
        made = (f"people-dealt-{draw}", NULL, PEOPLE, ("first", "second"), "chance", "nothing")
        yield NaturalCase(f"people-dealt-{draw}-even", *made, "even", 1, (size, 0, size, 0), (0,) * 4, "label")


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def _four(values: Sequence[int]) -> tuple[int, int, int, int]:
    first, second, third, fourth = values
    return first, second, third, fourth
