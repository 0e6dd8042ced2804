"""Which attributes there are: a new reader is a file of its own and one line in this table."""

from audit.attributes.attribute import Attribute, AttributeReader

READERS: tuple[type[AttributeReader], ...] = ()


def built_in() -> dict[str, Attribute]:
    """Every attribute that a reader of the table measures, by name."""
    return {one.name: one for reader in READERS for one in reader.attributes}
