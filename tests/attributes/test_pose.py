"""Size, place, turn and tilt of a drawn face are what they were drawn with."""

import math
from dataclasses import replace

import numpy as np
import pytest

from audit.attributes.people import aligned_face, pose
from audit.attributes.people.pose import PoseReader, leftward, turn
from audit.detectors.photo import Photo
from tests.attributes.drawn_face import draw_face, draw_mesh

SHOWN_FROM = {one.name: one.shown_from for one in PoseReader.attributes}


@pytest.fixture
def measured(monkeypatch):
    """What is measured of these faces in a picture 300 pixels wide and 200 high."""

    def measure(*faces):
        for module in (aligned_face, pose):
            monkeypatch.setattr(module, "find_faces", lambda _: faces)
        return PoseReader().measure(Photo(np.zeros((200, 300, 3), np.uint8), None))

    return measure


@pytest.mark.parametrize(("apart", "close"), [(60.0, True), (20.0, False)])
def test_how_high_the_face_is_in_the_picture(measured, apart, close):
    value = measured(draw_face(apart=apart, degrees=10.0))["close_up"]
    assert value == pytest.approx(2.5 * apart / 200, rel=0.02)
    assert (value >= SHOWN_FROM["close_up"]) is close


@pytest.mark.parametrize(("degrees", "tilted"), [(0.0, False), (-25.0, True), (25.0, True)])
def test_the_tilt_is_in_degrees_to_either_side(measured, degrees, tilted):
    value = measured(draw_face(degrees=degrees))["tilted_head"]
    assert value == pytest.approx(abs(degrees), abs=1e-3)
    assert (value >= SHOWN_FROM["tilted_head"]) is tilted


def test_a_face_on_the_left_is_off_the_middle_and_so_is_one_on_the_right(measured):
    left, right, middle = (measured(draw_face(middle=(x, 60.0))) for x in (60.0, 240.0, 150.0))
    assert left["face_on_the_left"] == pytest.approx(0.6, abs=0.01)
    assert right["face_on_the_left"] == pytest.approx(-0.6, abs=0.01)
    assert left["face_off_centre"] == pytest.approx(right["face_off_centre"])
    assert middle["face_off_centre"] == pytest.approx(0, abs=0.01)
    assert leftward(draw_face(middle=(0.0, 60.0)), 300) == pytest.approx(1)


@pytest.mark.parametrize("degrees", [0.0, 40.0])
def test_the_turn_is_how_far_the_nose_lies_from_the_middle(degrees):
    mesh = draw_mesh(degrees=degrees)
    assert turn(mesh) == pytest.approx(0, abs=1e-4)
    mesh[1] = (mesh[234] + 3 * mesh[454]) / 4
    assert turn(mesh) == pytest.approx(0.5, abs=1e-4)
    mesh[1] = 2 * mesh[454] - mesh[234]
    assert turn(mesh) == 1


def test_faces_are_counted(measured):
    assert measured(draw_face(), draw_face(apart=20.0))["several_faces"] == 2
    assert measured(draw_face())["several_faces"] < SHOWN_FROM["several_faces"]


def test_without_a_mesh_turn_and_tilt_are_unknown_and_without_a_face_all_is(measured):
    seen = measured(replace(draw_face(), mesh=None))
    assert math.isnan(seen["turned_head"]) and math.isnan(seen["tilted_head"]) and not math.isnan(seen["close_up"])
    assert measured() == {}
