"""Cards of the report: the images and figures of each finding and cluster, in order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from audit.explain.explain_json import Cluster
from audit.findings.audit_json import AuditRecord, Confusion
from audit.findings.consequences import consequences
from audit.findings.finding import Finding
from audit.findings.sentences import data_answer, model_answer
from audit.findings.severity import ORDER
from audit.measures.figures import EvidenceFigure
from audit.plan.plan_json import PlanCell
from audit.store.audit_folder import AuditFolder, read_table
from audit.text import capital
from reports.charts import BarChart, DotPlot, Scale, bar_chart, dot_plot

Box = tuple[float, float, float, float]

# So that a report with many findings stays small: images of a closed card, of a cluster, and cards with images.
CLOSED_IMAGES = 3
CLUSTER_IMAGES = 6
OPEN_CARDS = 12
CLOSED_CARDS = 40
ALL_CARDS = 120
CLUSTERS = 24
FAILURES = 12
# A larger confusion matrix cannot be read, and would weigh megabytes.
MATRIX = 30
MISTAKES = 30

KINDS: tuple[tuple[str, str, str, str], ...] = (
    (
        "in_data",
        "prevalence",
        "Prevalence",
        "The further the two dots are apart, the more the cue says about the class.",
    ),
    (
        "in_data",
        "leakage",
        "Leakage",
        "0.5 is a coin toss. 1 means that this part of the picture alone gives the class away.",
    ),
    ("in_model", "attention", "Attention", "1 is as much as its size would draw by chance; 2 is twice as much."),
    (
        "in_model",
        "effect",
        "Effect",
        "Certainty that the model loses when this is covered or evened out, beyond covering another place of the same "
        "size or changing it as much the other way round.",
    ),
    (
        "in_model",
        "gap",
        "Gap",
        "How much more often the model is right where content and class go together. 0: no difference was seen.",
    ),
)


@dataclass(frozen=True)
class Fact:
    """One line of a card's evidence: ``values`` as in audit.json; ``plot`` is None where it could not be measured."""

    question: str
    kind: str
    title: str
    reading: str
    values: EvidenceFigure
    plot: DotPlot | None


@dataclass(frozen=True)
class Card:
    """One finding with its images (paths) and the cells of the plan that belong to it.

    ``cause`` is the id of the finding that explains it, or empty; ``is_open``: the card is to be read, and not only to
    be looked up; ``bars`` are of a finding about the file.
    """

    finding: Finding
    cause: str
    is_open: bool
    facts: tuple[Fact, ...]
    exemplars: tuple[str, ...]
    counter_exemplars: tuple[str, ...]
    cells: tuple[PlanCell, ...]
    bars: BarChart | None

    @property
    def is_file(self) -> bool:
        """Whether it is about the file, so that no heat map says anything about it."""
        return self.finding.cue_kind == "file"

    @property
    def in_data(self) -> str:
        """What the answer about the data rests on, as a sentence."""
        finding = self.finding
        if finding.cue_kind == "file":
            return capital(finding.in_data_sentence.partition(": ")[2])
        return capital(data_answer(finding.words, finding.label, finding.evidence, finding.in_data).reason)

    @property
    def in_model(self) -> str:
        """What the answer about the model rests on, as a sentence."""
        finding = self.finding
        if finding.cue_kind == "file":
            return capital(finding.in_model_sentence.partition(": ")[2])
        return capital(model_answer(finding.words, finding.label, finding.evidence, finding.in_model).reason)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every image on the card."""
        return self.exemplars + self.counter_exemplars


def cards(record: AuditRecord, axes: Mapping[str, Scale], exemplars: int) -> dict[str, list[Card]]:
    """The gravest findings, by severity; at most ``exemplars`` images of either kind on an open card."""
    by_severity: dict[str, list[Card]] = {level: [] for level in ORDER}
    cells, causes = record.plan.cells, consequences(record)
    spreads = {cue.name: cue.distribution for cue in record.cues}
    opened = closed = 0
    for finding in record.findings[:ALL_CARDS]:
        cause = causes.get(finding.id, "")
        is_open = finding.is_flagged and not cause
        opened, closed = opened + is_open, closed + (not is_open)
        shown = (exemplars if opened <= OPEN_CARDS else 0) if is_open else (closed <= CLOSED_CARDS) * CLOSED_IMAGES
        by_severity[finding.severity].append(
            Card(
                finding,
                cause,
                is_open,
                _facts(finding, axes),
                finding.exemplars[:shown],
                finding.counter_exemplars[: shown if is_open else 0],
                tuple(cell for cell in cells if cell.finding == finding.id),
                bar_chart(spread, finding.label, not _is_of_kinds(finding.cue))
                if (spread := spreads.get(finding.cue))
                else None,
            )
        )
    return {level: some for level, some in by_severity.items() if some}


def _is_of_kinds(cue: str) -> bool:
    """Whether a cue of the file is one of several kinds, such as "file.format=PNG", and not a high number."""
    return "=" in cue


def _facts(finding: Finding, axes: Mapping[str, Scale]) -> tuple[Fact, ...]:
    facts, measured = [], finding.evidence.kinds()
    for question, kind, title, reading in KINDS:
        values = measured[kind]
        plot = dot_plot(kind, values, axes[kind])
        facts.append(Fact(question, kind, title, reading, values, plot))
    return tuple(facts)


@dataclass(frozen=True)
class Mistake:
    """How often one class is taken for another; ``share`` is among the images of the class."""

    label: str
    predicted: str
    n: int
    share: float


def mistakes(confusion: Confusion) -> list[Mistake]:
    """The most frequent confusions of two classes, most frequent first."""
    confused = []
    for label, row in zip(confusion.classes, confusion.counts, strict=True):
        total = sum(row)
        pairs = zip(confusion.classes, row, strict=True)
        confused += [Mistake(label, predicted, n, n / total) for predicted, n in pairs if n and predicted != label]
    return sorted(confused, key=lambda mistake: -mistake.n)[:MISTAKES]


@dataclass(frozen=True)
class AttendedCluster:
    """One cluster of attended regions with its images; ``boxes`` are the region's box in each, where known."""

    cluster: Cluster[str]
    exemplars: tuple[str, ...]
    boxes: Mapping[str, Box]


def attended_clusters(record: AuditRecord, folder: AuditFolder) -> list[AttendedCluster]:
    """The largest clusters with their exemplars."""
    shown = {c.cluster: c.exemplars[:CLUSTER_IMAGES] for c in record.clusters[:CLUSTERS]}
    boxes = _boxes(folder, shown)
    return [AttendedCluster(c, shown[c.cluster], boxes[c.cluster]) for c in record.clusters[:CLUSTERS]]


def _boxes(folder: AuditFolder, shown: Mapping[int, Iterable[str]]) -> dict[int, dict[str, Box]]:
    """The heaviest region of each cluster in each of the images shown for it."""
    images = read_table(folder.images)[["image", "path"]]
    regions = read_table(folder.regions).merge(read_table(folder.clusters), on="region").merge(images, on="image")
    heaviest = regions.sort_values("mass", ascending=False).drop_duplicates(["cluster", "path"])
    return {cluster: _boxes_in(heaviest[heaviest["cluster"] == cluster], paths) for cluster, paths in shown.items()}


def _boxes_in(regions: pd.DataFrame, paths: Iterable[str]) -> dict[str, Box]:
    some = regions[regions["path"].isin(list(paths))]
    corners = some[["x0", "y0", "x1", "y1"]].to_numpy(float).tolist()
    return {path: (x0, y0, x1, y1) for path, (x0, y0, x1, y1) in zip(some["path"], corners, strict=True)}
