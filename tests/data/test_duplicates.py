"""Copies are found through rescaling and compression; flat pictures, shared layouts and chains do not join up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from audit.data.duplicates import (
    NO_HASH,
    bit_counts,
    duplicate_groups,
    fingerprint,
    perceptual_hash,
    thumbnail,
)


def picture(seed, size=(480, 360)):
    """A smooth random scene: coarse noise, enlarged."""
    noise = np.random.default_rng(seed).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def group_files(paths, max_bits=4):
    prints = [fingerprint(path, 100) for path in paths]
    assert not any(found.reason for found in prints)
    return grouped(prints, max_bits)


def grouped(prints, max_bits=4):
    hashes = np.array([found.phash for found in prints], np.uint64)
    thumbs = np.stack([found.thumb for found in prints])
    return duplicate_groups([found.sha256 for found in prints], hashes, thumbs, max_bits).tolist()


def test_rescaled_and_recompressed_copies_join_and_others_do_not(tmp_path):
    for seed in range(20):
        picture(seed).save(tmp_path / f"{seed:02}-a.png")
        picture(seed).resize((211, 160)).save(tmp_path / f"{seed:02}-b.jpg", quality=40)
        picture(seed).resize((960, 720)).save(tmp_path / f"{seed:02}-c.jpg", quality=70)
        picture(seed).save(tmp_path / f"{seed:02}-d.webp", quality=60)
    assert group_files(sorted(tmp_path.iterdir())) == np.repeat(np.arange(20), 4).tolist()


def test_flat_pictures_match_by_bytes_only(tmp_path):
    paths = []
    for i, grey in enumerate([10, 120, 121, 122, 250, 120]):
        paths.append(tmp_path / f"{i}.png")
        noise = np.random.default_rng(0).integers(0, 3, (90, 120, 3), dtype=np.uint8)
        Image.fromarray(noise + np.uint8(grey)).save(paths[-1])
    assert {fingerprint(path, 100).phash for path in paths} == {NO_HASH}
    assert group_files(paths, max_bits=16) == [0, 1, 2, 3, 4, 1]


def test_equal_hashes_need_thumbnails_that_agree():
    thumbs = np.stack([thumbnail(picture(seed)) for seed in (1, 2)])
    hashes = np.array([77, 77], np.uint64)
    assert duplicate_groups(["a", "b"], hashes, thumbs, 4).tolist() == [0, 1]


def test_chains_do_not_draw_everything_together():
    """Fifty frames, each one bit and hardly a grey level from the next."""
    thumbs = np.repeat(thumbnail(picture(1))[None], 50, axis=0)
    hashes = np.array([(1 << i) - 1 for i in range(1, 51)], np.uint64)
    groups = duplicate_groups([str(i) for i in range(50)], hashes, thumbs, 4)
    members = [hashes[groups == group] for group in np.unique(groups)]
    assert 4 <= len(members) <= 12
    assert all(bit_counts(each ^ each[0]).max() <= 12 for each in members)


def test_equal_bytes_join_whatever_the_limit():
    thumbs = np.zeros((3, 32, 32), np.uint8)
    hashes = np.zeros(3, np.uint64)
    assert duplicate_groups(["x", "y", "x"], hashes, thumbs, 0).tolist() == [0, 1, 0]


def test_a_copy_of_a_copy_joins_the_first():
    base = thumbnail(picture(5))
    hashes = np.array([0b1, 0b11111, 0b111111111, 0xFFFF000000000000], np.uint64)
    thumbs = np.stack([base, base, base, thumbnail(picture(6))])
    assert duplicate_groups(list("abcd"), hashes, thumbs, 4).tolist() == [0, 0, 0, 1]


def test_no_images():
    assert duplicate_groups([], np.zeros(0, np.uint64), np.zeros((0, 32, 32), np.uint8), 4).tolist() == []


def test_the_copies_among_twenty_thousand_images():
    rng = np.random.default_rng(0)
    hashes = rng.integers(1, 2**63, 20_000, dtype=np.uint64)
    hashes[10_000:10_100] = hashes[:100] ^ np.uint64(0b1001)
    thumbs = rng.integers(0, 255, (20_000, 32, 32), dtype=np.uint8)
    thumbs[10_000:10_100] = thumbs[:100]
    groups = duplicate_groups([str(i) for i in range(20_000)], hashes, thumbs, 4)
    assert (groups[10_000:10_100] == groups[:100]).all()
    assert groups.max() == 19_899


@pytest.mark.parametrize("change", [lambda t: t, lambda t: t // 2 + 40, lambda t: 255 - (255 - t) // 2])
def test_hash_ignores_brightness(change):
    thumb = thumbnail(picture(9))
    assert bin(perceptual_hash(thumb) ^ perceptual_hash(change(thumb))).count("1") <= 4


def test_hashes_of_different_pictures_differ_in_half_their_bits():
    hashes = np.array([perceptual_hash(thumbnail(picture(seed))) for seed in range(60)], np.uint64)
    distances = bit_counts(hashes[:, None] ^ hashes[None])[np.triu_indices(60, 1)]
    assert 28 < distances.mean() < 36 and distances.min() > 8


def test_unreadable_file_gives_a_reason(tmp_path):
    (tmp_path / "a.jpg").write_text("no picture")
    found = fingerprint(tmp_path / "a.jpg", 100)
    assert found.reason.startswith("not an image") and found.thumb is None


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_bit_counts(values):
    expected = [value.bit_count() for value in values]
    array = np.array(values, np.uint64)
    assert bit_counts(array).tolist() == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(np, "bitwise_count", raising=False)  # as before NumPy 2.0
        assert bit_counts(array).tolist() == expected
