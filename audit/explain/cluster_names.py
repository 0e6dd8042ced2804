"""The cue that a region shows, and the name of a cluster of regions, by votes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.detectors.cue import Cue

MIN_VOTE = 0.5
MIN_MARGIN = 0.15
MIN_FIRED = 0.6
_AREA_FLOOR = 0.005


@dataclass(frozen=True)
class Name:
    """A cluster's name (None when no cue deserves it) and the share of its regions that vote for it."""

    cue: str | None
    share: float


def vote(share: NDArray[np.floating], area: NDArray[np.floating]) -> NDArray[np.int64]:
    """The cue that each region shows most, as an index into the K cues, or -1 when it shows none.

    ``share`` (regions, K) is the share of the region's mass on the cue, ``area`` (regions, K) the share of the image
    that the cue covers, 0 where it is absent. Large cues hold much of any region, so the vote goes to the largest
    ``share / sqrt(area + 0.005)`` instead of the largest share.
    """
    if not share.shape[1]:
        return np.full(len(share), -1)
    scores = np.where(area > 0, share, 0) / np.sqrt(area + _AREA_FLOOR)
    return np.where(scores.max(1) > 0, scores.argmax(1), -1)


def name_cluster(votes: NDArray[np.int64], fired: NDArray[np.floating], cues: Sequence[Cue]) -> Name:
    """Name a cluster by its regions' votes (regions,): indices into ``cues``, -1 for none.

    The winner needs half of the votes, a margin of 0.15 over the second, and a detector that found the cue in 60 % of
    the regions' images: ``fired`` (K,) holds those shares. Where votes split over parts of one thing (eyes, skin),
    they are counted once more for what the parts are within (the face), and so on: the name is the most specific one
    that the regions agree on.
    """
    indices = {cue.name: index for index, cue in enumerate(cues)}
    names = [cues[vote].name if vote >= 0 else "" for vote in votes]
    best = 0.0
    while True:
        counts = Counter(name for name in names if name).most_common(2)
        shares = [count / len(names) for _, count in counts] + [0.0, 0.0]
        best = max(best, shares[0])
        if shares[0] >= MIN_VOTE and shares[0] - shares[1] >= MIN_MARGIN:
            cue = counts[0][0]
            return Name(cue, shares[0]) if fired[indices[cue]] >= MIN_FIRED else Name(None, shares[0])
        if (lifted := _lifted(names, cues)) == names:
            return Name(None, best)
        names = lifted


def _lifted(names: Sequence[str], cues: Sequence[Cue]) -> list[str]:
    """Every name replaced by what its cue is within, if that was looked for; deepest parts first."""
    within = {cue.name: cue.within for cue in cues if cue.within in {candidate.name for candidate in cues}}
    depth = {name: _depth(name, within) for name in within}
    deepest = max((depth.get(name, 0) for name in names), default=0)
    return [within[name] if deepest and depth.get(name) == deepest else name for name in names]


def _depth(name: str, within: dict[str, str]) -> int:
    return 1 + _depth(within[name], within) if name in within else 0
