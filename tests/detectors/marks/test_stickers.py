"""Stickers: of any size, cut by the edge, textured, pale, with holes; not where photographs are colourful or plain."""

import cv2
import numpy as np
import pytest
from PIL import Image

from audit.config import parse_config
from audit.data.dataset import build as read_dataset
from audit.data.dataset import load_dataset
from audit.detection.detect import build
from audit.detection.detections import load_detections
from audit.detectors.marks.find_printed_marks import find_overlays
from audit.detectors.marks.find_stickers import find_stickers
from audit.detectors.marks.foreign_colour import CELLS, colours_of
from audit.detectors.marks.printed_mark import OVERLAY
from audit.detectors.mask_grid import to_grid, unpack_masks
from audit.store.audit_folder import AuditFolder, file_digest

_ALL = 60
_HEIGHT, _WIDTH = 150, 200
_ORANGE, _TURQUOISE, _LAVENDER = (250, 140, 40), (110, 200, 195), (160, 150, 225)
_PALE = (190, 225, 225)


def _skin(seed):
    """Skin of some shade with a soft brown stain in the middle, uneven light and noise."""
    rng = np.random.default_rng((seed, 3))
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    shade = np.array((215, 170, 145)) * rng.uniform(0.6, 1.1) + rng.normal(0, 6, 3)
    light = 1 + 0.0008 * (rng.normal() * (rows - 75) + rng.normal() * (columns - 100))
    distance = np.hypot(rows - rng.uniform(60, 90), (columns - rng.uniform(80, 120)) * rng.uniform(0.6, 1.4))
    stain = 0.8 / (1 + np.exp((distance - rng.uniform(12, 35)) / rng.uniform(2, 6)))
    brown = np.array((110, 60, 40)) + rng.normal(0, 10, 3)
    pixels = (shade * light[..., None]) * (1 - stain[..., None]) + brown * stain[..., None]
    return (pixels + rng.normal(0, 4, pixels.shape)).clip(0, 255).astype(np.uint8)


def _colourful(seed):
    """Discs, bars and clouds of any colour, anywhere."""
    rng = np.random.default_rng((seed, 5))
    small = rng.integers(0, 256, (4, 5, 3), np.uint8)
    pixels = cv2.resize(small, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC)
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    for _ in range(6):
        y, x, radius = rng.uniform(0, _HEIGHT), rng.uniform(0, _WIDTH), rng.uniform(6, 50)
        inside = np.hypot(rows - y, (columns - x) * rng.uniform(0.3, 2)) < radius
        pixels[inside] = rng.integers(0, 256, 3)
    return pixels


