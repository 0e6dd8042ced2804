"""The duplicate groups of photographs: equal bytes, equal looks, and one picture cropped or edited."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit.data.duplicates import Fingerprint, duplicate_groups
from audit.data.edited_copies.agreement import MIN_AGREEMENT, agreement
from audit.data.edited_copies.candidates import candidate_pairs
from audit.data.edited_copies.local_features import LocalFeatures
from audit.data.subjects import united_groups


def copy_groups(prints: Sequence[Fingerprint], identities: Sequence[str], max_bits: int) -> NDArray[np.int32]:
    """Number the groups of copies: int32 (n,), in order of their first image; an image without a copy is alone.

    ``prints`` are those of n decoded photographs, ``identities`` what is equal for equal files. Copies by look are
    those of ``duplicate_groups``; of each such group the first photograph is compared with the others' by local
    features, and groups that show one picture are united. With ``max_bits`` 0 only equal files are copies.
    """
    if not prints:
        return np.zeros(0, np.int32)
    hashes = np.array([photo.phash for photo in prints], np.uint64)
    thumbs = np.stack([photo.thumb for photo in prints if photo.thumb is not None])
    groups = duplicate_groups(identities, hashes, thumbs, max_bits)
    if max_bits == 0:
        return groups
    first = np.unique(groups, return_index=True)[1]
    pictures = [(group, prints[image].features) for group, image in enumerate(first.tolist())]
    known = [(group, features) for group, features in pictures if features is not None]
    pairs = edited_copies([features for _, features in known])
    return united_groups(groups, [(known[earlier][0], known[later][0]) for earlier, later in pairs])


def copies_of(
    known: Sequence[Fingerprint], fresh: Sequence[Fingerprint], max_bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For every fresh photograph its duplicate group, and the first known one that it copies (-1: none), int64 (n,).

    Known photographs that could not be decoded, for want of memory, copy nothing; the fresh ones are all decoded.
    """
    numbers = [number for number, one in enumerate(known) if one.thumb is not None]
    prints = [known[number] for number in numbers] + list(fresh)
    groups = copy_groups(prints, [photo.sha256 for photo in prints], max_bits).astype(np.int64)
    first = {int(group): number for number, group in reversed(list(zip(numbers, groups, strict=False)))}
    of_fresh = groups[len(numbers) :]
    return of_fresh, np.array([first.get(int(group), -1) for group in of_fresh], np.int64)


def edited_copies(pictures: Sequence[LocalFeatures]) -> list[tuple[int, int]]:
    """The pairs of pictures, the earlier first, of which each is a crop or another edit of the other."""
    return [
        (earlier, later)
        for mirrored in (False, True)
        for earlier, later in candidate_pairs(pictures, mirrored).tolist()
        if agreement(pictures[earlier], pictures[later], mirrored) >= MIN_AGREEMENT
    ]
