"""What detectors answered about photographs, kept across audits under the photographs' SHA-256."""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from audit.config import Config, cache_folder
from audit.detection.cache_file import AnswerFile, Row
from audit.detectors.cue import GRID, Detector, Sighting, share_of
from audit.detectors.mask_grid import pack_masks, to_grid
from audit.detectors.photo import LONGEST
from audit.store.audit_folder import value_digest


@dataclass(frozen=True)
class Answer:
    """One detector's k cues in one photograph.

    ``tensors``: ``present`` uint8 (k,); ``score`` float32 (k,), 0..1; ``area`` float32 (k,), share of the picture;
    ``masks`` uint8 (k, GRID * GRID / 8). ``text`` holds the lines read for each cue.
    """

    tensors: dict[str, NDArray[Any]]
    text: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, sightings: Sequence[Sighting]) -> "Answer":
        """Bring sightings, masks at the photograph's resolution, into the form that is kept."""
        found = [sighting.mask if sighting.present else None for sighting in sightings]
        masks = [np.zeros((GRID, GRID), bool) if mask is None else to_grid(mask) for mask in found]
        tensors: dict[str, NDArray[Any]] = {
            "present": np.array([sighting.present for sighting in sightings], np.uint8),
            "score": np.array([sighting.score for sighting in sightings], np.float32),
            "area": np.array([0.0 if mask is None else share_of(mask) for mask in found], np.float32),
            "masks": pack_masks(np.array(masks, bool).reshape(-1, GRID, GRID)),
        }
        return cls(tensors, tuple(sighting.text for sighting in sightings))

    def to_bytes(self) -> bytes:
        """Compressed safetensors; ``from_bytes`` undoes it."""
        text = np.frombuffer(json.dumps(self.text).encode(), np.uint8)
        return zlib.compress(save({**self.tensors, "text": text}), level=1)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Answer":
        """Raises ValueError when the bytes are damaged."""
        try:
            tensors = load(zlib.decompress(content))
            text = json.loads(tensors.pop("text").tobytes())
        except (zlib.error, SafetensorError, KeyError) as error:
            raise ValueError(f"damaged answer ({error})") from None
        return cls(tensors, tuple(map(tuple, text)))


def detector_key(detector: Detector) -> str:
    """Digest of all that a detector's answers depend on besides the photograph."""
    models = [model.sha256 for model in detector.models]
    return value_digest(detector.name, detector.version, [cue.name for cue in detector.cues], models, GRID, LONGEST)


@dataclass
class KeptAnswers:
    """A store that several audits may use at once; ``file`` None keeps nothing.

    What ``keep`` is given reaches the file with the next ``flush``, in one short transaction.
    """

    file: AnswerFile | None
    _waiting: list[Row] = field(default_factory=list)

    @property
    def losses(self) -> int:
        """How often answers that were kept have got lost; one that ``get`` gave before then may be gone."""
        return self.file.losses if self.file else 0

    def get(self, photo: str, key: str) -> Answer | None:
        """The answer of the detector with that key about the photograph with that SHA-256, if there is one."""
        content = self.file.get(photo, key) if self.file else None
        try:
            return Answer.from_bytes(content) if content else None
        except ValueError:
            return None

    def keep(self, photo: str, answers: Iterable[tuple[str, Answer]]) -> None:
        """Remember (key, answer) pairs about a photograph."""
        if self.file is not None:
            self._waiting += [(photo, key, answer.to_bytes()) for key, answer in answers]

    def flush(self) -> None:
        """Write what waits."""
        if self.file is not None:
            self.file.put(self._waiting)
        self._waiting.clear()


@contextmanager
def kept_answers(config: Config) -> Iterator[KeptAnswers]:
    """Open the store; with ``compute.keep_detections: false``, or where it cannot be used, one that keeps nothing."""
    file = AnswerFile(store_path()) if config.compute.keep_detections else None
    kept = KeptAnswers(file)
    try:
        yield kept
        kept.flush()
    finally:
        if file is not None:
            file.close()


def store_path() -> Path:
    """Where answers are kept."""
    return cache_folder() / "detections.sqlite"
