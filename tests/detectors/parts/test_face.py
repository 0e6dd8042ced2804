"""Faces without photographs: anchors, decoding, merging, the rule of acceptance, the mesh's crop."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audit.detectors.parts.face import (
    BACK,
    FULL_RANGE,
    Candidates,
    FaceDetector,
    anchors,
    crop_transform,
    decode,
    ellipse_outline,
    find_faces,
    iou,
    weighted_suppression,
)
from audit.detectors.photo import Photo
from audit.store.model_files import FACE_BACK, FACE_FULL_RANGE, FACE_MESH


def _index(network, x, y):
    return int(np.linalg.norm(anchors(network) - (x, y), axis=1).argmin())


@pytest.mark.parametrize(("network", "first", "last"), [(BACK, 8 / 256, 240 / 256), (FULL_RANGE, 2 / 192, 190 / 192)])
def test_anchors_lie_in_the_middle_of_their_cells_row_by_row(network, first, last):
    centres = anchors(network)
    np.testing.assert_allclose(centres[0], first)
    np.testing.assert_allclose(centres[-1], last)
    assert (centres > 0).all() and (centres < 1).all()
    assert (np.diff(centres[: 512 if network is BACK else None, 1]) >= 0).all()


@pytest.mark.parametrize("network", [BACK, FULL_RANGE])
def test_a_planted_box_is_decoded(network):
    index = _index(network, 0.5, 0.25)
    logits = np.full(len(anchors(network)), -9.0, np.float32)
    logits[index] = 3.0
    raw = np.zeros((len(logits), 16), np.float32)
    raw[index, :8] = (1, 2, 40, 60, -10, -5, 10, -5)
    found = decode(network, logits, raw)
    x, y = anchors(network)[index] * network.side
    np.testing.assert_allclose(found.boxes, [[x + 1 - 20, y + 2 - 30, x + 1 + 20, y + 2 + 30]], rtol=1e-5)
    np.testing.assert_allclose(found.eyes, [[[x - 10, y - 5], [x + 10, y - 5]]], rtol=1e-5)
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-3)), rtol=1e-5)


def test_nothing_above_the_threshold_gives_nothing():
    found = weighted_suppression(decode(BACK, np.full(896, -500.0, np.float32), np.zeros((896, 16), np.float32)))
    assert found.scores.shape == (0,) and found.boxes.shape == (0, 4) and found.eyes.shape == (0, 2, 2)


def test_overlapping_candidates_become_one_weighted_by_score():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float32)
    found = weighted_suppression(Candidates(np.array([0.9, 0.6, 0.7], np.float32), boxes, boxes.reshape(3, 2, 2)))
    np.testing.assert_allclose(found.scores, [0.9, 0.7])
    np.testing.assert_allclose(found.boxes[0], [0.4, 0, 10.4, 10], rtol=1e-5)
    np.testing.assert_allclose(found.boxes[1], boxes[2])


_BOXES = arrays(np.float32, (3, 4), elements=st.floats(-50, 50, width=32))


@given(_BOXES, _BOXES)
def test_iou_is_symmetric_and_bounded(first, second):
    overlap = iou(first, second)
    assert ((overlap >= 0) & (overlap <= 1 + 1e-5)).all()
    np.testing.assert_array_equal(overlap, iou(second, first).T)


def test_iou_by_hand():
    assert iou(np.array([[0, 0, 2, 2]], np.float32), np.array([[1, 1, 3, 3]], np.float32)).item() == pytest.approx(
        1 / 7
    )


@given(st.floats(-3.1, 3.1), st.floats(10, 300), st.floats(10, 300), st.floats(20, 200))
def test_the_mesh_s_crop_holds_the_face_upright_in_its_middle(angle, x, y, size):
    box = np.array((x - size / 2, y - size / 2, x + size / 2, y + size / 2), np.float32)
    transform = crop_transform(box, angle)
    along_eyes = np.array((np.cos(angle), np.sin(angle))) * size / 2
    middle, right = (transform[:, :2] @ p + transform[:, 2] for p in (np.array((x, y)), np.array((x, y)) + along_eyes))
    np.testing.assert_allclose(middle, (96, 96), atol=1e-2)
    np.testing.assert_allclose(right, (96 + 64, 96), atol=1e-2)  # half of 192 / 1.5


def test_the_ellipse_turns_with_the_face():
    box = np.array((40, 40, 80, 80), np.float32)
    upright, lying = (np.ptp(ellipse_outline(box, angle), axis=0) for angle in (0, np.pi / 2))
    assert upright[1] > upright[0] and lying[0] > lying[1]
    np.testing.assert_allclose(upright, lying[::-1], rtol=1e-4)


class PlantedNetworks:
    """Answers as the networks would for one face in the middle of a 192 x 192 picture, by their logits.

    ``near`` is the full-range network's at its second look, at a crop.
    """

    def __init__(self, full: float, back: float, presence: float, near: float = -9.0):
        self.logits = {FACE_FULL_RANGE.name: [full, near], FACE_BACK.name: [back]}
        self.presence = presence

    def run(self, model, pixels, low=0.0, high=1.0):
        if model is FACE_MESH:
            return {"conv2d_31": np.full((1, 1, 1, 1), self.presence, np.float32), "conv2d_21": self._mesh()}
        network = FULL_RANGE if model is FACE_FULL_RANGE else BACK
        assert pixels.shape == (network.side, network.side, 3) and (low, high) == (-1.0, 1.0)
        logits, raw = np.full((len(anchors(network)), 1), -9.0), np.zeros((len(anchors(network)), 16))
        index = _index(network, 0.5, 0.5)
        logits[index], shift = self.logits[model.name].pop(0), (0.5 - anchors(network)[index]) * network.side
        side = network.side / 3
        raw[index, :8] = (*shift, side, side, shift[0] - side / 5, shift[1], shift[0] + side / 5, shift[1])
        return {network.scores: logits.astype(np.float32), network.boxes: raw.astype(np.float32)}

    @staticmethod
    def _mesh():
        turn = np.linspace(0, 2 * np.pi, 468)
        points = np.stack((96 + 50 * np.cos(turn), 96 + 70 * np.sin(turn), 0 * turn), 1)
        return points.astype(np.float32).reshape(1, 1404, 1, 1)


@pytest.mark.parametrize(
    ("full", "back", "presence", "near", "accepted"),
    [
        (1.0, 0.5, -5.0, -9.0, True),  # both see it
        (3.0, -0.3, -5.0, -9.0, True),
        (0.2, 0.1, -5.0, -9.0, False),  # both doubt
        (3.0, -9.0, 5.0, 3.0, False),  # the full-range one alone
        (-9.0, 2.0, 5.0, 2.0, True),  # the other is sure, the mesh fits, and it is a face from near, too
        (-9.0, 2.0, 5.0, 0.2, False),  # as it is on many animals
        (-9.0, 2.0, 5.0, -9.0, False),
        (-9.0, 2.0, 1.0, 2.0, False),
        (-9.0, 0.5, 5.0, 2.0, False),
        (-9.0, -9.0, 9.0, 9.0, False),
    ],
)
def test_rule_of_acceptance(full, back, presence, near, accepted):
    photo = Photo(np.zeros((192, 192, 3), np.uint8), PlantedNetworks(full, back, presence, near))
    assert len(find_faces(photo)) == accepted
    sighting = FaceDetector().detect(photo)["face"]
    assert sighting.present == accepted and (sighting.mask is not None) == accepted


def test_where_the_first_network_sees_nothing_the_second_is_not_asked():
    networks = PlantedNetworks(3.0, -9.0, 5.0, 3.0)
    assert find_faces(Photo(np.zeros((192, 192, 3), np.uint8), networks)) == ()
    assert networks.logits[FACE_FULL_RANGE.name] == [3.0, 3.0]  # both its answers are still to be had


def test_the_outline_is_the_mesh_s_or_an_ellipse_where_it_does_not_fit():
    pixels = np.zeros((192, 192, 3), np.uint8)
    (fitted,), (unfitted,) = (find_faces(Photo(pixels, PlantedNetworks(3, 3, p))) for p in (5.0, -5.0))
    assert len(fitted.outline) == 36 and fitted.presence > 0.9 > unfitted.presence
    np.testing.assert_allclose(fitted.outline.mean(0), (96, 96), atol=12)
    np.testing.assert_allclose(unfitted.outline, ellipse_outline(np.array(unfitted.box, np.float32), unfitted.angle))
    assert fitted.size == pytest.approx((np.ptp(fitted.outline[:, 0]), np.ptp(fitted.outline[:, 1])), rel=1e-3)


def test_places_are_given_in_the_photograph_s_own_pixels():
    (face,) = find_faces(Photo(np.zeros((100, 400, 3), np.uint8), PlantedNetworks(3, 3, 5)))
    np.testing.assert_allclose(face.box, (200 - 67, 50 - 67, 200 + 67, 50 + 67), atol=2.5)


def test_results_are_worked_out_once_and_the_picture_is_left_alone():
    networks = PlantedNetworks(3, 3, 5)
    pixels = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    before, photo = pixels.copy(), Photo(pixels, networks)
    first = find_faces(photo)
    networks.run = lambda *_: pytest.fail("asked the networks again")
    assert find_faces(photo) is first
    np.testing.assert_array_equal(pixels, before)
    assert cv2.contourArea(first[0].outline) > 0
