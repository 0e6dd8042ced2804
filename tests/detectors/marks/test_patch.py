"""Patches: a flat vivid disc or square is found at any place; noise, gradients, grey and large areas are not."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from audit.demo.dataset import plan_train
from audit.demo.portrait import draw_portrait
from audit.detectors.marks.patch import PatchDetector, find_patches
from audit.detectors.photo import Photo

_RED = (220, 40, 40)


def _scene(height=240, width=320, seed=0):
    """A muted, textured picture."""
    rng = np.random.default_rng(seed)
    return rng.normal((120, 118, 112), 8, (height, width, 3)).clip(0, 255).astype(np.uint8)


def _disc(pixels, x, y, radius, colour):
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    inside = np.hypot(rows - y, columns - x) < radius
    pixels[inside] = colour
    return inside


@settings(max_examples=40, deadline=None)
@given(st.integers(40, 280), st.integers(40, 200), st.integers(12, 24), st.sampled_from([0, 1, 2]))
def test_a_flat_vivid_disc_is_found_wherever_it_is(x, y, radius, channel):
    pixels, colour = _scene(), np.array((35, 35, 35))
    colour[channel] = 225
    disc = _disc(pixels, x, y, radius, colour)
    mask = PatchDetector().detect(Photo(pixels, None))["patch"].mask
    assert (mask & disc).sum() / (mask | disc).sum() > 0.6


@pytest.mark.parametrize("share", [0.1, 0.25, 0.4])
@pytest.mark.parametrize("shape", ["circle", "square"])
def test_a_patch_may_be_two_fifths_as_long_as_the_picture(share, shape):
    stuck, truth = _stick(_scene(), 60, 40, round(share * 320), shape, (40, 90, 220))
    mask = PatchDetector().detect(Photo(_jpeg(stuck), None))["patch"].mask
    assert (mask & truth).sum() / (mask | truth).sum() > 0.8


@pytest.mark.parametrize("seed", range(3))
def test_a_muted_scene_has_none(seed):
    assert not PatchDetector().detect(Photo(_scene(seed=seed), None))["patch"].present


def test_what_is_grey_large_or_grows_gradually_is_none():
    grey = _scene()
    _disc(grey, 150, 100, 18, (70, 70, 70))
    large = _scene()
    large[:, :160] = (220, 40, 40)
    gradual = np.zeros((240, 320, 3), np.uint8)
    gradual[..., 0] = np.linspace(40, 230, 320).astype(np.uint8)
    for pixels in (grey, large, gradual):
        assert find_patches(pixels) == []


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 10**6))
def test_no_size_of_picture_is_too_small(height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    found = PatchDetector().detect(Photo(pixels, None))["patch"]
    assert found.mask is None or found.mask.shape == (height, width)


def _stick(pixels, x, y, side, shape, colour=_RED):
    """The picture with an antialiased sticker whose box starts at x, y, and the sticker's mask."""
    fine, size = 4, pixels.shape[1::-1]
    stencil = Image.new("L", (fine * size[0], fine * size[1]), 0)
    box = [fine * v for v in (x, y, x + side, y + side)]
    corner = {"circle": 0.5, "rounded": 0.25, "square": 0.0}[shape]
    ImageDraw.Draw(stencil).rounded_rectangle(box, fine * side * corner, fill=255)
    cover = np.asarray(stencil.resize(size, Image.Resampling.BOX)) / 255
    stuck = pixels * (1 - cover[..., None]) + np.array(colour) * cover[..., None]
    return np.round(stuck).astype(np.uint8), cover > 0.5


def _jpeg(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return np.asarray(Image.open(buffer))


@pytest.mark.parametrize("shape", ["circle", "square", "rounded"])
@pytest.mark.parametrize("size", [(180, 240), (512, 384), (340, 512)])
def test_stickers_of_every_shape_survive_jpeg_at_any_resolution(shape, size):
    stuck, truth = _stick(_scene(*size), 31, 40, 0.12 * min(size), shape)
    mask = PatchDetector().detect(Photo(_jpeg(stuck), None))["patch"].mask
    assert (mask & truth).sum() / (mask | truth).sum() > 0.7


def _red_pole(pixels):
    pixels[40:200, 100:110] = _RED
    return pixels


def _red_ring(pixels):
    ring, _ = _stick(pixels, 60, 60, 36, "circle")
    _, hole = _stick(pixels, 66, 66, 24, "circle")
    return np.where(hole[..., None], pixels, ring)


def _knitted(pixels):
    stuck, truth = _stick(pixels, 60, 60, 30, "circle")
    stitches = np.random.default_rng(0).normal(0, 45, pixels.shape)
    return np.where(truth[..., None], np.clip(stuck + stitches, 0, 255), stuck).astype(np.uint8)


def _glow(pixels):
    rows, columns = np.mgrid[:240, :320]
    strength = np.exp(-((columns - 120) ** 2 + (rows - 90) ** 2) / 600)[..., None]
    return (pixels * (1 - strength) + np.array(_RED) * strength).astype(np.uint8)


def _on_its_own_colour(pixels):
    pixels[40:140, 40:200] = (205, 45, 45)
    return _stick(pixels, 90, 80, 26, "circle")[0]


@pytest.mark.parametrize("draw", [_red_pole, _red_ring, _knitted, _glow, _on_its_own_colour], ids=lambda f: f.__name__)
def test_what_only_resembles_a_sticker_is_none(draw):
    assert find_patches(draw(_scene())) == []


def test_stickers_on_drawn_people_are_found_and_their_clothes_are_not():
    false, hit = [], []
    for index, sitter in enumerate(plan_train(20, 4)):
        pixels = np.asarray(draw_portrait(sitter, (240, 300)).image)
        shape, colour = ("circle", "square", "rounded")[index % 3], (_RED, (30, 90, 220), (30, 160, 70))[index % 3]
        stuck, truth = _stick(pixels, 8 + 9 * index, 12, 26, shape, colour)
        sighting = PatchDetector().detect(Photo(stuck, None))["patch"]
        hit.append(sighting.present and (sighting.mask & truth).sum() > 0.6 * truth.sum())
        false.append(bool(find_patches(pixels)))
    assert np.mean(false) <= 0.1 and np.mean(hit) >= 0.9
