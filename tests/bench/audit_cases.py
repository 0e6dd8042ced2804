"""The datasets with known truth that whole audits are judged on: which photographs, which mark, on how many of them.

A planted case marks a larger share of one class than of the other. Where the kind is ``gender`` nothing is drawn:
photographs are chosen so that more of one class are men, and the audit is not told who is. A clean case has no
shortcut that we know of: a plain subsample, one whose labels are shuffled, or one with ten times as many of one class.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from audit.selfaudit.marks import (
    Bar,
    Caption,
    Frame,
    Letterbox,
    Logo,
    Mark,
    SoftBackground,
    Sticker,
    Tag,
    Tint,
    Watermark,
)

CLASSES = {
    "cats-dogs": ("cat", "dog"),
    "raccoon-kangaroo": ("kangaroo", "raccoon"),
    "doctor-nurse": ("doctor", "nurse"),
}
CATS, COONS, PEOPLE = CLASSES
# Doctors' coats and nurses' tunics are what the task is about; an owner would say so.
EXPECTED = {PEOPLE: ["clothing"]}
GENDER, PLAIN, PERMUTED, IMBALANCED = "gender", "plain", "permuted", "imbalanced"
KINDS = ("text", "sticker", "border", "logo", "tint", "soft background", GENDER)
CLEAN = (PLAIN, PERMUTED, IMBALANCED)
PAIRS = (95, 90, 80, 70, 60)
_SHORT = {CATS: "cd", COONS: "rk", PEOPLE: "dn"}


@dataclass(frozen=True)
class Case:
    """One dataset. ``sizes`` are its images by class, in the order of the carrier's classes.

    Of the class ``leaning`` the first of ``shares`` is marked (of kind ``gender``: is male), of the other class the
    second; all empty in clean cases. Marks are alike in all photographs, or, where ``varied``, drawn anew for each.
    """

    name: str
    kind: str
    carrier: str
    sizes: tuple[int, int]
    mark: Mark | None = None
    leaning: str = ""
    shares: tuple[float, float] = (0.0, 0.0)
    varied: bool = False
    seed: int = 0

    @property
    def classes(self) -> tuple[str, str]:
        """Its labels."""
        return CLASSES[self.carrier]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is planted."""
        return not self.leaning

    @property
    def pair(self) -> int:
        """The larger share in per cent; 0 in a clean case."""
        return round(100 * self.shares[0])

    @property
    def marked(self) -> dict[str, int]:
        """How many photographs of each class are to be marked, or are to show men."""
        if self.is_clean:
            return dict.fromkeys(self.classes, 0)
        share = {label: self.shares[label != self.leaning] for label in self.classes}
        return {label: round(share[label] * size) for label, size in zip(self.classes, self.sizes, strict=True)}


@dataclass(frozen=True)
class _Row:
    """What the table below says of a planted case; ``n`` images per class, ``pair`` per cent of them marked."""

    pair: int
    carrier: str
    leaning: str
    n: int
    mark: Mark | None = None
    varied: bool = field(default=False, kw_only=True)


_PLANTED: dict[str, tuple[_Row, ...]] = {
    "text": (
        _Row(95, CATS, "dog", 100, Caption()),
        _Row(90, COONS, "raccoon", 100, Tag(0.07)),
        _Row(90, PEOPLE, "nurse", 100, Caption(0.08), varied=True),
        _Row(80, CATS, "cat", 120, Watermark(), varied=True),
        _Row(80, PEOPLE, "doctor", 150, Tag()),
        _Row(70, COONS, "kangaroo", 150, Caption()),
        _Row(60, CATS, "cat", 100, Tag(0.08), varied=True),
    ),
    "sticker": (
        _Row(95, PEOPLE, "doctor", 50, Sticker()),
        _Row(90, CATS, "cat", 100, Sticker(), varied=True),
        _Row(90, COONS, "kangaroo", 100, Sticker(0.2)),
        _Row(80, COONS, "raccoon", 120, Sticker(), varied=True),
        _Row(80, CATS, "dog", 150, Sticker(0.12)),
        _Row(70, PEOPLE, "nurse", 200, Sticker(0.18), varied=True),
        _Row(60, COONS, "kangaroo", 100, Sticker()),
    ),
    "border": (
        _Row(95, COONS, "raccoon", 50, Letterbox(0.08)),
        _Row(90, PEOPLE, "nurse", 100, Frame(0.04)),
        _Row(90, CATS, "dog", 100, Bar(0.06), varied=True),
        _Row(80, CATS, "cat", 150, Letterbox()),
        _Row(80, COONS, "kangaroo", 100, Frame(0.03, (0, 0, 0))),
        _Row(70, PEOPLE, "doctor", 300, Letterbox(0.08)),
        _Row(60, PEOPLE, "nurse", 100, Bar(), varied=True),
    ),
    "logo": (
        _Row(95, CATS, "cat", 100, Logo()),
        _Row(90, PEOPLE, "doctor", 100, Logo(0.18, 0.35, (0, 0))),
        _Row(90, COONS, "raccoon", 100, Logo(0.2, 0.5, (1, 0))),
        _Row(80, COONS, "kangaroo", 150, Logo(0.22)),
        _Row(80, CATS, "dog", 150, Logo(0.18, 0.5, (0, 1))),
        _Row(70, CATS, "dog", 150, Logo(0.22, 0.5)),
        _Row(60, PEOPLE, "nurse", 100, Logo(0.2)),
    ),
    "tint": (
        _Row(95, CATS, "dog", 100, Tint(0.25)),
        _Row(90, PEOPLE, "nurse", 100, Tint()),
        _Row(80, COONS, "raccoon", 120, Tint(0.25)),
        _Row(80, CATS, "cat", 200, Tint(0.4)),
        _Row(70, COONS, "kangaroo", 150, Tint(0.4)),
        _Row(60, PEOPLE, "doctor", 100, Tint()),
    ),
    "soft background": (
        _Row(95, COONS, "kangaroo", 60, SoftBackground()),
        _Row(90, CATS, "cat", 100, SoftBackground()),
        _Row(80, PEOPLE, "doctor", 150, SoftBackground()),
        _Row(80, COONS, "raccoon", 150, SoftBackground(0.4, 0.03)),
        _Row(70, CATS, "dog", 200, SoftBackground()),
        _Row(60, CATS, "cat", 100, SoftBackground()),
    ),
    GENDER: (
        _Row(95, PEOPLE, "doctor", 100),
        _Row(90, PEOPLE, "nurse", 150),
        _Row(90, PEOPLE, "doctor", 200),
        _Row(80, PEOPLE, "nurse", 100),
        _Row(80, PEOPLE, "doctor", 200),
        _Row(70, PEOPLE, "doctor", 250),
        _Row(60, PEOPLE, "nurse", 100),
    ),
}
_CLEAN = (
    (PLAIN, CATS, (100, 100), 1),
    (PLAIN, CATS, (200, 200), 2),
    (PLAIN, COONS, (100, 100), 3),
    (PLAIN, COONS, (155, 155), 4),
    (PLAIN, PEOPLE, (100, 100), 5),
    (PLAIN, PEOPLE, (200, 200), 6),
    (PERMUTED, CATS, (100, 100), 7),
    (PERMUTED, CATS, (150, 150), 8),
    (PERMUTED, COONS, (100, 100), 9),
    (PERMUTED, PEOPLE, (100, 100), 10),
    (PERMUTED, PEOPLE, (150, 150), 11),
    (IMBALANCED, CATS, (180, 20), 12),
    (IMBALANCED, COONS, (17, 153), 13),
    (IMBALANCED, PEOPLE, (270, 30), 14),
)
_DRAWS = 10
# Per cent of doctors and of nurses who are men in Selvaraju et al., IJCV 2019, section 6.3, in 190 photographs each.
_PAPERS_SHARES, _PAPERS_SIZE = (0.78, 0.07), 190


