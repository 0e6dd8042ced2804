"""Overlap: which share of one cue's area lies on another cue."""

from collections.abc import Iterable, Mapping

import numpy as np

from audit.cues.cue_table import CueTable
from audit.detectors.cue import Cue

# A cue mostly consists of another one, or lies on it, if this share of its area does.
MOSTLY = 0.5
_PART = 512


def shares_inside(cues: CueTable, of: Iterable[Cue]) -> Mapping[tuple[str, str], float]:
    """For every ordered pair of cues that have a place, the share of the first one's area that lies on the second.

    In 0..1, over all images that show the first; 0 where no image does. Keys are the cues' names. A look has no place
    of its own and is left out: it is where its part is.
    """
    placed = [cue for cue in of if cue.kind in ("detector", "cluster")]
    area, shared = np.zeros(len(placed)), np.zeros((len(placed), len(placed)))
    present = np.stack([cues.present(cue) for cue in placed], axis=1) if placed else np.zeros((0, 0), bool)
    for start in range(0, len(present), _PART):
        images = np.arange(start, min(start + _PART, len(present)))
        masks = np.stack([cues.masks(cue, images).reshape(len(images), -1) for cue in placed], axis=1)
        shown = (masks & present[images, :, None]).astype(np.float32)
        area += shown.sum(axis=(0, 2))
        shared += np.einsum("ikp,ilp->kl", shown, shown)
    shares = shared / np.maximum(area, 1)[:, None]
    return {
        (first.name, second.name): float(shares[i, j])
        for i, first in enumerate(placed)
        for j, second in enumerate(placed)
    }


def covered_cues(declared: Iterable[str], cues: Iterable[Cue], inside: Mapping[tuple[str, str], float]) -> set[str]:
    """The ``declared`` cues' names and those of all that they cover: what lies within them or mostly consists of them.

    Both are told by the masks: half of the one's area or more lies on the other. A mark that somebody put on the
    picture is never covered, wherever it lies.

    >>> face, skin = Cue("face", "the face", "part"), Cue("skin", "bare skin", "part")
    >>> sorted(covered_cues(["face"], [face, skin], {("skin", "face"): 0.8}))
    ['face', 'skin']
    """
    declared = set(declared)
    within = {cue.name for cue in cues if cue.within in declared and cue.kind in ("detector", "attribute")}
    consisting = {
        cue.name
        for cue in cues
        if cue.role != "mark" and any(inside.get((cue.name, name), 0.0) >= MOSTLY for name in declared)
    }
    return declared | within | consisting
