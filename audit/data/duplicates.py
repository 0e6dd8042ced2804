"""Which photographs are copies of one another: the same bytes, or the same picture rescaled or compressed again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from audit.data.decode import decode_photo
from audit.data.edited_copies.local_features import SIDE as FEATURE_SIDE
from audit.data.edited_copies.local_features import LocalFeatures, local_features
from audit.data.facts.file_facts import NO_FACTS, FileFacts, file_facts
from audit.data.facts.uniform import is_uniform
from audit.data.photo_file import Source, content_digest, read_content
from audit.errors import RejectedImage

SIDE = 32
_KEPT = 8
# Grey levels (standard deviation) below which a thumbnail is all noise and its hash means nothing.
MIN_CONTRAST = 4.0
# Correlation that two thumbnails of one picture have at least; hashes alone cannot tell drawings of one layout apart.
# Measured on 2,368 photographs of seven kinds: different scenes stay below 0.89, and a caption costs a copy 0.05.
MIN_CORRELATION = 0.92
NO_HASH = 0
# Long side from which a photograph's thumbnail is made.
_DECODED = 128


@dataclass(frozen=True)
class Fingerprint:
    """What reading a file once tells. Sizes in pixels, upright; ``reason`` is why it was rejected, else empty.

    ``uniform`` is True where the picture shows one colour and nothing else; ``facts``: of the file and the frame.
    ``features`` are there if asked for.
    """

    bytes: int = 0
    sha256: str = ""
    width: int = 0
    height: int = 0
    format: str = ""
    phash: int = 0
    thumb: NDArray[np.uint8] | None = None
    features: LocalFeatures | None = None
    uniform: bool = False
    reason: str = ""
    facts: FileFacts = NO_FACTS


def fingerprint(source: Source, max_megapixels: float, with_features: bool = False) -> Fingerprint:
    """Digest a photograph's bytes, decode them and hash the look. Never raises for a bad file: see ``reason``.

    ``with_features`` also describes what is left of it in a crop, of which the look says nothing.

    Raises ChangedImage for a photograph that was fingerprinted before and is another one by now.
    """
    try:
        content = read_content(source, max_megapixels)
        photo = decode_photo(content, max_megapixels, longest=FEATURE_SIDE)
        picture = photo.image.copy()
        picture.thumbnail((_DECODED, _DECODED), Image.Resampling.BOX)
        uniform = is_uniform(picture, lambda: decode_photo(content, max_megapixels).image)
        facts = file_facts(content, picture, max_megapixels)
    except RejectedImage as error:
        return Fingerprint(reason=str(error))
    features = local_features(photo.image) if with_features and not uniform else None
    thumb, digest = thumbnail(picture), content_digest(content)
    hashed = perceptual_hash(thumb)
    size = (photo.width, photo.height)
    return Fingerprint(len(content), digest, *size, photo.format, hashed, thumb, features, uniform, facts=facts)


def thumbnail(image: Image.Image) -> NDArray[np.uint8]:
    """The picture as grey levels, uint8 of shape (32, 32), whatever its proportions."""
    return np.array(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=None))


def _cosines() -> NDArray[np.float64]:
    """The lowest 8 basis vectors of the orthonormal DCT-II on 32 samples, float64 (8, 32)."""
    position = np.arange(SIDE) + 0.5
    basis = np.cos(np.pi / SIDE * np.outer(np.arange(_KEPT), position)) * np.sqrt(2 / SIDE)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float64)


_BASIS = _cosines()


def perceptual_hash(thumb: NDArray[np.uint8]) -> int:
    """A 64-bit hash of a (32, 32) thumbnail that rescaling and compression hardly change.

    Each bit tells whether one of the 8 x 8 lowest DCT frequencies lies above the median of all but the constant one
    (the "pHash"). A picture without contrast has no meaningful hash: 0, which no other picture gets.
    """
    grey = thumb.astype(np.float64)
    if grey.std() < MIN_CONTRAST:
        return NO_HASH
    frequencies = (_BASIS @ grey @ _BASIS.T).ravel()
    bits = frequencies > np.median(frequencies[1:])
    bits[0] = True
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def duplicate_groups(
    digests: Sequence[str], hashes: NDArray[np.uint64], thumbs: NDArray[np.uint8], max_bits: int
) -> NDArray[np.int32]:
    """Number the groups of copies: int32 (n,), in order of their first image; an image without a copy is alone.

    ``digests`` are SHA-256 of the n files, ``hashes`` uint64 (n,), ``thumbs`` uint8 (n, 32, 32). Two pictures are
    copies when their files are equal, or when their hashes differ in at most ``max_bits`` bits and their thumbnails
    agree. Copies of copies join one group, unless its first image is further than ``2 * max_bits`` bits away: that
    stops chains (frames of a film, say) from drawing a whole dataset together. Time grows with n squared (20,000
    images: about a second), memory with n.
    """
    first = _first_with_equal(digests)
    candidates = np.flatnonzero((first == np.arange(len(first))) & (hashes != NO_HASH))
    first[candidates] = candidates[_alike(hashes[candidates], _standardised(thumbs[candidates]), max_bits)]
    first = first[first]
    _, groups = np.unique(first, return_inverse=True)
    return groups.astype(np.int32)


def _first_with_equal(digests: Sequence[str]) -> NDArray[np.intp]:
    """For every file the place of the first one with the same bytes."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(digest, place) for place, digest in enumerate(digests)], dtype=np.intp)


def _standardised(thumbs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Thumbnails as rows of mean 0 and length 1, float32 (n, 1024): their products are correlations."""
    rows = thumbs.reshape(len(thumbs), SIDE * SIDE).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return rows


def _alike(hashes: NDArray[np.uint64], rows: NDArray[np.float32], max_bits: int) -> NDArray[np.intp]:
    """For every picture the first picture of its group, intp (n,)."""
    first = np.arange(len(hashes))
    for one in range(len(hashes)):
        near = one + 1 + np.flatnonzero(bit_counts(hashes[one + 1 :] ^ hashes[one]) <= max_bits)
        near = near[first[near] != first[one]]
        for other in near[rows[near] @ rows[one] >= MIN_CORRELATION]:
            _join(first, hashes, one, int(other), 2 * max_bits)
    return first


def _join(first: NDArray[np.intp], hashes: NDArray[np.uint64], one: int, other: int, reach: int) -> None:
    """Merge two groups under the earlier of their first images, if these are within ``reach`` bits."""
    low, high = sorted((int(first[one]), int(first[other])))
    if bit_counts(hashes[[low]] ^ hashes[high])[0] <= reach:
        first[first == high] = low


def bit_counts(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """How many bits are set in each uint64: uint8 of the same shape."""
    if hasattr(np, "bitwise_count"):
        counts: NDArray[np.uint8] = np.bitwise_count(values)
        return counts
    return _bit_counts_by_arithmetic(values)


def _bit_counts_by_arithmetic(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """For NumPy before 2.0: pairs of bits are added, then nibbles, then bytes."""
    one, two, four, top = (np.uint64(shift) for shift in (1, 2, 4, 56))
    pairs, nibbles, octets, sums = (
        np.uint64(mask) for mask in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101)
    )
    values = values - ((values >> one) & pairs)
    values = (values & nibbles) + ((values >> two) & nibbles)
    values = (values + (values >> four)) & octets
    return ((values * sums) >> top).astype(np.uint8)
