"""Text and watermarks, read and not only detected: where nothing can be read there is no text.

PaddleOCR's detector takes most subjects of photographs for one huge letter; its reader makes nothing of them.
"""

import base64
import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.detectors.cue import ABSENT, Cue, Mask, Sighting
from audit.detectors.photo import LONGEST, Photo, Pixels, shared
from audit.store.model_files import ModelFile, has_digest

# Files inside rapidocr's wheel.
DETECTION, RECOGNITION = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
_LEAST_SCORE, _LEAST_LETTERS = 0.6, 2
# Two letters are easily seen in bars, tiles and windows: "II", "00".
_LEAST_SCORE_OF_TWO = 0.85
# Letters taller than this share of the picture's long side are a whole subject, and not worth reading.
_TALLEST = 1 / 3
# rapidocr lays a box on its side when it is this many times as tall as wide.
_UPRIGHT = 1.5
MOST_LINES, _LONGEST_LINE = 32, 60

# onnxruntime reads it when it is imported, and would send and keep what a run is made of without it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

Corners = NDArray[np.float32]


@dataclass(frozen=True)
class Line:
    """A line of text: its words, how sure the reader is of them (0..1), its corners (4, 2) as x, y in pixels."""

    words: str
    score: float
    corners: Corners

    @property
    def readable(self) -> bool:
        """Whether it counts as text."""
        letters = sum(map(str.isalnum, self.words))
        least = _LEAST_SCORE if letters > _LEAST_LETTERS else _LEAST_SCORE_OF_TWO
        return letters >= _LEAST_LETTERS and self.score >= least


def read_lines(pixels: Pixels) -> tuple[Line, ...]:
    """The readable lines of uint8 RGB pixels (h, w, 3), from top to bottom; of more than 32, the largest."""
    scale = LONGEST / max(pixels.shape[:2])
    picture = _enlarged(pixels, scale)
    lines = [Line(*_read(picture, box), box / np.float32(scale)) for box in _boxes(picture)]
    return tuple(line for line in lines if line.readable)


@shared
def lines_of(photo: Photo) -> tuple[Line, ...]:
    """The readable lines of a photograph."""
    return read_lines(photo.pixels)


def text_mask(shape: tuple[int, int], lines: Sequence[Line]) -> Mask:
    """The union of the lines' quadrilaterals, boolean of the picture's shape."""
    mask = np.zeros(shape, np.uint8)
    for line in lines:
        cv2.fillPoly(mask, [np.round(line.corners).astype(np.int32)], 1)
    return mask.astype(bool)


