"""verification.json: what one strategy of an audit's plan changed, measured by training again."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from audit.data.dataset_json import RefusedFile
from audit.plan.plan_json import Strategy
from audit.records import CLOSED, Count, JsonObject, Record, absent, named, schema_of
from audit.store.audit_folder import AuditFolder, read_published

Outcome = Literal["helped", "harmed", "unclear"]
Several = Annotated[int, Field(ge=2)]


class Setup(Record):
    """The content of ``setup.json``: where new photographs came from, and which of them could not be added."""

    source: str | None
    refused: tuple[RefusedFile, ...]


class ChangeFigures(Record):
    """A figure before and after with the 95 % interval of the difference; null for what could not be worked out."""

    before: float | None
    after: float | None
    difference: float | None = Field(description="after minus before")
    low: float | None
    high: float | None
    n: Count = Field(description="photographs it rests on")


class Sizes(Record):
    """How many photographs there are, and how many of them and of new ones the strategy trains on."""

    n: Count = Field(description="photographs of the audit")
    dropped: Count = Field(description="of them left out of the training")
    added: dict[str, Count] = Field(description="new photographs by class")
    effective_n: Annotated[float, Field(ge=0)] = Field(description="as many unweighted photographs are worth as much")


class WorstGroup(Record):
    """A group of photographs."""

    words: str
    n: Count


class WorstGroups(Record):
    """The worst of the four groups by class and cue, before and after; empty where one has no photograph."""

    model_config = ConfigDict(json_schema_extra={CLOSED: True})

    before: WorstGroup | None = absent()
    after: WorstGroup | None = absent()


class ChangedFinding(Record):
    """A flagged finding and what changed about it."""

    id: str
    cue: str
    words: str
    label: str = named("class")
    severity: Literal["high", "medium"]
    balanced: ChangeFigures | None = Field(
        description="accuracy as it would be if this cue said nothing about the class; null where a group has too few "
        "photographs"
    )
    worst_cell: ChangeFigures | None = Field(
        description="accuracy in the worst of the four groups by class and cue; null as above"
    )
    gap: ChangeFigures | None = Field(
        description="accuracy where cue and class go together minus where they part; null as above"
    )
    attention: ChangeFigures | None = Field(
        description="share of the map on the cue; null for what has no place in the picture"
    )
    effect: ChangeFigures | None = Field(
        description="probability lost by hiding the cue, beyond hiding as much elsewhere; null where it was not asked"
    )
    worst: WorstGroups = Field(description="the worst of the four groups; empty where one has no photograph")


class Overall(Record):
    """What changed for all photographs."""

    accuracy: ChangeFigures
    balanced: ChangeFigures = Field(
        description="accuracy as it would be if no flagged cue said anything about the class; decides the verdict"
    )


class Verification(Record):
    """The content of ``verification.json``."""

    schema_version: Literal[2]
    findings_sha256: str = Field(
        pattern="^[0-9a-f]{64}$", description="of the findings.json that the strategy is to mend"
    )
    strategy: Strategy
    created: str = Field(description="ISO 8601, UTC")
    seeds: Several = Field(description="how often everything was trained")
    folds: Several
    images: Sizes
    source: str | None = Field(description="where the new photographs were; null for a strategy without")
    refused: tuple[RefusedFile, ...] = Field(description="files that were not added")
    verdict: Outcome
    sentence: str
    overall: Overall
    balanced_fully: bool = Field(description="whether weights could make every flagged cue say nothing about the class")
    findings: tuple[ChangedFinding, ...]
    pictures: tuple[str, ...] = Field(
        description="paths of the photographs whose maps before and after are in maps.safetensors, in its order"
    )


def read_verification(folder: AuditFolder, strategy: str) -> Verification:
    """What the verification of a strategy found, also one that an older version wrote.

    Raises AuditFolderError when it is missing, damaged, or of a version that is not known here.
    """
    return read_published(verification_path(folder, strategy), Verification)


def verification_path(folder: AuditFolder, strategy: str) -> Path:
    """Where the result of a strategy's verification is kept."""
    return folder / "verification" / strategy / "verification.json"


def verification_schema() -> JsonObject:
    """The JSON Schema of ``verification.json``."""
    return schema_of(
        Verification,
        "bias-audit verification.json",
        "What one strategy of an audit's plan changed, measured by training again. Programs may rely on what is "
        "required here; further keys may appear.",
    )
