"""Where a command may write: never over a file that it did not write itself, and never among what it reads.

Files are told apart by what they are, not by how they are named: links, hard links and names that differ in case only
are seen through.
"""

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Self

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from audit.config import Config, load_config
from audit.data.dataset import Dataset, load_dataset
from audit.errors import OutputError
from audit.store.audit_folder import AuditFolder, file_digest, write_atomically

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MARK = ("Software", "bias-audit explain")
_MARKED_WITHIN = 256
_MARKED_PAGE = 4096


@dataclass(frozen=True)
class Inputs:
    """What must stay as it is: ``files``, and ``folders`` in which nothing at all may be written."""

    files: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()

    @classmethod
    def of_settings(cls, config: Config) -> Self:
        """Whatever the settings name: photographs, tables, marks and weights."""
        data, model = config.dataset, config.model
        files = [data.manifest, model.checkpoint, model.weights, *(cue.boxes for cue in config.own_cues)]
        folders = [data.photos, _folder_of_photographs(config), *(cue.masks for cue in config.own_cues)]
        return cls(_given(files), _given(folders))

    @classmethod
    def of_audit(cls, folder: AuditFolder) -> Self:
        """Whatever an audit was made from, each of its photographs too."""
        dataset, settings = load_dataset(folder), cls.of_settings(load_config(folder.config))
        photographs = (dataset.root / path for path in dataset.images["path"])
        return cls((*settings.files, *photographs), (*settings.folders, *_folders_inside(dataset)))

    def with_file(self, path: Path) -> "Inputs":
        """A further file."""
        return replace(self, files=(*self.files, path))

    def with_folder(self, path: Path) -> "Inputs":
        """A further folder."""
        return replace(self, folders=(*self.folders, path))


def require_picture(out: Path, inputs: Inputs) -> None:
    """Raise OutputError unless a PNG file may be written to ``out``; one that ``write_picture`` wrote is replaced."""
    _refuse(out, "--out", _no_picture(out), _among(out, inputs), _taken(out, inputs), _unwritable(out.parent))


def write_picture(image: Image.Image, out: Path) -> None:
    """Write a PNG file that ``require_picture`` knows again, whole or not at all. Raises OutputError as that does."""
    require_picture(out, Inputs())
    mark = PngInfo()
    mark.add_text(*_MARK)
    try:
        write_atomically(out, lambda aside: image.save(aside, "PNG", pnginfo=mark))
    except OSError as error:
        raise _unwritten(out, "--out", error) from None


def require_new_folder(out: Path, inputs: Inputs, option: str = "--out") -> None:
    """Raise OutputError, naming the ``option``, unless ``out`` is or can become an empty folder apart from the inputs.

    A disk's own folder is refused, since ``new_folder`` could not replace it.
    """
    _refuse(out, option, _among(out, inputs), _not_new(out), _unwritable(out.parent))


@contextmanager
def new_folder(out: Path, option: str = "--out") -> Iterator[Path]:
    """A hidden folder beside ``out`` that takes its place when the block ends well, and is deleted when it does not.

    So a folder of that name is whole, whatever happens. Raises OutputError, naming the ``option``, where it cannot be
    made.
    """
    out = Path(os.path.realpath(out))
    aside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        aside.mkdir(parents=True)
    except OSError as error:
        raise _unwritten(out, option, error) from None
    try:
        yield aside
        _rename(aside, out, option)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def require_table(out: Path, inputs: Inputs, ours: Collection[str], page: Path, page_mark: str) -> None:
    """Raise OutputError unless a CSV file may be written to ``out`` and an HTML file to ``page`` beside it.

    A table is replaced only where nobody has changed it since: its SHA-256 must be among ``ours``; a page where it
    begins with ``page_mark``.
    """
    wrong_name = "" if out.suffix.lower() == ".csv" else "is written as CSV, and its name does not end in .csv"
    _refuse(out, "--out", _among(out, inputs), _unwritable(out.parent), wrong_name)
    _refuse(out, "--out", _foreign(out, inputs, lambda path: file_digest(path) in ours))
    _refuse(page, "--out", _foreign(page, inputs, lambda path: _begins_with(path, page_mark)))


def require_audits_folder(parent: Path, inputs: Inputs) -> None:
    """Raise OutputError unless audits may get their folders in ``parent``, which may hold anything else."""
    _refuse(parent, "--out", _among(parent, inputs), _unwritable(parent))


