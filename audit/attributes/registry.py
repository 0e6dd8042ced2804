"""Which attributes there are: a new reader is a file of its own and one line in this table."""

from audit.attributes.attribute import Attribute, AttributeReader
from audit.attributes.people import PeopleReader

READERS: tuple[type[AttributeReader], ...] = ()
# What a classifier takes people for is read only where the settings ask for it.
PEOPLE_READERS: tuple[type[AttributeReader], ...] = (PeopleReader,)


def choose_readers(people: bool) -> tuple[AttributeReader, ...]:
    """One of each reader, in the table's order; with ``people`` also those of what people look like to a classifier.

    >>> [reader.name for reader in choose_readers(True)][-1], "people" in [one.name for one in choose_readers(False)]
    ('people', False)
    """
    return tuple(make() for make in (*READERS, *(PEOPLE_READERS if people else ())))


def built_in() -> dict[str, Attribute]:
    """Every attribute that a reader of the tables measures, by name, also those that are not asked for by default."""
    return {one.name: one for reader in (*READERS, *PEOPLE_READERS) for one in reader.attributes}
