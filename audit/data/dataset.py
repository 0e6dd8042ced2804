"""The dataset stage: which files there are, which are usable, which are copies, and in which fold each falls."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.config import Config
from audit.data.dataset_json import DatasetSummary
from audit.data.inspection import Inspection, cross_class_groups, inspect_files
from audit.data.listing import Listing
from audit.data.photo_file import PhotoFile
from audit.data.read_files import read_files
from audit.data.uniform import uniform_files
from audit.errors import DatasetError
from audit.store.audit_folder import AuditFolder, read_record, read_table, value_digest, write_record, write_table

# Column that only copies made for trials have.
SEEN_AS = "seen_as"


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


def one_per_group(images: NDArray[np.integer], groups: NDArray[np.integer]) -> NDArray[np.integer]:
    """Some images (k,) in their order, but of each duplicate group only the first; ``groups`` (n,) are all images'.

    >>> one_per_group(np.array([3, 0, 2, 1]), groups=np.array([7, 5, 7, 5])).tolist()
    [3, 0]
    """
    return images[np.sort(np.unique(groups[images], return_index=True)[1])]


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: read all photographs and write ``images.parquet`` and ``dataset.json``.

    Raises DatasetError, one sentence per line, when the dataset cannot be audited.
    """
    listing, table = read_files(config)
    inspection = inspect_files(listing, table, config)
    if inspection.problems:
        raise DatasetError("\n".join(inspection.problems))
    write_table(folder.images, table)
    write_record(folder.dataset, _summary(listing, table, inspection))
    return [folder.images, folder.dataset]


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
        cross_class_duplicates=tuple(map(tuple, cross_class_groups(accepted))),
        n_duplicates=inspection.n_duplicates,
        uniform={label: tuple(paths) for label, paths in uniform_files(accepted).items()},
        warnings=inspection.warnings,
    )
