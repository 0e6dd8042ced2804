"""The detectors on real photographs, where these and the model files are at hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audit.data.decode import open_photo
from audit.detectors.marks.border import find_border
from audit.detectors.marks.patch import find_patches
from audit.detectors.marks.text import missing_reader, read_lines
from audit.detectors.parts.eyes import EyesDetector
from audit.detectors.parts.face import find_faces
from audit.detectors.parts.hair import hair_mask
from audit.detectors.parts.skin import skin_mask
from audit.detectors.parts.subject import object_mask
from audit.detectors.photo import LONGEST, Networks, Photo
from audit.store.model_files import CUE_MODEL_FILES
from tests.fetched import fetched_networks

_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def networks():
    return fetched_networks(CUE_MODEL_FILES)


def _sample(name: str, n: int, **where: object) -> pd.DataFrame:
    if not (_DATA / name / "index.csv").exists():
        pytest.skip(f"the photographs {name} are not on this machine")
    table = pd.read_csv(_DATA / name / "index.csv")
    for column, value in where.items():
        table = table[table[column] == value]
    return table.sample(n, random_state=0)


def _open(name: str, path: str, networks: Networks | None) -> Photo:
    return Photo(np.asarray(open_photo(_DATA / name / path, longest=LONGEST)), networks)


def test_a_drawing_of_nothing_holds_no_face(networks):
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    for pixels in (noise, np.zeros_like(noise), np.full_like(noise, 255)):
        assert find_faces(Photo(pixels, networks)) == ()


@pytest.mark.parametrize("skin", ["dark", "light"])
def test_faces_of_people_are_found_whatever_their_skin(networks, skin):
    table = _sample("doctor-nurse", 20, skin=skin)
    assert sum(bool(find_faces(_open("doctor-nurse", path, networks))) for path in table["path"]) >= 19


def test_few_animals_are_taken_for_people(networks):
    table = _sample("cats-dogs", 40)
    assert sum(bool(find_faces(_open("cats-dogs", path, networks))) for path in table["path"]) <= 2


def test_hair_overlaps_the_marked_hair(networks):
    overlaps = []
    for row in _sample("lfw-hair", 16).itertuples():
        photo = _open("lfw-hair", row.path, networks)
        marked = np.asarray(open_photo(_DATA / "lfw-hair" / row.mask))[..., 0] > 127
        found = hair_mask(photo)
        overlaps.append((found & marked).sum() / max(1, (found | marked).sum()))
    assert np.mean(overlaps) > 0.42


def test_the_main_object_lies_on_the_marked_animals(networks):
    boxes = pd.read_csv(_DATA / "raccoon-kangaroo" / "boxes.csv") if _DATA.exists() else None
    lifts = []
    for row in _sample("raccoon-kangaroo", 20).itertuples():
        photo = _open("raccoon-kangaroo", row.path, networks)
        marked = np.zeros(photo.shape, bool)
        scale = photo.shape[1] / row.width
        for box in boxes[boxes["path"] == row.path].itertuples():
            x0, y0, x1, y1 = (round(scale * value) for value in (box.x0, box.y0, box.x1, box.y1))
            marked[y0:y1, x0:x1] = True
        found, _ = object_mask(photo)
        lifts.append(marked[found].mean() / marked.mean())
    assert np.mean(lifts) > 1.4


def test_stock_footers_are_borders_and_few_other_pictures_have_one():
    with_footer, without = (_sample("doctor-nurse", n, stock_footer=flag) for n, flag in ((20, 1), (60, 0)))
    found = [
        [any(run.lines for run in find_border(_open("doctor-nurse", path, None).pixels)) for path in table["path"]]
        for table in (with_footer, without)
    ]
    assert np.mean(found[0]) >= 0.95 and np.mean(found[1]) <= 0.15


@pytest.mark.skipif(bool(missing_reader()), reason=f"text cannot be read: {missing_reader()}")
def test_stock_footers_name_their_agency():
    for path in _sample("doctor-nurse", 24, stock_footer=1)["path"]:
        words = " ".join(line.words for line in read_lines(_open("doctor-nurse", path, None).pixels)).lower()
        assert any(agency in words for agency in ("alamy", "depositphotos", "stockimagefactory")), path


def test_skin_overlaps_the_marked_skin(networks):
    overlaps = []
    for row in _sample("ccp600", 16).itertuples():
        names = pd.read_csv(_DATA / "ccp600" / "classes.csv").set_index("name")["id"]
        photo = _open("ccp600", row.path, networks)
        labels = Image.open(_DATA / "ccp600" / row.labels_png).resize(photo.shape[::-1], Image.Resampling.NEAREST)
        marked, found = np.asarray(labels) == names["skin"], skin_mask(photo)
        overlaps.append((found & marked).sum() / max(1, (found | marked).sum()))
    assert np.mean(overlaps) > 0.5


def test_most_passers_by_with_glasses_are_told_from_those_without(networks):
    right = []
    for row in _sample("ccp600", 30).itertuples():
        worn = bool({"glasses", "sunglasses"} & set(row.classes.split("|")))
        right.append(EyesDetector().detect(_open("ccp600", row.path, networks))["glasses"].present == worn)
    assert np.mean(right) >= 0.85


def test_stickers_on_photographs_are_found_and_little_else():
    rng, false, hit = np.random.default_rng(0), [], []
    for path in _sample("cats-dogs", 60)["path"]:
        pixels = _open("cats-dogs", path, None).pixels.copy()
        false.append(bool(find_patches(pixels)))
        side = round(rng.uniform(0.08, 0.15) * min(pixels.shape[:2]))
        y, x = (int(rng.integers(0, length - side)) for length in pixels.shape[:2])
        pixels[y : y + side, x : x + side] = ((30, 90, 220), (220, 40, 40), (30, 160, 70))[len(hit) % 3]
        centres = [patch.outline.mean(0) for patch in find_patches(pixels)]
        hit.append(any(np.abs(centre - (x + side / 2, y + side / 2)).max() < side / 3 for centre in centres))
    assert np.mean(false) <= 0.05 and np.mean(hit) >= 0.85
