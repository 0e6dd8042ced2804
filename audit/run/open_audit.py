"""Which folder an audit works in: the unfinished one with the same settings, or a new one named after the dataset."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from audit.config import Config, DatasetConfig, dump_config
from audit.data.outputs import Inputs, require_audits_folder
from audit.detection.registry import listed_cues
from audit.errors import ConfigError, OutputError
from audit.processes import from_folder, starting_folder
from audit.store.audit_folder import AuditFolder, write_text
from audit.store.private import USER_ONLY

MAX_NAME = 60


@dataclass(frozen=True)
class OpenAudit:
    """An audit folder that this process holds; ``resumed`` when an earlier run began it."""

    folder: AuditFolder
    config: Config
    resumed: bool


@contextmanager
def open_audit(config: Config, parent: Path, *, fresh: bool = False) -> Iterator[OpenAudit]:
    """Find or make the folder below ``parent``, write the settings into it and lock it for the length of the block.

    Raises ConfigError when the settings name no images, OutputError when ``parent`` lies among what is read or
    cannot be written, and AuditFolderError when the folder is in use.
    """
    config, parent = settled(config), parent.absolute()
    require_audits_folder(parent, Inputs.of_settings(config))
    unfinished = None if fresh else find_unfinished(config, parent)
    folder = unfinished or _new_folder(parent, dataset_name(config.dataset))
    with folder.locked():
        if unfinished is None:
            write_text(folder.config, dump_config(config))
        yield OpenAudit(folder, config, resumed=unfinished is not None)


def find_unfinished(config: Config, parent: Path) -> AuditFolder | None:
    """The newest audit below ``parent`` that has these very settings and no manifest.

    Raises ConfigError when the settings name no images.
    """
    settings = dump_config(config)
    candidates = sorted(parent.glob(f"{dataset_name(config.dataset)}-*"), key=lambda path: path.name, reverse=True)
    for path in candidates:
        folder = AuditFolder(path)
        if not folder.manifest.exists() and _text(folder.config) == settings:
            return folder
    return None


def discard_if_empty(audit: OpenAudit) -> None:
    """Remove a new folder in which no stage was finished: its images or settings were refused."""
    if not audit.resumed and not (audit.folder / "stages").exists():
        shutil.rmtree(audit.folder.path, ignore_errors=True)


def dataset_name(settings: DatasetConfig) -> str:
    """A short name for the images, fit for a folder's name. Raises ConfigError when none are given.

    >>> dataset_name(DatasetConfig.model_validate({"photos": "/data/Doctors & nurses"}))
    'Doctors-nurses'
    """
    source = settings.photos or settings.manifest
    if source is None:
        raise ConfigError("No photographs: name their folder, or a table of them (--manifest, in Python manifest=).")
    source = source.absolute()
    name = source.name if settings.photos else source.stem
    if settings.photos is None and name in ("images", "index"):
        name = source.parent.name
    return re.sub(r"[^\w.]+", "-", name).strip("-._")[:MAX_NAME] or "audit"


def settled(config: Config) -> Config:
    """The same settings, true wherever and whenever they are read: with absolute paths, and the default cues by name.

    Relative paths mean the folder in which the user stands.
    """
    tree = config.model_dump() | {"cues": listed_cues(config)}
    for section in ("dataset", "model", "compute"):
        tree[section] = {key: _absolute(value) for key, value in tree[section].items()}
    tree["own_cues"] = [{key: _absolute(value) for key, value in cue.items()} for cue in tree["own_cues"]]
    return Config.model_validate(tree)


def _absolute(value: object) -> object:
    return from_folder(starting_folder(), value) if isinstance(value, Path) else value


def _new_folder(parent: Path, name: str) -> AuditFolder:
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        path = parent / (stem + suffix)
        try:
            path.mkdir(mode=USER_ONLY, parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(f"{path}: cannot be made ({error.strerror}); choose another --out.") from None
        return AuditFolder(path)
    raise OutputError(f"{parent}: no free name for a new audit; choose another --out.")


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
