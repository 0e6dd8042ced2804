"""Hair by geometry and colour on a drawn head: long and short hair, turned heads, nobody's hair."""

import cv2
import numpy as np
import pytest

from audit.detectors.parts import hair as hair_module
from audit.detectors.parts.face import Face, ellipse_outline, rotation
from audit.detectors.parts.hair import HairDetector, face_coordinates, hair_mask
from audit.detectors.photo import Photo

_SIZE = 240
_CENTRE = (120.0, 90.0)


def _draw(monkeypatch, hair_box, angle=0.0):
    """A person in a red shirt, with a skin-coloured face and black hair in a box (u0, v0, u1, v1) around the face."""
    box = np.array((_CENTRE[0] - 30, _CENTRE[1] - 27, _CENTRE[0] + 30, _CENTRE[1] + 33), np.float32)
    face = Face(tuple(map(float, box)), angle, ellipse_outline(box, angle), 0.95, 0.95)
    u, v = face_coordinates(face, slice(0, _SIZE), slice(0, _SIZE))
    mask = np.zeros((_SIZE, _SIZE), np.uint8)
    cv2.fillPoly(mask, [np.round(face.outline).astype(np.int32)], 1)
    in_face = mask.astype(bool)
    hair = (u > hair_box[0]) & (u < hair_box[2]) & (v > hair_box[1]) & (v < hair_box[3]) & ~in_face
    shirt = (v > 0.55) & (np.abs(u) < 1.4) & ~hair & ~in_face
    pixels = np.full((_SIZE, _SIZE, 3), (120, 160, 200), np.uint8)
    for area, colour in ((shirt, (200, 30, 40)), (hair, (25, 20, 18)), (in_face, (210, 160, 130))):
        pixels[area] = colour
    monkeypatch.setattr("audit.detectors.parts.hair.find_faces", lambda _: (face,))
    monkeypatch.setattr("audit.detectors.parts.hair.face_mask", lambda _: in_face)
    monkeypatch.setattr("audit.detectors.parts.hair.person_mask", lambda _: hair | shirt | in_face)
    return Photo(pixels, None), hair, shirt


def _iou(first, second):
    return (first & second).sum() / (first | second).sum()


@pytest.mark.parametrize("angle", [0.0, 0.4, -0.6])
@pytest.mark.parametrize("hair_box", [(-0.7, -0.9, 0.7, -0.2), (-0.8, -0.9, 0.8, 0.3), (-0.85, -0.9, 0.85, 1.3)])
def test_short_and_long_hair_is_found_whole_and_the_shirt_left_out(monkeypatch, hair_box, angle):
    photo, hair, shirt = _draw(monkeypatch, hair_box, angle)
    # Hair across the throat cannot be told from a collar and is given away.
    throat = np.zeros_like(hair)
    u, v = face_coordinates(hair_module.find_faces(photo)[0], slice(0, _SIZE), slice(0, _SIZE))
    throat[(np.abs(u) < 0.45) & (v > 0.45)] = True
    found = hair_mask(photo)
    assert _iou(found, hair & ~throat) > 0.9
    assert (found & shirt).sum() < 0.03 * shirt.sum()


def test_a_fringe_on_the_forehead_is_hair_and_the_bare_face_is_not(monkeypatch):
    photo, *_ = _draw(monkeypatch, (-0.7, -0.9, 0.7, -0.2))
    (face,) = hair_module.find_faces(photo)
    _, v = face_coordinates(face, slice(0, _SIZE), slice(0, _SIZE))
    in_face = hair_module.face_mask(photo)
    fringe = in_face & (v < -0.3)
    assert not (hair_mask(photo) & in_face).any()
    photo.pixels[fringe] = (25, 20, 18)
    fringed = Photo(photo.pixels, None)
    assert (hair_mask(fringed) & fringe).sum() > 0.85 * fringe.sum()
    assert (hair_mask(fringed) & in_face & ~fringe).sum() < 0.03 * in_face.sum()


def test_no_hair_is_absent(monkeypatch):
    photo, *_ = _draw(monkeypatch, (0, 0, 0, 0))
    sighting = HairDetector().detect(photo)["hair"]
    assert not sighting.present and sighting.mask is None and sighting.score == 0


def test_face_coordinates_are_upright_with_the_face():
    box = np.array((80, 60, 140, 120), np.float32)
    face = Face((80, 60, 140, 120), 0.5, ellipse_outline(box, 0.5, 360), 1, 1)
    u, v = face_coordinates(face, slice(0, 200), slice(0, 200))
    middle = face.outline.mean(0)
    chin = middle + rotation(0.5) @ (0, 0.5 * face.size[1])
    for point, expected in ((middle, (0, 0)), (chin, (0, 0.5))):
        x, y = np.round(point).astype(int)
        np.testing.assert_allclose((u[y, x], v[y, x]), expected, atol=0.03)