def _stuck(pixels, colour, texture=0.0, hole=0.0, length=0.5, seed=0):
    """A disc, cut by an edge of the picture and so many times as long as it, and where it lies."""
    rng = np.random.default_rng((seed, 11))
    radius = length * _WIDTH / 2
    along = rng.uniform(0.2, 0.8)
    y, x = [(along * _HEIGHT, -0.3 * radius), (-0.3 * radius, along * _WIDTH), (along * _HEIGHT, _WIDTH)][seed % 3]
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    distance = np.hypot(rows - y, columns - x)
    inside = (distance < radius) & (distance >= hole * radius)
    weave = rng.normal(0, texture, (_HEIGHT // 2, _WIDTH // 2)).astype(np.float32)
    painted = np.array(colour) + cv2.resize(weave, (_WIDTH, _HEIGHT))[..., None]
    return np.where(inside[..., None], painted.clip(0, 255), pixels).astype(np.uint8), inside


def _search(pictures, distinct=None):
    distinct = np.ones(len(pictures), bool) if distinct is None else distinct
    return find_stickers(pictures.__getitem__, distinct, workers=2)


def _present(search):
    return np.array([sighting.present for sighting in search.sightings])


THIRD = np.arange(_ALL) % 3 == 0
FORMS = {
    "cut by the edge": {},
    "large": {"length": 0.7},
    "textured": {"texture": 22.0},
    "pale": {"colour": _PALE},
    "with a hole": {"hole": 0.3},
    "small": {"length": 0.25},
}


@pytest.mark.parametrize("form", FORMS)
def test_stickers_of_every_form_are_found_where_they_are_and_only_there(form):
    pictures, truth = [], []
    for seed in range(_ALL):
        colour = (_ORANGE, _TURQUOISE, _LAVENDER)[seed // 3 % 3]
        pixels, inside = _stuck(_skin(seed), **({"colour": colour, "seed": seed // 3} | FORMS[form]))
        pictures.append(pixels if THIRD[seed] else _skin(seed))
        truth.append(inside)
    search = _search(pictures)
    assert _present(search)[THIRD].mean() >= 0.8 and not _present(search)[~THIRD].any()
    for image in np.flatnonzero(THIRD & _present(search)):
        mask, true = search.sightings[image].mask, to_grid(truth[image])
        assert (mask & true).sum() >= 0.7 * mask.sum() and (mask & true).sum() >= 0.6 * true.sum()


def test_skin_without_stickers_has_none():
    search = _search([_skin(seed) for seed in range(_ALL)])
    assert not _present(search).any()


def test_colourful_photographs_have_none():
    search = _search([_colourful(seed) for seed in range(_ALL)])
    assert not _present(search).any()


def test_what_is_foreign_in_the_middle_is_the_subject():
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    ball = np.hypot(rows - 70, columns - 105) < 40
    pictures = [
        np.where(ball[..., None], (_ORANGE if THIRD[seed] else (190, 150, 130)), _skin(seed)).astype(np.uint8)
        for seed in range(_ALL)
    ]
    assert not _present(_search(pictures)).any()


def test_a_coloured_bar_is_no_sticker():
    pictures = [_skin(seed) for seed in range(_ALL)]
    for seed in np.flatnonzero(THIRD):
        pictures[seed][:20] = _ORANGE
    assert not _present(_search(pictures)).any()


def test_a_soft_glow_is_no_sticker():
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    share = np.exp(-(np.hypot(rows - 30, columns - 190) ** 2) / 1500)[..., None]
    pictures = [_skin(seed) for seed in range(_ALL)]
    for seed in np.flatnonzero(THIRD):
        pictures[seed] = (pictures[seed] * (1 - share) + np.array(_TURQUOISE) * share).astype(np.uint8)
    assert not _present(_search(pictures)).any()


def test_copies_do_not_make_a_colour_common():
    """Ten copies of one stickered photograph: each is seen, although a sixth of all photographs show its colour."""
    stuck = _stuck(_skin(0), _ORANGE)[0]
    pictures = [stuck] * 10 + [
        _stuck(_skin(seed), _TURQUOISE, seed=seed)[0] if seed < 20 else _skin(seed) for seed in range(1, 51)
    ]
    search = _search(pictures, np.r_[True, np.zeros(9, bool), np.ones(50, bool)])
    assert _present(search)[:10].all()
    assert search.foreign <= 51


def test_a_few_photographs_are_not_judged():
    assert not _present(_search([_stuck(_skin(seed), _ORANGE, seed=seed)[0] for seed in range(39)])).any()


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300, 3), (300, 5, 3), (17, 17, 3)])
def test_any_shape_has_colours(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert colours_of(pixels).shown_cells.shape == (CELLS**2,)


def test_a_region_covers_the_pixels_that_were_painted():
    pixels, inside = _stuck(_skin(1), _LAVENDER)
    largest = colours_of(pixels).regions[0]
    mask, true = unpack_masks(largest.mask), to_grid(inside)
    assert largest.is_pasted and (mask & true).sum() / (mask | true).sum() > 0.9
    assert largest.weights.sum() == pytest.approx(1.0)


def test_almost_black_corners_have_no_colour():
    pixels = _skin(2)
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    pixels[np.hypot((rows - 75) / 75, (columns - 100) / 100) > 1.1] = (6, 5, 4)
    assert not any(region.is_pasted for region in colours_of(pixels).regions)


@pytest.fixture
def audit(tmp_path):
    """A folder of sixty photographs read, of which two thirds of class a show a sticker; its settings."""
    for seed in range(_ALL):
        stuck = seed % 2 == 0 and seed % 3 != 0
        pixels = _stuck(_skin(seed), _TURQUOISE, seed=seed)[0] if stuck else _skin(seed)
        path = tmp_path / "photos" / "ab"[seed % 2] / f"{seed:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    compute = {"workers": 0, "keep_detections": False}
    tree = {"dataset": {"photos": str(tmp_path / "photos")}, "cues": ["border", "patch"], "compute": compute}
    folder, config = AuditFolder(tmp_path / "audit"), parse_config(tree)
    read_dataset(folder, config)
    return folder, config


def test_the_stage_calls_them_patches(audit):
    build(*audit)
    found = load_detections(audit[0])
    assert [cue.name for cue in found.cues] == ["border", "patch"]
    seeds = load_dataset(audit[0]).images["path"].str[2:4].astype(int).to_numpy()
    truth = (seeds % 2 == 0) & (seeds % 3 != 0)
    np.testing.assert_array_equal(found.present[:, 1], truth)
    masks = found.masks(np.arange(_ALL))
    assert masks.shape[:2] == (_ALL, 2) and masks[truth, 1].any((1, 2)).all() and not masks[~truth].any()
    np.testing.assert_allclose(found.area[:, 1], masks[:, 1].mean((1, 2)), atol=1e-6)


def test_an_interrupted_stage_ends_as_one_that_was_not(audit):
    build(*audit)
    before = {path.name: file_digest(path) for path in audit[0].detections.iterdir()}
    (audit[0].detections / "detectors.json").unlink()
    build(*audit)
    assert {path.name: file_digest(path) for path in audit[0].detections.iterdir()} == before


def _stuck_in_a_corner(seed):
    """Skin with a woven blue sticker that lies in the same place of every photograph."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    inside = np.hypot(rows - 34, columns - 160) < 16
    woven = np.array((30, 80, 190)) + np.random.default_rng((seed, 13)).normal(0, 15, (_HEIGHT, _WIDTH, 1))
    return np.where(inside[..., None], woven.clip(0, 255), _skin(seed)).astype(np.uint8)


def test_a_sticker_that_lies_in_one_place_is_no_printed_mark_besides(tmp_path):
    pictures = [_skin(seed) if THIRD[seed] else _stuck_in_a_corner(seed) for seed in range(_ALL)]
    assert find_overlays(pictures.__getitem__, np.ones(_ALL, bool), workers=2).overlays
    for seed, pixels in enumerate(pictures):
        path = tmp_path / "photos" / "ab"[seed // 2 % 2] / f"{seed:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    tree = {
        "dataset": {"photos": str(tmp_path / "photos")},
        "cues": ["patch", OVERLAY],
        "compute": {"workers": 0, "keep_detections": False},
    }
    folder, config = AuditFolder(tmp_path / "audit"), parse_config(tree)
    read_dataset(folder, config)
    build(folder, config)
    found = load_detections(folder)
    assert [cue.name for cue in found.cues] == ["patch"] and found.present.sum() == np.sum(~THIRD)
