"""Apparent gender and age: the face comes to its place in the chip, the networks get what they were made for."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares

from audit.attributes.attribute import AttributeDetector
from audit.attributes.people import aligned_face
from audit.attributes.people.apparent import (
    LANDMARKS,
    LOOKS_FEMALE,
    LOOKS_OLD,
    PADDING,
    TEMPLATE,
    ApparentReader,
    chip_transform,
    face_chip,
    landmarks,
)
from audit.attributes.registry import PEOPLE_READERS, built_in, choose_readers
from audit.config import Config
from audit.data.decode import open_photo
from audit.detectors.parts.face import Face
from audit.detectors.photo import LONGEST, Networks, Photo
from audit.errors import ConfigError
from audit.store.model_files import AGE, GENDER
from tests.fetched import fetched_networks

_DATA = Path(__file__).parents[3] / "shared" / "data"
RNG = np.random.default_rng(4)


def in_chip(side: int) -> np.ndarray:
    """Where dlib's chips have the five points, in pixels."""
    return (PADDING + TEMPLATE) / (1 + 2 * PADDING) * side


def placed(side: float, angle: float, x: float, y: float) -> np.ndarray:
    """The five points of an ideal face, its chip ``side`` pixels wide in the photograph, turned and shifted."""
    turn = np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))
    return in_chip(1) * side @ turn.T + (x, y)


def face_at(points: np.ndarray, presence: float = 1.0) -> Face:
    mesh = np.zeros((468, 2), np.float32)
    mesh[list(LANDMARKS)] = points
    return Face((0.0, 0.0, 1.0, 1.0), 0.0, mesh[:3], 1.0, presence, None, mesh)


@pytest.fixture
def faces(monkeypatch):
    """Replaces the faces found by those given, largest first."""

    def find(*found: Face):
        monkeypatch.setattr(aligned_face, "find_faces", lambda photo: found)

    return find


class StandIn:
    """Networks that keep what they are given. That for gender says how bright a chip's left half is, that for age 30
    and 50 in equal parts."""

    def __init__(self):
        self.given = []

    def run(self, model, pixels, low, high):
        self.given.append((model, pixels, low, high))
        if model is GENDER:
            share = pixels[:, :16].mean() / 255
            return {"probabilities": np.array([[share, 1 - share]], np.float32)}
        ages = np.zeros((1, 81), np.float32)
        ages[0, [30, 50]] = 0.5
        return {"probabilities": ages}


@pytest.mark.parametrize("side", [32, 64])
def test_an_ideal_face_comes_exactly_to_its_place(side):
    for _ in range(20):
        points = placed(RNG.uniform(20, 400), RNG.uniform(-np.pi, np.pi), *RNG.uniform(-50, 300, 2))
        to_chip = chip_transform(points, side)
        assert points @ to_chip[:, :2].T + to_chip[:, 2] == pytest.approx(in_chip(side))


def test_another_face_comes_as_near_as_turning_scaling_and_shifting_can_bring_it():
    for _ in range(20):
        points = placed(RNG.uniform(20, 400), RNG.uniform(-3, 3), *RNG.uniform(0, 300, 2)) + RNG.normal(0, 4, (5, 2))

        def distances(four, points=points):
            a, b, x, y = four
            return ((points @ ((a, b), (-b, a)) + (x, y)) - in_chip(64)).ravel()

        best = least_squares(distances, (1, 0, 0, 0), xtol=1e-14, ftol=1e-14, gtol=1e-14)
        to_chip = chip_transform(points, 64)
        found = ((points @ to_chip[:, :2].T + to_chip[:, 2] - in_chip(64)) ** 2).sum()
        assert found == pytest.approx(2 * best.cost)
        assert np.linalg.det(to_chip[:, :2]) > 0


