"""The bench's readers on drawn sets of the same layout: whose truth is read from where, and at what size."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audit.selfaudit.marks import MARKS
from tests.bench.cue_sets import HEADS, PEOPLE, PLANTED, Example, load, read_examples

_CLASSES = ("null", "hair", "skin", "dress", "hat", "glasses", "sunglasses")


def _table(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)


def _picture(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)).save(path)


@pytest.fixture
def street(tmp_path) -> Path:
    """Three people: hair at the top, skin below it, a dress below that, in photographs of 300 x 800 pixels."""
    folder, rows = tmp_path / "ccp600", []
    _table(folder / "classes.csv", [{"id": number, "name": name} for number, name in enumerate(_CLASSES)])
    for number in range(3):
        _picture(folder / f"images/{number}.png", 300, 800)
        labels = np.zeros((800, 300), np.uint8)
        labels[100:140, 120:180], labels[140:180, 120:180], labels[180:600, 90:210] = 1, 2, 3
        (folder / "labels").mkdir(exist_ok=True)
        Image.fromarray(labels).save(folder / f"labels/{number}.png")
        row = {"path": f"images/{number}.png", "labels_png": f"labels/{number}.png", "width": 300, "height": 800}
        rows.append({**row, "hair_box": "120,100,180,140"})
    _table(folder / "index.csv", rows)
    return tmp_path


def _of(examples: list[Example], collection: str) -> list[Example]:
    return [example for example in examples if example.collection == collection]


def test_parts_of_people_are_read_from_the_labels_and_shrunk_with_the_photograph(street):
    pixels, marked = load(_of(read_examples(street), "ccp600")[0])
    assert pixels.shape == (512, 192, 3)
    areas = {cue: mask.mean() for cue, mask in marked.items()}
    whole = 300 * 800
    expected = {"hair": 2400 / whole, "skin": 2400 / whole, "clothing": 50400 / whole, "person": 55200 / whole}
    assert areas == pytest.approx(expected, rel=0.05)
    assert not (marked["hair"] & marked["clothing"]).any() and (marked["hair"] <= marked["person"]).all()


def test_heads_are_cropped_and_have_a_face_and_a_background(street):
    for example in _of(read_examples(street), HEADS):
        pixels, marked = load(example)
        assert marked.keys() >= {"hair", "face", "clothing", "background"}
        assert all(mask.shape == pixels.shape[:2] for mask in marked.values())
        assert marked["hair"].any() and marked["face"].any()
        np.testing.assert_array_equal(marked["background"], ~marked["person"])
        assert (marked["face"] <= marked["skin"]).all()


def test_halves_share_no_photograph_and_together_are_all(street):
    halves = [{e.path for e in _of(read_examples(street, half), "ccp600")} for half in ("odd", "even", "all")]
    assert not halves[0] & halves[1] and halves[0] | halves[1] == halves[2]
    assert len(_of(read_examples(street, most=2), "ccp600")) == 2


def test_people_are_grouped_and_animals_have_boxes_and_no_face(tmp_path):
    _table(
        tmp_path / "doctor-nurse/index.csv",
        [{"path": "nurse/1.jpg", "skin": "dark", "gender": "male", "stock_footer": footer} for footer in (0, 1)],
    )
    _table(tmp_path / "raccoon-kangaroo/index.csv", [{"path": "raccoon/drawn.png"}])
    _table(
        tmp_path / "raccoon-kangaroo/boxes.csv", [{"path": "raccoon/drawn.png", "x0": 5, "y0": 6, "x1": 25, "y1": 16}]
    )
    _picture(tmp_path / "raccoon-kangaroo/raccoon/drawn.png", 40, 30)
    plain, footed, animal = read_examples(tmp_path)
    assert plain.group == "dark male" and plain.shows == PEOPLE and footed.shows == PEOPLE | {"text"}
    assert animal.lacks == {"face"}
    _, marked = load(animal)
    assert marked["main_object"].sum() == 20 * 10 and marked["main_object"][6, 5]


def test_beards_are_no_hair(tmp_path):
    _table(tmp_path / "lfw-hair/index.csv", [{"path": "one.png", "mask": "mask.png"}])
    _picture(tmp_path / "lfw-hair/one.png", 250, 250)
    labels = np.zeros((250, 250), np.uint8)
    labels[30:60, 90:160] = labels[150:180, 110:140] = 255
    Image.fromarray(labels).save(tmp_path / "lfw-hair/mask.png")
    _, marked = load(read_examples(tmp_path)[0])
    assert marked["hair"].sum() == 30 * 70


def test_marks_are_planted_on_things_that_show_no_such_cue(tmp_path):
    paths = ["images/drawn.png", "images/n02129165_lion.jpg"]  # the lion has a frame of its own
    _table(tmp_path / "imagenet-sample/index.csv", [{"path": path} for path in paths])
    _picture(tmp_path / "imagenet-sample/images/drawn.png", 100, 80)
    planted = _of(read_examples(tmp_path), PLANTED)
    assert {example.mark for example in planted if example.path.name == "drawn.png"} == set(MARKS)
    assert not any(MARKS[example.mark].cue == "border" for example in planted if "lion" in example.path.name)
    for example in planted:
        if example.path.name == "drawn.png":
            pixels, marked = load(example)
            assert list(marked) == [MARKS[example.mark].cue] == list(example.shows)
            assert marked[MARKS[example.mark].cue].any() and pixels.shape == (80, 100, 3)
