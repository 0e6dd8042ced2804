"""cues.json and looks.json: what is said of each cue as a whole."""

from collections.abc import Sequence
from typing import Annotated, Generic

from pydantic import ConfigDict, Field

from audit.detectors.cue import Cue, Kind, Role
from audit.measures.figures import AttentionInClass, CountedShare
from audit.records import CLOSED, Count, PhotoName, Positive, Record, absent, named_photos

PresentShare = Annotated[float, Field(ge=0, le=1)]


class ReadText(Record):
    """A line that was read, and in how many photographs."""

    model_config = ConfigDict(json_schema_extra={CLOSED: True})

    text: str
    n: Positive


class Distribution(Record):
    """Photographs of each class by bins of a fact of the file: a histogram per class."""

    bins: tuple[str, ...] = Field(description="what each bin holds, in words")
    counts: dict[str, tuple[Count, ...]] = Field(description="by class, one count per bin")


class Difference(Record):
    """An attribute that some photographs show more often than the others that they are compared with.

    ``n`` of ``of`` photographs show it, ``n_elsewhere`` of ``of_elsewhere`` others; ``low`` to ``high`` is the 95 %
    interval of the ``difference`` of the two shares.
    """

    attribute: str
    words: str = Field(description="what they show more often, whichever end of the attribute that is")
    n: Count
    of: Positive
    n_elsewhere: Count
    of_elsewhere: Positive
    difference: PresentShare
    low: PresentShare
    high: PresentShare


class CueEntry(Record, Generic[PhotoName]):
    """What is known of one cue as a whole."""

    name: str
    kind: Kind
    role: str
    within: str = Field(description="the cue that this one is a part or a look of, or empty")
    words: str
    n_present: Count
    present_share: dict[str, PresentShare]
    attention: dict[str, AttentionInClass] | None = Field(
        description="by class; null where the cue has no place in the picture"
    )
    examples: tuple[PhotoName, ...] = Field(description="photographs that show the cue, drawn at random")
    text: tuple[ReadText, ...] = Field(description="the lines most often read there")
    distribution: Distribution | None = absent("of a fact of the file")
    undecided: dict[str, CountedShare] | None = absent(
        "by class: photographs in which one of two detectors sees it and the other does not; they are not counted"
    )


class CueSummary(CueEntry[int]):
    """One entry of ``cues.json``. ``role`` and ``number`` are as in ``Cue``, examples are numbers of images."""

    role: Role
    # Audits of an older version lack it.
    number: int | None = None

    @property
    def cue(self) -> Cue:
        """The cue itself."""
        return Cue(self.name, self.words, self.role, self.kind, self.within, self.number)

    def published(self, paths: Sequence[str]) -> CueEntry[str]:
        """As audit.json has it: photographs by their ``paths``, which are those of all images in order."""
        kept = {name: getattr(self, name) for name in CueEntry.model_fields if name in self.model_fields_set}
        return CueEntry[str].model_validate({**kept, "examples": named_photos(self.examples, paths)})


class LookCell(Record, Generic[PhotoName]):
    """The photographs of one class that have one look."""

    n: Count
    share: float | None = Field(description="of the class's photographs that show the cue")
    examples: tuple[PhotoName, ...] = Field(description="drawn at random")


class LookGroup(Record, Generic[PhotoName]):
    """One look of a cue, by class."""

    name: str = Field(description="the cue of kind appearance that the group is")
    words: str
    classes: dict[str, LookCell[PhotoName]]

    def published(self, paths: Sequence[str]) -> "LookGroup[str]":
        """The same with photographs by their ``paths``, which are those of all images in order."""
        cells = {
            label: LookCell[str](n=cell.n, share=cell.share, examples=named_photos(cell.examples, paths))
            for label, cell in self.classes.items()
        }
        return LookGroup[str](name=self.name, words=self.words, classes=cells)


class LooksEntry(Record, Generic[PhotoName]):
    """One entry of ``looks.json``: the looks of one cue that nearly every photograph shows."""

    cue: str
    words: str
    stability: float
    groups: tuple[LookGroup[PhotoName], ...]

    def published(self, paths: Sequence[str]) -> "LooksEntry[str]":
        """The same with photographs by their ``paths``, which are those of all images in order."""
        groups = tuple(group.published(paths) for group in self.groups)
        return LooksEntry[str](cue=self.cue, words=self.words, stability=self.stability, groups=groups)
