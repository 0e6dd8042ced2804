"""An attribute of a region: a number per photograph, from which on it shows, and words for both ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Protocol

from audit.detectors.cue import Cue, Role, Sighting
from audit.detectors.photo import Photo
from audit.store.model_files import ModelFile

UNKNOWN = float("nan")


@dataclass(frozen=True)
class Attribute:
    """A property that the region of a cue has or lacks.

    ``words`` and ``opposite`` name what is in the photograph where the value is high and where it is low, as a noun
    phrase that fits "photographs with ...": "long hair", "short hair". ``within`` is the cue whose region it is a
    property of, empty for the whole picture. ``shown_from``: the least value that counts as having it. ``check`` says
    how an eye can tell, as a clause: "hair hangs below the chin". ``topic``: attributes of one topic are told by the
    same numbers or exclude one another ("hair colour"), so that one of them says it all.
    """

    name: str
    words: str
    opposite: str
    within: str
    shown_from: float
    check: str
    topic: str
    role: Role = "part"

    @property
    def cue(self) -> Cue:
        """The cue that it is: there where the value is high."""
        return Cue(self.name, self.words, self.role, "attribute", self.within)


class AttributeReader(Protocol):
    """Measures one or more attributes of a photograph.

    ``version`` changes whenever a value changes for an equal photograph, ``models`` are the files it reads. Values
    that depend on nothing else are ``keepable``: a later audit of the same photograph uses them again.
    """

    name: str
    attributes: tuple[Attribute, ...]
    models: tuple[ModelFile, ...]
    keepable: bool

    @property
    def version(self) -> int | str:
        """Readers of equal version measure alike."""

    def measure(self, photo: Photo) -> Mapping[str, float]:
        """The value of each of the reader's attributes, by its name; UNKNOWN where it cannot be told.

        It cannot where the region is missing or too small; an attribute that the mapping lacks is unknown.
        """


class AttributeDetector:
    """A reader asked as detectors are, so that answers are kept, divided among workers and resumed alike.

    A sighting's score is the value, NaN where it is unknown; it has no mask of its own, being where its region is. The
    version changes with the reader's, and with the values from which on attributes show.
    """

    def __init__(self, reader: AttributeReader) -> None:
        self.reader, self.models, self.keepable = reader, reader.models, reader.keepable
        self.name = f"attributes.{reader.name}"
        self.cues = tuple(attribute.cue for attribute in reader.attributes)
        limits = " ".join(f"{one.name}>={one.shown_from:g}" for one in reader.attributes)
        self.version = f"{reader.version} {limits}"

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """A sighting for every attribute, by its name."""
        values = self.reader.measure(photo)
        return {one.name: _sighting(one, values.get(one.name, UNKNOWN)) for one in self.reader.attributes}


def _sighting(attribute: Attribute, value: float) -> Sighting:
    return Sighting(not isnan(value) and value >= attribute.shown_from, float(value), None)
