"""Vignettes: round fields and dark corners are found with their ellipse; bars and dark things in corners are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from audit.config import parse_config
from audit.data.dataset import build as read_dataset
from audit.detection.detect import build
from audit.detection.detections import load_detections
from audit.detectors.marks.printed_mark import OVERLAY
from audit.detectors.marks.vignette import VignetteDetector, find_vignette
from audit.detectors.photo import Photo
from audit.store.audit_folder import AuditFolder


def _scene(seed, height=192, width=256):
    """Smooth coloured noise, never dark."""
    small = np.random.default_rng(seed).integers(90, 230, (7, 9, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).copy()


def _radius(shape, x=0.0, y=0.0, across=1.1, down=1.1):
    """Of every pixel, in units of an ellipse whose centre and half-axes are in half widths and half heights."""
    rows, columns = ((np.arange(length) + 0.5) / length * 2 - 1 for length in shape)
    return np.hypot((columns - x) / across, (rows[:, None] - y) / down)


def _through_a_tube(pixels, **ellipse):
    radius = _radius(pixels.shape[:2], **ellipse)
    return np.where((radius > 1)[..., None], 4, pixels).astype(np.uint8), radius > 1


@pytest.mark.parametrize(
    "ellipse",
    [
        {"across": 0.8, "down": 0.9},
        {"across": 1.1, "down": 1.15},
        {"across": 1.02, "down": 1.6},
        {"across": 1.2, "down": 1.2},
        {"across": 1.05, "down": 1.1, "x": 0.08, "y": -0.1},
    ],
)
@pytest.mark.parametrize("seed", range(2))
def test_a_round_field_is_found_with_its_ellipse(ellipse, seed):
    pixels, truth = _through_a_tube(_scene(seed), **ellipse)
    sighting = VignetteDetector().detect(Photo(pixels, None))["vignette"]
    assert sighting.present
    assert (sighting.mask & truth).sum() / (sighting.mask | truth).sum() > 0.7
    field = find_vignette(pixels).field
    asked = {"x": 0.0, "y": 0.0} | ellipse
    for name in ("x", "y", "across", "down"):
        assert getattr(field, name) == pytest.approx(asked[name], abs=0.08)


def test_corners_that_a_lens_darkens_softly_are_found():
    pixels = np.full((200, 260, 3), (200, 160, 140), np.float64)
    pixels *= (1 / (1 + np.exp((_radius((200, 260), across=1, down=1) - 1.15) / 0.07)))[..., None]
    sighting = VignetteDetector().detect(Photo(pixels.astype(np.uint8), None))["vignette"]
    assert sighting.present and sighting.mask[0, 0] and sighting.mask[-1, -1] and not sighting.mask[100, :].any()


def _plain(pixels):
    return pixels


def _letterboxed(pixels):
    pixels[:20] = pixels[-20:] = 0
    return pixels


def _framed(pixels):
    return np.pad(pixels, ((12, 12), (12, 12), (0, 0)))


def _cut_corners(pixels):
    """Straight cuts, as a hand or a tent leaves them."""
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    height, width = pixels.shape[:2]
    cuts = ((rows, columns, 50), (height - 1 - rows, columns, 130), (rows, width - 1 - columns, 80))
    for down, across, reach in cuts:
        pixels[down + across < reach] = 5
    return pixels


def _two_dark_corners(pixels):
    dark = (_radius(pixels.shape[:2]) > 1) & (np.arange(pixels.shape[1]) < pixels.shape[1] / 2)
    pixels[dark] = 4
    return pixels


def _dark_ground(pixels):
    """A lit thing of no round shape before a dark ground."""
    lit = np.zeros(pixels.shape[:2], bool)
    lit[30:170, 90:150] = lit[60:100, 30:230] = True
    pixels[~lit] = 8
    return pixels


def _bright_corners(pixels):
    return 255 - _through_a_tube(255 - pixels)[0]


@pytest.mark.parametrize(
    "draw",
    [_plain, _letterboxed, _framed, _cut_corners, _two_dark_corners, _dark_ground, _bright_corners],
    ids=lambda draw: draw.__name__,
)
@pytest.mark.parametrize("seed", range(3))
def test_what_only_resembles_a_vignette_is_none(draw, seed):
    assert find_vignette(draw(_scene(seed))) is None


@given(st.integers(1, 80), st.integers(1, 80), st.integers(0, 10**6))
def test_no_size_of_picture_is_too_small(height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    sighting = VignetteDetector().detect(Photo(pixels, None))["vignette"]
    assert sighting.mask is None or sighting.mask.shape == (height, width)


def test_dark_corners_are_one_cue_and_no_printed_mark(tmp_path):
    """Half of sixty photographs through a tube: the arcs of its edge lie alike in them and are told once."""
    for seed in range(60):
        pixels = _scene(seed, 256, 256)
        if seed % 2 == 0:
            pixels = _through_a_tube(pixels, across=1.12, down=1.12)[0]
        path = tmp_path / "photos" / "ab"[seed % 4 // 2] / f"{seed:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    tree = {
        "dataset": {"photos": str(tmp_path / "photos")},
        "cues": ["border", "vignette", "patch", OVERLAY],
        "compute": {"workers": 0, "keep_detections": False},
    }
    folder, config = AuditFolder(tmp_path / "audit"), parse_config(tree)
    read_dataset(folder, config)
    build(folder, config)
    found = load_detections(folder)
    assert [cue.name for cue in found.cues] == ["border", "vignette", "patch"]
    assert found.present.sum(0).tolist() == [0, 30, 0]
