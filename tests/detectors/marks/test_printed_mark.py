"""Printed marks: found at any corner however faint, not where nothing is printed, and not twice under other names."""

import numpy as np
import pytest
from PIL import Image

from audit.config import parse_config
from audit.data.dataset import build as read_dataset
from audit.data.dataset import load_dataset
from audit.detection.detect import build
from audit.detection.detections import load_detections
from audit.detectors.cue import Sighting
from audit.detectors.marks.border import BorderDetector
from audit.detectors.marks.find_printed_marks import find_overlays
from audit.detectors.marks.printed_mark import (
    OVERLAY,
    Overlay,
    grey_gradients,
    normalised,
    overlay_cues,
    told_apart,
    window,
)
from audit.errors import ChangedImage
from audit.selfaudit.marks import Logo
from audit.store.audit_folder import AuditFolder, file_digest

_ALL = 60


def _scene(seed, height=160, width=200):
    """Discs and bars of any size and shade, anywhere, on uneven ground."""
    rng = np.random.default_rng((seed, 7))
    rows, columns = np.mgrid[:height, :width]
    pixels = np.full((height, width, 3), rng.integers(60, 200, 3), np.float64)
    pixels += (rows[..., None] * rng.normal(0, 0.3, 3)) + columns[..., None] * rng.normal(0, 0.3, 3)
    for _ in range(12):
        y, x, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(4, 40)
        inside = np.hypot(rows - y, columns - x) < radius
        if rng.integers(2):
            inside = (np.abs(rows - y) < radius) & (np.abs(columns - x) < radius / 3)
        pixels[inside] = rng.integers(0, 256, 3)
    return (pixels + rng.normal(0, 4, pixels.shape)).clip(0, 255).astype(np.uint8)


def _pictures(mark, marked, shapes=((160, 200),)):
    pictures = []
    for seed in range(_ALL):
        pixels = _scene(seed, *shapes[seed % len(shapes)])
        pictures.append(mark(pixels, np.random.default_rng(0)).pixels if marked[seed] else pixels)
    return pictures


def _search(pictures, distinct=None):
    distinct = np.ones(len(pictures), bool) if distinct is None else distinct
    return find_overlays(pictures.__getitem__, distinct, workers=2)


HALF = np.arange(_ALL) % 2 == 0


@pytest.mark.parametrize(("corner", "name"), [((0, 0), "top left"), ((1, 1), "bottom right")])
def test_a_faint_emblem_is_found_with_those_that_show_it(corner, name):
    shapes = ((160, 200), (200, 150), (320, 330))
    mark = Logo(0.25, 0.4, corner)
    search = _search(_pictures(mark, HALF, shapes))
    assert [cue.name for cue in overlay_cues(search.overlays)] == [f"overlay {name}"]
    shown = search.likeness[:, 0] >= search.overlays[0].least
    assert shown[HALF].mean() > 0.85 and not shown[~HALF].any()
    true = mark(_scene(0), np.random.default_rng(0)).mask
    found = search.overlays[0].mask(true.shape)
    assert (true & found).sum() / (true | found).sum() > 0.6


def test_two_emblems_are_two_cues():
    pictures = _pictures(Logo(0.25, 0.5, (0, 0)), HALF)
    other = _pictures(Logo(0.25, 0.5, (1, 1)), ~HALF)
    search = _search([first if half else second for first, second, half in zip(pictures, other, HALF, strict=True)])
    names = {cue.name: place for place, cue in enumerate(overlay_cues(search.overlays))}
    assert set(names) == {"overlay top left", "overlay bottom right"}
    left = search.likeness[:, names["overlay top left"]] >= search.overlays[names["overlay top left"]].least
    assert left[HALF].mean() > 0.85 and left[~HALF].mean() < 0.05


def test_nothing_is_found_where_nothing_is_printed():
    search = _search(_pictures(None, np.zeros(_ALL, bool)))
    assert search.overlays == () and search.likeness.shape == (_ALL, 0)


def test_a_dark_spell_in_the_first_row_is_no_print():
    pictures = [_scene(seed, 256, 320) for seed in range(_ALL)]
    for seed in np.flatnonzero(HALF):
        pictures[seed][0, 120:200] = 0
    assert _search(pictures).overlays == ()


def _even(seed, step):
    """An even, noiseless picture that gets lighter across, with an emblem of so many grey levels in one corner."""
    rng = np.random.default_rng((seed, 9))
    columns = np.arange(256)
    pixels = np.repeat(np.round(80 + rng.uniform(-0.2, 0.2) * columns + rng.uniform(0, 60))[None], 256, 0)
    rows = np.arange(256)[:, None]
    pixels[np.hypot(rows - 40, columns - 40) < 22] += step
    return np.repeat(pixels[..., None], 3, 2).clip(0, 255).astype(np.uint8)


def test_a_print_must_be_visible():
    """One grey level adds up over enough photographs, but nobody sees it and no advice can be given on it."""
    for step, expected in ((1, []), (6, ["overlay top left"])):
        pictures = [_even(seed, step if HALF[seed % _ALL] else 0) for seed in range(2 * _ALL)]
        assert [cue.name for cue in overlay_cues(_search(pictures).overlays)] == expected


