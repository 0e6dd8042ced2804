"""Facts of the file: against Pillow's own settings, a filter of scipy's, noise of a known strength, and EXIF hidden."""

import io
import math

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.ndimage import correlate, laplace

from audit.data.decode import decode_photo
from audit.data.facts.file_facts import DETAIL, FileFacts, fact_columns, file_facts, jpeg_quality, noise, sharpness
from audit.errors import RejectedImage


def textured(seed: int = 0, size: tuple[int, int] = (300, 200)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1] // 10, size[0] // 10, 3), np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def saved(picture: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    place = io.BytesIO()
    picture.save(place, form, **options)
    return place.getvalue()


def facts_of(content: bytes) -> FileFacts:
    return file_facts(content, decode_photo(content, longest=128).image, 100.0)


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90, 95, 100])
def test_the_quality_is_the_one_that_was_asked_for(quality):
    assert facts_of(saved(textured(), quality=quality)).jpeg_quality == quality


def test_a_table_of_another_library_gets_the_nearest_quality():
    with Image.open(io.BytesIO(saved(textured(), quality=80))) as file:
        table = list(file.quantization[0])
    table[5] += 1
    assert abs(jpeg_quality(table) - 80) <= 1


@pytest.mark.parametrize(("number", "words"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_the_subsampling_is_the_one_that_was_asked_for(number, words):
    assert facts_of(saved(textured(), subsampling=number)).subsampling == words


def test_what_is_no_jpeg_has_neither():
    facts = facts_of(saved(textured(), "PNG"))
    assert math.isnan(facts.jpeg_quality) and facts.subsampling == ""
    assert facts_of(saved(textured().convert("L"))).subsampling == ""


@pytest.mark.parametrize(
    ("picture", "grey"),
    [
        (textured().convert("L"), True),
        (textured().convert("L").convert("RGB"), True),
        (textured(), False),
        (
            Image.merge("RGB", [textured().convert("L").point(lambda v, w=w: round(v * w)) for w in (1, 0.85, 0.6)]),
            False,
        ),
    ],
    ids=["one channel", "three alike", "coloured", "sepia"],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_grey_is_what_has_no_colour_however_it_is_stored(picture, grey, form):
    assert facts_of(saved(picture, form)).grey is grey


@pytest.mark.parametrize(
    ("picture", "depth"),
    [
        (textured(), 8),
        (Image.fromarray(np.arange(40000, dtype=np.uint16).reshape(200, 200)), 16),
        (textured().convert("1"), 1),
        (textured().convert("P"), 8),
    ],
    ids=["8", "16", "1", "palette"],
)
def test_the_depth_is_that_of_the_file(picture, depth):
    assert facts_of(saved(picture, "PNG")).depth == depth


def test_light_and_colour_of_a_plain_picture_are_its_own():
    facts = facts_of(saved(Image.new("RGB", (100, 80), (200, 120, 40)), "PNG"))
    assert facts.brightness == pytest.approx(0.299 * 200 + 0.587 * 120 + 0.114 * 40, abs=1)
    assert (facts.contrast, facts.warmth, facts.tint) == (0, 160, 0)
    greenish = facts_of(saved(Image.new("RGB", (100, 80), (100, 150, 80)), "PNG"))
    assert greenish.tint == pytest.approx(60) and greenish.warmth == pytest.approx(20)


def test_sharpness_is_the_variance_of_the_laplacian_away_from_the_edge():
    luma = np.random.default_rng(1).uniform(0, 255, (40, 50))
    assert sharpness(luma) == pytest.approx(math.log(1 + laplace(luma)[1:-1, 1:-1].var()))


def test_a_blurred_picture_is_less_sharp_and_a_size_alone_changes_little():
    sharp, blurred = textured(), textured().filter(ImageFilter.GaussianBlur(4))
    assert facts_of(saved(blurred, "PNG")).sharpness < facts_of(saved(sharp, "PNG")).sharpness - 0.5
    large = textured().resize((1200, 800), Image.Resampling.BICUBIC)
    assert facts_of(saved(large, "PNG")).sharpness == pytest.approx(facts_of(saved(sharp, "PNG")).sharpness, abs=0.5)


@pytest.mark.parametrize("level", [1.0, 4.0, 12.0])
def test_noise_of_a_known_strength_is_told_on_an_even_ramp(level):
    ramp = np.add.outer(np.linspace(40, 120, DETAIL), np.linspace(0, 60, DETAIL))
    noisy = ramp + np.random.default_rng(2).normal(0, level, ramp.shape)
    assert math.exp(noise(noisy)) == pytest.approx(0.8 * level, rel=0.05)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    every = math.sqrt(math.pi / 2) / 6 * np.abs(correlate(noisy, kernel)[1:-1, 1:-1]).mean()
    assert math.exp(noise(noisy)) < every == pytest.approx(level, rel=0.05)


def exif(**tags: str) -> Image.Exif:
    data = Image.Exif()
    for number, value in zip((0x010F, 0x0110, 0x0131, 0x0132), tags.values(), strict=False):
        data[number] = value
    return data


def test_cameras_are_numbered_and_nothing_of_the_exif_data_is_kept():
    mine = exif(make="Secret Maker", model="Secret Model", software="Secret Tool 3", date="2020:01:02 03:04:05")
    other = exif(make="Another", model="Thing")
    found = [facts_of(saved(textured(n), exif=data)) for n, data in enumerate((other, mine, mine))]
    found.append(facts_of(saved(textured(9))))
    columns = fact_columns(found)
    assert columns["file:camera"].tolist() == ["camera 2", "camera 1", "camera 1", ""]
    assert columns["file:software"].tolist() == ["", "software 1", "software 1", ""]
    assert columns["file:dated"].tolist() == [False, True, True, False]
    kept = repr(found) + "".join(column.to_json() for column in columns.values())
    assert not [word for word in ("Secret", "Maker", "Another", "Thing", "2020") if word in kept]


def test_exif_data_that_cannot_be_read_are_none():
    facts = facts_of(saved(textured(), exif=b"Exif\0\0broken beyond repair"))
    assert (facts.camera, facts.software, facts.dated) == ("", "", False)


def test_what_is_no_picture_is_rejected():
    with pytest.raises(RejectedImage):
        file_facts(b"no picture", textured(), 100.0)
