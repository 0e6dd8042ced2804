"""Text: drawn words are read where they are, nothing is read where there are none, and no word can do harm."""

import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper
from PIL import Image, ImageDraw, ImageFont

from audit.config import parse_config
from audit.data.dataset import build as build_dataset
from audit.demo.portrait import SKINS, Sitter, draw_portrait
from audit.demo.rooms import KINDS
from audit.detection import detect
from audit.detection.detections import load_detections, not_looked_for
from audit.detection.registry import missing_cues
from audit.detectors.marks import text
from audit.detectors.marks.border import BorderDetector
from audit.detectors.marks.text import Line, TextDetector, missing_reader, read_lines, text_mask, tidied
from audit.detectors.photo import Photo
from audit.findings.limitations import LIMITS, TEXT_READ, TEXT_UNREAD, TRAINED_HERE, limits
from audit.progress import Silence, reporting_to
from audit.store.audit_folder import AuditFolder, read_json, write_records

needs_reader = pytest.mark.skipif(bool(missing_reader()), reason=f"text cannot be read: {missing_reader()}")


def _scene(seed=0, size=(320, 240)):
    """Smooth coloured noise."""
    small = np.random.default_rng(seed).integers(40, 216, (9, 12, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def _written(words, place, height, seed=0, size=(320, 240), turn=0):
    """A scene with words on a dark tag: its pixels and the tag's box; ``turn`` counts quarters, counter-clockwise."""
    font = ImageFont.load_default(size=height)
    x0, y0, x1, y1 = (round(edge) for edge in font.getbbox(words))
    tag = Image.new("RGB", (x1 - x0 + 8, y1 - y0 + 8), (20, 20, 20))
    ImageDraw.Draw(tag).text((4 - x0, 4 - y0), words, font=font, fill=(255, 255, 255))
    tag = tag.rotate(90 * turn, expand=True)
    scene = _scene(seed, size)
    left, top = (round(share * (side - part)) for share, side, part in zip(place, size, tag.size, strict=True))
    scene.paste(tag, (left, top))
    return np.asarray(scene), (left, top, left + tag.width, top + tag.height)


def _alike(words):
    return words.replace(" ", "").lower()


@needs_reader
@pytest.mark.parametrize("place", [(0.02, 0.02), (0.5, 0.5), (0.98, 0.98)])
@pytest.mark.parametrize(("words", "height"), [("depositphotos", 11), ("City Clinic 7", 16), ("SAMPLE", 34)])
def test_words_are_read_where_they_are(words, height, place):
    pixels, (left, top, right, bottom) = _written(words, place, height)
    seen = TextDetector().detect(Photo(pixels, None))["text"]
    assert seen.present and seen.score > 0.8
    assert _alike("".join(seen.text)) == _alike(words)
    rows, columns = np.nonzero(seen.mask)
    assert left - 6 <= columns.min() and columns.max() <= right + 6
    assert top - 6 <= rows.min() and rows.max() <= bottom + 6
    assert seen.mask[top:bottom, left:right].mean() > 0.5


@needs_reader
@pytest.mark.parametrize("turn", [1, 3])
def test_upright_lines_are_read_up_and_down(turn):
    pixels, _ = _written("Photo Agency 2019", (0.98, 0.5), 14, turn=turn)
    assert [_alike(line.words) for line in read_lines(pixels)] == ["photoagency2019"]


@needs_reader
def test_a_half_transparent_watermark_is_read_with_its_caption():
    pixels, _ = _written("www.example.org", (0.5, 0.98), 12)
    marked, layer = Image.fromarray(pixels).convert("RGBA"), Image.new("RGBA", (320, 240))
    ImageDraw.Draw(layer).text((60, 90), "proof", font=ImageFont.load_default(size=60), fill=(255, 255, 255, 115))
    lines = read_lines(np.asarray(Image.alpha_composite(marked, layer).convert("RGB")))
    assert [_alike(line.words) for line in lines] == ["proof", "www.example.org"]


@needs_reader
@pytest.mark.parametrize("index", range(6))
def test_drawn_people_hold_no_text(index):
    skin, room = list(SKINS)[index % len(SKINS)], list(KINDS)[index % len(KINDS)]
    sitter = Sitter("nurse", bool(index % 2), skin, room, "scrubs", True, index == 2, index == 4, index)
    pixels = np.asarray(draw_portrait(sitter, (240, 300)).image)
    assert not TextDetector().detect(Photo(pixels, None))["text"].present


@needs_reader
def test_noise_stripes_and_blank_pictures_hold_no_text():
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    stripes = np.zeros_like(noise)
    stripes[:, ::8], stripes[:, 1::8] = 255, 255
    checks = np.kron(np.indices((10, 15)).sum(0) % 2, np.ones((20, 20)))[..., None].repeat(3, 2).astype(np.uint8) * 255
    for pixels in (noise, stripes, stripes.transpose(1, 0, 2), checks, np.zeros_like(noise), np.asarray(_scene(3))):
        assert read_lines(pixels) == ()


@needs_reader
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, 3), (2, 400), (400, 2)])
def test_tiny_pictures_are_no_error(shape):
    seen = TextDetector().detect(Photo(np.full((*shape, 3), 127, np.uint8), None))["text"]
    assert not seen.present and seen.mask is None and seen.text == ()


