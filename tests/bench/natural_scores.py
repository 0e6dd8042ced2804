"""Every finding of a natural audit beside the truth, and what follows for the case.

A finding is **right** if it names the confounder (tests/bench/natural_cues.py), or is a look of what names it; a
cluster, if it lies on that, or if it is present where the confounder is. It is **of the task** if it names what
the label is about or what surrounds that. It is a **consequence** if the confounder changes it as well, or is present
along with it within the classes more or less often than by chance, or if it names something else that happens to lean
in this case, or if labels were dealt by chance, so that nothing but the confounder can lean. Else it is **false**. What
a finding is explained by, if audits say so, takes its place: a finding that has a cause is not open.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from audit.cues.cue_table import CueTable, load_cues
from audit.data.dataset import load_dataset
from audit.detectors.cue import Cue
from audit.findings.severity import FLAGGED, ORDER
from audit.store.audit_folder import AuditFolder, read_json
from tests.bench.audit_scores import LEAST_AGREEMENT, LEAST_LOCATED, SOME_AGREEMENT, agreement
from tests.bench.natural_cases import OCCLUDED, STICKER, NaturalCase
from tests.bench.natural_cues import ATTRIBUTES, FURTHER, KINDS, right_names
from tests.bench.natural_sets import Drawn
from tests.bench.natural_truth import Gap, gap_of

Place = Literal["right", "task", "consequence", "false"]
LEANS_FROM, CHANCE = 0.15, 0.01
_RISING = ("not said", "none", "unknown", "weak", "strong")
_FIGURES = ("value", "low", "high", "p_adjusted", "n", "difference", "elsewhere", "above_control")


@dataclass(frozen=True)
class Stated:
    """A finding, with how it compares to the truth.

    ``agreement`` is how much more often the cue is present where the confounder is, within the classes, and ``chance``
    the p-value of that; None where they cannot be said. ``inside`` is, of a cluster, the mean share of it that lies in
    each detected cue.
    """

    cue: str
    within: str
    kind: str
    label: str
    severity: str
    data: str
    model: str
    explained: bool
    agreement: float | None
    chance: float | None
    inside: Mapping[str, float]
    figures: Mapping[str, Mapping[str, Any]]

    @property
    def is_flagged(self) -> bool:
        """Whether it is medium or high."""
        return self.severity in FLAGGED

    @property
    def is_open(self) -> bool:
        """Whether it is flagged and no other finding is said to be its cause."""
        return self.is_flagged and not self.explained

    def lies_on(self, names: frozenset[str]) -> bool:
        """Whether it is one of these cues, or a look of one, or a cluster that mostly lies on one."""
        by_name = (self.within if self.kind == "appearance" else self.cue) in names
        return by_name or max((self.inside.get(name, 0.0) for name in names), default=0.0) >= LEAST_LOCATED


@dataclass(frozen=True)
class NaturalScore:
    """What became of a case.

    ``found``: a right finding is flagged; None in clean cases. ``verdict`` is the gravest of right findings, ``rank``
    the place of the first that is flagged among flagged ones that are not of the task. ``right``, ``false``,
    ``consequences`` and ``of_task`` are the cues of open findings, each once; ``highs`` and ``mediums`` those that are
    false, by their gravest verdict. ``said`` is what is said of the model and the confounder, ``truth`` what held
    photographs show.
    """

    found: bool | None
    verdict: str
    rank: int | None
    right: tuple[str, ...]
    false: tuple[str, ...]
    consequences: tuple[str, ...]
    of_task: tuple[str, ...]
    highs: tuple[str, ...]
    mediums: tuple[str, ...]
    said: str
    truth: Gap | None

    @property
    def open(self) -> tuple[str, ...]:
        """The cues of all open findings: what a reader has to look at."""
        return (*self.right, *self.false, *self.consequences, *self.of_task)


def score(
    case: NaturalCase, findings: Sequence[Stated], leaning: Mapping[str, float], held: Mapping[str, list[int]]
) -> NaturalScore:
    """The score of a case: its findings in their order, what else leans, and the answers on held photographs."""
    places = [place_of(case, one, leaning) for one in findings]
    by_place: dict[Place, list[Stated]] = {"right": [], "task": [], "consequence": [], "false": []}
    for place, one in zip(places, findings, strict=True):
        by_place[place].append(one)
    grave = {one.cue: one.severity for one in reversed(by_place["false"]) if one.is_open}
    right = by_place["right"]
    ranked = [place for place, one in zip(places, findings, strict=True) if one.is_flagged and place != "task"]
    return NaturalScore(
        found=None if case.is_clean else any(one.is_flagged for one in right),
        verdict=min((one.severity for one in right), key=ORDER.index, default="not said"),
        rank=ranked.index("right") + 1 if "right" in ranked else None,
        right=_open(right),
        false=_open(by_place["false"]),
        consequences=_open(by_place["consequence"]),
        of_task=_open(by_place["task"]),
        highs=tuple(cue for cue, severity in grave.items() if severity == "high"),
        mediums=tuple(cue for cue, severity in grave.items() if severity == "medium"),
        said=max((one.model for one in right), key=_RISING.index, default="not said"),
        truth=gap_of(held),
    )


def place_of(case: NaturalCase, finding: Stated, leaning: Mapping[str, float]) -> Place:
    """Where a finding belongs; ``leaning`` is how much more often class 1 has each further attribute than class 0."""
    cue, label = ATTRIBUTES[case.cue], ATTRIBUTES.get(case.label)
    if not case.is_clean and _is_right(case, finding):
        leans_there = case.kind not in (STICKER, OCCLUDED) or finding.label == case.classes[case.lean]
        return "right" if leans_there else "consequence"
    if label and finding.lies_on(label.names | label.around):
        return "task"
    if not case.is_clean and (_all_follows(case) or finding.lies_on(cue.names | cue.around) or _goes_along(finding)):
        return "consequence"
    further = frozenset[str]().union(
        *(FURTHER.get(name, frozenset()) for name, difference in leaning.items() if abs(difference) >= LEANS_FROM)
    )
    return "consequence" if finding.lies_on(further) else "false"


def compare(folder: AuditFolder, case: NaturalCase, drawn: Drawn) -> list[Stated]:
    """All findings of a finished audit beside the truth, in their order."""
    dataset, cues = load_dataset(folder), load_cues(folder)
    having = dict(zip(drawn.members["path"], drawn.members["cue"] == 1, strict=True))
    marked = np.array([having[path] for path in dataset.images["path"]], bool)
    stated = []
    for finding in read_json(folder.findings):
        cue = next((one for one in cues.cues if one.name == finding["cue"]), None)
        # Cues of the file have no row among those that a picture shows.
        known = np.zeros(len(marked), bool) if cue is None else cues.known(cue)
        present = known if cue is None else cues.present(cue)
        stated.append(
            Stated(
                cue=finding["cue"],
                within=cue.within if cue else "",
                kind=finding["cue_kind"],
                label=finding["class"],
                severity=finding["severity"],
                data=finding["in_data"],
                model=finding["in_model"],
                explained=bool(finding.get("explained_by")),
                agreement=agreement(present[known], marked[known], dataset.labels[known]),
                chance=chance(present[known], marked[known], dataset.labels[known]),
                inside=_inside(cues, cue) if cue and cue.kind == "cluster" else {},
                figures=_figures(finding),
            )
        )
    return stated


def chance(present: NDArray[np.bool_], marked: NDArray[np.bool_], labels: NDArray[np.int64]) -> float | None:
    """The p-value of a cue going along with the confounder within the classes, all of shape (n,); None without either.

    The test of Mantel and Haenszel (1959), without their correction for continuity, two-sided.
    """
    surplus, variance = 0.0, 0.0
    for label in np.unique(labels):
        shown, has = present[labels == label], marked[labels == label]
        n, a, b = len(shown), int(shown.sum()), int(has.sum())
        if n > 1:
            surplus += float((shown & has).sum()) - a * b / n
            variance += a * (n - a) * b * (n - b) / (n * n * (n - 1))
    return float(chi2.sf(surplus**2 / variance, 1)) if variance else None


def seen(folder: AuditFolder, drawn: Drawn, name: str) -> dict[str, int]:
    """How many photographs with and without the confounder a detector's cue was seen on, and how many there are."""
    dataset, cues = load_dataset(folder), load_cues(folder)
    if name not in {cue.name for cue in cues.cues}:
        return {}
    having = dict(zip(drawn.members["path"], drawn.members["cue"] == 1, strict=True))
    marked = np.array([having[path] for path in dataset.images["path"]], bool)
    present = cues.present(cues.named(name))
    return {
        "seen": int(present[marked].sum()),
        "with": int(marked.sum()),
        "false": int(present[~marked].sum()),
        "without": int((~marked).sum()),
    }


