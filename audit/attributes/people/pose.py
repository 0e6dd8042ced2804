"""Where the largest face is, how near, how it is held, and whether there are others, by boxes and meshes."""

from collections.abc import Mapping

import numpy as np

from audit.attributes.attribute import UNKNOWN, Attribute
from audit.attributes.people.aligned_face import Floats, largest_face, level_mesh
from audit.detectors.parts.face import FACE_MODELS, Face, find_faces
from audit.detectors.photo import Photo
from audit.store.model_files import ModelFile

# The mesh's points at the tip of the nose, and before the ears, left and right.
_NOSE, _SIDES = 1, (234, 454)


class PoseReader:
    """Size, place and pose of the largest face, and the number of faces."""

    name = "pose"
    version = 1
    attributes: tuple[Attribute, ...] = (
        Attribute(
            name="close_up",
            words="a face that fills the picture",
            opposite="a face far away",
            within="face",
            shown_from=0.5,
            check="from forehead to chin, the largest face is at least half as high as the picture",
            topic="size of the face",
        ),
        Attribute(
            name="turned_head",
            words="a head turned to the side",
            opposite="a face seen from the front",
            within="face",
            shown_from=0.5,
            check="one cheek of the largest face is seen much wider than the other",
            topic="turn of the head",
        ),
        Attribute(
            name="tilted_head",
            words="a tilted head",
            opposite="an upright head",
            within="face",
            shown_from=15.0,
            check="the line through the eyes of the largest face slopes by at least 15 degrees",
            topic="tilt of the head",
        ),
        Attribute(
            name="face_off_centre",
            words="a face off the middle of the picture",
            opposite="a face in the middle of the picture",
            within="face",
            shown_from=1 / 3,
            check="the middle of the largest face lies in the left or the right third of the picture",
            topic="place of the face",
        ),
        Attribute(
            name="face_on_the_left",
            words="a face on the left",
            opposite="a face on the right",
            within="face",
            shown_from=1 / 3,
            check="the middle of the largest face lies in the left third of the picture",
            topic="place of the face",
        ),
        Attribute(
            name="several_faces",
            words="several faces",
            opposite="one face",
            within="face",
            shown_from=2.0,
            check="at least two faces can be seen",
            topic="number of faces",
        ),
    )
    models: tuple[ModelFile, ...] = FACE_MODELS
    keepable = True

    def measure(self, photo: Photo) -> Mapping[str, float]:
        """Shares of the picture's size, the turn in 0..1, the tilt in degrees, and the number of faces.

        Turn and tilt are unknown where no mesh fits, and everything where there is no face.
        """
        face = largest_face(photo)
        if face is None:
            return {}
        left = leftward(face, photo.shape[1])
        return {
            "close_up": face.size[1] / photo.shape[0],
            "turned_head": UNKNOWN if face.mesh is None else turn(face.mesh),
            "tilted_head": UNKNOWN if face.mesh is None else abs(float(np.degrees(face.angle))),
            "face_off_centre": abs(left),
            "face_on_the_left": left,
            "several_faces": float(len(find_faces(photo))),
        }


def leftward(face: Face, width: int) -> float:
    """How far the face lies to the left of the middle of a picture of this width: 1 at the left edge, -1 at the right.

    >>> outline = np.array(((10, 0), (30, 0), (20, 40)), np.float32)
    >>> leftward(Face((10, 0, 30, 40), 0.0, outline, 1.0, 1.0), 80)
    0.5
    """
    return 1 - 2 * face.centre[0] / width


def turn(mesh: Floats) -> float:
    """How far the tip of the nose lies from the middle between the ears: 0 from the front, 1 at the edge of the face.

    ``mesh`` (468, 2); a tilt of the head does not count.
    """
    level = level_mesh(mesh)[:, 0]
    left, right = level[list(_SIDES)]
    return float(min(1.0, abs(2 * (level[_NOSE] - left) / max(right - left, 1e-6) - 1)))
