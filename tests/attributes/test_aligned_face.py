"""Faces are brought to one place however they lie in the picture, and those that tell nothing are left out."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from audit.attributes.people import aligned_face as module
from audit.attributes.people.aligned_face import align, aligned_face, clear_mesh, eyes_apart, level_mesh
from audit.detectors.photo import Photo
from tests.attributes.drawn_face import draw_face, draw_mesh

EYES_AND_CHIN = ((16, 20), (48, 20), (32, 67))


@pytest.fixture
def faces(monkeypatch):
    """Decides which faces the photographs hold."""
    return lambda *found: monkeypatch.setattr(module, "find_faces", lambda _: found)


def photo(side=400):
    return Photo(np.full((side, side, 3), 120, np.uint8), None)


@pytest.mark.parametrize("apart", [14.0, 32.0, 150.0])
@pytest.mark.parametrize("degrees", [-40.0, 0.0, 90.0])
def test_eyes_and_chin_come_to_lie_at_one_place(apart, degrees):
    mesh = draw_mesh(apart=apart, middle=(300, 300), degrees=degrees)
    pixels = np.zeros((600, 600, 3), np.uint8)
    for x, y in (mesh[[33, 133]].mean(0), mesh[[362, 263]].mean(0), mesh[152]):
        centre = round(16 * float(x)), round(16 * float(y))
        cv2.circle(pixels, centre, round(2 * apart), (255, 255, 255), -1, cv2.LINE_AA, 4)
    crop = align(pixels, mesh)[:, :, 0]
    count, _, _, centres = cv2.connectedComponentsWithStats((crop > 127).astype(np.uint8))
    assert count == 4
    np.testing.assert_allclose(sorted(map(tuple, centres[1:])), sorted(EYES_AND_CHIN), atol=1.2)


def test_a_level_mesh_knows_neither_size_nor_place_nor_tilt():
    plain = level_mesh(draw_mesh(apart=1.0, middle=(0, 0)))
    np.testing.assert_allclose(level_mesh(draw_mesh(apart=77.0, middle=(31, 9), degrees=130.0)), plain, atol=1e-4)
    assert eyes_apart(draw_mesh(apart=77.0, degrees=130.0)) == pytest.approx(77)


def test_the_largest_face_is_the_one_that_counts(faces):
    large, small = draw_face(apart=60.0, middle=(200, 150)), draw_face(apart=20.0)
    faces(large, small)
    np.testing.assert_array_equal(clear_mesh(photo()), large.mesh)


@pytest.mark.parametrize(
    "face",
    [
        draw_face(presence=0.8),
        draw_face(apart=11.0),
        replace(draw_face(), mesh=None),
        draw_face(middle=(200, 350)),
        draw_face(middle=(5, 100)),
    ],
    ids=["hardly fits", "small", "no mesh", "chin below the picture", "eye beside the picture"],
)
def test_what_tells_nothing_is_left_out(faces, face):
    faces(face)
    assert clear_mesh(photo()) is None and aligned_face(photo()) is None


def test_a_face_without_depth_is_left_out(faces):
    face = draw_face()
    flat = face.mesh.copy()
    flat[152] = flat[33]
    faces(replace(face, mesh=flat))
    assert clear_mesh(photo()) is None
