"""Cues that the user marked: boxes scale with the picture, masks may end differently, bad files are said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from audit.config import OwnCueConfig, parse_config
from audit.detectors.photo import Photo
from audit.detectors.user_cues import Boxes, OwnCueDetector
from audit.errors import ConfigError


def _photo(path="cat/1.jpg", shape=(60, 80), full_width=160):
    return Photo(np.zeros((*shape, 3), np.uint8), None, path, full_width)


@pytest.fixture
def boxes(tmp_path):
    file = tmp_path / "boxes.csv"
    file.write_text(
        "path,label,x0,y0,x1,y1\ncat/1.jpg,cat,0,0,80,60\ncat/1.jpg,cat,150,110,999,999\n./cat\\2.jpg,,1,1,2,2\n"
    )
    return file


def _detector(**settings):
    return OwnCueDetector(OwnCueConfig(name="lesion", **settings))


def test_boxes_are_in_pixels_of_the_full_photograph(boxes):
    found = _detector(boxes=boxes).detect(_photo())
    mask = found["lesion"].mask
    assert mask[:30, :40].all() and mask[55:, 75:].all() and mask.sum() == 30 * 40 + 5 * 5
    np.testing.assert_array_equal(found["outside_lesion"].mask, ~mask)


def test_a_box_smaller_than_a_pixel_marks_one(boxes):
    assert _detector(boxes=boxes).detect(_photo("cat/2.jpg"))["lesion"].mask.sum() == 1


def test_in_a_photograph_without_a_mark_everything_is_outside(boxes):
    found = _detector(boxes=boxes).detect(_photo("cat/3.jpg"))
    assert not found["lesion"].present and found["outside_lesion"].mask.all()


def test_nobody_asks_what_is_outside_of_a_mark(boxes):
    detector = _detector(boxes=boxes, role="mark")
    assert [cue.name for cue in detector.cues] == list(detector.detect(_photo())) == ["lesion"]


def test_a_mark_over_everything_leaves_no_outside(tmp_path):
    (tmp_path / "cat").mkdir()
    Image.new("L", (8, 6), 255).save(tmp_path / "cat" / "1.png")
    found = _detector(masks=tmp_path).detect(_photo())
    assert found["lesion"].mask.all() and not found["outside_lesion"].present


@pytest.mark.parametrize("light", [1, 128, 255])
def test_masks_mirror_the_paths_and_light_is_inside(tmp_path, light):
    (tmp_path / "cat").mkdir()
    mask = np.zeros((30, 40), np.uint8)
    mask[:15] = light
    Image.fromarray(mask).save(tmp_path / "cat" / "1.png")
    found = _detector(masks=tmp_path).detect(_photo())
    assert found["lesion"].mask[:30].all() and not found["lesion"].mask[30:].any()


def test_no_photograph_with_a_mark_is_said(boxes, tmp_path):
    detector = _detector(boxes=boxes)
    detector.require_marks(["dog/1.jpg", "cat/2.jpg"])
    with pytest.raises(ConfigError, match=r"no photograph has a mark for 'lesion'.*like 'dog/1\.jpg'"):
        detector.require_marks(["dog/1.jpg"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,x0,y0,x1\na,1,2,3\n", "has no column 'y1'"),
        ("path,x0,y0,x1,y1\na,1,2,three,4\n", "line 2: x0, y0, x1 and y1 must be numbers"),
        ("path,x0,y0,x1,y1\na,1,2\n", "line 2: x0, y0, x1 and y1 must be numbers"),
        ("path,x0,y0,x1,y1\na,1,2,nan,4\n", "line 2: a box needs x0 < x1"),
        ("path,x0,y0,x1,y1\na,5,2,5,4\n", "line 2: a box needs x0 < x1"),
        ("", "has no column 'path'"),
    ],
)
def test_bad_boxes_are_said(tmp_path, text, said):
    (tmp_path / "boxes.csv").write_text(text)
    with pytest.raises(ConfigError, match=said):
        Boxes.read(tmp_path / "boxes.csv")


def test_missing_and_damaged_files_are_said(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.csv: cannot be read"):
        _detector(boxes=tmp_path / "nothing.csv")
    with pytest.raises(ConfigError, match="no such folder of masks"):
        _detector(masks=tmp_path / "nothing")
    (tmp_path / "1.png").write_bytes(b"damaged")
    with pytest.raises(ConfigError, match=r"1\.png: this mask cannot be used"):
        _detector(masks=tmp_path).detect(_photo("1.jpg"))


def test_either_boxes_or_masks():
    with pytest.raises(ConfigError, match="give either boxes"):
        parse_config({"own_cues": [{"name": "lesion"}]})
    with pytest.raises(ConfigError, match=r"own_cues\.0\.name"):
        parse_config({"own_cues": [{"name": "<b>", "masks": "x"}]})


def test_other_marks_give_another_detector(boxes):
    before = _detector(boxes=boxes).name
    assert _detector(boxes=boxes).name == before
    boxes.write_text(boxes.read_text() + "cat/9.jpg,,1,1,5,5\n")
    assert _detector(boxes=boxes).name != before


@given(st.tuples(*[st.floats(-50, 300)] * 2), st.floats(1, 200), st.integers(1, 64), st.integers(1, 64))
def test_any_box_stays_within_the_picture(corner, side, height, width):
    box = (*corner, corner[0] + side, corner[1] + side)
    mask = Boxes({"a": [box]}, "").mask(_photo("a", (height, width), 2 * width))
    assert mask.shape == (height, width)
