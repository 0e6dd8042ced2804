"""A pool: photographs that nobody has vouched for, read, without those that the audit has already."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audit.config import Config
from audit.data.dataset import Dataset
from audit.data.dataset_json import RefusedFile
from audit.data.duplicates import Fingerprint
from audit.data.edited_copies.copy_groups import copies_of
from audit.data.extra_images import require_known_classes
from audit.data.listing import Listed, Listing, list_files, list_loose
from audit.data.outputs import audit_around
from audit.data.photo_file import PhotoFile
from audit.data.read_files import SUBJECT, fingerprints, fingerprints_of, small_reason
from audit.errors import DatasetError
from audit.store.audit_folder import AuditFolder
from audit.text import printable


@dataclass(frozen=True)
class PoolImage:
    """A usable photograph; ``path`` is relative to the pool's ``root``, ``label`` and ``subject`` are empty if unknown.

    ``format`` is that of the file.
    """

    root: Path
    file: PhotoFile
    path: str
    format: str
    label: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Pool:
    """Usable photographs in the order of their paths, and the files that are none, are copies, or show known subjects.

    ``copies`` counts the copies of the audit's photographs among the ``refused``.
    """

    root: Path
    images: tuple[PoolImage, ...]
    refused: tuple[RefusedFile, ...]
    copies: int

    @property
    def files(self) -> int:
        """How many files there are."""
        return len(self.images) + len(self.refused)


def read_pool(source: Path, folder: AuditFolder, dataset: Dataset, config: Config) -> Pool:
    """Read the photographs of a folder, or those that a CSV file with the columns path and label names.

    What lies in a subfolder called like a class is of that class; the class of anything else in a folder is unknown.
    Refused are files that are no usable photographs, copies of the audit's photographs and of earlier ones of the
    pool, and further photographs of the audit's subjects, where these are known.

    Raises DatasetError for a pool that is missing, empty, holds the audit or lies in one, or whose CSV file names
    unknown classes, and ChangedImage for a photograph of the audit that is no longer the one that was audited.
    """
    listing = _listed(source, config)
    _require_apart(listing.root, folder)
    if not listing.files:
        raise DatasetError(f"{printable(str(source))}: no photographs in it; name a folder that holds some.")
    if not source.is_dir():
        require_known_classes(source, (file.label for file in listing.files if not file.reason), dataset.classes)
    prints = fingerprints_of(listing, config)
    reasons = [found.reason or small_reason(found, config.dataset.min_side) for found in prints]
    usable = [number for number, reason in enumerate(reasons) if not reason]
    fresh = [prints[number] for number in usable]
    further = _Further.of(dataset, [listing.files[number] for number in usable], fresh, config)
    reasons = _filled(reasons, usable, further.reasons(config))
    kept = [number for number, reason in enumerate(reasons) if not reason]
    return Pool(
        listing.root,
        tuple(_image(listing, number, prints[number], dataset.classes) for number in kept),
        tuple(RefusedFile(path=listing.files[n].path, reason=reason) for n, reason in enumerate(reasons) if reason),
        int((further.copied >= 0).sum()),
    )


def _listed(source: Path, config: Config) -> Listing:
    if source.is_dir() or not source.exists():
        return list_loose(source)
    where: dict[str, object] = {"photos": None, "manifest": source.absolute(), "image_root": None, "attributes": []}
    return list_files(config.dataset.model_copy(update=where))


def _require_apart(root: Path, folder: AuditFolder) -> None:
    if inside := audit_around(root):
        raise DatasetError(f"{printable(str(root))}: lies in the audit {inside}; name a folder of photographs.")
    if folder.path.resolve().is_relative_to(root):
        raise DatasetError(
            f"{printable(str(root))}: the audit lies in this folder; name one that holds only the photographs."
        )


@dataclass(frozen=True)
class _Further:
    """What only comparing tells of n usable photographs: groups of copies, the image of the audit that each copies."""

    dataset: Dataset
    files: Sequence[Listed]
    groups: np.ndarray
    copied: np.ndarray

    @classmethod
    def of(cls, dataset: Dataset, files: Sequence[Listed], prints: Sequence[Fingerprint], config: Config) -> "_Further":
        audited = [dataset.file_of(image) for image in range(len(dataset.images))]
        known = fingerprints(audited, config, "looking for copies")
        return cls(dataset, files, *copies_of(known, prints, config.dataset.duplicate_bits))

    def reasons(self, config: Config) -> list[str]:
        """Why each is refused; empty if it is not."""
        subjects = set(self.dataset.images[SUBJECT]) - {""} if SUBJECT in self.dataset.images else set()
        paths, first, told = self.dataset.images["path"], dict[int, str](), list[str]()
        for file, group, image in zip(self.files, self.groups.tolist(), self.copied.tolist(), strict=True):
            if image >= 0:
                told.append(f"a copy of {paths.iloc[image]}, which the audit has")
            elif file.subject in subjects:
                told.append(f"of the same '{config.dataset.group}' as photographs of the audit")
            else:
                earlier = first.setdefault(group, file.path)
                told.append("" if earlier == file.path else f"a copy of {earlier}, which the pool has as well")
        return told


def _filled(reasons: Sequence[str], usable: Sequence[int], further: Sequence[str]) -> list[str]:
    later = dict(zip(usable, further, strict=True))
    return [later.get(number, reason) for number, reason in enumerate(reasons)]


def _image(listing: Listing, number: int, found: Fingerprint, classes: Sequence[str]) -> PoolImage:
    file = listing.files[number]
    photo = PhotoFile(listing.root / file.path, found.sha256)
    return PoolImage(
        listing.root, photo, file.path, found.format, file.label if file.label in classes else "", file.subject
    )


def folders_of_no_class(pool: Pool) -> list[str]:
    """The subfolders, commonest first, of photographs whose class is unknown."""
    names = Counter(image.path.partition("/")[0] for image in pool.images if not image.label and "/" in image.path)
    return [name for name, _ in names.most_common()]
