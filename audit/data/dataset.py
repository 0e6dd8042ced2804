"""The dataset stage: which files there are, which are usable, which are copies, and in which fold each falls."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.config import Config
from audit.data.dataset_json import DatasetSummary
from audit.data.listing import Listing
from audit.data.photo_file import PhotoFile
from audit.data.read_files import read_files
from audit.data.uniform import uniform_files, uniform_warnings
from audit.errors import DatasetError
from audit.store.audit_folder import AuditFolder, read_record, read_table, value_digest, write_record, write_table
from audit.text import at_most_ten, printable

MAX_IMBALANCE = 10
MAX_DUPLICATE_SHARE = 0.05
# Column that only copies made for trials have.
SEEN_AS = "seen_as"


@dataclass(frozen=True)
class ClassCount:
    """Files of one class."""

    accepted: int
    rejected: int


@dataclass(frozen=True)
class Inspection:
    """What reading the dataset shows. All text is safe to print.

    ``n_duplicates`` counts the images that are not the first of their duplicate group; ``cross_class_duplicates`` are
    the groups with more than one label. ``problems`` are sentences of which each one alone forbids an audit.
    """

    name: str
    root: Path
    classes: Mapping[str, ClassCount]
    attributes: tuple[str, ...]
    rejected: tuple[tuple[str, str], ...]
    n_duplicates: int
    cross_class_duplicates: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Dataset:
    """The accepted images of an audit: row i of ``images`` is image i."""

    name: str
    root: Path
    classes: tuple[str, ...]
    attributes: tuple[str, ...]
    images: pd.DataFrame
    rejected: pd.DataFrame

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Every image's class as its place in ``classes``: int64 (n,)."""
        codes = pd.Categorical(self.images["label"], categories=self.classes).codes
        return np.asarray(codes, np.int64)

    @property
    def groups(self) -> NDArray[np.int64]:
        """Every image's duplicate group: int64 (n,)."""
        return np.asarray(self.images["group"], np.int64)

    @property
    def folds(self) -> NDArray[np.int64]:
        """The fold in which every image is held out: int64 (n,)."""
        return np.asarray(self.images["fold"], np.int64)

    @property
    def uniform(self) -> NDArray[np.bool_]:
        """Whether every image is a photograph of a single colour: bool (n,)."""
        return np.asarray(self.images["uniform"], bool)

    def file_of(self, image: int) -> PhotoFile:
        """Where the photograph of an image is, and what its bytes were when it was fingerprinted."""
        return PhotoFile(self.root / str(self.images["path"].iloc[image]), str(self.images["sha256"].iloc[image]))

    def seen_as(self, image: int) -> str:
        """The SHA-256 under which detectors' answers about an image are kept: its file's, or that of the photograph
        of which it is a plain copy."""
        column = SEEN_AS if SEEN_AS in self.images else "sha256"
        return str(self.images[column].iloc[image])


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: read all photographs and write ``images.parquet`` and ``dataset.json``.

    Raises DatasetError, one sentence per line, when the dataset cannot be audited.
    """
    listing, table = read_files(config)
    inspection = _inspect(listing, table, config)
    if inspection.problems:
        raise DatasetError("\n".join(inspection.problems))
    write_table(folder.images, table)
    write_record(folder.dataset, _summary(listing, table, inspection))
    return [folder.images, folder.dataset]


def inspect(config: Config) -> Inspection:
    """Read and judge the dataset without an audit folder.

    Raises DatasetError only where there is nothing to judge: no photographs given, folder or manifest not readable.
    """
    listing, table = read_files(config)
    return _inspect(listing, table, config)


def load_dataset(folder: AuditFolder) -> Dataset:
    """Read what ``build`` wrote. Raises AuditFolderError when that is missing."""
    summary, table = read_record(folder.dataset, DatasetSummary), read_table(folder.images)
    accepted = table["rejected"] == ""
    return Dataset(
        summary.name,
        Path(summary.root),
        summary.classes,
        summary.attributes,
        table[accepted].reset_index(drop=True),
        table[~accepted].reset_index(drop=True),
    )


def _inspect(listing: Listing, table: pd.DataFrame, config: Config) -> Inspection:
    accepted = table[table["rejected"] == ""]
    crossings = _crossings(accepted)
    classes = _class_counts(table)
    duplicates = len(accepted) - accepted["group"].nunique()
    rejected = table[table["rejected"] != ""]
    return Inspection(
        listing.name,
        listing.root,
        classes,
        listing.attributes,
        tuple((printable(path), reason) for path, reason in zip(rejected["path"], rejected["rejected"], strict=True)),
        duplicates,
        tuple(tuple(map(printable, paths)) for paths in crossings),
        (*listing.warnings, *_warnings(classes, duplicates, crossings), *uniform_warnings(accepted)),
        tuple(_problems(classes, accepted, config)),
    )


def _crossings(accepted: pd.DataFrame) -> list[list[str]]:
    """The paths of every duplicate group that has more than one label."""
    labels = accepted.groupby("group")["label"].nunique()
    return [accepted.loc[accepted["group"] == group, "path"].tolist() for group in labels.index[labels > 1]]


def _class_counts(table: pd.DataFrame) -> dict[str, ClassCount]:
    counts = {}
    for label, rows in table[table["label"] != ""].groupby("label"):
        accepted = int((rows["rejected"] == "").sum())
        counts[str(label)] = ClassCount(accepted, len(rows) - accepted)
    return counts


def _warnings(classes: Mapping[str, ClassCount], duplicates: int, crossings: Sequence[Sequence[str]]) -> Iterator[str]:
    sizes = sorted((count.accepted, label) for label, count in classes.items() if count.accepted)
    total = sum(size for size, _ in sizes)
    if crossings:
        yield (
            f"Pictures that appear under more than one label: {len(crossings)}; decide on one label for each, "
            "since no model can get both right."
        )
    if sizes and sizes[-1][0] > MAX_IMBALANCE * sizes[0][0]:
        (few, rare), (many, common) = sizes[0], sizes[-1]
        yield (
            f"The classes differ much in size: {many} of '{common}' but {few} of '{rare}'; collect more of the latter."
        )
    if duplicates > MAX_DUPLICATE_SHARE * total:
        yield (
            f"{duplicates} of {total} photographs ({duplicates / total:.0%}) are copies of another one; "
            "copies are kept in one fold, but count less than new photographs."
        )


def _problems(classes: Mapping[str, ClassCount], accepted: pd.DataFrame, config: Config) -> Iterator[str]:
    if len(classes) < 2:
        found = at_most_ten(f"'{label}'" for label in classes) or "none"
        yield (
            f"Classes found: {found}; an audit compares at least 2: put the photographs of each class into a subfolder "
            "of its own, or give labels with --manifest."
        )
    minimum = config.dataset.min_images_per_class
    small = {label: count for label, count in classes.items() if count.accepted < minimum}
    if small:
        counts = (
            f"'{label}' has {count.accepted}{f' ({count.rejected} rejected)' if count.rejected else ''}"
            for label, count in small.items()
        )
        yield (
            f"Too few usable photographs: {at_most_ten(counts)}; each class needs at least {minimum} "
            "(dataset.min_images_per_class): add photographs or leave these classes out."
        )
    different = accepted.groupby("label")["group"].nunique()
    folds = config.training.folds
    copied = [f"'{label}' has {n}" for label, n in different.items() if n < folds and label not in small]
    if copied:
        yield (
            f"Too few different photographs: {at_most_ten(copied)}, the others are copies; each class needs at least "
            f"{folds} (training.folds): add photographs or lower training.folds."
        )


def _summary(listing: Listing, table: pd.DataFrame, inspection: Inspection) -> DatasetSummary:
    accepted = table[table["rejected"] == ""]
    columns = ["path", "label", "sha256", *(f"attribute:{name}" for name in listing.attributes)]
    content = accepted[columns].astype(object).where(accepted[columns].notna(), None)
    return DatasetSummary(
        name=listing.name,
        root=str(listing.root),
        classes=tuple(sorted(inspection.classes)),
        attributes=tuple(listing.attributes),
        n_images=len(accepted),
        n_rejected=len(table) - len(accepted),
        digest=value_digest(content.to_numpy().tolist()),
        cross_class_duplicates=tuple(map(tuple, _crossings(accepted))),
        n_duplicates=inspection.n_duplicates,
        uniform={label: tuple(paths) for label, paths in uniform_files(accepted).items()},
        warnings=inspection.warnings,
    )
