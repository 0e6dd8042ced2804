"""Crops and edits of a picture join its group; other pictures do not, however alike their layout."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from audit.config import parse_config
from audit.data.duplicates import fingerprint
from audit.data.edited_copies.agreement import MIN_AGREEMENT, agreement
from audit.data.edited_copies.candidates import candidate_pairs
from audit.data.edited_copies.copy_groups import copy_groups
from audit.data.edited_copies.local_features import Features, LocalFeatures, local_features
from audit.data.inspection import inspect

SIZE = (320, 240)


def scene(seed, shapes=60):
    """Many overlapping shapes of many greys: corners everywhere, no two scenes alike."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", SIZE, tuple(rng.integers(60, 200, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(shapes):
        x, y = rng.integers(0, SIZE[0]), rng.integers(0, SIZE[1])
        width, height = rng.integers(8, 60, 2)
        colour = tuple(rng.integers(0, 255, 3).tolist())
        (draw.rectangle if rng.random() < 0.5 else draw.ellipse)([x, y, x + width, y + height], fill=colour)
    return picture


def captioned(picture):
    picture = picture.copy()
    ImageDraw.Draw(picture).rectangle([0, 212, 320, 240], fill="white")
    return picture


EDITS = {
    "as it is": lambda picture: picture,
    "crop": lambda picture: picture.crop((60, 30, 60 + 224, 30 + 168)),
    "small crop": lambda picture: picture.crop((80, 60, 80 + 192, 60 + 144)),
    "stretched": lambda picture: picture.resize((420, 240)),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.3),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.6),
    "captioned": captioned,
    "smaller": lambda picture: picture.resize((160, 120)),
}


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_agrees_with_its_original_and_with_no_other(edit, mirrored):
    pictures = [local_features(scene(seed)) for seed in range(8)]
    for seed in range(8):
        picture = EDITS[edit](scene(seed))
        copy = local_features(ImageOps.mirror(picture) if mirrored else picture)
        agreeing = [agreement(copy, other, mirrored) >= MIN_AGREEMENT for other in pictures]
        assert agreeing == [number == seed for number in range(8)]


def test_agreement_is_the_share_of_the_common_part_that_is_the_same():
    """A part of the picture is replaced by another scene: the rest agrees."""
    original = scene(1)
    for share in (0.25, 0.5):
        altered = original.copy()
        altered.paste(scene(2).crop((0, 0, round(320 * share), 240)), (0, 0))
        assert agreement(local_features(altered), local_features(original), False) == pytest.approx(1 - share, abs=0.15)


def test_one_layout_is_not_one_picture():
    """A frame and a grid that all share, filled by different scenes."""
    pictures = []
    for seed in range(10):
        picture = scene(100 + seed)
        draw = ImageDraw.Draw(picture)
        draw.rectangle([0, 0, 319, 239], outline="black", width=12)
        for x in (110, 210):
            draw.line([x, 0, x, 239], fill="black", width=4)
        pictures.append(local_features(picture))
    for one in range(10):
        for other in range(one):
            assert max(agreement(pictures[one], pictures[other], flip) for flip in (False, True)) < MIN_AGREEMENT


@pytest.mark.parametrize("size", [(1, 1), (31, 200), (500, 12), (33, 33)])
def test_small_and_flat_pictures_have_nothing_to_compare(size):
    flat = local_features(Image.new("RGB", size, "grey"))
    assert len(flat.plain.points) == 0 and max(flat.small.shape) <= 96
    assert agreement(flat, flat, False) == agreement(flat, local_features(scene(1)), True) == 0
    assert candidate_pairs([flat, flat], False).tolist() == [] and candidate_pairs([], False).shape == (0, 2)


def described(descriptors):
    points = np.zeros((len(descriptors), 2), np.float32)
    nothing = Features(points[:0], descriptors[:0])
    return LocalFeatures(np.zeros((8, 8), np.uint8), Features(points, descriptors), nothing)


def test_pictures_that_share_descriptors_are_candidates_and_only_those():
    """Pictures of random descriptors, of which some are repeated: every pair with five in common, no pair without."""
    rng = np.random.default_rng(0)
    sets = [rng.integers(0, 256, (40, 32), dtype=np.uint8) for _ in range(60)]
    for number in range(0, 20, 2):
        sets[number + 1][:5] = sets[number][:5]
    pairs = candidate_pairs([described(descriptors) for descriptors in sets], False)
    in_common = [
        (one, other)
        for one in range(60)
        for other in range(one + 1, 60)
        if len({*map(bytes, sets[one])} & {*map(bytes, sets[other])}) >= 3
    ]
    assert sorted(map(tuple, pairs.tolist())) == in_common == [(number, number + 1) for number in range(0, 20, 2)]


def test_a_descriptor_that_all_share_makes_no_candidates():
    """Else the number of pairs would grow with the square of the pictures."""
    common = np.tile(np.random.default_rng(0).integers(0, 256, (1, 32), dtype=np.uint8), (40, 1))
    assert len(candidate_pairs([described(common)] * 50, False)) == 0


@pytest.fixture
def photos(tmp_path):
    """Two classes of different scenes; in the first a crop of a scene of the second, mirrored."""
    for number in range(24):
        path = tmp_path / "photos" / ("cat" if number < 12 else "dog") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        scene(200 + number).save(path)
    ImageOps.mirror(EDITS["crop"](scene(220))).save(tmp_path / "photos" / "cat" / "copy.jpg", quality=80)
    return tmp_path / "photos"


def test_a_crop_under_another_label_is_told(photos):
    found = inspect(parse_config({"dataset": {"photos": photos}}))
    assert found.cross_class_duplicates == (("cat/copy.jpg", "dog/20.png"),) and found.n_duplicates == 1
    assert inspect(parse_config({"dataset": {"photos": photos, "duplicate_bits": 0}})).n_duplicates == 0


def test_groups_are_numbered_by_their_first_image_whatever_joins_them(photos):
    paths = [photos / "cat/copy.jpg", photos / "cat/00.png", photos / "dog/20.png", photos / "cat/00.png"]
    prints = [fingerprint(path, 100, with_features=True) for path in paths]
    assert copy_groups(prints, [one.sha256 for one in prints], 4).tolist() == [0, 1, 0, 1]
    assert copy_groups(prints, [one.sha256 for one in prints], 0).tolist() == [0, 1, 2, 1]
    assert copy_groups([], [], 4).tolist() == []