def audit_around(place: Path) -> Path | None:
    """The audit in whose folder a file or folder lies, or which it is; None where that is no audit's."""
    place = Path(os.path.realpath(place))
    return next((folder for folder in (place, *place.parents) if _is_audit(folder)), None)


def _refuse(out: Path, option: str, *reasons: str) -> None:
    """Raise OutputError for the first reason that is not empty."""
    for reason in filter(None, reasons):
        raise OutputError(f"{out}: {reason}; choose another {option}.")


def _unwritten(out: Path, option: str, error: OSError) -> OutputError:
    return OutputError(f"{out}: cannot be written ({error.strerror or error}); choose another {option}.")


def _rename(aside: Path, out: Path, option: str) -> None:
    try:
        aside.replace(out)
    except OSError as error:
        raise _unwritten(out, option, error) from None


def _among(out: Path, inputs: Inputs) -> str:
    """Why the place that ``out`` leads to may not be written: it lies among inputs or in an audit."""
    kept = {identity for folder in inputs.folders if (identity := _identity(folder))}
    place = Path(os.path.realpath(out))
    for folder in (place, *place.parents):
        if _identity(folder) in kept:
            return f"lies among what is only read, in {folder}"
        if _is_audit(folder):
            return f"lies in the audit {folder}"
    return ""


def _no_picture(out: Path) -> str:
    return "" if out.suffix.lower() == ".png" else "is written as PNG, and its name does not end in .png"


def _taken(out: Path, inputs: Inputs) -> str:
    """Why a file may not be replaced."""
    if out.is_symlink():
        return "is a link"
    if not _identity(out):
        return ""
    if _identity(out) in {_identity(file) for file in inputs.files}:
        return "is a file that is only read"
    return "" if _is_ours(out) else "is there already, and 'bias-audit explain' did not write it"


def _not_new(out: Path) -> str:
    if out.is_symlink():
        return "is a link"
    if os.path.ismount(out):
        return "is a disk of its own, of which only a folder can be written"
    try:
        return "is there already and not an empty folder" if _identity(out) and any(out.iterdir()) else ""
    except NotADirectoryError:
        return "is a file"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _unwritable(folder: Path) -> str:
    """Why nothing can be written in a folder, or in the nearest above it if it is yet to be made."""
    place = Path(os.path.realpath(folder))
    nearest = next(above for above in (place, *place.parents) if _identity(above))
    if not nearest.is_dir():
        return f"{nearest} is not a folder"
    return "" if os.access(nearest, os.W_OK | os.X_OK) else f"you may not write in {nearest}"


def _identity(path: Path) -> tuple[int, int] | None:
    """Equal for all names of one file; None where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _is_audit(folder: Path) -> bool:
    audit = AuditFolder(folder)
    begun = _identity(audit.config) and _identity(folder / ".lock")
    return bool(begun or _identity(audit.stage_record("dataset")))


def _foreign(out: Path, inputs: Inputs, is_ours: Callable[[Path], bool]) -> str:
    """Why a file that is no picture may not be replaced."""
    if out.is_symlink():
        return "is a link"
    if not _identity(out):
        return ""
    if not out.is_file():
        return "is no file"
    if _identity(out) in {_identity(file) for file in inputs.files}:
        return "is a file that is only read"
    return "" if is_ours(out) else "is there already, and was not written by this command or was changed since"


def _begins_with(path: Path, mark: str) -> bool:
    try:
        with path.open("rb") as handle:
            return mark.encode() in handle.read(_MARKED_PAGE)
    except OSError:
        return False


def _is_ours(path: Path) -> bool:
    """Whether it is a picture with the mark of ``write_picture``."""
    try:
        with path.open("rb") as handle:
            beginning = handle.read(_MARKED_WITHIN)
    except OSError:
        return False
    return beginning.startswith(_SIGNATURE) and "\0".join(_MARK).encode() in beginning


def _folder_of_photographs(config: Config) -> Path | None:
    """The manifest's image root, unless the manifest lies in it: then people work in that folder."""
    root, manifest = config.dataset.image_root, config.dataset.manifest
    if root is None or manifest is None:
        return None
    above = {_identity(place) for place in Path(os.path.realpath(manifest)).parents}
    return None if _identity(root) in above else root


def _folders_inside(dataset: Dataset) -> Iterator[Path]:
    """The folders below the root that hold photographs."""
    for folder in sorted({PurePosixPath(path).parent for path in dataset.images["path"]} - {PurePosixPath()}):
        yield dataset.root / folder


def _given(paths: Iterable[Path | None]) -> tuple[Path, ...]:
    return tuple(path for path in paths if path is not None)
