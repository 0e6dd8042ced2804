"""One cue taken out of one picture: the border is gone, the mark is gone, the rest is as it was."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from audit.detectors.cue import Cue
from audit.detectors.marks.border import find_border
from audit.plan.remove_cue import allowed_removal, blur, crop_border, inpaint, retouch, shrunk


def scene(height: int = 180, width: int = 240, seed: int = 0) -> np.ndarray:
    """Smooth colours, never near black or white."""
    small = np.random.default_rng(seed).integers(60, 200, (9, 12, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).copy()


def framed(pixels: np.ndarray, top: int, bottom: int, left: int, right: int, colour: int) -> np.ndarray:
    return np.pad(pixels, ((top, bottom), (left, right), (0, 0)), constant_values=colour)


@pytest.mark.parametrize("size", [(180, 240), (900, 1400)])
@pytest.mark.parametrize("bars", [(15, 15, 0, 0), (0, 20, 0, 0), (0, 0, 30, 31), (9, 9, 9, 9)])
@pytest.mark.parametrize("colour", [0, 255])
def test_no_border_is_left_and_hardly_more_than_it_is_cut(size, bars, colour):
    picture = framed(scene(*size), *(bar * size[1] // 240 for bar in bars), colour)
    assert any(run.lines for run in find_border(shrunk(picture)))
    cut = crop_border(picture)
    assert not any(run.lines for run in find_border(shrunk(cut)))
    assert not any(run.lines for run in find_border(cut))
    assert all(0.97 * whole <= side <= whole for side, whole in zip(cut.shape[:2], size, strict=True))


def test_a_frame_in_a_frame_is_cut_too():
    picture = framed(framed(scene(), 10, 10, 10, 10, 255), 12, 12, 12, 12, 0)
    assert not any(run.lines for run in find_border(crop_border(picture)))


def test_a_picture_without_border_stays_whole():
    assert np.array_equal(crop_border(scene()), scene())


@given(st.integers(0, 150), st.integers(0, 200), st.integers(1, 30), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_a_mark_is_painted_over_and_nothing_else_touched(y, x, height, width):
    before = scene()
    mask = np.zeros(before.shape[:2], bool)
    mask[y : y + height, x : x + width] = True
    marked = before.copy()
    marked[mask] = 255, 0, 255
    after = inpaint(marked, mask)
    assert np.abs(after[mask].astype(int) - (255, 0, 255)).max(-1).min() > 40
    far = np.ones_like(mask)
    far[max(0, y - 3) : y + height + 3, max(0, x - 3) : x + width + 3] = False
    assert np.array_equal(after[far], marked[far])


def test_letters_give_way_to_what_surrounds_them():
    before = scene()
    mask = np.zeros(before.shape[:2], bool)
    mask[100:104, 40:120] = True
    marked = np.where(mask[:, :, None], 255, before).astype(np.uint8)
    assert np.abs(inpaint(marked, mask).astype(int) - before).max() < 30


def test_a_blur_keeps_the_rest_and_loses_the_detail():
    rng = np.random.default_rng(0)
    before = rng.integers(0, 256, (120, 160, 3), np.uint8)
    mask = np.zeros((120, 160), bool)
    mask[30:70, 50:110] = True
    after = blur(before, mask)
    assert np.array_equal(after[~mask], before[~mask])
    assert after[mask].std() < 0.1 * before[mask].std()


@pytest.mark.parametrize("how", ["crop", "inpaint", "blur"])
def test_an_empty_mask_changes_nothing_and_no_input_is_written_to(how):
    before = scene()
    kept = before.copy()
    after = retouch(before, np.zeros(before.shape[:2], bool), how)
    assert np.array_equal(after, kept)
    after[:] = 0
    assert np.array_equal(before, kept)


@pytest.mark.parametrize(
    ("cue", "irrelevant", "removal"),
    [
        (Cue("border", "a border", "mark"), (), "crop"),
        (Cue("text", "text", "mark"), (), "inpaint"),
        (Cue("stamp", "the stamp", "mark"), (), "inpaint"),
        (Cue("face", "the face", "part"), (), None),
        (Cue("face", "the face", "part"), ("face",), "blur"),
        (Cue("eyes", "the eyes", "part", within="face"), ("face",), None),
        (Cue("face look 1", "one look of the face", "part", "appearance", "face"), ("face", "face look 1"), None),
        (Cue("cluster 2", "something", "scene", "cluster"), ("cluster 2",), "blur"),
        (Cue("gender", "gender = female", "attribute", "attribute"), ("gender",), None),
    ],
)
def test_only_marks_and_what_is_declared_irrelevant_may_be_masked(cue, irrelevant, removal):
    assert allowed_removal(cue, irrelevant) == removal
