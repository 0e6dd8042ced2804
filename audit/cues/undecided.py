"""Where detectors contradict each other: sightings that are neither there nor not, and how many of each class."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit.data.dataset import Dataset
from audit.detectors.cue import Cue
from audit.detectors.parts.subject import PERSON
from audit.measures.figures import CountedShare
from audit.measures.intervals import share_interval

FACE = "face"
# What stands in for a person where no face is found.
_INSTEAD = "main_object"


def undecided(cues: Sequence[Cue], present: NDArray[np.bool_], score: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which sightings cannot be told, boolean (n, K); ``present`` and ``score`` (n, K) are the detectors' answers.

    Where no face is accepted although one of the two networks for faces sees one (its score is not 0), the face, the
    person and all parts of people that are not seen are undecided, and so is the main object that was taken for what
    is photographed. Nothing is undecided where faces were not looked for.
    """
    names = [cue.name for cue in cues]
    open_ones = np.zeros(present.shape, bool)
    if FACE not in names:
        return open_ones
    face = names.index(FACE)
    in_doubt = ~present[:, face] & (score[:, face] > 0)
    for place, cue in enumerate(cues):
        if cue.name == _INSTEAD:
            open_ones[:, place] = in_doubt
        elif outermost(cue, cues) == PERSON:
            open_ones[:, place] = in_doubt & ~present[:, place]
    return open_ones


def outermost(cue: Cue, cues: Sequence[Cue]) -> str:
    """The name of the cue that a cue lies within, and that lies within none: itself, for most.

    >>> face, person = Cue("face", "", "part", within="person"), Cue("person", "", "subject")
    >>> outermost(Cue("glasses", "", "part", within="face"), [face, person])
    'person'
    """
    whole = {one.name: one.within for one in cues}
    name = cue.within or cue.name
    while whole.get(name):
        name = whole[name]
    return name


def undecided_by_class(open_ones: NDArray[np.bool_], dataset: Dataset) -> dict[str, CountedShare]:
    """The share of each class's images (n,) that are undecided, with Wilson's interval over duplicate groups."""
    shares = {}
    for label, name in enumerate(dataset.classes):
        rows = dataset.labels == label
        hits, groups = open_ones[rows], dataset.groups[rows]
        low, high = share_interval(hits, groups)
        value = float(hits.mean()) if len(hits) else 0.0
        shares[name] = CountedShare(value=value, low=low, high=high, n=len(hits), count=int(hits.sum()))
    return shares
