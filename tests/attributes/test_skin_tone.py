"""Darker colours give higher values, and what is not skin of the face does not count."""

import math
from dataclasses import replace

import numpy as np
import pytest

from audit.attributes.people import aligned_face
from audit.attributes.people.skin_tone import SkinToneReader, bare_face, typology_angle
from audit.detectors.photo import Photo
from tests.attributes.drawn_face import draw_face

(DARK,) = SkinToneReader.attributes
# From light to dark.
TONES = [(235, 205, 185), (205, 165, 140), (150, 105, 80), (85, 55, 40)]


def angle_by_hand(tone):
    """From sRGB (IEC 61966-2-1) through XYZ at D65 to L* and b* (CIE 1976)."""
    red, green, blue = (((c / 255 + 0.055) / 1.055) ** 2.4 for c in tone)
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    return math.degrees(math.atan2(116 * y ** (1 / 3) - 16 - 50, 200 * (y ** (1 / 3) - z ** (1 / 3))))


@pytest.fixture
def measured(monkeypatch):
    """The value for a picture and a face."""

    def measure(pixels, *faces):
        monkeypatch.setattr(aligned_face, "find_faces", lambda _: faces)
        return SkinToneReader().measure(Photo(pixels, None)).get("dark_skin", math.nan)

    return measure


@pytest.mark.parametrize("tone", TONES)
def test_the_angle_is_that_of_the_literature(tone):
    assert typology_angle(np.full((50, 3), tone, np.uint8)) == pytest.approx(angle_by_hand(tone), abs=0.5)


def test_darker_skin_has_higher_values_and_shows(measured):
    values = [measured(np.full((200, 200, 3), tone, np.uint8), draw_face()) for tone in TONES]
    assert values == sorted(values)
    assert values[1] < DARK.shown_from < values[2]


def test_shine_hair_glasses_and_what_is_around_the_face_do_not_count(measured):
    face = draw_face()
    eyes = np.array(((60, 70), (140, 70), (140, 92), (60, 92)), np.float32)
    face = replace(face, eyes=eyes)
    plain = np.full((200, 200, 3), (205, 165, 140), np.uint8)
    changed = plain.copy()
    changed[~bare_face(face, (200, 200))] = 10
    changed[60:66, 90:110] = 255
    changed[120:130, 80:120] = 20
    assert measured(changed, face) == pytest.approx(measured(plain, face), abs=0.5)


def test_unknown_without_a_face_and_where_it_is_tiny(measured):
    pixels = np.full((200, 200, 3), 120, np.uint8)
    assert math.isnan(measured(pixels)) and math.isnan(measured(pixels, draw_face(apart=4.0)))