def test_the_contrast_of_a_mark_is_the_height_of_its_edges():
    pattern = np.zeros((2, 128, 128), np.float32)
    pattern[0, 20:60, 50:52] = 1
    overlay = Overlay((0.0, 0.0), pattern / np.linalg.norm(pattern), pattern.any(0), 0.5)
    for step in (-30, 0, 7, 90):
        pixels = np.full((256, 256, 3), 100, np.uint8)
        pixels[:, 51:] = 100 + step
        assert overlay.contrast(grey_gradients(pixels)) == pytest.approx(step, abs=1e-3)


def test_copies_of_one_photograph_are_no_print():
    pictures = [_scene(0)] * 30 + [_scene(seed) for seed in range(1, 31)]
    assert _search(pictures, np.r_[True, np.zeros(29, bool), np.ones(30, bool)]).overlays == ()


def test_one_scene_seen_again_and_again_is_no_print():
    rng = np.random.default_rng(0)
    sites = [_scene(0), _scene(1)]
    pictures = [(sites[n % 2] + rng.normal(0, 6, sites[0].shape)).clip(0, 255).astype(np.uint8) for n in range(_ALL)]
    assert _search(pictures).overlays == ()


def test_the_gradients_of_a_scene_do_not_depend_on_its_contrast():
    picture = _scene(3).astype(np.float64)
    faint = normalised(grey_gradients(np.rint(100 + 0.5 * (picture - 128)).clip(0, 255).astype(np.uint8)))
    plain = normalised(grey_gradients(picture.astype(np.uint8)))
    strong = np.hypot(*plain) > 0.5
    assert (faint * plain).sum(0)[strong].mean() / (plain**2).sum(0)[strong].mean() > 0.75


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 512, 3), (900, 3, 3), (256, 256, 3)])
def test_any_shape_has_every_window_and_no_strip_grows(shape):
    gradients = normalised(grey_gradients(np.random.default_rng(0).integers(0, 256, shape, np.uint8)))
    assert max(gradients.shape) <= 1024
    for place in ((0.0, 0.0), (0.5, 1.0), (1.0, 0.5)):
        assert window(gradients, place).shape == (2, 128, 128)


def test_a_likeness_is_a_cosine():
    rng = np.random.default_rng(0)
    pattern = np.zeros((2, 128, 128), np.float32)
    pattern[:, 10:20, 10:20] = rng.normal(size=(2, 10, 10))
    pattern /= np.linalg.norm(pattern)
    overlay = Overlay((0.0, 1.0), pattern, pattern.any(0), 0.5)
    gradients = np.zeros((2, 256, 300), np.float32)
    assert overlay.likeness(gradients) == 0.0
    gradients[:, :128, -128:] = 0.3 * pattern
    assert overlay.likeness(gradients) == pytest.approx(1.0)
    assert overlay.likeness(-gradients) == pytest.approx(-1.0)
    assert overlay.sighting(0.4, (100, 100)).present is False
    assert np.argwhere(overlay.sighting(1.0, (256, 300)).mask).min(0).tolist() == [10, 300 - 128 + 10]


def test_names_that_come_again_are_told_apart():
    assert told_apart(["top", "top", "left", "top"]) == ["top", "top 2", "left", "top 3"]


@pytest.fixture
def audit(tmp_path):
    """A folder of sixty photographs read, nine of ten of class a and none of class b with an emblem; its settings."""
    for number, pixels in enumerate(_pictures(Logo(0.25, 0.5), (HALF & (np.arange(_ALL) % 20 != 0)))):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    compute = {"workers": 0, "keep_detections": False}
    tree = {"dataset": {"photos": str(tmp_path / "photos")}, "cues": ["patch", "border", OVERLAY], "compute": compute}
    folder, config = AuditFolder(tmp_path / "audit"), parse_config(tree)
    read_dataset(folder, config)
    return folder, config


def test_the_stage_adds_them_behind_the_detectors_cues(audit):
    folder, config = audit
    build(folder, config)
    found = load_detections(folder)
    assert [cue.name for cue in found.cues] == ["patch", "border", "overlay bottom right"]
    assert found.cues[2].role == "mark" and found.present.shape == (_ALL, 3)
    labels = load_dataset(folder).labels
    assert found.present[labels == 0, 2].mean() > 0.8 and not found.present[labels == 1, 2].any()
    shown = np.flatnonzero(found.present[:, 2])
    masks = found.masks(shown)[:, 2]
    assert masks.any((1, 2)).all() and not masks[:, :28].any() and found.area[shown, 2].mean() < 0.1


def test_an_interrupted_run_ends_as_one_that_was_not(audit):
    folder, config = audit
    build(folder, config)
    before = {path.name: file_digest(path) for path in folder.detections.iterdir()}
    (folder.detections / "detectors.json").unlink()
    build(folder, config)
    assert {path.name: file_digest(path) for path in folder.detections.iterdir()} == before


def test_what_another_detector_sees_is_not_told_twice(audit, monkeypatch):
    def corner_as_border(self, photo):
        mask = np.zeros(photo.shape, bool)
        mask[photo.shape[0] // 2 :, photo.shape[1] // 2 :] = True
        return {"border": Sighting(True, 1.0, mask)}

    monkeypatch.setattr(BorderDetector, "detect", corner_as_border)
    build(*audit)
    assert [cue.name for cue in load_detections(audit[0]).cues] == ["patch", "border"]


def test_a_photograph_that_vanished_is_named(audit):
    folder, config = audit
    build(folder, config)
    path = load_dataset(folder).file_of(7).path
    path.unlink()
    with pytest.raises(ChangedImage, match=path.name):
        build(folder, config)
