"""Which detectors there are: a new one is a file of its own and one line in this table, and is looked for by default.

A package can bring further ones under the entry point group ``bias_audit.cues``; they are looked for when the setting
``cues`` names one of their cues.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.metadata import entry_points
from itertools import chain

from audit.attributes import registry as attribute_registry
from audit.attributes.attribute import Attribute, AttributeDetector
from audit.config import DEFAULT_CUES, Config, model_folder
from audit.detectors.cue import Cue, Detector
from audit.detectors.marks.border import BorderDetector
from audit.detectors.marks.patch import PatchDetector
from audit.detectors.marks.printed_mark import OVERLAY
from audit.detectors.marks.text import TextDetector, unusable_reader
from audit.detectors.marks.vignette import VignetteDetector
from audit.detectors.parts.clothing import ClothingDetector
from audit.detectors.parts.eyes import EyesDetector
from audit.detectors.parts.face import FaceDetector
from audit.detectors.parts.hair import HairDetector
from audit.detectors.parts.skin import SkinDetector
from audit.detectors.parts.subject import SubjectDetector
from audit.detectors.plugins import load_plugin
from audit.detectors.user_cues import OwnCueDetector, own_cues
from audit.errors import ConfigError
from audit.store.model_files import require
from audit.text import nearest

DETECTORS: tuple[type[Detector], ...] = (
    FaceDetector,
    EyesDetector,
    HairDetector,
    SubjectDetector,
    SkinDetector,
    ClothingDetector,
    BorderDetector,
    VignetteDetector,
    TextDetector,
    PatchDetector,
)
PLUGINS = "bias_audit.cues"
_PROMISED = ("name", "version", "cues", "models", "keepable", "detect")
# The keys of stored audits hold the default cues in this order; those that came later follow.
_STORED_ORDER = (
    "face",
    "glasses",
    "eyes",
    "hair",
    "skin",
    "person",
    "main_object",
    "clothing",
    "background",
    "border",
    "text",
    "patch",
    OVERLAY,
)
# Detectors that need a package which not every platform has, and what says why it cannot be used ("" when it can).
_MISSING: dict[type[Detector], Callable[[], str]] = {TextDetector: unusable_reader}


def known_cues() -> dict[str, Cue]:
    """Every cue that some detector looks for, by name. Raises ConfigError when a plugin cannot be used."""
    cues = _built_in()
    for detector in plugins():
        for cue in detector.cues:
            if cue.name in cues:
                raise ConfigError(f"Two detectors look for '{cue.name}'; uninstall the plugin '{detector.name}'.")
            cues[cue.name] = cue
    return cues


@cache
def plugins() -> tuple[type[Detector], ...]:
    """The detectors that installed packages bring. Raises ConfigError, naming the package, when one fails to load."""
    return tuple(load_plugin(point, _PROMISED, "cue detector") for point in entry_points(group=PLUGINS))


def default_cues() -> list[str]:
    """The names of the cues that are looked for unless the settings say otherwise: those of every detector here."""
    order = {name: place for place, name in enumerate(_STORED_ORDER)}
    return sorted((*_built_in(), OVERLAY), key=lambda name: order.get(name, len(order)))


def listed_cues(config: Config) -> list[str]:
    """The names in the setting ``cues``, in its order, each once; ``default`` becomes what it stands for.

    >>> listed_cues(Config(cues=["hair", "default"]))[:4]
    ['hair', 'face', 'glasses', 'eyes']
    """
    listed = (default_cues() if name == DEFAULT_CUES else [name] for name in config.cues)
    return list(dict.fromkeys(chain.from_iterable(listed)))


def choose_cues(config: Config) -> tuple[Cue, ...]:
    """The cues of the settings ``cues`` and ``own_cues``, in their order, each once.

    Raises ConfigError, naming the nearest, for one that no detector looks for, and for a name that is used twice.
    """
    return (*_listed(config), *_marked(config))


def choose_attributes(config: Config) -> tuple[Attribute, ...]:
    """What is measured of the regions of the settings' cues, and of whole pictures.

    Raises ConfigError, naming the nearest, for one that no reader measures.
    """
    return attribute_registry.choose_attributes(config, _names(config))


def choose_detectors(config: Config) -> tuple[Detector, ...]:
    """One of each detector that some of these cues need, in the table's order, then the readers of attributes.

    Raises as ``choose_cues`` and ``choose_attributes``.
    """
    wanted = {cue.name for cue in choose_cues(config)}
    makers = DETECTORS if set(listed_cues(config)) <= {*_built_in(), OVERLAY} else (*DETECTORS, *plugins())
    readers = attribute_registry.choose_readers(config, _names(config))
    chosen = tuple(make() for make in makers if wanted & {cue.name for cue in make.cues})
    return (*chosen, *map(OwnCueDetector, config.own_cues), *map(AttributeDetector, readers))


def require_models(config: Config, detectors: Iterable[Detector]) -> None:
    """Raise MissingModelFile or ModelFileError unless the files of some detectors and readers are there, intact.

    What only an option of ``fetch`` brings comes first: it brings the others, too, so that one command is enough.
    """
    models = dict.fromkeys(model for detector in detectors for model in detector.models)
    for model in sorted(models, key=lambda model: not model.asked_by):
        require(model_folder(config), model.name)


def missing_cues(names: Sequence[str]) -> dict[str, str]:
    """Those of the cues that cannot be looked for on this machine, each with the reason, the end of a sentence."""
    missing: dict[str, str] = {}
    for detector, why_missing in _MISSING.items():
        sought = [cue.name for cue in detector.cues if cue.name in names]
        if sought and (reason := why_missing()):
            missing |= dict.fromkeys(sought, reason)
    return missing


def _names(config: Config) -> list[str]:
    """Of the cues of the settings, those that users marked included."""
    return [*listed_cues(config), *(cue.name for settings in config.own_cues for cue in own_cues(settings))]


def _listed(config: Config) -> Iterator[Cue]:
    cues = _built_in()
    for name in listed_cues(config):
        if name == OVERLAY:
            continue  # Which ones there are shows only when all photographs have been seen.
        if name not in cues:
            cues = known_cues()
        if name not in cues:
            near = nearest(name, [*cues, OVERLAY, DEFAULT_CUES])
            raise ConfigError(f"cues: no detector looks for '{name}'; the nearest is '{near}'.")
        yield cues[name]


def _marked(config: Config) -> Iterator[Cue]:
    taken = {*listed_cues(config), *_built_in()}
    for settings in config.own_cues:
        for cue in own_cues(settings):
            if cue.name in taken:
                raise ConfigError(f"own_cues: the name '{cue.name}' is taken; choose another.")
            taken.add(cue.name)
            yield cue


def _built_in() -> dict[str, Cue]:
    return {cue.name: cue for detector in DETECTORS for cue in detector.cues}
