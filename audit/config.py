"""Settings of an audit: one tree, every field with a default but the photographs; unknown keys are errors."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from audit.errors import ConfigError
from audit.text import nearest

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
FineTune = Literal["head", "conv5", "all"]
Head = Literal["gap", "fc"]
OwnRole = Literal["part", "subject", "scene", "mark"]
MarkKind = Literal["text", "sticker", "border", "tint", "blur", "vignette", "object"]
Tree = dict[str, Any]
"""Settings as they are written in YAML, before they are checked."""
DEFAULT_CUES = "default"
"""In the settings ``cues`` and ``attributes`` this word stands for all that is looked for, or measured, by default."""


class Section(BaseModel):
    """A node of the settings tree: frozen, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# The first two are trained here; torchvision's others are audited as their owner trained them (model.checkpoint).
Arch = Literal[
    "vgg16",
    "tiny",
    "alexnet",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "wide_resnet50_2",
    "densenet121",
    "densenet169",
    "densenet201",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_v2_s",
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
]


class DatasetConfig(Section):
    """Which photographs, and which of them are acceptable."""

    photos: Path | None = None
    manifest: Path | None = None
    image_root: Path | None = None
    attributes: list[str] | None = None
    group: str | None = None
    min_images_per_class: Annotated[int, Field(ge=2)] = 10
    min_side: Count = 32
    max_megapixels: Annotated[float, Field(gt=0)] = 100.0
    duplicate_bits: Annotated[int, Field(ge=0, le=16)] = 4


class ModelConfig(Section):
    """The classifier that is fine-tuned and explained."""

    arch: Arch = "vgg16"
    checkpoint: Path | None = None
    classes: list[str] | None = None
    weights: Path | None = None
    fine_tune: FineTune = "conv5"
    head: Head = "gap"
    image_size: Annotated[int, Field(ge=32, le=1024)] = 224


class TrainingConfig(Section):
    """How each fold's model is trained."""

    folds: Annotated[int, Field(ge=2, le=20)] = 3
    epochs: Count = 10
    patience: Count = 3
    batch_size: Count = 32
    head_learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    tail_learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    flips: bool = True


class ComputeConfig(Section):
    """Where and how the work is done; never changes what is measured beyond rounding."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    batch_size: Count = 16
    workers: Annotated[int, Field(ge=0)] = 2
    cache_gb: Annotated[float, Field(ge=0)] = 8.0
    keep_cache: bool = False
    keep_detections: bool = True
    models: Path | None = None


class AttentionConfig(Section):
    """How a map becomes regions, and regions become clusters."""

    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.4
    max_regions: Annotated[int, Field(ge=1, le=8)] = 3
    min_region_mass: Share = 0.05
    max_clusters: Annotated[int, Field(ge=2, le=40)] = 12


class EvidenceConfig(Section):
    """How much is resampled, and how many images are needed to say anything."""

    resamples: Annotated[int, Field(ge=100)] = 1000
    permutations: Annotated[int, Field(ge=20)] = 500
    min_images: Annotated[int, Field(ge=5)] = 10
    effect_images: Count = 15


class SelfAuditConfig(Section):
    """How thoroughly the audit measures its own false alarms and what it would miss; 0 leaves either out."""

    permutations: Annotated[int, Field(ge=0)] = 5
    null_images: Annotated[int, Field(ge=20)] = 200
    power_images: Annotated[int, Field(ge=0)] = 40
    kinds: list[MarkKind] = ["text", "sticker", "blur"]
    forms: Annotated[int, Field(ge=1)] = 2
    pairs: Annotated[int, Field(ge=1, le=4)] = 2

    @model_validator(mode="after")
    def _enough_or_none(self) -> Self:
        if 0 < self.power_images < 20:
            raise ValueError("power_images: fewer than 20 photographs show nothing; give 0 to leave this out")
        return self


class ReportConfig(Section):
    """What the HTML shows."""

    title: str = "Bias audit"
    exemplars: Annotated[int, Field(ge=1, le=24)] = 6
    thumbnail: Annotated[int, Field(ge=64, le=640)] = 224


class OwnCueConfig(Section):
    """A cue that the user marked in the photographs: boxes in a CSV file, or one mask picture per photograph."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    words: Annotated[str, Field(max_length=80)] = ""
    boxes: Path | None = None
    masks: Path | None = None
    role: OwnRole = "part"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.boxes is None) == (self.masks is None):
            raise ValueError("give either boxes (a CSV file) or masks (a folder)")
        return self


