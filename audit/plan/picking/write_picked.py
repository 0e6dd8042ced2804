"""The table of picked photographs, and copies of them in one subfolder per class."""

import csv
import io
from pathlib import Path

from audit.config import Config
from audit.data.outputs import new_folder
from audit.data.photo_file import PhotoFile, read_content
from audit.errors import OutputError
from audit.plan.masked_copy import Paths
from audit.plan.picking.picked_json import Picked, PickedPhoto
from audit.plan.write_plan import safe_cell
from audit.progress import track

COLUMNS = ("path", "label", "order", "rank", "reasons")
_SUFFIXES = {"JPEG": ".jpg", "JPEG2000": ".jp2", "TIFF": ".tif"}


def table_of(picked: Picked, group: str | None, subjects: dict[str, str]) -> str:
    """The table as CSV: one row per photograph, ready for ``bias-audit verify --with``; paths are absolute.

    ``group`` is the column that tells subjects apart, in audits that have one; ``subjects`` are these by path.
    """
    further = [group] if group else []
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*COLUMNS, *further])
    for order in picked.orders:
        for photo in order.photographs:
            place, reasons = (Path(picked.pool) / photo.path).as_posix(), "; ".join(photo.reasons)
            told = (order.label, f"{order.label} {order.state}", photo.rank, reasons)
            subject = [safe_cell(subjects.get(photo.path, ""))] if group else []
            writer.writerow([place, *map(safe_cell, told), *subject])
    return text.getvalue()


def copy_photographs(picked: Picked, formats: dict[str, str], out: Path, config: Config) -> None:
    """Copy the picked photographs, byte for byte, into ``out``, one subfolder per class; it appears when it is whole.

    ``formats`` are theirs by path. Raises OutputError where ``out`` cannot be written, and ChangedImage for a
    photograph that has changed since it was looked at.
    """
    photographs = [(order.label, photo) for order in picked.orders for photo in order.photographs]
    with new_folder(out, "--copy-to") as aside, track("copying", len(photographs)) as advance:
        paths = Paths(aside)
        for label, photo in photographs:
            kind = formats[photo.path]
            suffix = _SUFFIXES.get(kind, f".{kind.lower()}")
            _copy(Path(picked.pool), photo, paths.of(photo.path, label, suffix), config)
            advance(1)


def _copy(root: Path, photo: PickedPhoto, target: Path, config: Config) -> None:
    content = read_content(PhotoFile(root / photo.path, photo.sha256), config.dataset.max_megapixels)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    except OSError as error:
        raise OutputError(
            f"{target.parent.name}/{target.name}: cannot be written ({error.strerror or error}); choose another "
            "--copy-to."
        ) from None
