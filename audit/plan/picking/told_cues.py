"""What can be told of a photograph of a pool: the states of the cues and attributes that the orders ask for."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.attributes.attribute import Attribute
from audit.config import Config
from audit.cues.cue_json import CueSummary
from audit.data.dataset import Dataset
from audit.detection.ask import Asked, Questions
from audit.detection.detections import has_stickers
from audit.detection.registry import (
    choose_attributes,
    choose_cues,
    choose_detectors,
    listed_cues,
    missing_cues,
    require_models,
)
from audit.detection.workers import read_shrunk
from audit.detectors.cue import Cue, Sighting
from audit.detectors.marks.find_stickers import find_stickers
from audit.detectors.marks.patch import PATCH
from audit.detectors.photo import Pixels
from audit.plan.picking.pool import Pool
from audit.store.audit_folder import AuditFolder, read_records

# Photographs whose answers are kept before the next are looked at: an interrupted picking loses no more.
_PART = 16
_NO_CUE = "the audit knows no such cue any more"
_UNTOLD = {
    "appearance": "it asks for one look of a part, and a look is told only by comparing the audit's own photographs",
    "cluster": "it asks for something that was found only by comparing the audit's own photographs",
    "file": "it asks for a property of the file, which is no property of what a photograph shows",
    "attribute": "it asks for a column of the audit's table, which no detector can tell",
    "detector": "it asks for a mark that you marked, or that was found only by comparing the audit's own photographs",
}


@dataclass(frozen=True)
class State:
    """A cue in n photographs: ``present`` and ``known`` boolean (n,), ``value`` float (n,), the higher the surer there.

    Attributes show from a value on (``shown_from``). The value of a detector's cue is its score, which is 0 where it
    says nothing of how surely the cue is absent.
    """

    present: NDArray[np.bool_]
    known: NDArray[np.bool_]
    value: NDArray[np.float64]
    shown_from: float | None = None

    def fits(self, present: bool) -> NDArray[np.bool_]:
        """Which photographs are known to be in a state, (n,)."""
        return np.asarray(self.known & (self.present == present), bool)

    def sureness(self, present: bool) -> NDArray[np.float64]:
        """How sure it is that each photograph is in a state, (n,), in any unit; NaN for one that is not."""
        silent = self.shown_from is None and self.value == 0
        absent = np.where(silent, -np.inf, -self.value)
        return np.where(self.fits(present), self.value if present else absent, np.nan)

    def words(self, image: int) -> str:
        """How sure that is, to stand in brackets."""
        if self.shown_from is None:
            return f"detector {self.value[image]:.2f}"
        return f"value {self.value[image]:.3g}, shown from {self.shown_from:.3g}"


@dataclass(frozen=True)
class Teller:
    """Tells states of cues by the audit's own detectors and readers of attributes."""

    folder: AuditFolder
    config: Config
    cues: tuple[Cue, ...]
    attributes: tuple[Attribute, ...]
    missing: Mapping[str, str]

    @classmethod
    def of(cls, folder: AuditFolder, config: Config) -> "Teller":
        """For an audit with these settings; what the user marked, and what this machine cannot look for, is left out.

        Raises ConfigError for a cue that no detector looks for.
        """
        names = listed_cues(config)
        missing = missing_cues(names)
        kept = [name for name in names if name not in missing]
        config = config.model_copy(update={"cues": kept, "own_cues": []})
        return cls(folder, config, choose_cues(config), choose_attributes(config), missing)

    def why_not(self, name: str) -> str:
        """Why the state of a cue cannot be told of a new photograph, the end of a sentence; empty if it can."""
        if name in {cue.name for cue in self.cues} | {one.name for one in self.attributes}:
            return ""
        if name in self.missing:
            return f"'{name}' cannot be looked for on this machine, {self.missing[name]}"
        kinds = {entry.name: entry.kind for entry in read_records(self.folder.cue_list, CueSummary)}
        return _UNTOLD[kinds[name]] if name in kinds else _NO_CUE

    def states(self, names: Collection[str], pool: Pool, dataset: Dataset) -> dict[str, State]:
        """The states of cues in all photographs of a pool; answers that are kept are used, fresh ones kept.

        Raises MissingModelFile, and StageError naming a photograph on which a detector fails.
        """
        detectors = choose_detectors(self.config)
        where = {
            cue.name: (place, number)
            for place, detector in enumerate(detectors)
            for number, cue in enumerate(detector.cues)
            if cue.name in names
        }
        places = {place for place, _ in where.values()}
        require_models(self.config, [detectors[place] for place in places])
        photographs = [Asked(image.file, image.path, image.file.sha256) for image in pool.images]
        questions, answers = Questions(self.config, detectors, photographs, places), []
        numbers = range(len(photographs))
        parts = [numbers[start : start + _PART] for start in range(0, len(numbers), _PART)]
        with closing(questions.answers(parts, len(numbers))) as told:
            for part in told:
                answers += part
        limits = {one.name: one.shown_from for one in self.attributes}
        states = {
            name: _state(
                np.array([answer[place].tensors["present"][number] for answer in answers], bool),
                np.array([answer[place].tensors["score"][number] for answer in answers], np.float64),
                limits.get(name),
            )
            for name, (place, number) in where.items()
        }
        if PATCH in states and has_stickers(self.folder):
            states[PATCH] = _with_stickers(states[PATCH], self._stickers(pool, dataset))
        return states

    def _stickers(self, pool: Pool, dataset: Dataset) -> Sequence[Sighting]:
        """Stickers in the pool, told as the audit told them: by colours that are rare, in both together."""
        files = [image.file for image in pool.images] + [dataset.file_of(n) for n in range(len(dataset.images))]
        copied = dataset.images["group"].duplicated().to_numpy(bool)
        distinct = np.concatenate([np.ones(len(pool.images), bool), ~copied])

        def read(image: int) -> Pixels:
            return np.asarray(read_shrunk(files[image], self.config.dataset.max_megapixels).image)

        return find_stickers(read, distinct, self.config.compute.workers).sightings[: len(pool.images)]


def _state(present: NDArray[np.bool_], value: NDArray[np.float64], shown_from: float | None) -> State:
    known = np.ones(len(value), bool) if shown_from is None else ~np.isnan(value)
    return State(present, known, value, shown_from)


def _with_stickers(patches: State, stickers: Sequence[Sighting]) -> State:
    shown = np.array([sticker.present for sticker in stickers], bool)
    scores = np.array([sticker.score for sticker in stickers], np.float64)
    return State(patches.present | shown, patches.known, np.maximum(patches.value, scores))


def untold(teller: Teller, orders: Mapping[int, Sequence[str]]) -> dict[int, str]:
    """Of orders, by number, that ask for cues: why some cannot be filled from any pool, the end of a sentence."""
    reasons = {number: next(filter(None, map(teller.why_not, cues)), "") for number, cues in orders.items()}
    return {number: reason for number, reason in reasons.items() if reason}
