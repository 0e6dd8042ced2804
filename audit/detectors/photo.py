"""A photograph as the detectors see it, with what several of them need worked out once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.store.model_files import ModelFile

LONGEST = 512
Pixels = NDArray[np.uint8]
Result = TypeVar("Result")
Level = float | NDArray[np.float64]

_READERS: dict[str, Callable[[str], cv2.dnn.Net]] = {
    ".tflite": cv2.dnn.readNetFromTFLite,
    ".onnx": cv2.dnn.readNetFromONNX,
}


@dataclass(frozen=True)
class Networks:
    """The detectors' networks, each read from the cache folder when it is first run.

    The files are taken as they are: whoever starts the work has them checked first
    (``audit.store.model_files.require``).
    """

    folder: Path
    _loaded: dict[str, cv2.dnn.Net] = field(default_factory=dict, repr=False)

    def run(
        self, model: ModelFile, pixels: Pixels, low: Level = 0.0, high: Level = 1.0
    ) -> dict[str, NDArray[np.float32]]:
        """Outputs by name for RGB pixels (h, w, 3) of the size that the network was made for, scaled to low..high.

        Both are a number, or (3,) one for each channel: what 0 and what 255 become. The file's suffix says its format,
        one of TFLite and ONNX.
        """
        if model.name not in self._loaded:
            self._loaded[model.name] = _READERS[Path(model.name).suffix](str(self.folder / model.name))
        net = self._loaded[model.name]
        names = net.getUnconnectedOutLayersNames()
        lowest, highest = (np.reshape(level, (-1, 1, 1)) for level in (low, high))
        scale = ((highest - lowest) / 255).astype(np.float32)
        net.setInput(cv2.dnn.blobFromImage(pixels) * scale + lowest.astype(np.float32))
        # The network's own buffers would be overwritten by its next run.
        return {name: np.array(output, np.float32) for name, output in zip(names, net.forward(names), strict=True)}


@dataclass(frozen=True)
class Photo:
    """``pixels``: uint8 RGB (h, w, 3), upright, long side at most LONGEST.

    ``path`` as the dataset names the photograph, ``full_width`` in pixels: before it was shrunk (0: it was not).
    """

    pixels: Pixels
    networks: Networks
    path: str = ""
    full_width: int = 0
    _results: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def scale(self) -> float:
        """By how much the photograph was shrunk, in (0, 1]."""
        return self.shape[1] / (self.full_width or self.shape[1])


def shared(work: Callable[[Photo], Result]) -> Callable[[Photo], Result]:
    """Make a function of a photograph do its work once per photograph, however many detectors ask."""

    @wraps(work)
    def once(photo: Photo) -> Result:
        if work not in photo._results:
            photo._results[work] = work(photo)
        result: Result = photo._results[work]
        return result

    return once
