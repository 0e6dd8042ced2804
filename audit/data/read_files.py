"""List and read all files of a dataset: which are usable, which are copies, in which fold each falls."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from audit.config import Config
from audit.data.duplicates import Fingerprint, fingerprint
from audit.data.edited_copies.copy_groups import copy_groups
from audit.data.facts.file_facts import fact_columns
from audit.data.folds import assign_folds
from audit.data.listing import Listing, list_files
from audit.data.ordered_map import ordered_map
from audit.data.photo_file import Source
from audit.data.subjects import joined_groups
from audit.progress import track

# Column that only tables of photographs with known subjects have.
SUBJECT = "subject"
# Photographs per worker that are read before their turn.
_READ_AHEAD = 8


def read_files(config: Config, pools: Sequence[Path] = ()) -> tuple[Listing, pd.DataFrame]:
    """List and read all files; the table is that of ``images.parquet``. ``pools`` as in ``list_files``."""
    listing = list_files(config.dataset, pools)
    prints = fingerprints_of(listing, config)
    table = pd.DataFrame(
        {
            "image": np.int32(-1),
            "path": [file.path for file in listing.files],
            "label": [file.label for file in listing.files],
            "width": np.array([found.width for found in prints], np.int32),
            "height": np.array([found.height for found in prints], np.int32),
            "bytes": np.array([found.bytes for found in prints], np.int64),
            "format": [found.format for found in prints],
            "sha256": [found.sha256 for found in prints],
            "phash": [f"{found.phash:016x}" if found.thumb is not None else "" for found in prints],
            "uniform": np.array([found.uniform for found in prints], bool),
            "duplicate": np.int32(-1),
            "group": np.int32(-1),
            "fold": np.int8(-1),
            **fact_columns([found.facts for found in prints]),
            "rejected": [found.reason or small_reason(found, config.dataset.min_side) for found in prints],
        }
    )
    if config.dataset.group is not None:
        table[SUBJECT] = [file.subject for file in listing.files]
    for name in listing.attributes:
        table[f"attribute:{name}"] = pd.Series([file.attributes.get(name) for file in listing.files], dtype=object)
    _number(table, prints, config)
    return listing, table


def fingerprints_of(listing: Listing, config: Config) -> list[Fingerprint]:
    """Of all files of a listing; those that it rejects are not opened."""
    unread = iter(fingerprints([listing.root / file.path for file in listing.files if not file.reason], config))
    return [Fingerprint(reason=file.reason) if file.reason else next(unread) for file in listing.files]


def fingerprints(sources: Sequence[Source], config: Config, task: str = "reading photographs") -> list[Fingerprint]:
    """Read files in threads: decoders release Python's lock.

    Raises ChangedImage for a photograph that was fingerprinted before and is another one by now.
    """
    settings = config.dataset
    read = partial(fingerprint, max_megapixels=settings.max_megapixels, with_features=settings.duplicate_bits > 0)
    workers = max(1, config.compute.workers)
    prints: list[Fingerprint] = []
    with track(task, total=len(sources)) as advance:
        for found in ordered_map(read, sources, workers, _READ_AHEAD * workers):
            prints.append(found)
            advance(1)
    return prints


def small_reason(found: Fingerprint, min_side: int) -> str:
    """Why a photograph is too small to be used; empty if it is not."""
    if min(found.width, found.height) >= min_side:
        return ""
    return f"too small: {found.width} x {found.height} pixels; each side needs at least {min_side} (dataset.min_side)"


def _number(table: pd.DataFrame, prints: Sequence[Fingerprint], config: Config) -> None:
    """Fill in image, duplicate group, group and fold of the accepted rows."""
    rows = np.flatnonzero(table["rejected"] == "")
    if not len(rows):
        return
    accepted = [prints[int(row)] for row in rows]
    duplicates = copy_groups(accepted, _identities(accepted), config.dataset.duplicate_bits)
    subjects = table[SUBJECT].to_numpy(str)[rows] if SUBJECT in table else [""] * len(rows)
    groups = joined_groups(duplicates, list(map(str, subjects)))
    _, labels = np.unique(table["label"].to_numpy(str)[rows], return_inverse=True)
    folds = assign_folds(labels, groups, [found.sha256 for found in accepted], config.training.folds, config.seed)
    numbers = np.arange(len(rows), dtype=np.int32)
    for column, values in {"image": numbers, "duplicate": duplicates, "group": groups, "fold": folds}.items():
        filled = table[column].to_numpy(copy=True)
        filled[rows] = values
        table[column] = filled


def _identities(prints: Sequence[Fingerprint]) -> list[str]:
    """What must be equal for two files to be copies: their SHA-256, but of a uniform picture also its place.

    Equal bytes are what every failed exposure leaves, so each is a case of its own: there is nothing in one by which a
    model could recognise it, and a class of such pictures would otherwise be a single photograph.
    """
    return [f"{found.sha256} {place}" if found.uniform else found.sha256 for place, found in enumerate(prints)]
