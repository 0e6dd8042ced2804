"""What reading a dataset shows, and whether it can be audited."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from audit.config import Config
from audit.data.facts.uniform import uniform_warnings
from audit.data.listing import Listing
from audit.data.read_files import read_files
from audit.data.subjects import subject_names
from audit.text import at_most_ten, counted, printable

MAX_IMBALANCE = 10
MAX_DUPLICATE_SHARE = 0.05


@dataclass(frozen=True)
class ClassCount:
    """Files of one class."""

    accepted: int
    rejected: int


@dataclass(frozen=True)
class Inspection:
    """What reading the dataset shows. All text is safe to print.

    ``n_duplicates`` counts the images that are not the first of their duplicate group; ``cross_class_duplicates`` are
    the groups with more than one label. ``possible_group`` says what suggests that several photographs show one subject
    although ``dataset.group`` is not set; else it is empty. ``problems`` are sentences of which each one alone forbids
    an audit.
    """

    name: str
    root: Path
    classes: Mapping[str, ClassCount]
    attributes: tuple[str, ...]
    rejected: tuple[tuple[str, str], ...]
    n_duplicates: int
    cross_class_duplicates: tuple[tuple[str, ...], ...]
    possible_group: str
    warnings: tuple[str, ...]
    problems: tuple[str, ...]


def inspect(config: Config) -> Inspection:
    """Read and judge the dataset without an audit folder.

    Raises DatasetError only where there is nothing to judge: no photographs given, folder or manifest not readable.
    """
    listing, table = read_files(config)
    return inspect_files(listing, table, config)


def inspect_files(listing: Listing, table: pd.DataFrame, config: Config) -> Inspection:
    """What the files' table says of a dataset: counts by class, rejected files, copies, warnings, problems."""
    accepted = table[table["rejected"] == ""]
    crossings = cross_class_groups(accepted)
    classes = _class_counts(table)
    duplicates = len(accepted) - accepted["duplicate"].nunique()
    possible = _possible_group(listing, accepted, config.dataset.group)
    rejected = table[table["rejected"] != ""]
    return Inspection(
        listing.name,
        listing.root,
        classes,
        listing.attributes,
        tuple((printable(path), reason) for path, reason in zip(rejected["path"], rejected["rejected"], strict=True)),
        duplicates,
        tuple(tuple(map(printable, paths)) for paths in crossings),
        possible,
        (
            *listing.warnings,
            *_group_warnings(possible, len(accepted), accepted["group"].nunique(), config.dataset.group),
            *_warnings(classes, duplicates, crossings),
            *uniform_warnings(accepted),
        ),
        tuple(_problems(classes, accepted, config)),
    )


def cross_class_groups(accepted: pd.DataFrame) -> list[list[str]]:
    """The paths of every duplicate group that has more than one label."""
    labels = accepted.groupby("duplicate")["label"].nunique()
    return [accepted.loc[accepted["duplicate"] == group, "path"].tolist() for group in labels.index[labels > 1]]


def _possible_group(listing: Listing, accepted: pd.DataFrame, group: str | None) -> str:
    """In words what suggests that several photographs show one subject; "" where nothing does, or they are known."""
    if group is not None:
        return ""
    if listing.possible_group:
        return f"the column '{listing.possible_group}'"
    names = subject_names(accepted["path"].tolist(), accepted["label"].tolist())
    return f"the names of files such as {' and '.join(map(printable, names))}" if names else ""


def _group_warnings(possible: str, n_images: int, n_groups: int, group: str | None) -> Iterator[str]:
    if group is not None:
        total = f"{n_images} photographs in {counted(n_groups, 'group')}"
        yield f"Photographs with the same '{group}' are kept together: {total}."
    if possible:
        yield (
            f"Several photographs may show one subject, to judge by {possible}; a model is then tested on "
            "subjects that it was trained on; unless each photograph shows another subject, name the column of the "
            "manifest that tells them apart in dataset.group."
        )


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
    yield from _too_few_groups(accepted, [label for label in classes if label not in small], config)


def _too_few_groups(accepted: pd.DataFrame, labels: Sequence[str], config: Config) -> Iterator[str]:
    """Classes whose photographs cannot be dealt into the folds without dividing a group."""
    folds, group = config.training.folds, config.dataset.group
    mine = accepted[accepted["label"].isin(labels)].groupby("label")
    few = [f"'{label}' has {n}" for label, n in mine["group"].nunique().items() if n < folds]
    if few and group is None:
        yield (
            f"Too few different photographs: {at_most_ten(few)}, the others are copies; each class needs at least "
            f"{folds} (training.folds): add photographs or lower training.folds."
        )
    elif few:
        yield (
            f"Too few subjects: of '{group}' {at_most_ten(few)}; photographs of one subject stay in one fold, so each "
            f"class needs at least {folds} (training.folds): add subjects or lower training.folds."
        )
    elif together := [f"'{label}'" for label, n in mine["fold"].nunique().items() if n < 2]:
        yield (
            f"All photographs of {at_most_ten(together)} are in one fold, since they share subjects with other classes "
            "(dataset.group): add subjects, or lower training.folds."
        )
