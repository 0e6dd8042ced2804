"""What readers say of clothing, background, main object and patches whose colours are drawn."""

import math

import cv2
import numpy as np
import pytest

from audit.attributes.registry import built_in
from audit.attributes.surfaces import background, clothing, main_object
from audit.attributes.surfaces.background import BackgroundReader
from audit.attributes.surfaces.clothing import ClothingReader
from audit.attributes.surfaces.main_object import MainObjectReader
from audit.attributes.surfaces.patch import PatchReader
from audit.detectors.photo import Photo

HEIGHT, WIDTH = 320, 400
SUBJECT = np.zeros((HEIGHT, WIDTH), bool)
SUBJECT[60:, 120:280] = True
COLOURS = {
    "white": (238, 238, 240),
    "dark": (28, 28, 34),
    "blue": (50, 100, 190),
    "green": (50, 140, 70),
    "red": (190, 30, 45),
    "brown": (140, 90, 50),
    "yellow": (240, 210, 50),
    "orange": (240, 140, 30),
    "purple": (120, 50, 190),
}


def scene(subject, behind):
    """A subject before a background, each a colour or pixels, as a photograph."""
    picture = np.empty((HEIGHT, WIDTH, 3))
    picture[:] = behind
    picture[SUBJECT] = np.broadcast_to(subject, picture.shape)[SUBJECT]
    return Photo(picture.astype(np.uint8), None)


def shown(values):
    """The attributes that values show."""
    return {name for name, value in values.items() if value >= built_in()[name].shown_from}


@pytest.fixture
def person(monkeypatch):
    """All of the subject is a person, dressed."""
    monkeypatch.setattr(clothing, "clothing_mask", lambda photo: SUBJECT)
    for module in (background, main_object):
        monkeypatch.setattr(module, "person_mask", lambda photo: SUBJECT)


@pytest.fixture
def thing(monkeypatch):
    """The subject is no person."""
    monkeypatch.setattr(clothing, "clothing_mask", lambda photo: None)
    for module in (background, main_object):
        monkeypatch.setattr(module, "person_mask", lambda photo: None)
        monkeypatch.setattr(module, "object_mask", lambda photo: (SUBJECT, 0.9))


@pytest.mark.parametrize("colour", ["white", "dark", "blue", "green", "red"])
def test_clothing_has_its_colour_and_no_other(person, colour):
    values = ClothingReader().measure(scene(COLOURS[colour], (200, 200, 200)))
    assert shown(values) == {f"{colour}_clothing"}


def test_a_white_coat_over_dark_trousers_is_both(person):
    coat = np.empty((HEIGHT, WIDTH, 3))
    coat[:180], coat[180:] = COLOURS["white"], COLOURS["dark"]
    assert shown(ClothingReader().measure(scene(coat, (150, 170, 150)))) == {"white_clothing", "dark_clothing"}


def test_stripes_are_a_pattern(person):
    stripes = np.empty((HEIGHT, WIDTH, 3))
    stripes[:] = np.where((np.arange(HEIGHT) // 6 % 2)[:, None, None], COLOURS["red"], COLOURS["white"])
    assert "patterned_clothing" in shown(ClothingReader().measure(scene(stripes, (200, 200, 200))))


def test_nothing_is_said_of_what_nobody_wears(thing):
    assert ClothingReader().measure(scene(COLOURS["red"], (200, 200, 200))) == {}


@pytest.mark.parametrize("colour", ["dark", "brown", "red", "green", "blue"])
def test_an_object_has_its_colour_and_no_other(thing, colour):
    values = MainObjectReader().measure(scene(COLOURS[colour], (225, 225, 225)))
    assert shown(values) == {f"{colour}_object"}


def test_nothing_is_said_of_an_object_where_a_person_is(person):
    assert MainObjectReader().measure(scene(COLOURS["red"], (200, 200, 200))) == {}


@pytest.mark.parametrize("subject", ["person", "thing"])
@pytest.mark.parametrize(
    ("behind", "names"),
    [
        ((252, 252, 252), {"light_background", "white_background"}),
        ((20, 20, 24), {"dark_background"}),
        ((60, 130, 60), {"green_background"}),
        ((120, 170, 230), {"blue_background"}),
    ],
)
def test_plain_backgrounds_have_their_colour(request, subject, behind, names):
    request.getfixturevalue(subject)
    values = BackgroundReader().measure(scene((190, 60, 50), behind))
    assert shown(values) - {"light_background"} == names - {"light_background"} | {"plain_background"}
    assert names & {"light_background"} <= shown(values)
    assert math.isnan(values["soft_background"])


def test_a_background_out_of_focus_is_soft_and_not_plain(person):
    rng = np.random.default_rng(0)
    subject = rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(float)
    coarse = cv2.resize(rng.integers(0, 256, (20, 25, 3)).astype(np.float32), (WIDTH, HEIGHT))
    blurred = cv2.GaussianBlur(coarse, (0, 0), 5)
    assert "soft_background" in shown(BackgroundReader().measure(scene(subject, blurred)))
    assert "soft_background" not in shown(BackgroundReader().measure(scene(subject, subject)))
    assert "plain_background" not in shown(BackgroundReader().measure(scene(subject, blurred)))


def test_nothing_is_said_of_a_background_that_is_hardly_there(monkeypatch):
    monkeypatch.setattr(background, "person_mask", lambda photo: np.ones((HEIGHT, WIDTH), bool))
    assert BackgroundReader().measure(scene(COLOURS["red"], (200, 200, 200))) == {}


@pytest.mark.parametrize("colour", ["blue", "green", "yellow", "orange", "red", "purple"])
@pytest.mark.parametrize("centre", [(60, 60), (398, 160)])
def test_a_patch_has_its_colour_inside_the_picture_and_at_its_edge(colour, centre):
    picture = np.full((HEIGHT, WIDTH, 3), (205, 175, 160), np.uint8)
    cv2.circle(picture, centre, 40, COLOURS[colour], -1)
    assert shown(PatchReader().measure(Photo(picture, None))) == {f"{colour}_patch"}


def test_a_picture_without_a_patch_has_no_colour_of_it():
    assert PatchReader().measure(Photo(np.full((HEIGHT, WIDTH, 3), (205, 175, 160), np.uint8), None)) == {}


def test_tiny_photographs_are_no_error(monkeypatch):
    for shape in ((1, 1), (1, 40), (40, 1), (3, 3)):
        tiny = Photo(np.full((*shape, 3), 120, np.uint8), None)
        monkeypatch.setattr(clothing, "clothing_mask", lambda photo, shape=shape: np.ones(shape, bool))
        monkeypatch.setattr(background, "person_mask", lambda photo, shape=shape: np.zeros(shape, bool))
        assert ClothingReader().measure(tiny).keys() <= built_in().keys()
        assert BackgroundReader().measure(tiny).keys() <= built_in().keys()
        assert PatchReader().measure(tiny) == {}
