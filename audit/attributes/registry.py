"""Which attributes there are: a new reader is a file of its own and one line in this table, and is asked by default.

A package can bring further readers under the entry point group ``bias_audit.attributes``; they are asked when the
setting ``attributes`` names one of theirs.
"""

from collections.abc import Collection
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from audit.attributes.attribute import Attribute, AttributeReader
from audit.config import DEFAULT_CUES, Config
from audit.errors import ConfigError
from audit.text import nearest

READERS: tuple[type[AttributeReader], ...] = ()
PLUGINS = "bias_audit.attributes"


def built_in() -> dict[str, Attribute]:
    """Every attribute that a reader of the table measures, by name."""
    return {one.name: one for reader in READERS for one in reader.attributes}


def known_attributes() -> dict[str, Attribute]:
    """Every attribute that some reader measures, by name. Raises ConfigError when a plugin cannot be used."""
    attributes = built_in()
    for reader in plugins():
        for attribute in reader.attributes:
            if attribute.name in attributes:
                raise ConfigError(f"Two readers measure '{attribute.name}'; uninstall the plugin '{reader.name}'.")
            attributes[attribute.name] = attribute
    return attributes


@cache
def plugins() -> tuple[type[AttributeReader], ...]:
    """The readers that installed packages bring. Raises ConfigError, naming the package, when one fails to load."""
    return tuple(_load(point) for point in entry_points(group=PLUGINS))


def choose_attributes(config: Config, cues: Collection[str]) -> tuple[Attribute, ...]:
    """The attributes of the setting ``attributes`` whose region is among ``cues``, or that are of whole pictures.

    In the order of their readers. Raises ConfigError, naming the nearest, for one that no reader measures.
    """
    listed = _listed(config)
    offered = (attribute for reader in _readers(listed) for attribute in reader.attributes)
    return tuple(one for one in offered if one.name in listed and (not one.within or one.within in cues))


def choose_readers(config: Config, cues: Collection[str]) -> tuple[AttributeReader, ...]:
    """One of each reader that some of these attributes need. Raises ConfigError as ``choose_attributes`` does."""
    chosen = {one.name for one in choose_attributes(config, cues)}
    makers = _readers(_listed(config))
    return tuple(make() for make in makers if chosen & {one.name for one in make.attributes})


def _listed(config: Config) -> set[str]:
    """The names in the setting ``attributes``; ``default`` becomes what it stands for."""
    listed = set(config.attributes)
    names = listed - {DEFAULT_CUES} | (set(built_in()) if DEFAULT_CUES in listed else set())
    known = built_in() if names <= set(built_in()) else known_attributes()
    for name in sorted(names - set(known)):
        near = nearest(name, [*known, DEFAULT_CUES])
        raise ConfigError(f"attributes: nothing measures '{name}'; the nearest is '{near}'.")
    return names


def _readers(listed: Collection[str]) -> tuple[type[AttributeReader], ...]:
    return READERS if set(listed) <= set(built_in()) else (*READERS, *plugins())


def _load(point: EntryPoint) -> type[AttributeReader]:
    try:
        reader: type[AttributeReader] = point.load()
        _ = reader.name, reader.version, reader.attributes, reader.models, reader.keepable, reader.measure
    except Exception as error:  # a plugin may fail in any way while it is imported
        raise ConfigError(
            f"The attribute reader '{point.name}' ({point.value}) cannot be used: {error!r}; update or uninstall it."
        ) from None
    return reader
