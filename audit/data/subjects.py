"""Several photographs of one subject (patient, person, animal, video, site): grouped where told, and noticed if not."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# Words of a column's name that stand for what was photographed several times.
_SUBJECT_WORD = re.compile(
    "patient|subject|person|people|individual|participant|proband|donor|case|animal|specimen|plant|lesion|identity|"
    "video|clip|movie|scene|sequence"
)
# With few values these are what an attribute is, to be compared; with many, each is a subject of its own.
_PLACE_WORD = re.compile(
    "site|place|location|hospital|centre|center|session|visit|study|exam|user|owner|photographer|author|camera"
)
_FEW_PLACES = 12
_FILE_WORD = re.compile("image|photo|picture|file|img|path")
# A stem that ends in a number of its own: patient012_3, p00-4.
_NUMBERED = re.compile(r"(?P<subject>.+)[_-]\d+")
# Names of files suggest subjects where at least this share of them, under so many beginnings per class, share theirs.
_LEAST_SHARE = 0.2
_LEAST_BEGINNINGS = 2


def joined_groups(duplicates: NDArray[np.integer], subjects: Sequence[str]) -> NDArray[np.int32]:
    """Unite duplicate groups with what shows one subject: int32 (n,), numbered in the order of their first image.

    ``duplicates`` (n,) are the duplicate groups, ``subjects`` (n,) name what each image shows; images that name none
    ("") are united by their duplicate group only. Whatever is linked over several images becomes one group.
    """
    first: dict[str, int] = {}
    named = [(group, subject) for group, subject in zip(duplicates.tolist(), subjects, strict=True) if subject]
    return united_groups(duplicates, [(first.setdefault(subject, group), group) for group, subject in named])


def united_groups(groups: NDArray[np.integer], pairs: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
    """Groups (n,), numbers from 0 on, after every pair of them is united: int32 (n,), in the order of first images.

    >>> united_groups(np.array([2, 0, 1, 3]), [(0, 3), (3, 2)]).tolist()
    [0, 0, 1, 0]
    """
    ends = np.array(pairs, np.intp).reshape(-1, 2)
    size = int(groups.max(initial=-1)) + 1
    links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size))
    united = connected_components(links, directed=False)[1][groups] if size else groups
    _, first, rows = np.unique(united, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return order[rows].astype(np.int32)


def subject_column(columns: Iterable[str], rows: Sequence[Mapping[str, str]]) -> str:
    """The first of a manifest's further columns that seems to name the subject of each photograph; "" if none does.

    Its name says so (patient, animal, video, ..., or anything that ends in _id but is no file's), it has at least two
    values, where the name is one of a place more than 12, and most of its rows share theirs with another row.
    """
    for name in columns:
        values = Counter(row[name] for row in rows if row.get(name))
        sharing = sum(count for count in values.values() if count > 1)
        if len(values) >= _least_values(name) and 2 * sharing > values.total():
            return name
    return ""


def _least_values(name: str) -> float:
    """How many values a column of this name has at least where it names subjects; infinite if its name does not."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold())
    words = [re.sub(r"(?<=..)(id|s)$", "", word) for word in words]
    is_file = any(map(_FILE_WORD.fullmatch, words))
    if any(map(_SUBJECT_WORD.fullmatch, words)) or (words[1:] and words[-1] == "id" and not is_file):
        return 2
    return _FEW_PLACES + 1 if any(map(_PLACE_WORD.fullmatch, words)) else float("inf")


def subject_names(paths: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    """Two files whose names seem to say that they show one subject, as patient012_1.jpg and patient012_2.jpg; or none.

    ``paths`` and ``labels`` have one entry per photograph. What stands before the last number must be shared, by at
    least a fifth of the photographs, and must differ within the classes: a number alone only counts files.
    """
    beginnings = [_beginning(path) for path in paths]
    shared = {name for name, count in Counter(filter(None, beginnings)).items() if count > 1}
    sharing = sum(name in shared for name in beginnings)
    if sharing < _LEAST_SHARE * len(paths) or len(shared) <= _LEAST_BEGINNINGS * len(set(labels)):
        return ()
    example = next(name for name in beginnings if name in shared)
    return tuple(path for path, name in zip(paths, beginnings, strict=True) if name == example)[:2]


def _beginning(path: str) -> str:
    stem = path.rpartition("/")[2].rpartition(".")[0]
    numbered = _NUMBERED.fullmatch(stem)
    return numbered["subject"].casefold() if numbered else ""
