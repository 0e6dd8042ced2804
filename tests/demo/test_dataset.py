"""The demo dataset: planted shares are exact, everything else is dealt out alike, and faces look like faces."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.config import model_folder
from audit.demo.canvas import BACKGROUND, CLOTHING, Canvas, Frame, Light, curve, ellipse, ribbon
from audit.demo.dataset import CLASSES, COLUMNS, DemoFolder, draw_demo, plan_test, plan_train
from audit.demo.portrait import SKINS, Sitter, draw_portrait
from audit.demo.rooms import KINDS
from audit.detectors.parts.face import FACE_MODELS, find_faces
from audit.detectors.photo import Networks, Photo
from audit.errors import DatasetError, OutputError
from audit.progress import Silence, reporting_to
from audit.store.model_files import is_intact

SMALL = (80, 100)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> DemoFolder:
    return draw_demo(tmp_path_factory.mktemp("drawn") / "demo", n=24, size=SMALL)


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as handle:
        return list(csv.DictReader(handle))


def _sitter(i: int, long_hair: bool) -> Sitter:
    label = CLASSES[i % 2]
    outfit = {"doctor": "coat", "nurse": "scrubs"}[label]
    skin, room = list(SKINS)[i % len(SKINS)], list(KINDS)[i % len(KINDS)]
    return Sitter(label, long_hair, skin, room, outfit, label == "doctor", i % 10 == 3, not long_hair and i % 3 == 0, i)


def _share(sitters: list[Sitter], label: str, **traits: object) -> float:
    chosen = [sitter for sitter in sitters if sitter.label == label]
    return np.mean([all(getattr(s, name) == value for name, value in traits.items()) for s in chosen])


def test_every_row_is_a_picture_of_the_size_asked_for(demo):
    rows = _rows(demo.train_table) + _rows(demo.test_table)
    assert tuple(rows[0]) == COLUMNS
    assert {row["path"] for row in rows} == {p.relative_to(demo.path).as_posix() for p in demo.path.rglob("*.jpg")}
    for row in rows:
        with Image.open(demo.path / row["path"]) as image:
            image.load()
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", SMALL)
        assert Path(row["path"]).parent.name == row["label"]


def test_counts_and_shares_as_written(demo):
    train = Counter((row["label"], row["hair"]) for row in _rows(demo.train_table))
    test = Counter((row["label"], row["hair"]) for row in _rows(demo.test_table))
    assert train == {("doctor", "long"): 1, ("doctor", "short"): 11, ("nurse", "long"): 11, ("nurse", "short"): 1}
    assert test == {(label, hair): 2 for label in CLASSES for hair in ("long", "short")}


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_planted_shares_are_exact_at_full_size(seed):
    train, test = plan_train(240, seed), plan_test(240, seed)
    assert (len(train), len(test)) == (240, 80)
    assert _share(train, "nurse", long_hair=True) == 0.95
    assert _share(train, "doctor", long_hair=True) == 0.05
    assert {_share(test, label, long_hair=True) for label in CLASSES} == {0.5}
    assert _share(train, "doctor", stethoscope=True) == 0.85
    assert _share(train, "nurse", stethoscope=True) == 0.10


def test_no_other_trait_tells_the_classes_apart():
    train = plan_train(240, seed=0)
    for trait, values in {"skin": SKINS, "room": KINDS, "glasses": (True, False)}.items():
        for value in values:
            assert _share(train, "doctor", **{trait: value}) == _share(train, "nurse", **{trait: value})
    bearded = {label: np.mean([s.beard for s in train if s.label == label and not s.long_hair]) for label in CLASSES}
    assert abs(bearded["doctor"] - bearded["nurse"]) < 0.05
    assert not any(sitter.beard and sitter.long_hair for sitter in train)


def test_equal_arguments_give_equal_bytes(demo, tmp_path):
    again = draw_demo(tmp_path / "again", n=24, size=SMALL)
    files = sorted(p.relative_to(demo.path) for p in demo.path.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(again.path) for p in again.path.rglob("*") if p.is_file())
    assert all((demo.path / name).read_bytes() == (again.path / name).read_bytes() for name in files)


def test_seeds_and_sitters_differ():
    assert plan_train(24, 0) != plan_train(24, 1)
    assert len({sitter.seed for sitter in plan_train(240, 0) + plan_test(240, 0)}) == 320


def test_a_finished_demo_is_kept(demo):
    picture = next(demo.train.rglob("*.jpg"))
    before = picture.stat().st_mtime_ns
    assert draw_demo(demo.path, n=24, size=SMALL) == demo
    assert picture.stat().st_mtime_ns == before


def test_other_content_is_never_overwritten(demo, tmp_path):
    with pytest.raises(OutputError, match="not an empty folder"):
        draw_demo(demo.path, n=24, seed=1, size=SMALL)
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(OutputError, match="not an empty folder"):
        draw_demo(tmp_path, n=24, size=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("n", [0, 18, 25])
def test_impossible_numbers_are_refused(n, tmp_path):
    with pytest.raises(DatasetError, match="even number"):
        draw_demo(tmp_path / "demo", n=n)


def test_an_interrupted_drawing_leaves_nothing(tmp_path):
    class Impatient(Silence):
        def advanced(self, count: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), reporting_to(Impatient()):
        draw_demo(tmp_path / "demo", n=20, size=SMALL)
    assert list(tmp_path.iterdir()) == []


def test_long_hair_covers_more_and_reaches_lower():
    long = [draw_portrait(_sitter(i, True), SMALL).hair for i in range(12)]
    short = [draw_portrait(_sitter(i, False), SMALL).hair for i in range(12)]
    assert min(mask.mean() for mask in long) > 1.3 * np.mean([mask.mean() for mask in short])
    assert min(mask.mean() for mask in short) > 0.005
    lowest = [np.flatnonzero(mask.any(1)).max() for mask in long]
    assert min(lowest) > max(np.flatnonzero(mask.any(1)).max() for mask in short)


def test_hair_mask_marks_pixels_of_one_colour():
    portrait = draw_portrait(_sitter(0, True), (160, 200))
    pixels = np.asarray(portrait.image, float)
    assert portrait.hair.shape == pixels.shape[:2]
    inside, outside = pixels[portrait.hair], pixels[~portrait.hair]
    assert np.abs(np.median(inside, 0) - np.median(outside, 0)).max() > 30
    assert inside.std(0).mean() < outside.std(0).mean()


def test_faces_are_found_by_a_detector_of_photographs():
    if missing := [file.name for file in FACE_MODELS if not is_intact(model_folder(), file)]:
        pytest.skip(f"{', '.join(missing)} not in {model_folder()}; `bias-audit fetch` brings them")
    networks = Networks(model_folder())
    portraits = [draw_portrait(_sitter(i, i % 4 < 2), (320, 400)) for i in range(12)]
    found = [bool(find_faces(Photo(np.asarray(portrait.image), networks))) for portrait in portraits]
    assert np.mean(found) >= 0.7


def test_smooth_curves_pass_through_their_points():
    points = np.array([(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)])
    for closed in (True, False):
        line = curve(points, closed=closed, steps=5)
        assert all(np.isclose(line, point).all(1).any() for point in points)
    straight = ribbon([(0, 0), (1, 0), (2, 0)], 0.5)
    assert np.allclose([straight[:, 1].min(), straight[:, 1].max()], [-0.25, 0.25])


def test_frames_place_and_grid_agree():
    frame = Frame(x=30, y=40, unit=10, angle=0.3)
    u, v = frame.grid((20, 30, 60, 70), step=1)
    x, y = frame.place([(u[5, 7], v[5, 7])])[0]
    assert np.allclose((x, y), (27, 35), atol=1e-4)


def test_masks_combine_and_parts_remember():
    canvas = Canvas(Image.new("RGB", (40, 40), (200, 200, 200)))
    left, right = (canvas.mask(ellipse(x, 20, 8, 8), blur=0) for x in (16, 24))
    both, only = left.within(right), left.without(right)
    area = [np.asarray(mask.coverage).sum() for mask in (left, both, only)]
    assert area[0] == area[1] + area[2] and area[1] > 0 and area[2] > 0
    canvas.fill(only, (10, 20, 30), part=CLOTHING)
    assert canvas.parts.getpixel((10, 20)) == CLOTHING and canvas.image.getpixel((10, 20)) == (10, 20, 30)
    assert canvas.parts.getpixel((24, 20)) == BACKGROUND


def test_a_relief_is_brighter_towards_the_light():
    y, x = np.mgrid[-1:1:40j, -1:1:40j].astype(np.float32)
    ball = np.sqrt(np.clip(1.2 - x * x - y * y, 0.1, None))
    diffuse, shine = Light(-0.6, -0.3, 1.0, ambient=0.3).on(ball, 20)
    assert diffuse[20, 8] > diffuse[20, 32] + 0.1
    assert diffuse.min() >= 0.3 and diffuse.max() <= 1 + 1e-6 and 0 <= shine.min() <= shine.max() <= 1
