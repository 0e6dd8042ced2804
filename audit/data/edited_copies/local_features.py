"""Local features of a picture and of its mirror image: what is left of it in a crop, and where."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Long sides, in pixels, of the picture in which features are looked for and of the one whose pixels are compared.
SIDE = 256
SMALL_SIDE = 96
MOST_FEATURES = 150
DESCRIPTOR_BYTES = 32
# A patch must fit into the picture.
_PATCH, _MARGIN = 24, 12
_LEAST_SIDE = 32
# Low, since skin and fog have corners, too; the strongest ones are kept.
_CORNER_CONTRAST = 7


@dataclass(frozen=True, eq=False)
class Features:
    """At most 150 features: ``points`` float32 (m, 2), x and y in pixels of the small picture, and binary
    ``descriptors`` uint8 (m, 32), whose distance is the number of bits in which they differ."""

    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class LocalFeatures:
    """A picture for comparison: ``small`` is it in grey, uint8 (h, w) with a long side of at most 96 pixels,
    ``plain`` are its features and ``mirrored`` those of its mirror image."""

    small: NDArray[np.uint8]
    plain: Features
    mirrored: Features

    def side(self, mirrored: bool) -> tuple[NDArray[np.uint8], Features]:
        """The small picture as it is or mirrored, and its features."""
        return (np.ascontiguousarray(self.small[:, ::-1]), self.mirrored) if mirrored else (self.small, self.plain)


def local_features(image: Image.Image) -> LocalFeatures:
    """Detect and describe the strongest corners by ORB (Rublee et al. 2011), in grey at 256 pixels."""
    grey = image.convert("L")
    large, small = (np.asarray(_shrunk(grey, side)) for side in (SIDE, SMALL_SIDE))
    scale = np.array([small.shape[1] / large.shape[1], small.shape[0] / large.shape[0]], np.float32)
    return LocalFeatures(small, _features(large, scale), _features(np.ascontiguousarray(large[:, ::-1]), scale))


def _shrunk(image: Image.Image, longest: int) -> Image.Image:
    scale = longest / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX)


def _features(grey: NDArray[np.uint8], scale: NDArray[np.float32]) -> Features:
    detector = cv2.ORB.create(
        nfeatures=MOST_FEATURES, edgeThreshold=_MARGIN, patchSize=_PATCH, fastThreshold=_CORNER_CONTRAST
    )
    keypoints, descriptors = detector.detectAndCompute(grey, None) if min(grey.shape) >= _LEAST_SIDE else ((), None)
    if descriptors is None:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, DESCRIPTOR_BYTES), np.uint8))
    points = np.array([keypoint.pt for keypoint in keypoints[:MOST_FEATURES]], np.float32) * scale
    return Features(points, np.asarray(descriptors[:MOST_FEATURES], np.uint8))
