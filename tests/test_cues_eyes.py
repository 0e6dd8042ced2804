"""Eyes lie where the face says; glasses are told by their edges, and never on faces too small or too far turned."""

import numpy as np
import pytest

from audit.cues import eyes
from audit.cues.eyes import EyesDetector, glasses_scores
from audit.cues.face import Face, ellipse_eyes, ellipse_outline
from audit.cues.photo import Photo

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
