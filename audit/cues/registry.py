"""Which detectors there are. A new one is a file of its own and one line in this table."""

import difflib
from collections.abc import Sequence

from audit.cues.border import BorderDetector
from audit.cues.clothing import ClothingDetector
from audit.cues.cue import Cue, Detector
from audit.cues.eyes import EyesDetector
from audit.cues.face import FaceDetector
from audit.cues.hair import HairDetector
from audit.cues.patch import PatchDetector
from audit.cues.person import SubjectDetector
from audit.cues.skin import SkinDetector
from audit.errors import ConfigError

DETECTORS: tuple[type[Detector], ...] = (
    FaceDetector,
    EyesDetector,
    HairDetector,
    SubjectDetector,
    SkinDetector,
    ClothingDetector,
    BorderDetector,
    PatchDetector,
)


def known_cues() -> dict[str, type[Detector]]:
    """Every cue's name and the detector that looks for it."""
    return {cue.name: detector for detector in DETECTORS for cue in detector.cues}


def choose_cues(names: Sequence[str]) -> tuple[Cue, ...]:
    """The cues of the setting ``cues``, in its order, each once.

    Raises ConfigError, naming the nearest, for one that no detector looks for.
    """
    cues = {cue.name: cue for detector in DETECTORS for cue in detector.cues}
    for name in names:
        if name not in cues:
            near = difflib.get_close_matches(name, cues, n=1, cutoff=0.0)[0]
            raise ConfigError(f"cues: no detector looks for '{name}'; the nearest is '{near}'.")
    return tuple(cues[name] for name in dict.fromkeys(names))


def choose_detectors(names: Sequence[str]) -> tuple[Detector, ...]:
    """One of each detector that some of these cues need, in the table's order. Raises as ``choose_cues``."""
    wanted = {cue.name for cue in choose_cues(names)}
    return tuple(make() for make in DETECTORS if wanted & {cue.name for cue in make.cues})
