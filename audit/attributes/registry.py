"""Which attributes there are: a new reader is a file of its own and one line in this table, and is asked by default.

A package can bring further readers under the entry point group ``bias_audit.attributes``; they are asked when the
setting ``attributes`` names one of theirs.
"""

from collections.abc import Collection, Iterable
from functools import cache
from importlib.metadata import entry_points

from audit.attributes.attribute import Attribute, AttributeReader
from audit.attributes.people.apparent import ApparentReader
from audit.attributes.people.face_detail import FaceDetailReader
from audit.attributes.people.facial_hair import FacialHairReader
from audit.attributes.people.hair import HairReader
from audit.attributes.people.hair_colour import HairColourReader
from audit.attributes.people.headwear import HeadwearReader
from audit.attributes.people.pose import PoseReader
from audit.attributes.people.skin_tone import SkinToneReader
from audit.attributes.people.smile import SmileReader
from audit.attributes.surfaces.background import BackgroundReader
from audit.attributes.surfaces.bare_skin import BareSkinReader
from audit.attributes.surfaces.clothing import ClothingReader
from audit.attributes.surfaces.main_object import MainObjectReader
from audit.attributes.surfaces.patch import PatchReader
from audit.attributes.text import TextReader
from audit.config import DEFAULT_CUES, Config
from audit.detectors.plugins import load_plugin
from audit.errors import ConfigError
from audit.text import nearest

READERS: tuple[type[AttributeReader], ...] = (
    HairReader,
    HairColourReader,
    HeadwearReader,
    SmileReader,
    FacialHairReader,
    PoseReader,
    SkinToneReader,
    FaceDetailReader,
    BareSkinReader,
    ClothingReader,
    BackgroundReader,
    MainObjectReader,
    PatchReader,
    TextReader,
)
# What a classifier takes people for is read only where the settings ask for it.
PEOPLE_READERS: tuple[type[AttributeReader], ...] = (ApparentReader,)
PLUGINS = "bias_audit.attributes"
_PROMISED = ("name", "version", "attributes", "models", "keepable", "measure")


def built_in() -> dict[str, Attribute]:
    """Every attribute that a reader of the tables measures, by name, also those that are not asked for by default."""
    return {one.name: one for reader in (*READERS, *PEOPLE_READERS) for one in reader.attributes}


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
    return tuple(load_plugin(point, _PROMISED, "attribute reader") for point in entry_points(group=PLUGINS))


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
    listed, people = set(config.attributes), _names(PEOPLE_READERS)
    by_default = _names(READERS) | (people if config.people else set())
    names = listed - {DEFAULT_CUES} | (by_default if DEFAULT_CUES in listed else set())
    known = built_in() if names <= set(built_in()) else known_attributes()
    for name in sorted(names - set(known)):
        near = nearest(name, [*known, DEFAULT_CUES])
        raise ConfigError(f"attributes: nothing measures '{name}'; the nearest is '{near}'.")
    for name in sorted(names & people) if not config.people else ():
        raise ConfigError(f"attributes: '{name}', what a classifier takes people for, is only read with people: true.")
    return names


def _names(readers: Iterable[type[AttributeReader]]) -> set[str]:
    return {one.name for reader in readers for one in reader.attributes}


def _readers(listed: Collection[str]) -> tuple[type[AttributeReader], ...]:
    own = (*READERS, *PEOPLE_READERS)
    return own if set(listed) <= set(built_in()) else (*own, *plugins())
