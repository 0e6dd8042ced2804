"""Textures tell areas apart by their pixels, and see nothing of what lies beside them."""

import numpy as np

from audit.evidence.leakage import leakage
from audit.evidence.texture import texture


def picture(rng: np.random.Generator, snow: bool, wolf: bool) -> tuple[np.ndarray, np.ndarray]:
    """Noise as scene, a dark or bright square as animal; the mask of the scene on the 56-grid."""
    pixels = rng.integers(190 if snow else 60, 255 if snow else 140, (112, 112, 3), dtype=np.uint8)
    y, x = rng.integers(20, 50, 2)
    pixels[y : y + 40, x : x + 40] = 30 if wolf else 220
    mask = np.ones((56, 56), bool)
    mask[y // 2 : (y + 41) // 2, x // 2 : (x + 41) // 2] = False
    return pixels, mask


def auc(shares: tuple[float, float]) -> float:
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2 == 0
    rows = [texture(*picture(rng, rng.random() < shares[0 if wolf else 1], bool(wolf))) for wolf in labels]
    inside, nothing = np.stack(rows), np.zeros((120, 1))
    groups = np.arange(120)
    value = leakage(inside, nothing, labels, groups, groups // 2 % 3, 0, resamples=100, permutations=50).value
    assert value is not None
    return value


def test_snow_behind_wolves_leaks_and_snow_behind_both_does_not():
    assert auc((0.95, 0.05)) > 0.85
    assert auc((0.5, 0.5)) < 0.65


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
