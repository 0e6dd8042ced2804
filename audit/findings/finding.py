"""findings.json: one verdict per cue and class, in words, with its evidence."""

from audit.detectors.cue import Kind
from audit.findings.severity import FLAGGED, Severity
from audit.measures.figures import Figures
from audit.measures.limits import Strength
from audit.records import Record, named


class Finding(Record):
    """What is concluded about one cue and one class. ``cluster`` is the largest cluster that shows the cue."""

    id: str
    cue: str
    cue_kind: Kind
    words: str
    label: str = named("class")
    severity: Severity
    sentence: str
    in_data: Strength
    in_model: Strength
    in_data_sentence: str
    in_model_sentence: str
    evidence: Figures
    exemplars: tuple[str, ...]
    counter_exemplars: tuple[str, ...]
    cluster: int | None
    recommendation: tuple[str, ...]

    @property
    def is_flagged(self) -> bool:
        """Whether the plan is to mend it."""
        return self.severity in FLAGGED
