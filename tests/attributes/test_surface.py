"""Surfaces: their colours in any light, how plain they are, and how soft beside another."""

import math

import cv2
import numpy as np
import pytest

from audit.attributes.surfaces.surface import pattern_share, plain_share, softness, surface_of
from audit.detectors.photo import Photo

HEIGHT, WIDTH = 300, 400
LEFT = np.zeros((HEIGHT, WIDTH), bool)
LEFT[:, :200] = True


def photo(pixels):
    return Photo(np.clip(pixels, 0, 255).astype(np.uint8), None)


def room(left):
    """A white wall, and a coloured thing on the left."""
    picture = np.full((HEIGHT, WIDTH, 3), 240.0)
    picture[:, :200] = left
    return picture


def texture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 1)).repeat(3, 2).astype(float)


@pytest.mark.parametrize("light", [(1, 1, 1), (0.7, 0.7, 0.7), (1.05, 1, 0.9), (0.9, 1, 1.05), (0.8, 0.72, 0.65)])
@pytest.mark.parametrize(
    ("rgb", "word"),
    [((235, 235, 235), "white"), ((40, 80, 200), "blue"), ((190, 30, 40), "red"), ((20, 20, 22), "black")],
)
def test_colours_are_told_in_dim_and_tinted_light(light, rgb, word):
    surface = surface_of(photo(room(rgb) * light), LEFT)
    assert surface.share(word) > 0.95


def test_a_picture_of_one_colour_is_not_taken_for_tinted_light():
    blue = np.full((HEIGHT, WIDTH, 3), (60.0, 90, 200))
    assert surface_of(photo(blue), LEFT).share("blue") == 1


def test_darkness_and_white_without_shade():
    picture = np.full((HEIGHT, WIDTH, 3), 250.0)
    picture[:150, :200], picture[150:, :200] = 25, 180
    surface = surface_of(photo(picture), LEFT)
    assert surface.dark == pytest.approx(0.5, abs=0.02)
    assert surface.snowy < 0.02
    assert surface_of(photo(picture), ~LEFT).snowy == 1


@pytest.mark.parametrize("area", [0, 1, 20])
def test_what_is_too_small_is_not_described(area):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[0, :area] = True
    assert surface_of(photo(texture()), mask) is None
    assert math.isnan(plain_share(photo(texture()), mask))
    assert math.isnan(pattern_share(photo(texture()), mask))
    assert math.isnan(softness(photo(texture()), mask, LEFT))


def test_the_outline_of_a_mask_is_no_edge_in_it():
    picture = room((30, 60, 200))
    assert plain_share(photo(picture), LEFT) == 1
    assert pattern_share(photo(picture), LEFT) == 0
    assert plain_share(photo(picture), np.ones_like(LEFT)) < 1


def test_a_slow_change_of_light_is_plain_and_a_check_is_a_pattern():
    slope = np.linspace(120, 250, WIDTH)[None, :, None] * np.ones((HEIGHT, 1, 3))
    checks = (np.indices((HEIGHT, WIDTH)) // 12).sum(0)[..., None] % 2 * 200.0 + np.zeros(3)
    assert plain_share(photo(slope), LEFT) == 1
    assert pattern_share(photo(checks), LEFT) > 0.5
    assert plain_share(photo(checks), LEFT) < 0.5


def test_a_blurred_side_is_soft_beside_a_sharp_one_whichever_it_is():
    picture = texture()
    picture[:, :200] = cv2.GaussianBlur(picture, (0, 0), 4)[:, :200]
    assert softness(photo(picture), LEFT, ~LEFT) > 0.8
    assert softness(photo(picture), ~LEFT, LEFT) < 0
    assert softness(photo(texture()), LEFT, ~LEFT) == pytest.approx(0, abs=0.1)


def test_the_middle_leaves_a_rim_out():
    picture = room((240, 240, 240))
    picture[100:200, 50:150] = 200, 30, 40
    mask = np.zeros_like(LEFT)
    mask[90:210, 40:160] = True
    surface = surface_of(photo(picture), mask)
    assert surface.share("red") < 0.8
    assert surface.middle().share("red") > 0.95