def tidied(words: str) -> str:
    r"""Words fit to be shown to anybody: no control, direction or invisible characters, at most 60 characters.

    >>> tidied("a\x1b[2J\u202eb   c\n")
    'a [2J b c'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())[:_LONGEST_LINE].rstrip()


def missing_reader() -> str:
    """Why text cannot be read on this machine, as the end of a sentence; empty when it can."""
    for module in ("onnxruntime", "rapidocr.main"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            why = str(error).partition("\n")[0] or repr(error)
            return f"the package {module.partition('.')[0]} cannot be imported ({why})"
    absent = [name for name in (DETECTION, RECOGNITION) if not (networks_folder() / name).is_file()]
    return f"rapidocr {_rapidocr_version()} brings no file {absent[0]}" if absent else ""


def damaged_reader() -> str:
    """Why the networks in rapidocr's wheel cannot be trusted, as the end of a sentence; empty when they can.

    They are compared with the checksums in the wheel's own list of files, where the package was installed with one.
    """
    for listed in metadata.distribution("rapidocr").files or ():
        if listed.name in (DETECTION, RECOGNITION) and listed.hash is not None and listed.hash.mode == "sha256":
            expected = base64.urlsafe_b64decode(listed.hash.value + "=" * (-len(listed.hash.value) % 4)).hex()
            if not has_digest(networks_folder() / listed.name, expected):
                return f"rapidocr's file {listed.name} is damaged (reinstall rapidocr)"
    return ""


def unusable_reader() -> str:
    """As ``missing_reader``, and why its networks cannot be trusted."""
    return missing_reader() or damaged_reader()


class TextDetector:
    """Captions, watermarks, date stamps, and lettering in the scene."""

    name = "text"
    cues: tuple[Cue, ...] = (Cue("text", "text or a watermark", "mark"),)
    models: tuple[ModelFile, ...] = ()
    keepable = True

    @property
    def version(self) -> str:
        """The networks come with rapidocr, so another release may read something else."""
        return f"2, {reader_version()}"

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """The score is that of the line which was read most surely; ``text`` holds the lines."""
        lines = lines_of(photo)
        if not lines:
            return {"text": ABSENT}
        seen = Sighting.of_mask(text_mask(photo.shape, lines), max(line.score for line in lines), 0.0)
        return {"text": replace(seen, text=tuple(line.words for line in lines))}


def _enlarged(pixels: Pixels, scale: float) -> Pixels:
    """BGR, as the networks want it; small photographs would hide small letters from them."""
    height, width = (max(1, round(scale * side)) for side in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)[..., ::-1].copy(), np.uint8)


def _boxes(picture: Pixels) -> list[Corners]:
    """Corners of what may be lines of text, in reading order; ``picture`` is BGR."""
    found = shared_reader()(picture, use_det=True, use_rec=False, use_cls=False)
    boxes = [box.astype(np.float32) for box in (() if found.boxes is None else found.boxes)]
    boxes = [box for box in boxes if min(_sides(box)) <= _TALLEST * max(picture.shape)]
    largest = sorted(range(len(boxes)), key=lambda place: -float(np.prod(_sides(boxes[place]))))[:MOST_LINES]
    return [boxes[place] for place in sorted(largest)]


def _read(picture: Pixels, box: Corners) -> tuple[str, float]:
    """Words and score of the line inside a box."""
    views = shared_reader().crop_text_regions(picture, [box])
    width, height = _sides(box)
    if height >= _UPRIGHT * width:
        # Upright lines run up as often as down.
        views.append(cv2.rotate(views[0], cv2.ROTATE_180))
    found = shared_reader().recognize_txt(views)
    score, words = max(zip(found.scores, found.txts, strict=True))
    return tidied(words), float(score)


def _sides(box: Corners) -> tuple[float, float]:
    """Width and height of a box (4, 2) whose corners run clockwise from the top left."""
    return float(np.linalg.norm(box[0] - box[1])), float(np.linalg.norm(box[0] - box[3]))


@cache
def shared_reader() -> Any:
    """RapidOCR on one thread, once per process; given its own files by path it neither downloads nor writes."""
    from rapidocr import RapidOCR

    with without_denormals(networks_folder() / DETECTION) as detection:
        reader = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_preprocess_img": False,
                "Global.use_vertical_padding": False,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                # Without it every layer's output is new memory from the kernel, zeroed page by page.
                "EngineConfig.onnxruntime.enable_cpu_mem_arena": True,
                "Det.model_path": str(detection),
                "Det.limit_type": "max",
                "Det.limit_side_len": LONGEST,
                "Rec.model_path": str(networks_folder() / RECOGNITION),
                # One line at a time at its own width: padding to a batch's longest would be paid for, too.
                "Rec.rec_batch_num": 1,
                "Rec.rec_img_shape": [3, 48, 48],
            }
        )
        # It opens the file when it is first asked.
        reader(np.zeros((64, 64, 3), np.uint8), use_det=True, use_rec=False, use_cls=False)
    return reader


@contextmanager
def without_denormals(network: Path) -> Iterator[Path]:
    """A copy of an ONNX file, gone after the block, whose weights below the least normal float32 (1e-38) are zeros.

    A tenth of the text detector's weights are so small. They change none of its answers, but an Intel processor
    multiplies them about a hundred times more slowly than others: that took 70 % of the network's time.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(network)
    # A plain 0 would make a double of a single number before NumPy 2.
    least, zero = np.finfo(np.float32).smallest_normal, np.float32(0)
    for weights in model.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT:
            values = numpy_helper.to_array(weights)
            weights.CopyFrom(numpy_helper.from_array(np.where(np.abs(values) < least, zero, values), weights.name))
    with TemporaryDirectory(prefix="bias-audit-") as folder:
        copy = Path(folder, network.name)
        onnx.save(model, copy)
        yield copy


def networks_folder() -> Path:
    """Where rapidocr's wheel keeps its networks."""
    return Path(str(importlib.import_module("rapidocr").__file__)).parent / "models"


def reader_version() -> str:
    """Texts are read alike by readers of equal version."""
    return f"rapidocr {_rapidocr_version()}"


def _rapidocr_version() -> str:
    return metadata.version("rapidocr")