@needs_reader
def test_of_many_lines_only_so_many_are_read(monkeypatch):
    page = Image.new("RGB", (400, 300), "white")
    for row in range(6):
        ImageDraw.Draw(page).text(
            (20, 10 + 48 * row), f"line {row}", font=ImageFont.load_default(size=20 + row), fill=0
        )
    assert [line.words for line in read_lines(np.asarray(page))] == [f"line {row}" for row in range(6)]
    monkeypatch.setattr(text, "MOST_LINES", 3)
    assert [line.words for line in read_lines(np.asarray(page))] == ["line 3", "line 4", "line 5"]


@needs_reader
def test_the_networks_run_on_one_thread():
    reader = text.shared_reader()
    read_lines(_written("one thread", (0.5, 0.5), 20)[0])
    for session in (reader.text_det.session.session, reader.text_rec.session.session):
        options = session.get_session_options()
        assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
        assert session.get_providers() == ["CPUExecutionProvider"]
    assert reader.text_cls is None


_OFFLINE = """
import socket, sys

def refuse(*_, **__):
    raise AssertionError("the network was asked for")

socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
import numpy as np
from PIL import Image
from audit.detectors.marks.text import read_lines
print([line.words for line in read_lines(np.asarray(Image.open(sys.argv[1])))])
"""


@needs_reader
def test_weights_too_small_for_a_normal_float32_are_zeros_and_answers_the_same():
    released = text.networks_folder() / text.DETECTION
    with text.without_denormals(released) as copy:
        was, now = (_weights(file) for file in (released, copy))
        plain, fast = (onnxruntime.InferenceSession(str(file)) for file in (released, copy))
    assert not copy.exists()
    changed = was != now
    assert changed.sum() > 100_000
    assert (np.abs(was[changed]) < np.finfo(np.float32).smallest_normal).all() and (now[changed] == 0).all()
    picture = np.random.default_rng(0).normal(size=(1, 3, 96, 128)).astype(np.float32)
    answers = [one.run(None, {"x": picture})[0] for one in (plain, fast)]
    np.testing.assert_allclose(*answers, rtol=0, atol=1e-12)


def _weights(file):
    """All float32 weights of an ONNX file, one after the other."""
    arrays = map(numpy_helper.to_array, onnx.load(file).graph.initializer)
    return np.concatenate([array.ravel() for array in arrays if array.dtype == np.float32])


