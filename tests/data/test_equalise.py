"""Evening out a fact: the fact is what was asked for afterwards, and the other change is as large and the other way."""

import io

import numpy as np
import pytest
from PIL import Image

from audit.data.decode import squash
from audit.data.facts.equalise import CHANGED, opposite, views
from audit.data.facts.file_facts import is_grey, jpeg_quality, sharpness

SIZE = 64
LUMA = np.array([0.299, 0.587, 0.114])


def picture(width: int = 160, height: int = 120, seed: int = 0, low: int = 70, high: int = 180) -> Image.Image:
    """Coloured noise that is smooth over some pixels, far from black and white."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(low, high, (height // 4, width // 4, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


MEASURED = {
    "brightness": lambda pixels: (pixels @ LUMA).mean(),
    "contrast": lambda pixels: (pixels @ LUMA).std(),
    "warmth": lambda pixels: (pixels[..., 0] - pixels[..., 2]).mean(),
    "tint": lambda pixels: (pixels[..., 1] - (pixels[..., 0] + pixels[..., 2]) / 2).mean(),
    "sharpness": lambda pixels: sharpness(pixels @ LUMA),
}


@pytest.mark.parametrize(("fact", "by"), [("brightness", 20), ("contrast", -6), ("warmth", 9), ("tint", -9)])
def test_light_and_tone_are_what_was_asked_for_and_as_far_off_the_other_way(fact, by):
    before = squash(picture(), SIZE).astype(float)
    start = MEASURED[fact](before)
    evened, control = (view.astype(float) for view in views(picture(), fact, start, start + by, SIZE))
    assert MEASURED[fact](evened) == pytest.approx(start + by, abs=0.5)
    assert MEASURED[fact](control) == pytest.approx(start - by, abs=0.5)
    untouched = {"brightness": "warmth", "contrast": "brightness", "warmth": "tint", "tint": "warmth"}[fact]
    assert MEASURED[untouched](evened) == pytest.approx(MEASURED[untouched](before), abs=0.5)


def test_a_sharp_picture_is_blurred_until_it_is_as_sharp_as_asked_and_none_is_sharpened():
    before = squash(picture(), SIZE)
    start = sharpness(before @ LUMA)
    evened, control = views(picture(), "sharpness", start, start - 1.5, SIZE)
    assert sharpness(evened @ LUMA) == pytest.approx(start - 1.5, abs=0.1)
    assert sharpness(control @ LUMA) > start + 0.2
    assert (views(picture(), "sharpness", start, start + 1.0, SIZE)[0] == before).all()


def test_grey_takes_all_colour_and_the_other_view_has_twice_as_much():
    evened, control = views(picture(), "colour", 1.0, "", SIZE)
    assert is_grey(evened) and not is_grey(control)
    spread = [float(view.astype(int).std(2).mean()) for view in (squash(picture(), SIZE), control)]
    assert spread[1] == pytest.approx(2 * spread[0], rel=0.05)


def test_a_shape_is_cropped_from_one_side_and_as_much_from_the_other():
    """Left half red, upper half bright, so that either crop shows in what is left."""
    width, height = 200, 100
    ramp = np.zeros((height, width, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 250, width)[None]
    ramp[..., 1] = np.linspace(0, 250, height)[:, None]
    across, down = views(Image.fromarray(ramp), "aspect_ratio", 2.0, 1.0, SIZE)
    for view, (red, green) in ((across, (0.5, 1.0)), (down, (1.0, 0.5))):
        assert np.ptp(view[..., 0]) / 250 == pytest.approx(red, abs=0.05)
        assert np.ptp(view[..., 1]) / 250 == pytest.approx(green, abs=0.05)
    taller = views(Image.fromarray(ramp), "aspect_ratio", 2.0, 4.0, SIZE)[0]
    assert (taller == down).all()


def saved(photo: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=quality, subsampling=2)
    return file.getvalue()


def test_bytes_are_those_of_the_best_quality_that_fits():
    photo = picture()
    for bits in (0.8, 2.0, 5.0):
        fits = [
            quality for quality in range(5, 96) if len(saved(photo, quality)) * 8 <= bits * photo.width * photo.height
        ]
        wanted = squash(Image.open(io.BytesIO(saved(photo, max(fits, default=5)))).convert("RGB"), SIZE)
        assert (views(photo, "bits_per_pixel", 9.0, bits, SIZE)[0] == wanted).all()


@pytest.mark.parametrize("fact", ["format", "jpeg_quality"])
def test_what_is_saved_again_looks_like_a_file_of_that_quality(fact):
    content = saved(picture(), 20)
    with Image.open(io.BytesIO(content)) as file:
        assert jpeg_quality(file.quantization[0]) == 20
    wanted = squash(Image.open(io.BytesIO(content)).convert("RGB"), SIZE)
    assert (views(picture(), fact, 95.0, 20.0, SIZE)[0] == wanted).all()


def test_a_large_picture_is_shrunk_to_so_many_pixels_and_a_small_one_is_left():
    photo = picture(400, 200)
    evened, control = views(photo, "megapixels", 0.08, 0.0032, SIZE)
    assert sharpness(evened @ LUMA) < sharpness(squash(photo, SIZE) @ LUMA) < sharpness(control @ LUMA)
    assert (views(photo, "megapixels", 0.08, 0.2, SIZE)[0] == squash(photo, SIZE)).all()


@pytest.mark.parametrize("fact", CHANGED)
def test_every_fact_gives_two_views_and_all_but_shapes_move_pixels_alike(fact):
    target = "4:2:0" if fact == "subsampling" else 40.0
    before = squash(picture(), SIZE)
    evened, control = views(picture(), fact, 50.0, target, SIZE)
    assert evened.shape == control.shape == (SIZE, SIZE, 3) and evened.dtype == control.dtype == np.uint8
    if fact != "aspect_ratio":
        assert (control == opposite(before, evened)).all()
        assert ((control.astype(int) + evened - 2 * before.astype(int)) == 0).mean() > 0.95
