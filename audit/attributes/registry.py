"""Which attributes there are: a new reader is a file of its own and one line in this table."""

from audit.attributes.attribute import Attribute, AttributeReader
from audit.attributes.background import BackgroundReader
from audit.attributes.clothing import ClothingReader
from audit.attributes.main_object import MainObjectReader
from audit.attributes.patch import PatchReader
from audit.attributes.text import TextReader

READERS: tuple[type[AttributeReader], ...] = (
    ClothingReader,
    BackgroundReader,
    MainObjectReader,
    PatchReader,
    TextReader,
)


def built_in() -> dict[str, Attribute]:
    """Every attribute that a reader of the table measures, by name."""
    return {one.name: one for reader in READERS for one in reader.attributes}