@needs_reader
def test_reading_needs_no_network_and_says_and_writes_nothing(tmp_path):
    Image.fromarray(_written("offline", (0.5, 0.5), 24)[0]).save(tmp_path / "picture.png")
    models = text.networks_folder()
    before = {path: path.stat().st_mtime_ns for path in models.iterdir()}
    environment = os.environ | dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(_OFFLINE), "picture.png"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("['offline']\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]
    assert {path: path.stat().st_mtime_ns for path in models.iterdir()} == before


def test_the_detector_travels_to_workers_and_is_told_apart_by_the_release_of_its_networks(monkeypatch):
    assert pickle.loads(pickle.dumps(TextDetector())).cues == TextDetector.cues
    versions = set()
    for release in ("3.10.0", "3.10.1"):
        monkeypatch.setattr(text.metadata, "version", {"rapidocr": release}.__getitem__)
        versions.add(TextDetector().version)
    assert len(versions) == 2


@given(st.text())
def test_whatever_was_read_is_short_and_shows_as_it_is(words):
    shown = tidied(words)
    assert len(shown) <= 60 and shown.isprintable() and shown == shown.strip() and "  " not in shown
    assert tidied(shown) == shown
    if len(shown) < 60:
        assert list(filter(str.isalnum, shown)) == list(filter(str.isalnum, words))


@pytest.mark.parametrize("bad", ["\x1b[2Jab", "a\u202eb", "a\u200bb", "a\x00b", "a\u2028b", "a\ud800b"])
def test_characters_that_steer_a_terminal_or_hide_are_gone(bad):
    assert not set(tidied(bad)) & set("\x1b\u202e\u200b\x00\u2028\ud800")


@pytest.mark.parametrize(
    ("words", "score", "readable"),
    [
        ("abc", 0.6, True),
        ("a-b 1", 0.7, True),
        ("abc", 0.59, False),
        ("ab", 0.85, True),
        ("ab", 0.84, False),
        ("a", 1.0, False),
        ("!?-a", 1.0, False),
        ("", 1.0, False),
    ],
)
def test_the_fewer_letters_the_surer_the_reader_must_be(words, score, readable):
    assert Line(words, score, np.zeros((4, 2), np.float32)).readable is readable


def test_the_mask_is_the_union_of_the_lines():
    boxes = [
        [[2, 3], [9, 3], [9, 5], [2, 5]],
        [[20, 0], [29, 0], [29, 39], [20, 39]],
        [[30, 30], [60, 30], [60, 60], [30, 60]],
    ]
    mask = text_mask((40, 50), [Line("ab", 1.0, np.array(box, np.float32)) for box in boxes])
    expected = np.zeros((40, 50), bool)
    expected[3:6, 2:10] = expected[:, 20:30] = expected[30:, 30:] = True
    np.testing.assert_array_equal(mask, expected)


@pytest.fixture
def no_rapidocr(monkeypatch):
    for name in ("rapidocr", "rapidocr.main"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def audit(tmp_path):
    """A folder whose dataset stage is done, and settings that look for borders and text."""
    for label in ("marked", "plain"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for seed in range(10):
            pixels, _ = _written("ACME" if label == "marked" else " ", (0.9, 0.9), 20, seed + 50 * (label == "plain"))
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{seed}.png")
    tree = {"cues": ["text", "border"], "dataset": {"photos": str(tmp_path / "photos")}, "compute": {"workers": 0}}
    folder, config = AuditFolder(tmp_path / "audit"), parse_config(tree)
    build_dataset(folder, config)
    return folder, config


class Notes(Silence):
    def __init__(self):
        self.said = []

    def note(self, message):
        self.said.append(message)


@needs_reader
def test_the_stage_finds_planted_words_and_only_them(audit):
    notes = Notes()
    with reporting_to(notes):
        detect.build(*audit)
    found = load_detections(audit[0])
    np.testing.assert_array_equal(found.present[:, 0], [True] * 10 + [False] * 10)
    assert notes.said == [] and not_looked_for(audit[0]) == {}
    write_records(audit[0].cue_list, [])
    assert limits(*audit) == [TRAINED_HERE, *LIMITS, TEXT_READ]
    left_out = audit[1].model_copy(update={"cues": ["border"]})
    assert limits(audit[0], left_out) == [TRAINED_HERE, *LIMITS, TEXT_UNREAD]


def test_without_rapidocr_the_audit_goes_on_and_says_so(audit, no_rapidocr):
    notes = Notes()
    with reporting_to(notes):
        detect.build(*audit)
    found = load_detections(audit[0])
    assert [cue.name for cue in found.cues] == ["border"] and found.present.shape == (20, 1)
    (said,) = notes.said
    assert said.startswith("The cue 'text' is not looked for: the package rapidocr cannot be imported (")
    assert read_json(audit[0].detections / "detectors.json")["versions"] == {"border": BorderDetector.version}
    write_records(audit[0].cue_list, [])
    sentence, *others = limits(*audit)
    assert sentence == said.replace("is not", "was not") and others == [TRAINED_HERE, *LIMITS, TEXT_UNREAD]


def test_only_what_was_asked_for_is_missed(no_rapidocr):
    assert missing_cues(["face", "border"]) == {}
    assert list(missing_cues(["face", "text"])) == ["text"]


def test_a_release_without_the_networks_is_said(monkeypatch):
    pytest.importorskip("rapidocr")
    monkeypatch.setattr(text, "RECOGNITION", "of-tomorrow.onnx")
    assert missing_reader().endswith("brings no file of-tomorrow.onnx")


def test_an_import_error_of_many_lines_is_one_sentence(monkeypatch):
    def fail(name):
        raise ImportError("libgomp.so.1: not found\nand much more")

    monkeypatch.setattr(text.importlib, "import_module", fail)
    assert missing_reader() == "the package onnxruntime cannot be imported (libgomp.so.1: not found)"
