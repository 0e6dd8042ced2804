"""Smiling: how wide the mouth is, how far up its corners lie and how high the cheeks are, by the face's mesh."""

from collections.abc import Mapping

import numpy as np

from audit.attributes.attribute import UNKNOWN, Attribute
from audit.attributes.people.aligned_face import Floats, clear_mesh, level_mesh, probability
from audit.detectors.parts.face import FACE_MODELS
from audit.detectors.photo import Photo
from audit.store.model_files import ModelFile

# Pairs of the mesh's points, left and right: corners of the lips outside and inside, the middles of the upper lip's
# edges and of the lower lip's, the cheeks, beside the nose, the chin, the lower lids and the upper ones.
_PAIRS = np.array(
    (
        (61, 291),
        (78, 308),
        (0, 0),
        (13, 13),
        (14, 14),
        (17, 17),
        (205, 425),
        (98, 327),
        (152, 152),
        (145, 374),
        (159, 386),
    )
)
_NOSE = 2
# Of how far apart each pair lies, and how far below the nose: a ridge regression on every other photograph of a set of
# labelled faces, and on doctors and nurses.
_WEIGHTS = (
    (13.0, -27.7),
    (-9.11, -25.7),
    (0.0, -34.9),
    (0.0, 40.2),
    (0.0, -17.4),
    (0.0, 27.8),
    (22.7, -14.0),
    (-0.38, 23.3),
    (0.0, 7.63),
    (2.22, 15.0),
    (-36.0, -0.934),
)
_OFFSET = 6.62


class SmileReader:
    """Whether the largest face smiles."""

    name = "smile"
    version = 1
    attributes: tuple[Attribute, ...] = (
        Attribute(
            name="smile",
            words="a smile",
            opposite="a serious face",
            within="face",
            shown_from=0.6,
            check="the corners of the mouth are drawn up and out, with or without teeth, on the largest face",
            topic="smile",
        ),
    )
    models: tuple[ModelFile, ...] = FACE_MODELS
    keepable = True

    def measure(self, photo: Photo) -> Mapping[str, float]:
        """How likely the largest face smiles, in [0, 1]; unknown where it is not clear."""
        mesh = clear_mesh(photo)
        return {"smile": UNKNOWN if mesh is None else smile_score(mesh)}


def smile_score(mesh: Floats) -> float:
    """How likely a face with this mesh (468, 2) smiles, in [0, 1]."""
    return probability(float((mouth_shape(mesh) * np.array(_WEIGHTS)).sum()) + _OFFSET)


def mouth_shape(mesh: Floats) -> Floats:
    """How far apart the points of each pair lie, and how far below the nose, (11, 2), in distances between the eyes."""
    level = level_mesh(mesh)
    left, right = np.moveaxis(level[_PAIRS], 1, 0)
    below = (left + right)[:, 1] / 2 - level[_NOSE, 1]
    shape: Floats = np.stack((right[:, 0] - left[:, 0], below), 1)
    return shape
