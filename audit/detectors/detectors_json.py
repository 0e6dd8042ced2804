"""detectors.json: which cues were looked for, by which detectors."""

from audit.detectors.cue import Cue, Kind, Role
from audit.records import Positive, Record


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


class DetectorList(Record):
    """The content of ``detectors.json``.

    ``grid`` is the side of the stored masks, ``versions`` are those of the detectors by name, ``not_looked_for`` the
    cues that were left out, each with the reason, the end of a sentence.
    """

    grid: Positive
    cues: tuple[DetectedCue, ...]
    versions: dict[str, int | str]
    not_looked_for: dict[str, str]
