"""The duplicate groups of photographs: equal bytes, equal looks, and one picture cropped or edited."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from audit.data.duplicates import Fingerprint, duplicate_groups
from audit.data.edited_copies.agreement import MIN_AGREEMENT, agreement
from audit.data.edited_copies.candidates import candidate_pairs
from audit.data.edited_copies.local_features import LocalFeatures


def copy_groups(prints: Sequence[Fingerprint], identities: Sequence[str], max_bits: int) -> NDArray[np.int32]:
    """Number the groups of copies: int32 (n,), in order of their first image; an image without a copy is alone.

    ``prints`` are those of n decoded photographs, ``identities`` what is equal for equal files. Copies by look are
    those of ``duplicate_groups``; of each such group the first photograph is compared with the others' by local
    features, and groups that show one picture are united. With ``max_bits`` 0 only equal files are copies.
    """
    if not prints:
        return np.zeros(0, np.int32)
    hashes = np.array([one.phash for one in prints], np.uint64)
    thumbs = np.stack([one.thumb for one in prints if one.thumb is not None])
    groups = duplicate_groups(identities, hashes, thumbs, max_bits)
    if max_bits == 0:
        return groups
    first = np.unique(groups, return_index=True)[1]
    pictures = [(group, prints[image].features) for group, image in enumerate(first.tolist())]
    known = [(group, features) for group, features in pictures if features is not None]
    pairs = edited_copies([features for _, features in known])
    return _united(groups, [(known[one][0], known[other][0]) for one, other in pairs])


def edited_copies(pictures: Sequence[LocalFeatures]) -> list[tuple[int, int]]:
    """The pairs of pictures, the earlier first, of which each is a crop or another edit of the other."""
    return [
        (one, other)
        for mirrored in (False, True)
        for one, other in candidate_pairs(pictures, mirrored).tolist()
        if agreement(pictures[one], pictures[other], mirrored) >= MIN_AGREEMENT
    ]


def _united(groups: NDArray[np.int32], pairs: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
    """Groups after every pair of them is united, numbered in the order of their first image."""
    ends = np.array(pairs, np.intp).reshape(-1, 2)
    size = int(groups.max()) + 1
    links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size))
    united = connected_components(links, directed=False)[1][groups]
    _, first, rows = np.unique(united, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return order[rows].astype(np.int32)
