"""Which attributes there are: a new reader is a file of its own and one line in this table."""

from audit.attributes.attribute import Attribute, AttributeReader
from audit.attributes.face_detail import FaceDetailReader
from audit.attributes.facial_hair import FacialHairReader
from audit.attributes.pose import PoseReader
from audit.attributes.skin_tone import SkinToneReader
from audit.attributes.smile import SmileReader

READERS: tuple[type[AttributeReader], ...] = (
    SmileReader,
    FacialHairReader,
    PoseReader,
    SkinToneReader,
    FaceDetailReader,
)


def built_in() -> dict[str, Attribute]:
    """Every attribute that a reader of the table measures, by name."""
    return {one.name: one for reader in READERS for one in reader.attributes}
