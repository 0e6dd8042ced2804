"""Drawn heads for the tests of attributes: a face, hair around it, and what the detectors would say of them."""

import cv2
import numpy as np

from audit.detectors.parts.face import Face, ellipse_outline
from audit.detectors.parts.hair import face_coordinates
from audit.detectors.photo import Photo

SKIN, WALL, SHIRT = (210, 160, 130), (120, 160, 200), (200, 60, 50)


def a_face(centre=(120.0, 110.0), size=60.0, angle=0.0):
    """A face whose outline's middle lies at the centre, ``size`` pixels wide."""
    box = np.array((centre[0] - size / 2, centre[1] - size * 0.45, centre[0] + size / 2, centre[1] + size * 0.55))
    return Face(tuple(map(float, box)), angle, ellipse_outline(box.astype(np.float32), angle, 72), 0.95, 0.95)


def a_head(monkeypatch, face, hair_box=(-0.6, -0.85, 0.6, -0.2), hair=(30, 22, 20), shape=(300, 240)):
    """A photograph of a face, hair in a box (u0, v0, u1, v1) around it, and a shirt, before a wall."""
    u, v = face_coordinates(face, slice(0, shape[0]), slice(0, shape[1]))
    inside = np.zeros(shape, np.uint8)
    cv2.fillPoly(inside, [np.round(face.outline).astype(np.int32)], 1)
    in_face = inside > 0
    in_hair = (u > hair_box[0]) & (u < hair_box[2]) & (v > hair_box[1]) & (v < hair_box[3]) & ~in_face
    shirt = (v > 0.6) & (np.abs(u) < 1.4) & ~in_hair & ~in_face
    pixels = np.full((*shape, 3), WALL, np.uint8)
    for area, colour in ((shirt, SHIRT), (in_hair, hair), (in_face, SKIN)):
        pixels[area] = colour
    answers = {
        "face_mask": in_face,
        "hair_mask": in_hair,
        "foreground": (in_face | in_hair | shirt).astype(np.float32),
    }
    monkeypatch.setattr("audit.attributes.people.aligned_face.find_faces", lambda _: (face,))
    for name, answer in answers.items():
        monkeypatch.setattr(f"audit.attributes.people.head_crop.{name}", lambda _, answer=answer: answer)
    return Photo(pixels, None)
