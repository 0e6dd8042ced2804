"""Looks: the two to four visual groups inside a cue that nearly every picture shows, found without any attribute.

Everybody has hair, so its presence tells nothing; that the hair of the one class is long and that of the other short
shows only when the photographs are sorted by what the hair looks like, and the groups are counted by class. No label is
used until then, so the p-values of looks are honest as they are. What the looks of a control region tell as well is
``evidence.look_control``'s to say.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from audit.config import Config
from audit.cues.cue_json import LookCell, LookGroup, LooksEntry
from audit.cues.summary import examples
from audit.data.batches import Images, read_pixels
from audit.data.dataset import Dataset
from audit.detection.detections import Detections
from audit.detectors.cue import GRID, Cue
from audit.explain.clusters import unit_components
from audit.explain.stable_kmeans import group
from audit.measures.limits import NEARLY_ALL

# Bare skin is the face and what is seen of the limbs: its looks would tell those of the face once more.
_NO_LOOKS = ("skin",)
_MOST = 4
# From here on a group counts as a stable one (Hennig 2007).
_LEAST_STABILITY = 0.75
_MEASURED = 160
_MARKED = 0.75


@dataclass(frozen=True)
class Looks:
    """The looks of one cue. ``assigned`` int (images,) is the look of each image, -1 where the cue is not seen."""

    parent: Cue
    cues: tuple[Cue, ...]
    assigned: NDArray[np.int64]
    stability: float

    def entry(self, dataset: Dataset, seed: int) -> LooksEntry[int]:
        """One entry of ``looks.json``: each look's share of each class, of the images that show the cue, with a few
        drawn at random."""
        groups = tuple(
            LookGroup[int](
                name=cue.name, words=cue.words, classes=_by_class(self.assigned == look, self, dataset, seed)
            )
            for look, cue in enumerate(self.cues)
        )
        stability = round(self.stability, 3)
        return LooksEntry[int](cue=self.parent.name, words=self.parent.words, stability=stability, groups=groups)


def find_looks(
    dataset: Dataset, config: Config, detections: Detections, inside: Callable[[Cue], NDArray[np.float32]]
) -> list[Looks]:
    """The looks of every part (but for parts of parts) that four of five images show and whose groups are stable.

    ``inside`` gives the pretrained activations pooled inside a cue, (images, C).
    """
    sorted_looks, parts = [], {cue.name for cue in detections.cues if cue.role == "part"}
    for cue in detections.cues:
        place = detections.place(cue.name)
        present = detections.present[:, place]
        is_whole = cue.name in parts and cue.within not in parts and cue.name not in _NO_LOOKS
        if not is_whole or present.mean() < NEARLY_ALL:
            continue
        grouped = sort_looks(inside(cue)[present], config.seed)
        if grouped:
            assigned = np.full(len(present), -1)
            assigned[present] = grouped[0]
            words = _words(cue, assigned, detections.area[:, place], _lightness(dataset, config, detections, cue))
            cues = tuple(
                Cue(f"{cue.name} look {look + 1}", text, cue.role, "appearance", cue.name, look)
                for look, text in enumerate(words)
            )
            sorted_looks.append(Looks(cue, cues, assigned, grouped[1]))
    return sorted_looks


def sort_looks(descriptors: NDArray[np.floating], seed: int) -> tuple[NDArray[np.int64], float] | None:
    """The look of each row (n, C), largest first, and the stability of the least stable; None where there are none.

    Their number is the largest up to four that random halves of the rows agree on (``stable_kmeans.group``) and of
    which every look is stable.
    """
    if len(descriptors) < 2:
        return None
    parts = unit_components(descriptors)
    for most in range(_MOST, 1, -1):
        grouping = group(parts, most, seed)
        least = float(grouping.stability.min())
        if len(grouping.stability) > 1 and least >= _LEAST_STABILITY:
            return grouping.assigned, least
    return None


def _lightness(dataset: Dataset, config: Config, detections: Detections, cue: Cue) -> NDArray[np.float64]:
    """Mean lightness (CIE L, 0 to 100) inside a cue, (images,); NaN but for up to 160 images drawn at random."""
    place, light = detections.place(cue.name), np.full(len(dataset.images), np.nan)
    shown = np.flatnonzero(detections.present[:, place])
    images: Images = np.sort(np.random.default_rng(config.seed).permutation(shown)[:_MEASURED])
    for image, mask in zip(images, detections.masks(images)[:, place], strict=True):
        small = cv2.resize(read_pixels(dataset, int(image), config), (GRID, GRID), interpolation=cv2.INTER_AREA)
        if mask.any():
            light[image] = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[mask, 0].mean()
    return light


def _words(cue: Cue, assigned: NDArray[np.int64], area: NDArray[np.floating], light: NDArray[np.floating]) -> list[str]:
    count, words = int(assigned.max()) + 1, []
    for look in range(count):
        marks = [
            mark
            for values, marks in ((area, ("smaller", "larger")), (light, ("darker", "lighter")))
            if (mark := compare(values[assigned == look], values[(assigned != look) & (assigned >= 0)], marks))
        ]
        words.append(f"one look of {cue.words} (no. {look + 1} of {count}{': ' if marks else ''}{', '.join(marks)})")
    return words


def compare(here: NDArray[np.floating], others: NDArray[np.floating], words: Sequence[str]) -> str:
    """The word for lower or for higher, if a random image of a look is so beside a random other one in 3 of 4 pairs.

    >>> compare(np.array([5.0, 6, 7]), np.array([1.0, 2, np.nan]), ("smaller", "larger"))
    'larger'
    """
    here, others = here[np.isfinite(here)], others[np.isfinite(others)]
    if not len(here) or not len(others):
        return ""
    share = float(mannwhitneyu(here, others).statistic) / (len(here) * len(others))
    return words[1] if share >= _MARKED else words[0] if share <= 1 - _MARKED else ""


def _by_class(members: NDArray[np.bool_], looks: Looks, dataset: Dataset, seed: int) -> dict[str, LookCell[int]]:
    cells = {}
    for label, name in enumerate(dataset.classes):
        inside = members & (dataset.labels == label)
        shown = int(((looks.assigned >= 0) & (dataset.labels == label)).sum())
        chosen = examples(inside, dataset.groups, seed)
        share = float(inside.sum() / shown) if shown else None
        cells[name] = LookCell[int](n=int(inside.sum()), share=share, examples=chosen)
    return cells
