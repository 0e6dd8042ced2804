"""Which files a dataset names: those in the subfolders of a folder, or those in the rows of a manifest."""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from audit.config import DatasetConfig
from audit.data.subjects import subject_column
from audit.errors import DatasetError
from audit.text import at_most_ten, nearest, printable

MAX_ATTRIBUTE_VALUES = 12
_MAX_NUMBERS = 20
_PHOTO_SUFFIX = re.compile(r"\.(jpe?g|jfif|png|webp|tiff?|gif|bmp|p[gnp]m|jp2|avif|heic)", re.IGNORECASE)
# Columns (letters and digits of their names) about a file or its place in a study, which no picture shows.
_DESCRIPTIVE = re.compile(
    r"((orig(inal)?|image|img)?(width|height))|((file|image|img)(id|name|size|path)?)|id|name|index|bytes|format|url|"
    r"sha256|sha1|md5|p?hash|dup(licate)?group|split|subset|fold"
)


@dataclass(frozen=True)
class Listed:
    """A file that a folder or a manifest names; ``reason`` is why it is rejected unread, else empty.

    ``subject`` is what the column ``dataset.group`` says; empty where that is not set, or the cell is.
    """

    path: str
    label: str
    reason: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""


@dataclass(frozen=True)
class Listing:
    """All named files in the order of their paths, which are relative to ``root``; ``attributes`` are those in use.

    ``possible_group`` is a column that seems to name subjects although ``dataset.group`` is not set; else empty.
    """

    name: str
    root: Path
    files: tuple[Listed, ...]
    attributes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    possible_group: str = ""


def list_files(config: DatasetConfig, pools: Sequence[Path] = ()) -> Listing:
    """Name all files of the dataset without opening them.

    A manifest's paths may be absolute only where they lead into one of the ``pools``, which the user named before.
    Raises DatasetError when no photographs are given, or when the folder or the manifest cannot be used.
    """
    if config.manifest is not None and config.photos is not None:
        raise DatasetError("Both a folder and a manifest are given; use either PHOTOS or --manifest, not both.")
    if config.manifest is not None:
        return _list_manifest(config.manifest, config, pools)
    if config.photos is None:
        raise DatasetError(
            "No photographs given: name PHOTOS, a folder with one subfolder per class, or use --manifest images.csv."
        )
    return _list_folder(config.photos, config)


def list_loose(folder: Path) -> Listing:
    """Name all files in and below a folder without opening them, whether or not its subfolders are classes.

    The label is the subfolder's name, empty for a file that lies in the folder itself; of these, only what is called
    like a photograph is named. Raises DatasetError when there is no such folder.
    """
    root = _existing_folder(folder, "POOL")
    files = [(path.relative_to(root), reason) for path, reason in _walk(root, root)]
    named = [
        _named(path.as_posix(), path.parts[0] if len(path.parts) > 1 else "", reason)
        for path, reason in files
        if reason or len(path.parts) > 1 or _PHOTO_SUFFIX.fullmatch(path.suffix)
    ]
    return Listing(printable(root.name), root, tuple(sorted(named, key=lambda file: file.path)))


def _list_folder(photos: Path, config: DatasetConfig) -> Listing:
    root = _existing_folder(photos, "PHOTOS")
    if config.attributes:
        raise DatasetError("dataset.attributes names columns, but a folder has none; give them with --manifest.")
    if config.group is not None:
        raise DatasetError("dataset.group names a column, but a folder has none; give a CSV file that has it instead.")
    files = [_in_folder(path, reason, root) for path, reason in _walk(root, root)]
    kept = [file for file in files if file.label or file.reason]
    return Listing(printable(root.name), root, tuple(sorted(kept, key=lambda file: file.path)))


def _existing_folder(path: Path, option: str) -> Path:
    if not path.exists():
        raise DatasetError(f"{printable(str(path))}: there is no such folder; check {option}.")
    if not path.is_dir():
        raise DatasetError(f"{printable(str(path))}: not a folder; {option} must be a folder of photographs.")
    return path.resolve()


