"""Which pairs of pictures share local features: by hashing, so that the time grows with the number of pictures."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit.data.edited_copies.local_features import DESCRIPTOR_BYTES, LocalFeatures

# Two features of one place differ in some 30 of 256 bits, so that one table of 22 bits joins a twentieth of them.
_TABLES, _BITS = 8, 22
# Keys that more features share are those of edges and lawns, and would make the time grow with the square.
_MOST_ALIKE = 12
_LEAST_SHARED = 3
# Candidates of a picture, those with the most shared features.
_MOST_CANDIDATES = 8

Pairs = NDArray[np.intp]


def candidate_pairs(pictures: Sequence[LocalFeatures], mirrored: bool) -> Pairs:
    """Pairs of pictures that share at least 3 features, intp (m, 2): the first, perhaps ``mirrored``, with a later one.

    Features are shared where 22 chosen bits of their descriptors agree in one of eight choices (locality-sensitive
    hashing: Indyk & Motwani 1998). A picture has at most 8 candidates.
    """
    if len(pictures) < 2:
        return np.zeros((0, 2), np.intp)
    asking = [picture.side(mirrored)[1].descriptors for picture in pictures]
    asked = [picture.plain.descriptors for picture in pictures]
    owners = [np.repeat(np.arange(len(pictures)), list(map(len, side))) for side in (asking, asked)]
    bits = np.random.default_rng(0).permuted(np.tile(np.arange(8 * DESCRIPTOR_BYTES), (_TABLES, 1)), axis=1)[:, :_BITS]
    asking_bits, asked_bits = (np.concatenate(side) for side in (asking, asked))
    shared = [_sharing(_keys(asking_bits, chosen), _keys(asked_bits, chosen), *owners) for chosen in bits]
    return _best(np.concatenate(shared), len(pictures))


def _keys(descriptors: NDArray[np.uint8], bits: NDArray[np.intp]) -> NDArray[np.int64]:
    """The chosen bits of every descriptor as one number, int64 (m,)."""
    keys = np.zeros(len(descriptors), np.int64)
    for position, bit in enumerate(bits.tolist()):
        keys |= ((descriptors[:, bit // 8].astype(np.int64) >> (bit % 8)) & 1) << position
    return keys


def _sharing(asking: NDArray[np.int64], asked: NDArray[np.int64], owners: Pairs, asked_owners: Pairs) -> Pairs:
    """The owners of every two features with one key, the earlier picture asking, (m, 2)."""
    order = np.argsort(asked, kind="stable")
    start, stop = (np.searchsorted(asked[order], asking, side) for side in ("left", "right"))
    alike = np.where(stop - start <= _MOST_ALIKE, stop - start, 0)
    feature = np.repeat(np.arange(len(asking)), alike)
    partner = np.arange(len(feature)) - np.repeat(np.cumsum(alike) - alike, alike) + start[feature]
    pairs = np.stack([owners[feature], asked_owners[order[partner]]], axis=1)
    return np.asarray(pairs[pairs[:, 0] < pairs[:, 1]], np.intp)


def _best(pairs: Pairs, pictures: int) -> Pairs:
    """The pairs that occur often enough, for every first picture the most frequent ones."""
    numbers, counts = np.unique(pairs[:, 0] * pictures + pairs[:, 1], return_counts=True)
    numbers, counts = numbers[counts >= _LEAST_SHARED], counts[counts >= _LEAST_SHARED]
    first, second = np.divmod(numbers, pictures)
    order = np.lexsort((second, -counts, first))
    rank = np.arange(len(order)) - np.searchsorted(first[order], first[order], "left")
    kept = order[rank < _MOST_CANDIDATES]
    return np.stack([first[kept], second[kept]], axis=1)
