"""A cue, what a detector says about it in one photograph, and what a detector has to offer."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from audit.config import OwnRole
from audit.detectors.photo import Photo
from audit.store.model_files import ModelFile

GRID = 56
Mask = NDArray[np.bool_]
Role = Literal[OwnRole, "attribute", "file", "tone", "origin"]
Kind = Literal["detector", "attribute", "cluster", "appearance", "file"]


def share_of(mask: Mask) -> float:
    """Share of a mask's pixels that it holds, in [0, 1]; the same as its mean, ten times as fast.

    >>> share_of(np.array([[True, False], [False, False]]))
    0.25
    """
    return float(np.count_nonzero(mask) / mask.size)


@dataclass(frozen=True)
class Cue:
    """A kind of image content that attention can fall on.

    ``words`` name it inside a sentence ("the face"). ``role``: a part of the subject, the subject itself, the
    scene around it, a mark that somebody put on the picture, or something that the picture does not show; of whole
    pictures: the file and frame, the light, colour and detail (tone), or where the file comes from (origin).
    ``within`` is the cue that this one is a part of: the eyes are within the face. ``number``: which of the clusters,
    or of the looks of ``within``, counted from 0; None for what is neither.
    """

    name: str
    words: str
    role: Role
    kind: Kind = "detector"
    within: str = ""
    number: int | None = None

    @property
    def has_place(self) -> bool:
        """Whether it is somewhere in the picture."""
        return self.kind != "file" and not (self.kind == "attribute" and not self.within)

    @property
    def whole(self) -> str:
        """The name of the cue that says where this one is: itself, but for a look or an attribute of a region."""
        return self.within if self.kind in ("appearance", "attribute") and self.within else self.name


@dataclass(frozen=True)
class Sighting:
    """One cue in one photograph.

    ``score`` is in [0, 1], or an attribute's value, NaN where unknown; ``mask`` is boolean at the photograph's
    resolution, or None where nothing can be pointed at; ``text`` holds the lines that were read there.
    """

    present: bool
    score: float
    mask: Mask | None
    text: tuple[str, ...] = ()

    @classmethod
    def of_mask(cls, mask: Mask, score: float, least_area: float) -> "Sighting":
        """Present when the mask covers at least ``least_area`` of the picture; the mask of an absent cue is dropped."""
        area = share_of(mask)
        present = area > 0 and area >= least_area
        return cls(present, score if present else 0.0, mask if present else None)


ABSENT = Sighting(False, 0.0, None)


class Detector(Protocol):
    """Looks for one or more cues in a photograph.

    ``version`` changes whenever the answer changes for an equal photograph. ``models`` are the files it reads.
    Answers that depend on nothing else are ``keepable``: a later audit of the same photograph uses them again.
    """

    name: str
    cues: tuple[Cue, ...]
    models: tuple[ModelFile, ...]
    keepable: bool

    @property
    def version(self) -> int | str:
        """Detectors of equal version answer alike."""

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """A sighting for every one of the detector's cues, by the cue's name."""
