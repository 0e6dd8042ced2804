"""clusters.json and sanity.json: the groups of attended places, and whether the maps can be trusted."""

from collections.abc import Sequence
from typing import Annotated, Generic, Literal

from pydantic import Field

from audit.records import Count, PhotoName, Record, named_photos

CheckName = Literal["randomisation", "occlusion", "empty"]
Box = Annotated[tuple[float, ...], Field(min_length=4, max_length=4)]


class Cluster(Record, Generic[PhotoName]):
    """One entry of ``clusters.json``, a group of attended places that look alike; positions relative to the picture.

    ``name`` is the detector's cue that explains it, or null. ``on_subject``: nothing names it, and its regions lie on
    the photographed object itself, where that is no person.
    """

    cluster: Count
    n: Count
    name: str | None
    words: str
    name_share: float | None
    stability: float
    fixed_position: bool
    on_subject: bool
    per_class: dict[str, Count]
    exemplars: tuple[PhotoName, ...]
    box: Box

    def published(self, paths: Sequence[str]) -> "Cluster[str]":
        """The same with photographs by their ``paths``, which are those of all images in order."""
        return Cluster[str].model_validate({**dict(self), "exemplars": named_photos(self.exemplars, paths)})


class Check(Record):
    """One question about the maps: ``value`` with its 95 % interval over ``n`` photographs, None where too few.

    ``steps`` are the values on the way.
    """

    name: CheckName
    question: str
    sentence: str
    value: float | None
    low: float | None
    high: float | None
    n: Count
    limit: float
    passed: bool | None = Field(description="null where too few photographs were looked at to tell")
    steps: dict[str, float]


class Sanity(Record):
    """The content of ``sanity.json``. ``trusted``: no check failed."""

    trusted: bool
    sentence: str
    checks: tuple[Check, ...]
