"""The subject: a planted object is found by contrast, and exactly one of person and main object is present."""

import numpy as np
import pytest

from audit.detectors.parts import subject
from audit.detectors.parts.clothing import ClothingDetector
from audit.detectors.parts.face import Face, ellipse_outline
from audit.detectors.parts.hair import HairDetector
from audit.detectors.parts.subject import SubjectDetector, edge_contrast
from audit.detectors.photo import Photo
from audit.store.model_files import FOREGROUND


class Segmenter:
    """A network that sees the same foreground probability everywhere, or marks the middle of what it is shown."""

    def __init__(self, probability=0.0, middle=False):
        self.probability, self.middle = probability, middle

    def run(self, model, pixels):
        assert model is FOREGROUND and pixels.shape == (256, 256, 3) and pixels.dtype == np.uint8
        output = np.full((1, 1, 256, 256), self.probability, np.float32)
        if self.middle:
            output[..., 32:224, 32:224] = 1
        return {"activation_10": output}


@pytest.fixture
def faces(monkeypatch):
    """Decides which faces the photographs hold."""

    def plant(*found):
        for module in ("subject", "hair", "clothing", "face", "skin", "eyes"):
            monkeypatch.setattr(f"audit.detectors.parts.{module}.find_faces", lambda _: found)

    return plant


def _face(x=64.0, y=48.0, size=24.0):
    box = (x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    return Face(box, 0.0, ellipse_outline(np.array(box, np.float32), 0.0), 0.9, 0.9)


def _iou(first, second):
    return (first & second).sum() / (first | second).sum()


@pytest.mark.parametrize(("x", "y"), [(60, 50), (45, 40), (80, 60)])
def test_a_disc_that_the_network_does_not_see_is_the_main_object(faces, x, y):
    faces()
    pixels = np.random.default_rng(0).normal((90, 130, 80), 6, (100, 128, 3)).clip(0, 255).astype(np.uint8)
    rows, columns = np.mgrid[:100, :128]
    disc = np.hypot(rows - y, columns - x) < 22
    pixels[disc] = (200, 60, 40)
    found = SubjectDetector().detect(Photo(pixels, Segmenter()))
    assert _iou(found["main_object"].mask, disc) > 0.6
    assert not found["person"].present and found["person"].mask is None
    np.testing.assert_array_equal(found["background"].mask, ~found["main_object"].mask)


def test_a_blank_picture_gives_its_middle_with_a_low_score(faces):
    faces()
    found = SubjectDetector().detect(Photo(np.full((64, 96, 3), 255, np.uint8), Segmenter()))
    thing = found["main_object"]
    assert thing.present and thing.mask[32, 48] and not thing.mask[0, 0] and thing.score < 0.4


@pytest.mark.parametrize("shape", [(1, 512), (512, 1), (2, 2), (40, 41)])
def test_any_shape_of_picture_has_exactly_one_subject(faces, shape):
    faces()
    found = SubjectDetector().detect(Photo(np.zeros((*shape, 3), np.uint8), Segmenter(0.5)))
    assert found["main_object"].present != found["person"].present
    assert found["main_object"].mask.shape == shape


def test_a_face_makes_the_foreground_a_person_with_face_hair_and_clothing_apart(faces):
    faces(_face())
    pixels = np.full((128, 128, 3), 90, np.uint8)
    pixels[68:] = (30, 60, 160)
    photo = Photo(pixels, Segmenter(middle=True))
    found = {k: v for d in (SubjectDetector(), HairDetector(), ClothingDetector()) for k, v in d.detect(photo).items()}
    assert found["person"].present and not found["main_object"].present
    assert found["person"].score == pytest.approx(0.9)
    np.testing.assert_array_equal(found["background"].mask, ~found["person"].mask)
    assert found["clothing"].present and not (found["clothing"].mask & ~found["person"].mask).any()
    assert not (found["clothing"].mask & found["hair"].mask).any()


def test_without_a_face_there_is_neither_hair_nor_clothing(faces):
    faces()
    photo = Photo(np.full((128, 128, 3), 90, np.uint8), Segmenter(1.0))
    assert not HairDetector().detect(photo)["hair"].present
    assert not ClothingDetector().detect(photo)["clothing"].present


@pytest.mark.parametrize(("x", "y"), [(-20.0, 40.0), (127.0, 127.0), (60.0, 150.0)])
def test_faces_that_reach_over_the_edge_are_no_error(faces, x, y):
    faces(_face(x, y, 60))
    photo = Photo(np.full((128, 128, 3), 90, np.uint8), Segmenter(1.0))
    for detector in (SubjectDetector(), HairDetector(), ClothingDetector()):
        for sighting in detector.detect(photo).values():
            assert sighting.mask is None or sighting.mask.shape == (128, 128)


def test_contrast_is_zero_for_a_blank_picture_and_one_at_its_peak():
    assert edge_contrast(np.full((50, 60, 3), 7, np.uint8)).max() == 0
    pixels = np.full((60, 60, 3), 30, np.uint8)
    pixels[25:35, 25:35] = 220
    contrast = edge_contrast(pixels)
    assert contrast.shape == (60, 60) and contrast.max() == pytest.approx(1, abs=0.05)
    assert contrast[30, 30] > 0.8 and contrast[5, 5] < 0.1


def test_the_head_is_looked_at_again_from_near(faces):
    faces(_face(30, 30, 12))

    class Recording(Segmenter):
        shown: tuple = ()

        def run(self, model, pixels):
            self.shown += (pixels.mean(),)
            return super().run(model, pixels)

    networks = Recording(0.7)
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[10:50, 10:50] = 200
    assert subject.foreground(Photo(pixels, networks)).mean() == pytest.approx(0.7)
    assert len(networks.shown) == 2 and networks.shown[1] > 2 * networks.shown[0]
