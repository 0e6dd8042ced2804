"""Colours have the words that people use for them, and a region's shares say how much of it each word fits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.attributes.surfaces.colours import (
    COLOURS,
    colour_numbers,
    colour_word,
    lightness,
    oklab,
    shares_of,
)

BYTES = st.tuples(*[st.integers(0, 255)] * 3)


@pytest.mark.parametrize(
    ("rgb", "word"),
    [
        ((255, 0, 0), "red"),
        ((230, 30, 60), "red"),
        ((110, 15, 30), "red"),
        ((255, 140, 0), "orange"),
        ((120, 70, 20), "brown"),
        ((120, 80, 60), "brown"),
        ((205, 170, 140), "beige"),
        ((250, 230, 40), "yellow"),
        ((30, 180, 60), "green"),
        ((40, 80, 40), "green"),
        ((0, 200, 200), "turquoise"),
        ((40, 60, 230), "blue"),
        ((120, 170, 230), "blue"),
        ((130, 40, 220), "purple"),
        ((255, 60, 200), "pink"),
        ((255, 180, 190), "pink"),
        ((250, 250, 250), "white"),
        ((225, 225, 215), "white"),
        ((128, 128, 128), "grey"),
        ((10, 12, 11), "black"),
        ((0, 0, 0), "black"),
    ],
)
def test_words(rgb, word):
    assert colour_word(np.array(rgb, float)) == word


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        # Linear light through the two matrices of Ottosson (2020), by hand in double precision.
        ((255, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 255, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 255), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_oklab_of_the_primaries(rgb, lab):
    assert oklab(np.array(rgb, float)) == pytest.approx(lab, abs=1e-4)


@given(st.tuples(*[st.floats(0, 255)] * 3))
def test_every_colour_has_a_name(rgb):
    assert colour_word(np.array(rgb)) in COLOURS


@given(BYTES)
def test_the_tables_say_what_is_true_in_the_middle_of_their_steps(rgb):
    middle = np.array(rgb) // 8 * 8 + 4
    pixels = np.array([[rgb]], np.uint8)
    assert COLOURS[colour_numbers(pixels)[0, 0]] == colour_word(middle)
    assert lightness(pixels)[0, 0] == pytest.approx(oklab(middle)[0], abs=1e-5)


@given(st.lists(BYTES, min_size=1, max_size=30))
def test_shares_add_up_and_count(colours):
    pixels = np.array([colours], np.uint8)
    shares = shares_of(colour_numbers(pixels).ravel())
    assert sum(shares.values()) == pytest.approx(1)
    words = [COLOURS[number] for number in colour_numbers(pixels)[0]]
    assert {word: share for word, share in shares.items() if share} == {
        word: pytest.approx(words.count(word) / len(words)) for word in set(words)
    }
