"""detectors.json: which cues were looked for, by which detectors."""

from audit.attributes.attribute import Attribute
from audit.detectors.cue import Cue, Kind, Role
from audit.records import Positive, Record, newer


class DetectedCue(Record):
    """A cue that detectors looked for."""

    name: str
    words: str
    role: Role
    kind: Kind
    within: str

    @property
    def cue(self) -> Cue:
        """The cue itself."""
        return Cue(self.name, self.words, self.role, self.kind, self.within)


class MeasuredAttribute(Record):
    """An attribute that was measured, as ``Attribute`` describes it."""

    name: str
    words: str
    opposite: str
    within: str
    shown_from: float
    check: str
    topic: str
    role: Role

    @classmethod
    def of(cls, attribute: Attribute) -> "MeasuredAttribute":
        """The record of an attribute."""
        return cls(**vars(attribute))

    @property
    def attribute(self) -> Attribute:
        """The attribute itself."""
        return Attribute(**dict(self))


class DetectorList(Record):
    """The content of ``detectors.json``.

    ``grid`` is the side of the stored masks, ``columns`` are the cues that the columns of the shards are of, where a
    later one of a cue takes the place of an earlier, ``attributes`` are what was measured of regions, ``versions`` are
    those of the detectors by name,
    ``not_looked_for`` the cues that were left out, each with the reason, the end of a sentence.
    """

    grid: Positive
    cues: tuple[DetectedCue, ...]
    columns: tuple[str, ...] | None = newer()
    attributes: tuple[MeasuredAttribute, ...] | None = newer()
    versions: dict[str, int | str]
    not_looked_for: dict[str, str]