def benchmark(draw: int = 1) -> tuple[Case, ...]:
    """All cases, in a fixed order.

    A second ``draw`` has the same rows with other photographs and other marks, leaning towards the other class wherever
    the photographs suffice for that: where rules were changed after one draw was judged, the next one judges them.
    """
    planted = [_planted(kind, row, draw) for kind, rows in _PLANTED.items() for row in rows]
    clean = [
        Case(
            _named(f"{kind}-{_SHORT[carrier]}-{sum(sizes)}-{seed}", draw),
            kind,
            carrier,
            sizes if draw % 2 else sizes[::-1],
            seed=_seed(seed, draw),
        )
        for kind, carrier, sizes, seed in _CLEAN
    ]
    return (*planted, *clean)


def subsamples(draw: int = 1) -> tuple[Case, ...]:
    """Ten draws of doctors and nurses at the paper's bias, and ten with as many men as women in both.

    Every ``draw`` of all twenty has other photographs.
    """
    sizes, numbers = (_PAPERS_SIZE, _PAPERS_SIZE), range(_DRAWS)
    biased = [
        Case(
            _named(f"biased-{number}", draw),
            GENDER,
            PEOPLE,
            sizes,
            leaning="doctor",
            shares=_PAPERS_SHARES,
            seed=100 * draw + number,
        )
        for number in numbers
    ]
    balanced = [
        Case(_named(f"balanced-{number}", draw), PLAIN, PEOPLE, sizes, seed=100 * draw + number) for number in numbers
    ]
    return (*biased, *balanced)


def choose(cases: Sequence[Case], half: str) -> list[Case]:
    """The cases of one ``half``: "tune", on which thresholds may be chosen, "quote", on which they are judged, or all.

    The cases of every kind, in the order of their pairs, fall into the halves by turns; kinds begin with one half or
    the other by turns, too, so that both halves have nearly equal numbers of every kind and of every pair.
    """
    turns = {kind: [case for case in cases if case.kind == kind] for kind in (*KINDS, *CLEAN)}
    return [
        case
        for offset, of_kind in enumerate(turns.values())
        for place, case in enumerate(of_kind)
        if half == "all" or (half == "tune") == ((place + offset) % 2 == 0)
    ]


def _planted(kind: str, row: _Row, draw: int) -> Case:
    # There are too few men among the nurses to turn every case of that kind around.
    turned = draw % 2 == 0 and kind != GENDER
    leaning = next(label for label in CLASSES[row.carrier] if (label == row.leaning) != turned)
    name = _named(f"{kind.split()[0]}-{row.pair}-{_SHORT[row.carrier]}-{leaning}-{2 * row.n}", draw)
    shares, seed = (row.pair / 100, 1 - row.pair / 100), _seed(row.pair + row.n, draw)
    return Case(name, kind, row.carrier, (row.n, row.n), row.mark, leaning, shares, row.varied, seed)


def _named(name: str, draw: int) -> str:
    return name if draw == 1 else f"{name}-draw-{draw}"


def _seed(seed: int, draw: int) -> int:
    return seed + 1000 * (draw - 1)
