"""Textures tell areas apart by their pixels, and see nothing of what lies beside them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from audit.config import parse_config
from audit.detection.detections import Detections
from audit.detectors.cue import GRID, Cue
from audit.evidence import pixel_views
from audit.evidence.pixel_features import DIMENSIONS, Surface
from audit.measures.leakage import leakage
from audit.store.audit_folder import AuditFolder

EVERYWHERE = np.ones((56, 56), bool)


def texture(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return Surface.of(pixels).texture(mask)


def picture(rng: np.random.Generator, snow: bool, wolf: bool) -> tuple[np.ndarray, np.ndarray]:
    """Noise as scene, a dark or bright square as animal; the mask of the scene on the 56-grid."""
    pixels = rng.integers(190 if snow else 60, 255 if snow else 140, (112, 112, 3), dtype=np.uint8)
    y, x = rng.integers(20, 50, 2)
    pixels[y : y + 40, x : x + 40] = 30 if wolf else 220
    mask = np.ones((56, 56), bool)
    mask[y // 2 : (y + 41) // 2, x // 2 : (x + 41) // 2] = False
    return pixels, mask


def place(rng: np.random.Generator) -> np.ndarray:
    """A plain wall or a ward full of things, with a little noise."""
    pixels = np.full((112, 112, 3), rng.integers(60, 200, 3), float)
    if rng.random() < 0.5:
        for y, x in rng.integers(0, 100, (60, 2)):
            pixels[y : y + rng.integers(4, 30), x : x + rng.integers(4, 30)] = rng.integers(0, 256, 3)
    return np.clip(pixels + rng.normal(0, rng.uniform(1, 4), pixels.shape), 0, 255).astype(np.uint8)


def blurred_below(pixels: np.ndarray, edge: int, rng: np.random.Generator) -> np.ndarray:
    """The picture with all rows from ``edge`` on out of focus."""
    soft = pixels.copy()
    soft[edge:] = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(1.5, 5))[edge:]
    return soft


def auc(rows: list[np.ndarray], labels: np.ndarray) -> float:
    groups = np.arange(len(labels))
    inside, nothing = np.stack(rows), np.zeros((len(labels), 1))
    value = leakage(inside, nothing, labels, groups, groups // 2 % 3, 0, resamples=100, permutations=50).value
    assert value is not None
    return value


def snow_auc(shares: tuple[float, float]) -> float:
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2 == 0
    return auc([texture(*picture(rng, rng.random() < shares[0 if wolf else 1], bool(wolf))) for wolf in labels], labels)


def blur_auc(shares: tuple[float, float], edge: int) -> float:
    rng = np.random.default_rng(3)
    labels = np.arange(120) % 2 == 0
    soft = rng.random(len(labels)) < np.where(labels, *shares)
    scenes = [place(rng) for _ in labels]
    looks = [blurred_below(scene, edge, rng) if is_soft else scene for scene, is_soft in zip(scenes, soft, strict=True)]
    return auc([texture(scene, EVERYWHERE) for scene in looks], labels)


def test_snow_behind_wolves_leaks_and_snow_behind_both_does_not():
    assert snow_auc((0.95, 0.05)) > 0.85
    assert snow_auc((0.5, 0.5)) < 0.65


@pytest.mark.parametrize("edge", [0, 60])
def test_blur_leaks_be_the_places_plain_or_full_and_half_of_each_sharp(edge):
    assert blur_auc((1, 0), edge) > 0.95
    assert 0.7 < blur_auc((0.8, 0.2), edge) < 0.9
    assert 0.4 < blur_auc((0.5, 0.5), edge) < 0.6


def test_contrast_lowers_the_detail_but_not_its_change_from_octave_to_octave():
    rng = np.random.default_rng(4)
    pixels = cv2.GaussianBlur(rng.integers(0, 256, (224, 224, 3), dtype=np.uint8), (0, 0), 1)
    faint = (pixels // 2 + 64).astype(np.uint8)
    full, half = (texture(some, EVERYWHERE)[-19:] for some in (pixels, faint))
    np.testing.assert_allclose(full[:4] - half[:4], np.log(2), atol=0.15)
    np.testing.assert_allclose(full[4:], half[4:], atol=0.15)


def test_sees_nothing_outside_the_mask():
    rng = np.random.default_rng(1)
    pixels, mask = picture(rng, snow=True, wolf=True)
    changed = pixels.copy()
    outside = np.kron(~mask, np.ones((2, 2), bool))
    changed[outside] = rng.integers(0, 256, (outside.sum(), 3))
    np.testing.assert_array_equal(texture(pixels, mask), texture(changed, mask))


def test_an_empty_mask_gives_zeros():
    pixels = np.full((64, 64, 3), 90, np.uint8)
    assert not texture(pixels, np.zeros((56, 56), bool)).any()
    assert texture(pixels, np.ones((56, 56), bool)).any()


def test_a_mask_too_thin_to_be_shrunk_is_taken_whole():
    pixels = np.full((112, 112, 3), 90, np.uint8)
    pixels[50:54, 20:90] = 240
    line = np.zeros((56, 56), bool)
    line[25:27, 10:45] = True
    mean_lightness, spread = texture(pixels, line)[[0, 3]]
    assert mean_lightness > 230 and spread == 0


class _Found(Detections):
    """Detections whose masks lie in memory."""

    def masks(self, images: np.ndarray) -> np.ndarray:
        return MASKS[images]


MASKS = np.zeros((2, 2, GRID, GRID), bool)
MASKS[:, 0, :, :30] = MASKS[:, 1, 20:28, 10:50] = True


def test_a_mark_on_the_background_is_no_part_of_how_the_background_looks(monkeypatch):
    cues = (Cue("background", "the background", "scene"), Cue("patch", "a sticker", "mark"))
    ones = np.ones((2, 2), np.float32)
    found = _Found(AuditFolder(Path()), cues, (0, 1), ones.astype(bool), ones, ones)
    rng = np.random.default_rng(5)
    plain = [rng.integers(0, 256, (2 * GRID, 2 * GRID, 3), dtype=np.uint8) for _ in range(2)]
    marked = [pixels.copy() for pixels in plain]
    for pixels in marked:
        pixels[40:56, 20:100] = (20, 90, 250)
    seen = []
    for pictures in (plain, marked):
        monkeypatch.setattr(pixel_views, "read_pixels", lambda _, image, __, shown=pictures: shown[image])
        views = {cue.name: pixel_views.pixel_views(None, parse_config({}), found, cue, np.arange(2))[0] for cue in cues}
        seen.append(views)
    np.testing.assert_array_equal(seen[0]["background"], seen[1]["background"])
    assert (seen[0]["patch"] != seen[1]["patch"]).any(1).all() and seen[0]["background"].any(1).all()


@pytest.mark.parametrize("side", [8, 33, 100, 224])
def test_pictures_of_any_side_have_a_descriptor_of_one_length(side):
    pixels = np.random.default_rng(2).integers(0, 256, (side, side, 3), dtype=np.uint8)
    row = texture(pixels, EVERYWHERE)
    assert row.shape == (DIMENSIONS,) and np.isfinite(row).all()
