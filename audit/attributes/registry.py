"""Which attributes there are: a new reader is a file of its own and one line in this table."""

from audit.attributes.attribute import Attribute, AttributeReader
from audit.attributes.hair import HairReader
from audit.attributes.hair_colour import HairColourReader
from audit.attributes.headwear import HeadwearReader

READERS: tuple[type[AttributeReader], ...] = (
    HairReader,
    HairColourReader,
    HeadwearReader,
)


def built_in() -> dict[str, Attribute]:
    """Every attribute that a reader of the table measures, by name."""
    return {one.name: one for reader in READERS for one in reader.attributes}
