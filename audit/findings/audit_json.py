"""audit.json: the whole audit in one machine-readable file, typed; its JSON Schema is written from these types."""

from typing import Generic, Literal, TypeVar

from pydantic import Field

from audit.config import FineTune, Head
from audit.cues.cue_json import CueEntry, LooksEntry
from audit.cues.names import GivenName
from audit.data.dataset_json import RefusedFile
from audit.explain.explain_json import Cluster, Sanity
from audit.findings.finding import Finding
from audit.findings.self_audit_json import SelfAudit
from audit.findings.severity import Severity
from audit.measures.figures import Share
from audit.plan.plan_json import Plan
from audit.records import ALWAYS, Count, JsonObject, Record, absent, named, newer, schema_of
from audit.store.audit_folder import AuditFolder, read_published

Value = TypeVar("Value")


class Tool(Record):
    """What wrote the file."""

    name: Literal["bias-audit"]
    version: str


class DatasetFacts(Record):
    """The photographs: how many, of which classes, what was left out, what appears twice."""

    name: str
    root: str
    n_images: Count
    n_rejected: Count
    attributes: tuple[str, ...]
    n_duplicates: Count
    cross_class_duplicates: tuple[tuple[str, ...], ...]
    uniform: dict[str, tuple[str, ...]] | None = newer(
        "photographs of a single colour, by class; classes without any are left out"
    )
    warnings: tuple[str, ...]
    digest: str
    classes: dict[str, Count]
    rejected: tuple[RefusedFile, ...]


class Confusion(Record):
    """How often each class was taken for each."""

    classes: tuple[str, ...]
    counts: tuple[tuple[Count, ...], ...] = Field(description="rows are true classes")


class Group(Record):
    """Photographs of one class with, or without, one cue."""

    cue: str
    words: str
    label: str = named("class")
    present: bool
    accuracy: Share


class Balanced(Record):
    """Accuracy as it would be if the cue of a flagged finding said nothing about the class; plain: as it is."""

    finding: str
    cue: str
    words: str
    value: float | None
    low: float | None
    high: float | None
    n: Count
    p: float | None
    reason: str = ""
    plain: float | None = absent()
    effective_n: float | None = absent()


class EmptyMaps(Record):
    """Photographs in whose map no place speaks for the label."""

    n: Count
    share: float


class ModelFacts(Record):
    """The model, and how often it is right about photographs that it was not trained on."""

    weights: str
    weights_sha256: str
    device: str | None = absent()
    precision: str | None = absent()
    arch: str
    fine_tune: FineTune
    head: Head
    folds: Count
    accuracy: Share
    majority_share: float
    confusion: Confusion
    per_class: dict[str, Share]
    worst_groups: tuple[Group, ...]
    balanced: tuple[Balanced, ...] = Field(
        default=(), description="accuracy as it would be if the cue of a flagged finding said nothing about the class"
    )
    empty_maps: EmptyMaps


class SeverityRule(Record):
    """When a finding has a severity."""

    severity: Severity
    rule: str


class Failure(Record):
    """A wrong prediction that the model was sure of."""

    path: str
    label: str
    predicted: str
    p_label: float
    p_predicted: float


class ThenNow(Record, Generic[Value]):
    """A value of the former audit, and of this one."""

    then: Value
    now: Value


class ChangedSeverity(Record):
    """A finding that changed: its severity then and now, null where it was none."""

    cue: str
    words: str
    label: str = named("class")
    then: str | None
    now: str | None


class Changes(Record):
    """Findings that are high, medium or low now or were so then."""

    new: tuple[ChangedSeverity, ...]
    graver: tuple[ChangedSeverity, ...]
    milder: tuple[ChangedSeverity, ...]
    gone: tuple[ChangedSeverity, ...]

    def kinds(self) -> dict[str, tuple[ChangedSeverity, ...]]:
        """The four by their names."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class Former(Record):
    """What changed since the last finished audit of the same dataset.

    ``same_settings`` is false where another model or training makes accuracies, and what the model uses, hard to
    compare.
    """

    id: str
    created: str
    images: ThenNow[Count]
    classes: dict[str, ThenNow[Count]]
    accuracy: ThenNow[Share]
    same_settings: bool
    findings: Changes


class AuditRecord(Record):
    """The content of ``audit.json``."""

    schema_version: Literal[2]
    audit_id: str
    created: str = Field(description="ISO 8601, UTC")
    tool: Tool
    versions: dict[str, str]
    dataset: DatasetFacts
    model: ModelFacts
    sanity: Sanity = Field(
        description="whether the attention maps can be trusted; where not, every severity is one step lower, but for "
        "those about the file"
    )
    seconds: dict[str, float]
    peak_memory_mb: Count
    config: JsonObject
    findings: tuple[Finding, ...] = Field(description="gravest first")
    severity_table: tuple[SeverityRule, ...]
    strength_rules: tuple[str, ...] | None = newer()
    cues: tuple[CueEntry[str], ...]
    looks: tuple[LooksEntry[str], ...] = Field(
        description="visual groups inside cues that nearly every photograph shows, by class"
    )
    clusters: tuple[Cluster[str], ...]
    names: tuple[GivenName, ...] | None = absent("names that reviewers gave to looks and clusters")
    failures: tuple[Failure, ...]
    plan: Plan
    self_audit: SelfAudit = Field(
        description="how often this audit cries wolf on this dataset, and what it would have noticed"
    )
    limits: tuple[str, ...]
    former: Former | None = Field(
        default=None,
        description="what changed since the last finished audit of the same dataset; null when there is none",
        json_schema_extra={ALWAYS: True},
    )


def read_audit(folder: AuditFolder) -> AuditRecord:
    """Read ``audit.json``, also an older one.

    Raises AuditFolderError when it is missing, damaged, or of a version that is not known here.
    """
    return read_published(folder.record, AuditRecord)


def audit_schema() -> JsonObject:
    """The JSON Schema of ``audit.json``."""
    return schema_of(
        AuditRecord,
        "bias-audit audit.json",
        "The machine-readable whole of one audit. Programs may rely on what is required here; further keys may appear.",
    )
