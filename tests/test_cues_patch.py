"""Patches: a flat vivid disc or square is found at any place; noise, gradients, grey and large areas are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.cues.patch import PatchDetector, find_patches
from audit.cues.photo import Photo


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
