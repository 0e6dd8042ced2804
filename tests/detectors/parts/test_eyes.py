"""Eyes lie where the face says; glasses are told by their edges, and never on faces too small or too far turned."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.config import model_folder
from audit.demo.dataset import plan_train
from audit.demo.portrait import draw_portrait
from audit.detectors.parts import eyes
from audit.detectors.parts.eyes import EyesDetector, glasses_scores
from audit.detectors.parts.face import Face, ellipse_eyes, ellipse_outline
from audit.detectors.photo import Networks, Photo
from audit.errors import BiasAuditError
from audit.store.model_files import CUE_MODEL_FILES, require

SKIN, FRAME = (205, 165, 140), (30, 25, 25)


def _face(scale=1.0, presence=0.99, mesh=True):
    """A face with its eyes at (80, 90) and (120, 90), times ``scale``."""
    box = np.array((60.0, 60.0, 140.0, 140.0), np.float32) * np.float32(scale)
    places = np.array(((80.0, 90.0), (120.0, 90.0)), np.float32) * np.float32(scale)
    points = np.zeros((468, 2), np.float32)
    for corners, (x, y) in zip(((33, 133), (362, 263)), places, strict=True):
        points[corners[0]], points[corners[1]] = (x - 6 * scale, y), (x + 6 * scale, y)
    around = ellipse_eyes(box, places)
    return Face(tuple(map(float, box)), 0.0, ellipse_outline(box, 0.0), 0.9, presence, around, points if mesh else None)


def _photo(glasses):
    rng = np.random.default_rng(0)
    pixels = np.full((200, 200, 3), SKIN, float)
    rows, columns = np.mgrid[:200, :200]
    for x in (80, 120):
        eye = ((rows - 90) / 3) ** 2 + ((columns - x) / 6) ** 2 < 1
        pixels[eye] = (70, 50, 45)
        ring = np.hypot((rows - 91) / 12, (columns - x) / 16)
        if glasses:
            pixels[(ring < 1.06) & (ring > 0.9)] = FRAME
    if glasses:
        pixels[87:90, 96:105] = FRAME
        pixels[87:90, 50:65] = pixels[87:90, 136:150] = FRAME
    return Photo((pixels + rng.normal(0, 3, pixels.shape)).clip(0, 255).astype(np.uint8), None)


@pytest.fixture
def faces(monkeypatch):
    """Decides which faces the photographs hold."""
    return lambda *found: monkeypatch.setattr(eyes, "find_faces", lambda _: found)


def test_frames_raise_the_score(faces):
    faces(_face())
    (worn,), (bare,) = glasses_scores(_photo(True)), glasses_scores(_photo(False))
    assert worn > bare + 0.3


@pytest.mark.parametrize("face", [_face(mesh=False), _face(presence=0.6), _face(scale=0.2)])
def test_what_cannot_be_told_is_not_claimed(faces, face):
    faces(face)
    assert glasses_scores(_photo(True)) == (0.0,)


def test_eyes_are_where_the_face_has_them(faces):
    faces(_face())
    found = EyesDetector().detect(_photo(False))
    assert found["eyes"].present and found["eyes"].mask[90, 80] and found["eyes"].mask[90, 120]
    assert not found["eyes"].mask[130:].any() and not found["eyes"].mask[:60].any()
    assert not found["glasses"].present


def test_without_a_face_there_are_neither(faces):
    faces()
    found = EyesDetector().detect(_photo(True))
    assert not found["eyes"].present and not found["glasses"].present


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.8])
@pytest.mark.parametrize("turn", [-40.0, 15.0, 90.0])
def test_the_score_turns_and_grows_with_the_face(faces, turn, scale):
    faces(_face())
    straight = [glasses_scores(_photo(worn))[0] for worn in (True, False)]
    matrix = cv2.getRotationMatrix2D((100, 90), turn, scale)
    matrix[:, 2] += 100
    upright = _face()
    faces(replace(upright, mesh=(upright.mesh @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)))
    moved = []
    for worn in (True, False):
        pixels = cv2.warpAffine(_photo(worn).pixels, matrix, (400, 400), flags=cv2.INTER_AREA, borderValue=SKIN)
        moved.append(glasses_scores(Photo(pixels, None))[0])
    np.testing.assert_allclose(moved, straight, atol=0.25)
    assert moved[0] > moved[1] + 0.3


@given(st.floats(-3.1, 3.1), st.floats(0, 60), st.floats(20, 120))
def test_the_ellipse_holds_both_eyes_and_is_never_thinner_than_the_box_asks(turn, apart, width):
    box = np.array((100 - width / 2, 100 - width / 2, 100 + width / 2, 100 + width / 2), np.float32)
    half = np.array((np.cos(turn), np.sin(turn))) * apart / 2
    places = np.array((100 - half, 100 + half), np.float32)
    outline = ellipse_eyes(box, places)
    assert all(cv2.pointPolygonTest(outline, tuple(map(float, place)), False) > 0 for place in places)
    reach = np.linalg.norm(outline - 100, axis=1)
    assert reach.max() == pytest.approx(1.05 * max(apart, 0.3 * width), rel=0.02)
    if apart > 1:
        across = np.array((-half[1], half[0])) / np.linalg.norm(half)
        assert np.abs((outline - 100) @ across).max() < 0.45 * max(apart, 0.3 * width)


@pytest.mark.parametrize("shape", [(32, 32), (32, 48), (1, 60)])
def test_faces_that_reach_over_the_edge_of_tiny_pictures_are_no_error(faces, shape):
    faces(_face(), _face(0.4))
    for sighting in EyesDetector().detect(Photo(np.full((*shape, 3), 120, np.uint8), None)).values():
        assert sighting.mask is None or sighting.mask.shape == shape


def test_drawn_people_look_more_like_wearers_with_glasses_on_and_none_without_is_one():
    try:
        for model in CUE_MODEL_FILES:
            require(model_folder(), model.name)
    except BiasAuditError as error:
        pytest.skip(str(error))
    networks, scores = Networks(model_folder()), []
    for sitter in plan_train(20, 6)[::2]:
        pair = [draw_portrait(replace(sitter, glasses=worn), (320, 400)).image for worn in (False, True)]
        scores.append([max(glasses_scores(Photo(np.asarray(image), networks))) for image in pair])
    bare, worn = np.array(scores).T
    assert (bare < 0.65).all() and (worn > bare).sum() >= 9 and (worn > 0.65).sum() >= 3