def _walk(folder: Path, root: Path) -> Iterator[tuple[Path, str]]:
    """Every visible file below a folder, with the reason why it may not be read ("" if it may)."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        yield folder, "the folder may not be read"
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_symlink():
            yield entry, _link_reason(entry, root)
        elif entry.is_dir():
            yield from _walk(entry, root)
        else:
            yield entry, ""


def _link_reason(path: Path, root: Path) -> str:
    try:
        target = path.resolve()
    except (OSError, RuntimeError):
        return "the path cannot be followed"
    if not target.is_relative_to(root):
        return "a link that leads outside the folder"
    return "a folder, not a photograph" if target.is_dir() else ""


def _in_folder(path: Path, reason: str, root: Path) -> Listed:
    """The file with its class; with neither label nor reason if it lies in the root and is no photograph."""
    relative = path.relative_to(root)
    if len(relative.parts) > 1:
        return _named(relative.as_posix(), relative.parts[0], reason)
    if not reason and _PHOTO_SUFFIX.fullmatch(path.suffix):
        reason = "it lies beside the class folders, not in one"
    return _named(relative.as_posix(), "", reason)


def _named(
    path: str, label: str, reason: str, attributes: Mapping[str, str] | None = None, subject: str = ""
) -> Listed:
    """A listed file whose texts can be stored: file names need not be Unicode, tables must be."""
    storable = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if storable != path:
        reason = reason or "its name is not valid Unicode; rename it"
    return Listed(storable, _clean_label(label), reason, attributes or {}, _clean_label(subject))


def _clean_label(text: str) -> str:
    """One spelling per class, whatever the file system or spreadsheet made of its accents."""
    return printable(unicodedata.normalize("NFC", text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")))


def _list_manifest(manifest: Path, config: DatasetConfig, pools: Sequence[Path]) -> Listing:
    names, rows = _read_manifest(manifest)
    root = _existing_folder(config.image_root or manifest.parent, "--image-root")
    columns = [name for name in names if name and name not in ("path", "label")]
    cells = [row for _, row in rows]
    alone = _alone(columns, cells, config.group)
    attributes, warnings = _choose_attributes(columns, cells, config.attributes, config.group)
    seen: dict[str, str] = {}
    roots = (root, *(pool.resolve() for pool in pools))
    files = [_in_manifest(line, row, roots, seen, attributes, config.group) for line, row in rows]
    name = printable(manifest.resolve().parent.name if manifest.stem in ("index", "images") else manifest.stem)
    possible = subject_column(columns, cells) if config.group is None else ""
    in_order = tuple(sorted(files, key=lambda file: file.path))
    return Listing(name, root, in_order, attributes, (*alone, *warnings), possible)


def _alone(columns: Sequence[str], rows: Sequence[Mapping[str, str]], group: str | None) -> tuple[str, ...]:
    """What to say of rows without a subject. Raises DatasetError where there is no column ``group``."""
    if group is None:
        return ()
    if group in ("path", "label"):
        raise DatasetError(f"dataset.group: {group!r} tells no subjects apart; name a further column of the manifest.")
    if group not in columns:
        others = f"; the nearest is {nearest(group, columns)!r}" if columns else ", and none but path and label"
        raise DatasetError(f"dataset.group: the manifest has no column {group!r}{others}.")
    if empty := sum(not row.get(group) for row in rows):
        return (f"{empty} of {len(rows)} rows have nothing in {group!r}: each counts as a subject of its own.",)
    return ()


def _read_manifest(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Column names, and each row with the number of its line; cells are trimmed, missing cells absent."""
    shown = printable(str(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            header = handle.readline()
            handle.seek(0)
            # Not strict, an unclosed quote would swallow all later rows in silence.
            lines = csv.reader(handle, delimiter=_delimiter(header), skipinitialspace=True, strict=True)
            names = [printable(name.strip()) for name in next(lines, [])]
            _require_columns(names, shown)
            rows = [(lines.line_num, _row(names, cells)) for cells in lines if any(map(str.strip, cells))]
    except FileNotFoundError:
        raise DatasetError(f"{shown}: there is no such file; check --manifest.") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{shown}: not UTF-8 text; save the manifest as 'CSV UTF-8'.") from None
    except csv.Error as error:
        raise DatasetError(f"{shown}: not valid CSV at line {lines.line_num} ({error}); correct it.") from None
    except OSError as error:
        raise DatasetError(f"{shown}: cannot be read ({error.strerror}); check --manifest.") from None
    return names, rows


def _delimiter(header: str) -> str:
    """Comma, unless the header names path and label only when split at the semicolons or tabs of a spreadsheet."""
    for delimiter in ";\t":
        if {"path", "label"} <= {name.strip(' "\r\n\ufeff') for name in header.split(delimiter)}:
            return delimiter
    return ","


def _require_columns(names: Sequence[str], shown: str) -> None:
    missing = [name for name in ("path", "label") if name not in names]
    found = ", ".join(f"'{name}'" for name in names) or "none"
    if missing:
        raise DatasetError(f"{shown}: column {' and '.join(map(repr, missing))} missing; columns found: {found}.")
    twice = sorted(name for name, count in Counter(names).items() if name and count > 1)
    if twice:
        raise DatasetError(f"{shown}: column {twice[0]!r} appears twice; rename one of them.")


def _row(names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """Cells by column; cells beyond the header go under None's stand-in, the empty name."""
    row = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}
    if any(cell.strip() for cell in cells[len(names) :]):
        row[""] = "surplus"
    return row


def _in_manifest(
    line: int,
    row: Mapping[str, str],
    roots: Sequence[Path],
    seen: dict[str, str],
    attributes: Sequence[str],
    group: str | None,
) -> Listed:
    path, label = row.get("path", ""), _clean_label(row.get("label", ""))
    if not path:
        return Listed(f"(line {line})", label, "the row has no path")
    if "\\" in path and not (roots[0] / path).exists():
        path = path.replace("\\", "/")
    relative = PurePosixPath(path)
    reason = _manifest_reason(row, relative, roots) or _listed_before(seen.get(str(relative)), label)
    if not reason:
        seen[str(relative)] = label
    values = {name: printable(row[name]) for name in attributes if row.get(name)}
    return _named(str(relative), label, reason, values, row.get(group, "") if group else "")


def _manifest_reason(row: Mapping[str, str], path: PurePosixPath, roots: Sequence[Path]) -> str:
    root = next(
        (pool for pool in roots[1:] if path.is_relative_to(pool.as_posix())), None if path.is_absolute() else roots[0]
    )
    if root is None or ".." in path.parts:
        return "the path leads outside the image root; paths must be relative to it, without '..'"
    if "\0" in str(path):
        return "the path holds a NUL character"
    if "" in row:
        return "the row has more cells than the header has columns"
    if not row.get("label"):
        return "the label is empty"
    return _link_reason(root / path, root)


def _listed_before(first: str | None, label: str) -> str:
    if first is None:
        return ""
    return "listed twice" if first == label else f"listed twice, here as '{label}' and before as '{first}'"


def _choose_attributes(
    columns: Sequence[str], rows: Sequence[Mapping[str, str]], wanted: Sequence[str] | None, group: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns to use as attributes, and a warning sentence per cause for leaving others out.

    The column ``group`` says who is photographed, not how; it is an attribute only where it is wanted as one.
    """
    unknown = [name for name in wanted or () if name not in columns]
    if unknown:
        found = ", ".join(columns) or "none"
        raise DatasetError(f"dataset.attributes: the manifest has no column {unknown[0]!r}; further columns: {found}.")
    left_out: dict[str, list[str]] = {}
    kept = []
    for name in [name for name in columns if name != group] if wanted is None else wanted:
        cause = _unfit(name, rows, named=wanted is not None)
        if cause:
            left_out.setdefault(cause, []).append(name)
        else:
            kept.append(name)
    return tuple(kept), tuple(
        f"Not used as attributes: {at_most_ten(names)} ({cause})." for cause, names in left_out.items()
    )


def _unfit(name: str, rows: Sequence[Mapping[str, str]], named: bool) -> str:
    """Why a column is no attribute ("" if it is one); a column that the settings name need only have few values."""
    values = [row[name] for row in rows if row.get(name)]
    distinct = set(values)
    if not named:
        if _DESCRIPTIVE.fullmatch(re.sub(r"[\W_]", "", name.casefold())):
            return "about the file, not the picture; name them in dataset.attributes to use them all the same"
        if len(distinct) < 2:
            return "the same value in every row"
        if len(distinct) == len(values):
            return "another value in every row"
        if len(distinct) > _MAX_NUMBERS and all(map(_is_number, distinct)):
            return f"numbers with more than {_MAX_NUMBERS} values; put them into ranges first"
        if all(row.get(name, "").casefold() == row.get("label", "").casefold() for row in rows):
            return "the label once more"
    if len(distinct) > MAX_ATTRIBUTE_VALUES:
        return f"more than {MAX_ATTRIBUTE_VALUES} different values; merge rare ones first"
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
