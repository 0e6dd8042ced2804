"""Whether an audit found what was planted: every finding beside the truth, and what follows for the case.

A finding is of the planted cue if it names it, or if it agrees with it: its cue is present where the mark is
(``agreement`` of at least 0.5), or lies where the mark lies and is at least somewhat more present with it (``located``
at least 0.5, ``agreement`` 0.2, and the cue takes no more than 15 % of the picture or overlaps with the mark by 0.2).
It names the right class if that is the one with more marks. Where more than 90 % of the photographs of both classes
show the cue, it leans by what it looks like, towards both classes, and either is right; so it is with men and women,
each class having more of one. A cue of the other class that is present where the mark is not (agreement of at most
-0.5) is the mark's mirror image: neither right nor an alarm, and it takes no rank.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.cam.regions import cover
from audit.cues.cue_table import CueTable, load_cues
from audit.data.dataset import Dataset, load_dataset
from audit.detectors.cue import GRID, Cue
from audit.explain.read_maps import read_maps
from audit.findings.severity import FLAGGED, ORDER
from audit.store.audit_folder import AuditFolder, read_json, read_table
from tests.bench.audit_cases import GENDER, Case
from tests.bench.audit_sets import Truth

# The cues that name a kind of mark. A logo's is named after its place: only agreement counts.
NAMES: Mapping[str, frozenset[str]] = {
    "text": frozenset({"text"}),
    "sticker": frozenset({"patch"}),
    "border": frozenset({"border"}),
    "logo": frozenset(),
    "tint": frozenset({"background"}),
    "soft background": frozenset({"background"}),
    GENDER: frozenset({"face", "hair", "eyes", "glasses", "skin"}),
}
LEAST_AGREEMENT, SOME_AGREEMENT = 0.5, 0.2
LEAST_LOCATED, LEAST_OVERLAP, SMALL_CUE = 0.5, 0.2, 0.15
# A mark that covers more of the picture is everywhere: no place can point at it.
_EVERYWHERE_AREA = 0.3
_EVERYWHERE = 0.9
_ONE_CELL = np.ones((2 * GRID // 14 + 1,) * 2, np.uint8)
_FIGURES = ("value", "low", "high", "p_adjusted", "n")
_FURTHER = ("difference", "difference_low", "above_control", "above_control_low")


@dataclass(frozen=True)
class Match:
    """A finding beside the truth; ``rank`` 1 is the first of the audit, mirror images of the mark left out.

    ``agreement`` is how much more often the cue is present with the mark than without it, within the classes;
    ``located`` is the share of photographs in which the mark and the cue meet, ``overlap`` the mean of their
    intersection over union and ``area`` that of the cue's share of the picture, all over the marked photographs of the
    leaning class that show the cue; None where that cannot be said.
    """

    rank: int
    cue: str
    kind: str
    label: str
    severity: str
    data: str
    model: str
    figures: Mapping[str, Mapping[str, Any]]
    names_it: bool = False
    agreement: float | None = None
    overlap: float | None = None
    located: float | None = None
    area: float | None = None
    right_class: bool = False

    @property
    def is_of_the_mark(self) -> bool:
        """Whether it is about what was planted, whichever class it names."""
        agreement = -1.0 if self.agreement is None else self.agreement
        return self.names_it or agreement >= LEAST_AGREEMENT or (agreement >= SOME_AGREEMENT and self._is_in_place)

    @property
    def _is_in_place(self) -> bool:
        if self.located is None or self.area is None or self.overlap is None:
            return False
        return self.located >= LEAST_LOCATED and (self.area <= SMALL_CUE or self.overlap >= LEAST_OVERLAP)

    @property
    def is_mirror(self) -> bool:
        """Whether it is what the other class shows instead of the mark."""
        return self.agreement is not None and self.agreement <= -LEAST_AGREEMENT and not self.right_class

    @property
    def is_right(self) -> bool:
        """The right cue in the right class."""
        return self.is_of_the_mark and self.right_class


@dataclass(frozen=True)
class Score:
    """What became of a case.

    ``rank`` is that of the first right finding and ``verdict`` the gravest severity of right ones ("nothing said"
    where there is none). ``pointing`` is the share of marked photographs of the leaning class on whose map the
    strongest cell touches the mark, ``located`` that of the first right finding's cue. ``highs`` and ``mediums`` are
    the flagged cues that are not of the mark.
    """

    found: bool
    rank: int | None
    verdict: str
    pointing: float | None
    located: float | None
    overlap: float | None
    highs: tuple[str, ...]
    mediums: tuple[str, ...]


def compare(folder: AuditFolder, case: Case, truth: Truth) -> list[Match]:
    """All findings of a finished audit beside the truth, in their order."""
    scene = _Scene(load_dataset(folder), load_cues(folder), case, truth)
    return ranked([scene.match(finding) for finding in read_json(folder.findings)])


def ranked(matches: Sequence[Match]) -> list[Match]:
    """The same, in this order, with the rank of each: one more than that of the last before it that is no mirror."""
    ranks = 1 + np.cumsum([0, *(not match.is_mirror for match in matches)])
    return [replace(match, rank=int(rank)) for match, rank in zip(matches, ranks, strict=False)]


def score(matches: Sequence[Match], pointing: float | None) -> Score:
    """The score of a case, given its findings and the share of maps that point at the mark."""
    right = [match for match in matches if match.is_right]
    verdict = min((match.severity for match in right), key=lambda name: ORDER.index(name), default="nothing said")
    first = right[0] if right else None
    others = [match for match in matches if not (match.is_of_the_mark or match.is_mirror)]
    return Score(
        found=verdict in FLAGGED,
        rank=first.rank if first else None,
        verdict=verdict,
        pointing=pointing,
        located=first.located if first else None,
        overlap=first.overlap if first else None,
        highs=tuple(match.cue for match in others if match.severity == "high"),
        mediums=tuple(match.cue for match in others if match.severity == "medium"),
    )


def pointing(folder: AuditFolder, case: Case, truth: Truth) -> float | None:
    """Share of the marked photographs of the leaning class on whose label's map the strongest cell touches the mark.

    None where nothing was drawn or the mark is everywhere. A map without any positive value points nowhere.
    """
    dataset = load_dataset(folder)
    images, covers = _marked(dataset, case, truth)
    if not len(images) or covers.mean() >= _EVERYWHERE_AREA:
        return None
    maps = read_maps(folder, images)
    touched = cover(covers > 0, maps.shape[1:]).reshape(len(images), -1) > 0
    peaks = maps.reshape(len(images), -1).argmax(1)
    return float((touched[np.arange(len(images)), peaks] & (maps.max((1, 2)) > 0)).mean())


def overlaps(covers: NDArray[np.floating], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Intersection over union of marks (n, h, w), shares of each cell, with masks (n, h, w): (n,), 0..1."""
    both, either = np.minimum(covers, masks).sum((1, 2)), np.maximum(covers, masks).sum((1, 2))
    return both / np.maximum(either, 1e-9)


