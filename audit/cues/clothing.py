"""Clothing: what is left of a person without face and hair."""

from audit.cues.cue import ABSENT, Cue, Sighting
from audit.cues.face import FACE_MODELS, face_mask, find_faces
from audit.cues.hair import hair_mask
from audit.cues.person import person_mask
from audit.cues.photo import Photo
from audit.modelfiles import FOREGROUND, ModelFile

_LEAST_AREA = 0.02


class ClothingDetector:
    """The person below the head: clothes, bare arms and held things alike, which no file here tells apart."""

    name = "clothing"
    version = 2
    cues: tuple[Cue, ...] = (Cue("clothing", "the clothing or body", "part", within="person"),)
    models: tuple[ModelFile, ...] = (*FACE_MODELS, FOREGROUND)
    keepable = True

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """Present when it covers at least a fiftieth of the picture."""
        person = person_mask(photo)
        if person is None:
            return {"clothing": ABSENT}
        score = max(face.score for face in find_faces(photo))
        return {"clothing": Sighting.of_mask(person & ~face_mask(photo) & ~hair_mask(photo), score, _LEAST_AREA)}
