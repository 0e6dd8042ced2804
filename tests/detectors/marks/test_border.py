"""Borders: planted bars and frames to the pixel, and no alarm on noise, skies and studio backgrounds."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from audit.detectors.marks.border import BorderDetector, border_mask, find_border
from audit.detectors.photo import Photo


def _scene(seed=0, height=180, width=240):
    """Smooth coloured noise, as busy as a photograph, never close to black or white."""
    small = np.random.default_rng(seed).integers(40, 216, (9, 12, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).copy()


def _plant(pixels, top, bottom, left, right, colour):
    height, width = pixels.shape[:2]
    framed = np.full_like(pixels, colour)
    inner = (slice(top, height - bottom), slice(left, width - right))
    framed[inner] = pixels[inner]
    return framed


def _jpeg(pixels, quality=85):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def _lines(pixels):
    return tuple(run.lines for run in find_border(pixels))


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (20, 40, 230)])
@pytest.mark.parametrize("widths", [(15, 15, 0, 0), (0, 20, 0, 0), (0, 0, 30, 31), (6, 6, 6, 6), (9, 4, 7, 12)])
def test_planted_borders_survive_jpeg_to_within_two_lines(widths, colour):
    found = _lines(_jpeg(_plant(_scene(), *widths, colour)))
    assert [a > 0 for a in found] == [b > 0 for b in widths]
    np.testing.assert_allclose(found, widths, atol=2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.tuples(*[st.integers(0, 22)] * 4))
def test_without_compression_the_width_is_exact(seed, widths):
    pixels = np.random.default_rng(seed).integers(60, 256, (100, 120, 3), np.uint8)
    assert _lines(_plant(pixels, *widths, (0, 0, 0))) == widths


def test_a_caption_printed_on_a_bar_does_not_break_it():
    pixels = _plant(_scene(), 0, 24, 0, 0, (40, 42, 60))
    pixels[162:174, 10:90:3] = 255
    assert _lines(pixels) == (0, 24, 0, 0)


@pytest.mark.parametrize("seed", range(20))
def test_pictures_without_a_border_have_none(seed):
    assert _lines(_jpeg(_scene(seed))) == (0, 0, 0, 0)
    assert _lines(np.random.default_rng(seed).integers(0, 256, (80, 80, 3), np.uint8)) == (0, 0, 0, 0)


def test_a_studio_background_is_no_border():
    pixels = np.full((240, 240, 3), 255, np.uint8)
    rows, columns = np.mgrid[:240, :240]
    pixels[np.hypot(rows - 90, columns - 120) < 40] = (180, 120, 90)
    pixels[(rows > 120) & (np.abs(columns - 120) < 30 + (rows - 120) / 3)] = (40, 60, 160)
    assert _lines(pixels) == (0, 0, 0, 0)


@pytest.mark.parametrize("value", [0, 255])
def test_a_blank_picture_is_no_border(value):
    assert _lines(np.full((60, 60, 3), value, np.uint8)) == (0, 0, 0, 0)


def test_a_gradient_and_a_vignette_are_no_border():
    ramp = np.repeat(np.linspace(0, 255, 200)[:, None], 200, 1)
    rows, columns = np.mgrid[-1:1:200j, -1:1:200j]
    vignette = 200 * np.clip(1.3 - np.hypot(rows, columns), 0, 1)
    for grey in (ramp, vignette):
        assert _lines(np.repeat(grey[..., None], 3, 2).astype(np.uint8)) == (0, 0, 0, 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, 3), (2, 400)])
def test_tiny_pictures_are_no_error(shape):
    find_border(np.zeros((*shape, 3), np.uint8))


def test_the_mask_is_the_union_of_the_bars():
    pixels = _plant(_scene(), 10, 0, 20, 0, (0, 0, 0))
    sighting = BorderDetector().detect(Photo(pixels, None))["border"]
    assert sighting.present and sighting.score > 0.9
    expected = np.zeros(pixels.shape[:2], bool)
    expected[:10] = expected[:, :20] = True
    np.testing.assert_array_equal(sighting.mask, expected)
    assert not BorderDetector().detect(Photo(_scene(), None))["border"].present
    assert not border_mask((5, 5), find_border(_scene())).any()


@pytest.mark.parametrize("edge", range(4))
def test_one_line_at_an_edge_is_a_border_if_it_runs_all_along(edge):
    """A row that a scanner left dark is as wide as the picture; a dark spell in the first row is the scene's."""
    widths = [0, 0, 0, 0]
    widths[edge] = 1
    assert _lines(_plant(_scene(), *widths, (3, 3, 3))) == tuple(widths)
    spell = _scene()
    turned = np.rot90(spell, (0, 2, 3, 1)[edge])
    turned[0, : round(0.88 * turned.shape[1])] = 3
    assert _lines(spell) == (0, 0, 0, 0)


@pytest.mark.parametrize("reach", [0.7, 0.9, 1.1])
@pytest.mark.parametrize("flatness", [1.0, 1.5])
def test_the_black_around_a_round_field_is_no_border(reach, flatness):
    pixels = _scene()
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    pixels[np.hypot((rows - 89.5) / 90, (columns - 119.5) / 90 / flatness) > reach] = 0
    assert not BorderDetector().detect(Photo(pixels, None))["border"].present