def as_json(findings: Sequence[Stated]) -> list[dict[str, Any]]:
    """Findings as plain values; ``read`` makes findings of them again."""
    return [asdict(one) for one in findings]


def read(kept: Sequence[Mapping[str, Any]]) -> list[Stated]:
    """Findings as ``as_json`` wrote them."""
    return [Stated(**one) for one in kept]


def _is_right(case: NaturalCase, finding: Stated) -> bool:
    agrees = -1.0 if finding.agreement is None else finding.agreement
    if finding.kind in KINDS.get(case.cue, ()) or agrees >= LEAST_AGREEMENT:
        return True
    named = finding.lies_on(right_names(case.cue, case.label))
    return named and (finding.kind != "cluster" or agrees >= SOME_AGREEMENT)


def _all_follows(case: NaturalCase) -> bool:
    return "*" in ATTRIBUTES[case.cue].around or case.dealt == "label"


def _goes_along(finding: Stated) -> bool:
    if finding.agreement is None or finding.chance is None:
        return False
    return abs(finding.agreement) >= SOME_AGREEMENT and finding.chance < CHANCE


def _open(findings: Sequence[Stated]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.cue for one in findings if one.is_open))


def _inside(cues: CueTable, cluster: Cue) -> dict[str, float]:
    """The mean share of a cluster that lies in each detector's cue, over the photographs that show the cluster."""
    images = np.flatnonzero(cues.present(cluster))
    if not len(images):
        return {}
    masks = cues.masks(cluster, images)
    areas = np.maximum(masks.sum((1, 2)), 1)
    return {
        cue.name: round(float(((masks & cues.masks(cue, images)).sum((1, 2)) / areas).mean()), 3)
        for cue in cues.cues
        if cue.kind == "detector"
    }


def _figures(finding: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    kinds = ((kind, of) for kind, of in finding["evidence"].items() if isinstance(of, Mapping))
    return {kind: {name: of[name] for name in _FIGURES if name in of} for kind, of in kinds}
