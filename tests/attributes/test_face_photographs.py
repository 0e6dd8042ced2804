"""Faces of drawn people, and of photographs where there are any beside the project, are read as they are."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audit.attributes.people.face_detail import FaceDetailReader
from audit.attributes.people.facial_hair import FacialHairReader
from audit.attributes.people.pose import PoseReader
from audit.attributes.people.skin_tone import SkinToneReader
from audit.attributes.people.smile import SmileReader
from audit.data.decode import read_photo
from audit.demo.dataset import plan_train
from audit.demo.portrait import draw_portrait
from audit.detectors.photo import LONGEST, Photo
from audit.store.model_files import CUE_MODEL_FILES
from tests.fetched import fetched_networks

LABELLED = Path(__file__).parents[3] / "shared" / "data" / "celeba-dev"
READERS = (SmileReader(), FacialHairReader(), PoseReader(), SkinToneReader(), FaceDetailReader())


@pytest.fixture(scope="module")
def networks():
    return fetched_networks(CUE_MODEL_FILES)


def measure(pixels, networks):
    photo = Photo(pixels, networks)
    return {name: value for reader in READERS for name, value in reader.measure(photo).items()}


def drawn(networks, sitters):
    images = [np.asarray(draw_portrait(sitter, (320, 400)).image) for sitter in sitters]
    return [measure(image, networks) for image in images]


def test_beards_that_are_drawn_raise_the_score(networks):
    sitters = plan_train(20, 6)[::2]
    bare, worn = (drawn(networks, [replace(one, beard=beard) for one in sitters]) for beard in (False, True))
    pairs = [(a["beard"], b["beard"]) for a, b in zip(bare, worn, strict=True)]
    known = [pair for pair in pairs if not any(map(math.isnan, pair))]
    assert len(known) >= 8
    assert sum(b > a for a, b in known) >= 0.9 * len(known)


def test_every_attribute_is_measured_where_there_is_a_face(networks):
    (seen,) = drawn(networks, plan_train(20, 6)[:1])
    assert set(seen) == {attribute.name for reader in READERS for attribute in reader.attributes}
    assert not any(map(math.isnan, seen.values()))


def test_labelled_photographs_are_read_as_their_labels_say(networks):
    if not LABELLED.is_dir():
        pytest.skip("the labelled photographs are not beside the project")
    with (LABELLED / "index.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    smiles = [row for row in rows if row["Smiling"] == "1"][:30]
    serious = [row for row in rows if row["Smiling"] == "0"][:30]
    shown = [_share(chosen, "smile", SmileReader.attributes[0].shown_from, networks) for chosen in (smiles, serious)]
    assert shown[0] > 0.6 and shown[1] < 0.25
    bare = [row for row in rows if row["No_Beard"] == "1" and row["Male"] == "0"][:30]
    assert _share(bare, "beard", FacialHairReader.attributes[0].shown_from, networks) < 0.1


def _share(rows, name, shown_from, networks):
    images = [np.asarray(read_photo(LABELLED / row["path"], longest=LONGEST).image) for row in rows]
    values = [measure(image, networks).get(name, math.nan) for image in images]
    return np.mean([value >= shown_from for value in values if not math.isnan(value)])
