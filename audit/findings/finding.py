"""findings.json: one verdict per cue and class, in words, with its evidence."""

from audit.cues.cue_json import Difference
from audit.detectors.cue import Kind
from audit.findings.severity import FLAGGED, Severity
from audit.measures.figures import Figures
from audit.measures.limits import Strength
from audit.records import Record, absent, named


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
    differences: tuple[Difference, ...] | None = absent(
        "attributes in which the class's photographs that show the cue differ from the others that do, largest first"
    )
    differences_sentences: tuple[str, ...] | None = absent("the same in sentences, or that no word was found")
    caution: str | None = absent("what to look at before the finding is believed, a sentence")
    explained_by: str | None = absent("the id of the finding of which this one is a consequence")

    @property
    def is_flagged(self) -> bool:
        """Whether it is high or medium."""
        return self.severity in FLAGGED

    @property
    def is_cause(self) -> bool:
        """Whether the plan is to mend it: it is flagged, and no other finding explains it."""
        return self.is_flagged and not self.explained_by
