"""Decoding: every mode and orientation becomes the same upright picture, and nothing but RejectedImage is raised."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from audit.data.decode import load_square, open_photo, read_photo
from audit.errors import RejectedImage

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters(width=64, height=48):
    """Red, green / blue, white: tells every orientation from every other."""
    image = Image.new("RGB", (width, height), WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


def corners(image):
    width, height = image.size
    places = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)]
    return [image.getpixel((int(x * width), int(y * height))) for x, y in places]


def close(found, expected, tolerance=12):
    return np.abs(np.array(found, int) - np.array(expected, int)).max() <= tolerance


def stored_as(upright, orientation):
    """What a camera stores so that a viewer that obeys ``orientation`` shows ``upright``."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    return upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright


def save_turned(path, orientation, size=(64, 48), **options):
    stored = stored_as(quarters(*size), orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(path, exif=exif, **options)
    return path


def reason(path, **options):
    with pytest.raises(RejectedImage) as caught:
        open_photo(path, **options)
    assert str(path) not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(tmp_path, orientation, suffix):
    photo = read_photo(save_turned(tmp_path / f"a.{suffix}", orientation))
    assert photo.image.size == (photo.width, photo.height) == (64, 48)
    assert close(corners(photo.image), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_large_jpegs_keep_full_upright_size_when_decoded_small(tmp_path, orientation):
    path = save_turned(tmp_path / "a.jpg", orientation, (1201, 800))
    photo = read_photo(path, longest=100)
    assert (photo.width, photo.height) == (1201, 800)
    assert photo.image.size == (100, 67)
    assert close(corners(photo.image), [RED, GREEN, BLUE, WHITE])
    square = load_square(path, 56)
    assert square.shape == (56, 56, 3) and square.dtype == np.uint8
    assert close(corners(Image.fromarray(square)), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize("size", [(400, 401), (401, 400), (400, 400)])
def test_nearly_square_jpegs_are_not_taken_for_turned(tmp_path, size):
    quarters(*size).save(tmp_path / "a.jpg")
    photo = read_photo(tmp_path / "a.jpg", longest=32)
    assert (photo.width, photo.height) == size


def test_longest_never_enlarges_and_keeps_thin_pictures(tmp_path):
    quarters(30, 20).save(tmp_path / "a.png")
    assert open_photo(tmp_path / "a.png", longest=100).size == (30, 20)
    quarters(3000, 2).save(tmp_path / "thin.jpg")
    assert open_photo(tmp_path / "thin.jpg", longest=100).size == (100, 1)
    assert load_square(tmp_path / "thin.jpg", 32).shape == (32, 32, 3)


def test_reduced_decoding_agrees_with_full_decoding(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((1200, 900), Image.Resampling.BICUBIC)
    picture.save(tmp_path / "a.jpg", quality=95)
    whole = picture.resize((112, 112), Image.Resampling.BILINEAR)
    difference = np.abs(load_square(tmp_path / "a.jpg", 112).astype(int) - np.asarray(whole, int))
    assert difference.mean() < 2


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "PA"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    half = Image.new("RGB", (64, 48), "black")
    half.paste(WHITE, (32, 0, 64, 48))
    source = half if mode != "PA" else half.convert("P")
    suffix = "jpg" if mode in ("CMYK", "YCbCr") else "tiff" if mode == "PA" else "png"
    source.convert(mode).save(tmp_path / f"a.{suffix}")
    image = open_photo(tmp_path / f"a.{suffix}")
    assert image.mode == "RGB" and image.size == (64, 48)
    assert close(corners(image), [(0, 0, 0), WHITE, (0, 0, 0), WHITE])


def test_transparency_is_laid_on_white(tmp_path):
    layer = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    layer.paste((0, 0, 0, 128), (32, 0, 64, 48))
    for name, image in {"rgba.png": layer, "la.png": layer.convert("LA"), "rgba.webp": layer}.items():
        image.save(tmp_path / name, lossless=True)
        assert close(corners(open_photo(tmp_path / name)), [WHITE, (127, 127, 127)] * 2), name


def test_transparent_palette_entries_are_laid_on_white(tmp_path):
    palette = quarters().quantize(4, dither=Image.Dither.NONE)
    red = palette.getpixel((5, 5))
    palette.save(tmp_path / "index.png", transparency=red)
    palette.save(tmp_path / "index.gif", transparency=red)
    palette.save(tmp_path / "bytes.png", transparency=bytes(0 if i == red else 255 for i in range(4)))
    quarters().save(tmp_path / "colour.png", transparency=RED)
    for name in ("index.png", "index.gif", "bytes.png", "colour.png"):
        assert close(corners(open_photo(tmp_path / name)), [WHITE, GREEN, BLUE, WHITE]), name


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path, suffix):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    Image.fromarray(np.tile(ramp, (40, 1))).save(tmp_path / f"a.{suffix}")
    grey = np.asarray(open_photo(tmp_path / f"a.{suffix}"))[0, :, 0]
    assert np.abs(grey.astype(int) - np.arange(256)).max() <= 1


def test_other_depths_are_stretched(tmp_path):
    for name, low, high, kind in (("int.tiff", -1000, 200_000, np.int32), ("float.tiff", 0, 1, np.float32)):
        Image.fromarray(np.tile(np.linspace(low, high, 256).astype(kind), (40, 1))).save(tmp_path / name)
        grey = np.asarray(open_photo(tmp_path / name))[0, :, 0]
        assert np.abs(grey.astype(int) - np.arange(256)).max() <= 1, name
    Image.fromarray(np.full((40, 40), np.nan, np.float32)).save(tmp_path / "nan.tiff")
    assert "not numbers" in reason(tmp_path / "nan.tiff")


@pytest.mark.parametrize("suffix", ["gif", "webp", "tiff", "png"])
def test_first_frame_of_animations(tmp_path, suffix):
    frames = [quarters(), Image.new("RGB", (64, 48), "black")]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    assert close(corners(open_photo(tmp_path / f"a.{suffix}")), [RED, GREEN, BLUE, WHITE], 40)


def test_metadata_is_not_passed_on(tmp_path):
    quarters().save(tmp_path / "a.jpg", comment=b"private", icc_profile=b"not a profile", dpi=(72, 72))
    assert open_photo(tmp_path / "a.jpg").info == {}


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "bmp", "tiff", "ppm"])
@pytest.mark.parametrize("longest", [None, 50])
def test_truncated_files_are_rejected(tmp_path, suffix, longest):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"a.{suffix}"
    Image.fromarray(noise).save(whole)
    path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    assert reason(path, longest=longest)


def test_what_is_no_photograph_is_rejected_in_plain_words(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "page.jpg").write_text("<html><img onerror=alert(1)></html>")
    (tmp_path / "drawing.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    (tmp_path / "folder.jpg").mkdir()
    assert reason(tmp_path / "empty.jpg") == "the file is empty"
    assert reason(tmp_path / "missing.jpg") == "the file is missing"
    assert reason(tmp_path / "folder.jpg") == "not a regular file"
    assert reason(tmp_path / "page.jpg").startswith("not an image")
    assert reason(tmp_path / "drawing.eps").startswith("not an image")
    assert reason(tmp_path / ("a" * 300)) == "the file cannot be read (File name too long)"
    assert reason(tmp_path / "nul\0.jpg") == "the file is missing"


def bomb(width, height):
    """A PNG that claims a size but holds no such pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (15_000, 10_000), (60_000, 60_000)])
def test_pixel_bombs_are_rejected_from_the_header(tmp_path, width, height):
    (tmp_path / "bomb.png").write_bytes(bomb(width, height))
    limit = Image.MAX_IMAGE_PIXELS
    assert reason(tmp_path / "bomb.png").startswith("too large")
    assert limit == Image.MAX_IMAGE_PIXELS


def test_own_limit_decides_and_is_named(tmp_path):
    quarters(200, 100).save(tmp_path / "a.png")
    assert open_photo(tmp_path / "a.png", max_megapixels=0.02).size == (200, 100)
    assert "dataset.max_megapixels" in reason(tmp_path / "a.png", max_megapixels=0.019)
    with pytest.raises(RejectedImage, match="too large"):
        load_square(tmp_path / "a.png", 32, max_megapixels=0.001)


def test_warning_filters_are_left_as_they_were(tmp_path):
    quarters().save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0\x01")
    before = list(warnings.filters)
    assert open_photo(tmp_path / "a.jpg").size == (64, 48)
    assert warnings.filters == before


@pytest.mark.skipif(".avif" not in Image.registered_extensions(), reason="this Pillow reads no AVIF")
def test_avif(tmp_path):
    quarters().save(tmp_path / "a.avif")
    assert close(corners(open_photo(tmp_path / "a.avif")), [RED, GREEN, BLUE, WHITE], 60)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    files = []
    for suffix in ("jpg", "png", "gif", "webp", "bmp", "tiff"):
        quarters().save(folder / f"a.{suffix}")
        files.append((folder / f"a.{suffix}").read_bytes())
    return folder, files


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 5), st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=12))
def test_damaged_bytes_give_a_picture_or_a_rejection(originals, which, damage):
    folder, files = originals
    content = bytearray(files[which])
    for place, value in damage:
        content[place % len(content)] = value
    path = folder / "damaged"
    path.write_bytes(content)
    try:
        assert open_photo(path, max_megapixels=1).mode == "RGB"
    except RejectedImage as error:
        assert str(error)