def meet(covers: NDArray[np.floating], masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether marks and masks (n, GRID, GRID), none empty, have half of the smaller of both in common: (n,).

    Marks are grown by one cell of VGG-16's maps on each side: no map places anything more finely.
    """
    grown = np.array([cv2.dilate((one > 0).astype(np.uint8), _ONE_CELL) for one in covers])
    smaller = np.minimum(grown.sum((1, 2)), masks.sum((1, 2)))
    return (grown & masks).sum((1, 2)) >= 0.5 * smaller


def agreement(present: NDArray[np.bool_], marked: NDArray[np.bool_], labels: NDArray[np.int64]) -> float | None:
    """Share of marked images that show a cue less that of unmarked ones, -1..1, within the classes; all of shape (n,).

    Whatever tells the classes apart goes along with a mark that does, too. So they are compared class by class, and the
    differences averaged with the weights of Mantel and Haenszel; None where no class has marked and unmarked images.
    """
    differences, weights = [], []
    for label in np.unique(labels):
        with_mark, without = (present[(labels == label) & (marked == side)] for side in (True, False))
        if len(with_mark) and len(without):
            differences.append(with_mark.mean() - without.mean())
            weights.append(len(with_mark) * len(without) / (len(with_mark) + len(without)))
    return float(np.average(differences, weights=weights)) if weights else None


def about(folder: AuditFolder) -> dict[str, Any]:
    """What else explains a score: the accuracy of the model and whether the maps passed their checks."""
    correct = read_table(folder.predictions)["correct"]
    return {"accuracy": float(correct.mean()), "trusted": bool(read_json(folder.sanity)["trusted"])}


def as_json(matches: Sequence[Match]) -> list[dict[str, Any]]:
    """Matches as plain values."""
    return [
        asdict(match) | {"of_the_mark": match.is_of_the_mark, "right": match.is_right, "mirror": match.is_mirror}
        for match in matches
    ]


def _marked(dataset: Dataset, case: Case, truth: Truth) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The marked images of the leaning class, and what the mark covers of each, (n, GRID, GRID)."""
    rows = enumerate(zip(dataset.images["path"], dataset.images["label"], strict=True))
    images = [number for number, (path, label) in rows if label == case.leaning and path in truth.cover]
    covers = [truth.cover[str(dataset.images["path"].iloc[image])] for image in images]
    return np.array(images, np.int64), np.array(covers, np.float32)


class _Scene:
    """Puts findings beside the truth."""

    def __init__(self, dataset: Dataset, cues: CueTable, case: Case, truth: Truth) -> None:
        self.dataset, self.cues, self.case = dataset, cues, case
        self.marked = np.array([truth.marked[path] for path in dataset.images["path"]], bool)
        self.images, self.covers = _marked(dataset, case, truth)

    def match(self, finding: Mapping[str, Any]) -> Match:
        """One finding, an entry of findings.json, beside the truth; in a clean case nothing is right."""
        cue, label = self.cues.named(finding["cue"]), finding["class"]
        stated = (finding[key] for key in ("severity", "in_data", "in_model"))
        match = Match(0, cue.name, cue.kind, label, *stated, _figures(finding))
        if self.case.is_clean:
            return match
        names = NAMES[self.case.kind]
        right_class = label == self.case.leaning or self.case.kind == GENDER or self._is_everywhere(cue)
        known = self.cues.known(cue)
        return replace(
            match,
            names_it=cue.name in names or cue.within in names,
            agreement=agreement(self.cues.present(cue)[known], self.marked[known], self.dataset.labels[known]),
            right_class=right_class,
            **self._place(cue),
        )

    def _is_everywhere(self, cue: Cue) -> bool:
        present, labels = self.cues.present(cue), self.dataset.labels
        return all(present[labels == label].mean() > _EVERYWHERE for label in range(len(self.dataset.classes)))

    def _place(self, cue: Cue) -> dict[str, float]:
        shown = self.cues.present(cue)[self.images]
        if not cue.has_place or not shown.any():
            return {}
        covers, masks = self.covers[shown], self.cues.masks(cue, self.images[shown])
        means = {"overlap": float(overlaps(covers, masks).mean()), "area": float(masks.mean())}
        return {"located": float(meet(covers, masks).mean()), **means}


def _figures(finding: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    kept = (*_FIGURES, *_FURTHER)
    return {kind: {key: of[key] for key in kept if key in of} for kind, of in finding["evidence"].items()}