@pytest.mark.parametrize("wide", [20, 64, 300])
def test_what_is_drawn_at_the_eyes_and_nose_is_there_in_the_chip(wide):
    points = placed(wide, 0.5, 150, 60)
    pixels = np.zeros((420, 420, 3), np.uint8)
    for x, y in points:
        cv2.circle(pixels, (round(x), round(y)), max(1, wide // 40), (255, 255, 255), -1)
    chip = face_chip(pixels, points, 64)[..., 0].astype(float)
    assert chip.shape == (64, 64)
    outer = in_chip(64)[[0, 2, 4]]
    for centre in outer:
        near = np.hypot(*(np.indices(chip.shape)[::-1] - centre[:, None, None])) < 4
        rows, columns = np.indices(chip.shape)
        weight = chip * near
        assert np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum() == pytest.approx(
            centre, abs=1.5
        )


def test_no_pixel_of_a_large_face_is_skipped():
    stripes = np.zeros((600, 600, 3), np.uint8)
    stripes[:, ::2] = 255
    chip = face_chip(stripes, placed(512, 0, 40, 40), 64)
    assert chip.min() > 110 and chip.max() < 145


def test_what_lies_outside_of_the_picture_is_black():
    chip = face_chip(np.full((100, 100, 3), 200, np.uint8), placed(80, 0, 60, 10), 32)
    assert (chip[5:-5, 20:] == 0).all() and (chip[5:-5, 2:12] == 200).all()


def test_the_networks_are_given_chips_of_their_size_normalised_as_in_training(faces):
    networks = StandIn()
    points = placed(64, 0, 20, 20)
    faces(face_at(points))
    pixels = RNG.integers(0, 256, (120, 120, 3), np.uint8)
    ApparentReader().measure(Photo(pixels, networks))
    (gender, plain, *_), (mirrored, other, *_), (age, large, low, high) = networks.given
    assert (gender, mirrored, age) == (GENDER, GENDER, AGE)
    assert (plain.shape, large.shape) == ((32, 32, 3), (64, 64, 3))
    assert (other == plain[:, ::-1]).all()
    for channel, mean in enumerate((122.782, 117.001, 104.298)):
        for value in (0, 100, 255):
            scaled = low[channel] + value / 255 * (high[channel] - low[channel])
            assert scaled == pytest.approx((value - mean) / 256)


def test_the_probability_is_the_mean_over_the_face_and_its_mirror_image_and_the_age_is_the_expected_one(faces):
    faces(face_at(placed(64, 0, 20, 20)))
    pixels = np.zeros((120, 120, 3), np.uint8)
    pixels[:, :52] = 255  # of the chip the left half
    measured = ApparentReader().measure(Photo(pixels, StandIn()))
    assert measured["looks_female"] == pytest.approx(0.5, abs=0.02)
    assert measured["looks_old"] == pytest.approx(40)


@pytest.mark.parametrize(
    ("apart", "presence", "known"), [(12.5, 0.95, True), (11.5, 0.95, False), (12.5, 0.85, False), (100, 0.5, False)]
)
def test_small_faces_and_meshes_that_hardly_fit_are_unknown(faces, apart, presence, known):
    between_eyes = in_chip(1)[:2].mean(0) - in_chip(1)[2:4].mean(0)
    faces(face_at(placed(apart / np.hypot(*between_eyes), 0.3, 60, 20), presence))
    photo = Photo(np.full((200, 200, 3), 90, np.uint8), StandIn())
    assert (landmarks(photo) is not None) == known
    assert set(ApparentReader().measure(photo)) == ({"looks_female", "looks_old"} if known else set())


def test_nobody_and_a_face_without_a_mesh_are_unknown_and_so_is_one_behind_it(faces):
    photo = Photo(np.zeros((200, 200, 3), np.uint8), StandIn())
    bare = Face((0, 0, 1, 1), 0.0, np.zeros((3, 2), np.float32), 1.0, 1.0)
    for found in ((), (bare,), (bare, face_at(placed(90, 0, 20, 20)))):
        faces(*found)
        sightings = AttributeDetector(ApparentReader()).detect(photo)
        assert all(np.isnan(one.score) and not one.present for one in sightings.values())
    assert not photo.networks.given


def test_the_largest_face_is_the_one_that_is_asked_of(faces):
    large, small = placed(120, 0, 10, 10), placed(60, 0, 140, 10)
    faces(face_at(large), face_at(small))
    assert landmarks(Photo(np.zeros((200, 200, 3), np.uint8), StandIn())) == pytest.approx(large, abs=1e-3)


def test_they_are_read_only_where_they_are_asked_for():
    def chosen(**settings):
        return [type(reader) for reader in choose_readers(Config(**settings), ["face"])]

    assert not set(chosen()) & set(PEOPLE_READERS)
    assert chosen(people=True)[-len(PEOPLE_READERS) :] == list(PEOPLE_READERS)
    with pytest.raises(ConfigError, match="people: true"):
        chosen(attributes=["looks_old"])
    assert {one.name for reader in PEOPLE_READERS for one in reader.attributes} <= set(built_in())


def test_what_people_look_like_is_never_kept_for_a_later_audit():
    assert not any(reader.keepable for reader in PEOPLE_READERS)


def test_whatever_is_said_of_people_is_said_to_be_apparent_and_by_a_classifier():
    of_groups = [one for one in built_in().values() if one.apparent]
    assert of_groups == [one for reader in PEOPLE_READERS for one in reader.attributes]
    for one in of_groups:
        assert one.words.endswith("to a classifier") and one.opposite.endswith("to a classifier")
        assert "looks" in one.words and "looks" in one.opposite


@pytest.fixture(scope="module")
def networks():
    return fetched_networks(ApparentReader.models)


def _sample(name: str, n: int, **where: object) -> list[Path]:
    if not (_DATA / name / "index.csv").exists():
        pytest.skip(f"the photographs {name} are not on this machine")
    table = pd.read_csv(_DATA / name / "index.csv")
    for column, value in where.items():
        table = table[table[column] == value]
    return [_DATA / name / path for path in table.sample(n, random_state=0)["path"]]


def _values(paths: list[Path], networks: Networks) -> pd.DataFrame:
    pictures = (np.asarray(open_photo(path, longest=LONGEST)) for path in paths)
    return pd.DataFrame([dict(ApparentReader().measure(Photo(pixels, networks))) for pixels in pictures])


@pytest.mark.parametrize("gender", ["female", "male"])
@pytest.mark.parametrize("skin", ["dark", "light"])
def test_women_and_men_are_mostly_taken_for_what_was_written_down(networks, gender, skin):
    values = _values(_sample("doctor-nurse", 12, gender=gender, skin=skin), networks)["looks_female"].dropna()
    assert len(values) >= 7
    assert ((values >= LOOKS_FEMALE.shown_from) == (gender == "female")).mean() >= 0.75


def test_those_called_young_are_mostly_taken_for_younger(networks):
    young, older = (_values(_sample("celeba-dev", 20, Young=value), networks)["looks_old"] for value in (1, 0))
    assert young.between(0, 80).all() and older.between(0, 80).all()
    assert young.median() < LOOKS_OLD.shown_from - 5 < older.median()


def test_the_networks_say_the_same_of_a_photograph_that_is_turned(networks):
    (path,) = _sample("doctor-nurse", 1, gender="female", skin="light")
    pixels = np.asarray(open_photo(path, longest=LONGEST))
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 15, 1)
    turned = cv2.warpAffine(pixels, turn, (width, height))
    straight, tilted = (ApparentReader().measure(Photo(each, networks)) for each in (pixels, turned))
    assert straight["looks_female"] == pytest.approx(tilted["looks_female"], abs=0.2)
    assert straight["looks_old"] == pytest.approx(tilted["looks_old"], abs=8)