class Config(Section):
    """All settings of one audit."""

    dataset: DatasetConfig = DatasetConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    compute: ComputeConfig = ComputeConfig()
    attention: AttentionConfig = AttentionConfig()
    cues: list[str] = [DEFAULT_CUES]
    attributes: list[str] = [DEFAULT_CUES]
    own_cues: list[OwnCueConfig] = []
    expected_cues: list[str] = []
    irrelevant_cues: list[str] = []
    evidence: EvidenceConfig = EvidenceConfig()
    self_audit: SelfAuditConfig = SelfAuditConfig()
    report: ReportConfig = ReportConfig()
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _one_opinion(self) -> Self:
        if both := set(self.expected_cues) & set(self.irrelevant_cues):
            raise ValueError(f"'{min(both)}' is among both expected_cues and irrelevant_cues; decide on one")
        return self


def load_config(
    path: Path | None = None,
    overrides: Sequence[str] = (),
    settings: Mapping[str, object] = MappingProxyType({}),
    **dataset: Path | None,
) -> Config:
    """Read a YAML file, apply ``section.key=value`` overrides and ``settings``, then the photographs' location.

    ``dataset`` takes ``photos``, ``manifest`` and ``image_root``; a value of None leaves the file's setting.
    Values of overrides are read as YAML, so ``training.flips=false`` is a boolean. ``settings`` holds values as they
    are by dotted key; a mapping changes of a section what it names.

    Raises ConfigError for an unreadable file, an unknown key (naming the nearest valid one) or a bad value.
    """
    tree = _read_yaml(path) if path else {}
    for override in overrides:
        _apply(tree, override)
    for dotted, value in settings.items():
        _put(tree, dotted, value)
    given = {key: value for key, value in dataset.items() if value is not None}
    section = tree.setdefault("dataset", {})
    if given and isinstance(section, dict):
        for key in ("manifest", "image_root") if "photos" in given else ("photos",):
            section.pop(key, None)
        section.update(given)
    return parse_config(tree)


def parse_config(tree: Mapping[str, Any]) -> Config:
    """Validate a plain tree of settings. Raises ConfigError, one line per problem."""
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(problem) for problem in error.errors())) from None


def dump_config(config: Config) -> str:
    """The resolved settings as YAML, every key present, in the order of the tree; ``load_config`` reads it back."""
    tree = config.model_dump(mode="json")
    readable = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    # PyYAML writes some line separators bare that it then reads as line ends.
    return readable if yaml.safe_load(readable) == tree else yaml.safe_dump(tree, sort_keys=False)


def _read_yaml(path: Path) -> Tree:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error.__class__.__name__}); check --config.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML ({' '.join(str(error).split())}).") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected settings as 'key: value' lines; found {type(tree).__name__}.")
    return tree


def _apply(tree: Tree, override: str) -> None:
    dotted, separator, text = override.partition("=")
    if not separator or not dotted.strip():
        raise ConfigError(f"--set {override}: write it as section.key=value, e.g. model.fine_tune=head.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {override}: the value is not valid YAML; put it in quotes.") from None
    _section(tree, dotted.strip(), f"--set {override}")[dotted.strip().rpartition(".")[2]] = value


def _put(tree: Tree, dotted: str, value: object) -> None:
    """Set one key of the tree; a mapping is put into the section key by key, and so never shared with the caller."""
    if not isinstance(value, Mapping):
        _section(tree, dotted, dotted)[dotted.rpartition(".")[2]] = value
        return
    if not value:
        _section(tree, f"{dotted}.", dotted)
    for key, part in value.items():
        _put(tree, f"{dotted}.{key}", part)


def _section(tree: Tree, dotted: str, told: str) -> Tree:
    """The section that holds a dotted key, made if need be. Raises ConfigError, which begins with ``told``."""
    for section in dotted.split(".")[:-1]:
        child = tree.setdefault(section, {})
        if not isinstance(child, dict):
            raise ConfigError(f"{told}: '{section}' is not a section.")
        tree = child
    return tree


def _explain(problem: Mapping[str, Any]) -> str:
    location = [str(part) for part in problem["loc"]]
    dotted = ".".join(location)
    if problem["type"] != "extra_forbidden":
        return f"{dotted}: {problem['msg']} (found {problem['input']!r})."
    return no_such_setting(dotted)


def no_such_setting(name: str, others: Sequence[str] = ()) -> str:
    """A sentence that names the nearest dotted key, or the nearest of ``others`` where that is nearer.

    >>> no_such_setting("training.fold")
    "training.fold: there is no such setting; the nearest is 'training.folds'."
    """
    return f"{name}: there is no such setting; the nearest is '{nearest(name, [*others, *known_keys()])}'."


def known_keys(model: type[BaseModel] = Config, prefix: str = "") -> list[str]:
    """Every valid dotted key, sections before their fields."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += known_keys(field.annotation, f"{prefix}{name}.")
    return keys


def model_folder(config: Config | None = None) -> Path:
    """Where model files are kept: ``compute.models``, else the cache folder."""
    if config is not None and config.compute.models is not None:
        return config.compute.models
    return cache_folder()


def cache_folder() -> Path:
    """What audits share on this machine: ``$XDG_CACHE_HOME/bias-audit``, usually ``~/.cache/bias-audit``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bias-audit"
