"""New photographs for the training side: read like any others, refused where they copy what a model is tested on."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.config import Config
from audit.data.dataset import Dataset
from audit.data.dataset_json import DatasetSummary, RefusedFile
from audit.data.edited_copies.copy_groups import copies_of
from audit.data.folds import ADDED
from audit.data.photo_file import PhotoFile
from audit.data.read_files import SUBJECT, fingerprints, read_files
from audit.data.subjects import joined_groups
from audit.errors import DatasetError
from audit.store.audit_folder import AuditFolder, read_record, read_table, write_record, write_table
from audit.text import at_most_ten, printable


def add_images(
    audit: AuditFolder, config: Config, source: Path, place: AuditFolder, pools: Sequence[Path] = ()
) -> list[RefusedFile]:
    """Write ``images.parquet`` and ``dataset.json`` of the audit's images and those of ``source`` into ``place``.

    ``source`` is a folder with one subfolder per class, or a CSV file with the columns path and label; its paths may
    lead into ``pools``, from which photographs were picked for this audit. The audit's images come first, numbered and
    dealt into folds as they are; the new ones are in no fold (``ADDED``), so every model may train on them and none is
    tested on them. A copy of one of the audit's images is refused: each of those is held out from some model. So is
    another photograph of one of the audit's subjects, where these are known; then ``source`` must be a CSV file that
    has that column as well.

    Raises DatasetError when a class is unknown, or nothing is left to add, and ChangedImage for a photograph of the
    audit that is no longer the one that was audited.
    """
    where: dict[str, object] = {"photos": None, "manifest": None, "image_root": None, "attributes": []}
    where["photos" if source.is_dir() else "manifest"] = source.absolute()
    reading = config.model_copy(update={"dataset": config.dataset.model_copy(update=where)})
    listing, found = read_files(reading, pools)
    old, summary = read_table(audit.images), read_record(audit.dataset, DatasetSummary)
    old = old[old["rejected"] == ""]
    new = found[found["rejected"] == ""].reset_index(drop=True)
    new["label"] = [unquoted(label, summary.classes) for label in new["label"]]
    require_known_classes(source, new["label"], summary.classes)
    new["path"] = [str(listing.root / path) for path in new["path"]]
    known_prints, fresh_prints = (
        fingerprints(_files(root, images), config, "looking for copies")
        for root, images in ((Path(summary.root), old), (listing.root, new))
    )
    groups, copied = copies_of(known_prints, fresh_prints, config.dataset.duplicate_bits)
    refused = [RefusedFile(path=row.path, reason=row.rejected) for row in found[found["rejected"] != ""].itertuples()]
    refused += [
        RefusedFile(path=path, reason=f"a copy of {old['path'].iloc[image]}, on which a model is tested")
        for path, image in zip(new["path"], copied, strict=True)
        if image >= 0
    ]
    known = _of_known_subjects(old, new, groups, copied >= 0)
    refused += [
        RefusedFile(path=path, reason=f"of the same '{config.dataset.group}' as photographs on which a model is tested")
        for path in new["path"][known & (copied < 0)]
    ]
    fresh = (copied < 0) & ~known
    duplicates = groups[fresh] + old["duplicate"].max() + 1
    kept = new[fresh].assign(duplicate=duplicates, fold=np.int8(ADDED))
    subjects = kept[SUBJECT].tolist() if SUBJECT in kept else [""] * len(kept)
    kept["group"] = joined_groups(duplicates, subjects) + old["group"].max() + 1
    if not len(kept):
        unusable = len(found) - len(new)
        first = f" ({printable(refused[0].path)}: {printable(refused[0].reason)})" if unusable else ""
        raise DatasetError(
            f"{printable(str(source))}: no photograph to add; {int((copied >= 0).sum())} are copies of photographs in "
            f"the audit, {int((known & (copied < 0)).sum())} are of its subjects and {unusable} cannot be used{first}: "
            "give photographs that the audit has not seen."
        )
    table = pd.concat([old, kept.reindex(columns=old.columns)], ignore_index=True)
    table = table.assign(image=np.arange(len(table), dtype=np.int32)).astype(
        {"duplicate": "int32", "group": "int32", "fold": "int8"}
    )
    write_table(place.images, table)
    write_record(place.dataset, summary.model_copy(update={"n_images": len(table)}))
    return refused


def added(dataset: Dataset) -> NDArray[np.bool_]:
    """Which images joined the training side only, (n,)."""
    return np.asarray(dataset.folds == ADDED)


def _of_known_subjects(
    old: pd.DataFrame, new: pd.DataFrame, duplicates: NDArray[np.int64], copied: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which of n new photographs show a subject of the audit, (n,), or one that is known from a copy."""
    if SUBJECT not in old or SUBJECT not in new:
        return np.zeros(len(new), bool)
    groups = joined_groups(duplicates, new[SUBJECT].tolist())
    known = new[SUBJECT].isin(set(old[SUBJECT]) - {""}).to_numpy(bool)
    return np.isin(groups, groups[known | copied])


def unquoted(label: str, classes: Sequence[str]) -> str:
    """The class that a label names, also where it stands behind the apostrophe that stops spreadsheets.

    >>> unquoted("'=1", ["=1"]), unquoted("'tis", ["cat"])
    ('=1', "'tis")
    """
    return label[1:] if label not in classes and label[:1] == "'" and label[1:] in classes else label


def require_known_classes(source: Path, labels: Iterable[str], classes: Sequence[str]) -> None:
    """Raise DatasetError, naming it, for a label that is no class of the audit."""
    unknown = sorted(set(labels) - set(classes))
    if unknown:
        raise DatasetError(
            f"{printable(str(source))}: the audit has no class {at_most_ten(map(repr, unknown))}; its classes are "
            f"{at_most_ten(map(repr, classes))}: name the subfolders, or the labels, as there."
        )


def _files(root: Path, images: pd.DataFrame) -> list[PhotoFile]:
    return [PhotoFile(root / row.path, row.sha256) for row in images.itertuples()]
