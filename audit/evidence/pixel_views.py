"""Pixel views: what the pixels of a cue look like in every image, beside everything else and a control."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from audit.config import Config
from audit.data.batches import Images, read_pixels
from audit.data.dataset import Dataset
from audit.data.occlude import control_masks
from audit.data.ordered_map import ordered_map
from audit.detection.detections import Detections
from audit.detectors.cue import Cue
from audit.evidence.pixel_features import DIMENSIONS, Surface

# What describes the inside of a cue, everything else, and a control of equal size, (images, d) each.
Views = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
_PART = 256


def is_seen_as_pixels(cue: Cue) -> bool:
    """Whether a cue's leakage is read off its pixels: activations of a scene or mark would show the subject too."""
    return cue.role in ("scene", "mark") and cue.kind == "detector"


def pixel_views(dataset: Dataset, config: Config, detections: Detections, cue: Cue, images: Images) -> Views:
    """What the pixels of a detector's cue look like in some images, of the rest and of the control, zeros where it is
    absent: float32 (len(images), DIMENSIONS) each.

    Marks on the picture are left out of a scene: they are cues of their own, and not what lies behind the subject.
    """
    place = detections.place(cue.name)
    left_out = detections.marks if cue.role == "scene" else []
    shown = detections.present[images, place]

    def look(pair: tuple[int, NDArray[np.bool_]]) -> list[NDArray[np.float32]]:
        image, mask = pair
        surface = Surface.of(read_pixels(dataset, image, config))
        control = control_masks(mask[None], image, config.seed)[0]
        return [surface.texture(some) for some in (mask, ~mask, control)]

    def pairs() -> Iterator[tuple[int, NDArray[np.bool_]]]:
        for part in np.split(images[shown], range(_PART, int(shown.sum()), _PART)):
            masks = detections.masks(part)
            yield from zip(part.tolist(), masks[:, place] & ~masks[:, left_out].any(1), strict=True)

    views = list(ordered_map(look, pairs(), config.compute.workers, _PART))
    described = np.zeros((3, len(images), DIMENSIONS), np.float32)
    described[:, shown] = np.array(views, np.float32).reshape(-1, 3, DIMENSIONS).swapaxes(0, 1)
    return described[0], described[1], described[2]
