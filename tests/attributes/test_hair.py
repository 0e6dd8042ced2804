"""Hair, its colour and headwear: drawn portraits are told right, and what the picture does not show is unknown."""

import math

import numpy as np
import pytest

from audit.attributes.people import hair_colour
from audit.attributes.people.hair import HairReader
from audit.attributes.people.hair_colour import HairColourReader
from audit.attributes.people.headwear import HeadwearReader
from audit.attributes.registry import built_in
from audit.config import model_folder
from audit.demo.portrait import Sitter, draw_portrait
from audit.detectors.photo import Networks, Photo
from tests.attributes.heads import SKIN, a_face, a_head

COLOURS = {"black_hair", "brown_hair", "blond_hair", "red_hair", "grey_hair"}
READERS = (HairReader, HairColourReader, HeadwearReader)
MISSING = [file.name for file in HairReader.models if not (model_folder() / file.name).exists()]


def sitter(i, long):
    """People who differ in all but what is asked for."""
    skin, room = ("light", "medium", "dark")[i % 3], ("ward", "studio")[i % 2]
    return Sitter("doctor", long, skin, room, "coat", i % 2 == 0, i % 5 == 0, not long and i % 3 == 0, 5000 + i)


@pytest.mark.skipif(bool(MISSING), reason=f"no {', '.join(MISSING)}; run `bias-audit fetch`")
def test_long_and_short_hair_of_drawn_portraits_is_told_apart():
    networks, least = Networks(model_folder()), built_in()["long_hair"].shown_from
    right = 0
    for i in range(20):
        pixels = np.asarray(draw_portrait(sitter(i, i % 2 == 0), (320, 400)).image)
        right += (HairReader().measure(Photo(pixels, networks))["long_hair"] >= least) == (i % 2 == 0)
    assert right >= 19


def long_hair(photo):
    return HairReader().measure(photo)["long_hair"]


def test_hair_that_hangs_lower_is_likelier_long(monkeypatch):
    face = a_face(size=50.0)
    boxes = [(-0.75, -0.85, 0.75, low) for low in (-0.2, 0.7, 1.3)]
    short, middle, long = (long_hair(a_head(monkeypatch, face, hair_box=box)) for box in boxes)
    assert short < middle <= long
    assert long - short > 0.5


@pytest.mark.parametrize(("bottom", "told"), [(160, True), (138, False)])
def test_length_is_unknown_where_the_picture_ends_at_the_chin(monkeypatch, bottom, told):
    photo = a_head(monkeypatch, a_face(), shape=(bottom, 240))
    assert math.isnan(long_hair(photo)) != told
    assert not math.isnan(HeadwearReader().measure(photo)["headwear"])


def values(photo):
    told = {}
    for reader in READERS:
        told.update(reader().measure(photo))
    return told


def test_what_is_on_the_head_is_unknown_where_its_top_is_cut_off(monkeypatch):
    told = values(a_head(monkeypatch, a_face(centre=(120.0, 36.0))))
    assert {name for name in built_in().keys() & told.keys() if not math.isnan(told[name])} == {"long_hair"}


def test_nothing_is_known_without_a_face(monkeypatch):
    photo = a_head(monkeypatch, a_face())
    monkeypatch.setattr("audit.attributes.people.aligned_face.find_faces", lambda _: ())
    assert all(math.isnan(value) for value in values(photo).values())


def test_a_photograph_without_colours_does_not_tell_that_of_the_hair(monkeypatch):
    photo = a_head(monkeypatch, a_face())
    assert HairColourReader().measure(photo).keys() == COLOURS
    grey = photo.pixels.mean(2, keepdims=True).astype(np.uint8).repeat(3, 2)
    assert not HairColourReader().measure(Photo(grey, None))


@pytest.mark.parametrize("hidden", ["headwear", "bald"])
def test_hair_under_a_hat_and_no_hair_have_no_colour(monkeypatch, hidden):
    photo = a_head(monkeypatch, a_face())
    told = dict.fromkeys((*COLOURS, "headwear", "bald"), 0.1)
    monkeypatch.setattr(hair_colour, "top_probabilities", lambda _: told)
    assert set(HairColourReader().measure(photo).values()) == {0.1}
    told[hidden] = 0.9
    assert all(math.isnan(value) for value in HairColourReader().measure(photo).values())


@pytest.mark.parametrize(
    ("name", "hair"),
    [
        ("black_hair", (22, 18, 18)),
        ("brown_hair", (92, 62, 42)),
        ("blond_hair", (215, 180, 125)),
        ("red_hair", (150, 66, 34)),
        ("grey_hair", (150, 148, 146)),
    ],
)
def test_each_colour_is_likeliest_for_hair_of_that_colour(monkeypatch, name, hair):
    others = [(22, 18, 18), (92, 62, 42), (215, 180, 125), (150, 66, 34), (150, 148, 146)]
    others.remove(hair)
    mine, *rest = (
        HairColourReader().measure(a_head(monkeypatch, a_face(), (-0.7, -0.85, 0.7, 0.1), one))[name]
        for one in (hair, *others)
    )
    assert mine > max(rest)


def test_skin_on_the_crown_is_likelier_bald_than_hair(monkeypatch):
    bald, haired = (
        HairReader().measure(a_head(monkeypatch, a_face(), hair=colour))["bald"] for colour in (SKIN, (60, 40, 30))
    )
    assert bald > haired
