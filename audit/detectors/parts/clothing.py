"""Clothing: what is left of a person without face, hair and bare skin."""

from audit.detectors.cue import ABSENT, Cue, Mask, Sighting
from audit.detectors.parts.face import FACE_MODELS, face_mask, find_faces
from audit.detectors.parts.hair import hair_mask
from audit.detectors.parts.skin import skin_mask
from audit.detectors.parts.subject import person_mask
from audit.detectors.photo import Photo, shared
from audit.store.model_files import FOREGROUND, ModelFile

_LEAST_AREA = 0.02


class ClothingDetector:
    """Clothes, and bags and held things alike, which no file here tells apart."""

    name = "clothing"
    version = 4
    cues: tuple[Cue, ...] = (Cue("clothing", "the clothing", "part", within="person"),)
    models: tuple[ModelFile, ...] = (*FACE_MODELS, FOREGROUND)
    keepable = True

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """Present when it covers at least a fiftieth of the picture."""
        clothing = clothing_mask(photo)
        if clothing is None:
            return {"clothing": ABSENT}
        score = max(face.score for face in find_faces(photo))
        return {"clothing": Sighting.of_mask(clothing, score, _LEAST_AREA)}


@shared
def clothing_mask(photo: Photo) -> Mask | None:
    """What the people of a photograph wear and hold, boolean (h, w); None where no face was accepted."""
    person, skin = person_mask(photo), skin_mask(photo)
    if person is None or skin is None:
        return None
    return person & ~face_mask(photo) & ~hair_mask(photo) & ~skin
