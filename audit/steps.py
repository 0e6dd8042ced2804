"""The steps of an audit in order, what each depends on, and the record by which a resumed audit does none again."""

from dataclasses import dataclass

from audit.config import Config
from audit.store.audit_folder import AuditFolder, digests, read_json, value_digest
from audit.store.contents import by_content


@dataclass(frozen=True)
class Step:
    """A named piece of work, whoever does it.

    ``settings`` are the dotted keys of the configuration that its result depends on, ``after`` the steps whose files it
    reads. Raise ``version`` whenever its output changes for equal input. ``repeats`` are the steps whose work it does
    again on other data, so that their versions count as well.
    """

    name: str
    after: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    version: int = 1
    repeats: tuple[str, ...] = ()


STEPS = (
    Step("dataset", (), ("dataset", "training.folds", "seed"), version=5),
    Step("detect", ("dataset",), ("cues", "attributes", "people", "own_cues"), version=5),
    Step("features", ("dataset",), ("model", "training.flips", "compute.cache_gb", "seed")),
    Step("training", ("dataset", "features"), ("model", "training", "seed")),
    Step("explain", ("dataset", "detect", "features", "training"), ("model", "attention", "seed"), version=3),
    Step("sanity", ("dataset", "training", "explain"), ("model", "seed"), version=2),
    Step("regions", ("explain",), ("attention",)),
    Step(
        "clusters",
        ("dataset", "detect", "explain", "regions"),
        ("attention", "training.folds", "seed"),
        version=5,
    ),
    Step(
        "cues",
        ("dataset", "detect", "features", "explain", "regions", "clusters"),
        ("attention", "evidence", "seed"),
        version=12,
    ),
    Step(
        "masking",
        ("dataset", "detect", "training", "explain", "cues"),
        ("evidence.effect_images", "evidence.min_images", "evidence.resamples", "seed"),
        version=7,
    ),
    Step("evidence", ("dataset", "detect", "explain", "cues", "masking"), ("evidence", "seed"), version=20),
    Step(
        "findings",
        ("dataset", "detect", "explain", "sanity", "clusters", "cues", "evidence"),
        ("expected_cues", "irrelevant_cues", "dataset.min_images_per_class", "evidence", "report.exemplars"),
        version=16,
    ),
    Step(
        "learning-curve",
        ("dataset", "detect", "features", "explain", "cues", "findings"),
        ("model", "training", "evidence.resamples", "plan.learning_curve", "seed"),
        repeats=("training",),
    ),
    Step(
        "self-audit",
        ("dataset", "detect", "features", "explain", "sanity", "cues", "masking", "evidence"),
        (
            "self_audit",
            "model",
            "training",
            "attention",
            "evidence",
            "cues",
            "attributes",
            "people",
            "own_cues",
            "expected_cues",
            "seed",
        ),
        version=8,
        repeats=("training", "explain", "regions", "clusters", "cues", "evidence", "findings"),
    ),
    Step(
        "record",
        (
            "dataset",
            "detect",
            "training",
            "explain",
            "sanity",
            "clusters",
            "cues",
            "findings",
            "learning-curve",
            "self-audit",
        ),
        ("report",),
        version=9,
    ),
)


@dataclass(frozen=True)
class StageRecord:
    """What a finished stage leaves behind: its key, the SHA-256 of its files, its wall time in seconds."""

    name: str
    key: str
    outputs: dict[str, str]
    seconds: float


def done_already(stage: Step, folder: AuditFolder, config: Config) -> StageRecord | None:
    """The record of a stage that need not be done: same key, and every output is as it was left."""
    record = finished_record(stage, folder)
    if record and record.key == stage_key(stage, folder, config) and _intact(folder, record):
        return record
    return None


def stage_key(stage: Step, folder: AuditFolder, config: Config) -> str:
    """Digest of all that a stage's result depends on: its version, its settings, the files of the stages before it."""
    settings = {name: setting_of(config, name) for name in stage.settings}
    before = {name: record.outputs if (record := finished_record_of(name, folder)) else None for name in stage.after}
    return value_digest(stage.name, stage.version, settings, before, *map(version_of, stage.repeats))


def version_of(name: str) -> int:
    """The version of a step: part of the keys of what it keeps, so that no run goes on with an older release's work."""
    return next(step.version for step in STEPS if step.name == name)


def finished_record(stage: Step, folder: AuditFolder) -> StageRecord | None:
    """The record that a stage left in the folder, or None."""
    return finished_record_of(stage.name, folder)


def finished_record_of(name: str, folder: AuditFolder) -> StageRecord | None:
    """As ``finished_record``, by the stage's name."""
    path = folder.stage_record(name)
    return StageRecord(**read_json(path)) if path.exists() else None


def _intact(folder: AuditFolder, record: StageRecord) -> bool:
    paths = [folder / name for name in record.outputs]
    return all(path.exists() for path in paths) and digests(folder, paths) == record.outputs


def setting_of(config: Config, dotted: str) -> object:
    """What a setting or section, named by its dotted key, adds to a digest: files count by their contents."""
    value: object = config
    for part in dotted.split("."):
        value = getattr(value, part)
    return by_content(value)
