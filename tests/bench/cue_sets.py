"""The photographs that detectors are judged on, and what is known of each: which cues it shows or lacks, and where.

The sets are described by their own ``index.csv``. What those do not say was looked up by eye and is listed in
``seen.csv``: a face wherever a person's head is in the picture, and real borders, texts and stickers.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from audit.data.decode import open_photo
from audit.detectors.photo import LONGEST
from audit.selfaudit.marks import MARKS, Mask, Pixels

Box = tuple[int, int, int, int]

PEOPLE = frozenset({"face", "eyes", "hair", "skin", "person", "clothing"})
PLANTED, HEADS = "planted marks", "ccp600 heads"
_HEADWEAR, _ON_FACE = ("hair", "hat"), ("skin", "glasses", "sunglasses")
_NO_CLOTHES = ("null", *_HEADWEAR, *_ON_FACE)
# lfw-hair marks beards as hair, which here are part of the face. Its faces all lie in one place of 250 x 250 pixels.
_BEARDS = (slice(122, 195), slice(88, 162))
# A head crop is so many widths of the marked hair high and wide; a face reaches at most so many below the hair's top.
_LEAST_CROP, _MOST_CROP, _FACE_REACH = 3.5, 8.0, 1.2


@dataclass(frozen=True)
class Example:
    """One photograph. ``shows`` and ``lacks`` are cues; ``group`` is a kind of person.

    ``labels`` is a picture of the marked pixels and ``boxes`` are marked objects, in pixels of the file; only the part
    ``crop`` is looked at; ``mark`` is drawn on it, by the generator with the seed ``number``.
    """

    collection: str
    path: Path
    number: int
    group: str = ""
    shows: frozenset[str] = field(default_factory=frozenset)
    lacks: frozenset[str] = field(default_factory=frozenset)
    labels: Path | None = None
    boxes: tuple[Box, ...] = ()
    crop: Box | None = None
    mark: str = ""

    @property
    def cues(self) -> frozenset[str]:
        """Everything that it can judge."""
        return self.shows | self.lacks | _MARKED_CUES.get(self.collection, frozenset())


def read_examples(data: Path, half: str = "all", most: int | None = None) -> list[Example]:
    """The examples of every set that lies in the folder; of each set only one half and at most so many, evenly spread.

    Thresholds were fitted on the ``odd`` half of each set's index; failures of the ``even`` one were looked at, too.
    """
    chosen = {"all": slice(None), "even": slice(0, None, 2), "odd": slice(1, None, 2)}[half]
    examples = []
    for name, read in SETS.items():
        if (data / name.split()[0] / "index.csv").exists():
            found = list(read(data / name.split()[0]))[chosen]
            examples += found if most is None else found[:: -(-len(found) // most)]
    return [*examples, *planted(examples)]


def load(example: Example) -> tuple[Pixels, dict[str, Mask]]:
    """The photograph as detectors see it, and the marked pixels by cue."""
    image = open_photo(example.path)
    whole = (0, 0, *image.size)
    image = image.crop(example.crop or whole)
    scale = min(1.0, LONGEST / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0))
    if example.mark:
        planted = MARKS[example.mark](pixels, np.random.default_rng(example.number))
        return planted.pixels, {MARKS[example.mark].cue: planted.mask}
    return pixels, {cue: _shrunk(mask, example.crop or whole, size) for cue, mask in _marked(example, whole).items()}


def planted(examples: list[Example]) -> Iterator[Example]:
    """Each mark once on every photograph of things, unless that shows such a cue already."""
    for example in examples:
        for name, mark in MARKS.items():
            if example.collection == "imagenet-sample" and mark.cue not in example.shows:
                yield replace(
                    example, collection=PLANTED, mark=name, shows=frozenset({mark.cue}), lacks=frozenset(), group=""
                )


def _doctors(folder: Path) -> Iterator[Example]:
    for number, row in enumerate(_rows(folder)):
        shows = PEOPLE | ({"text"} if row["stock_footer"] == "1" else frozenset())
        yield Example(folder.name, folder / row["path"], number, f"{row['skin']} {row['gender']}", shows)


def _without(*cues: str) -> Callable[[Path], Iterator[Example]]:
    def read(folder: Path) -> Iterator[Example]:
        for number, row in enumerate(_rows(folder)):
            shows = _seen(folder.name, row["path"])
            yield Example(folder.name, folder / row["path"], number, "", shows, frozenset(cues) - shows)

    return read


def _animals(folder: Path) -> Iterator[Example]:
    boxes = pd.read_csv(folder / "boxes.csv").groupby("path")[["x0", "y0", "x1", "y1"]]
    marked = {path: tuple(map(tuple, rows.round().astype(int).to_numpy().tolist())) for path, rows in boxes}
    for example in _without("face")(folder):
        yield replace(example, boxes=marked[example.path.relative_to(folder).as_posix()])


def _hair(folder: Path) -> Iterator[Example]:
    for number, row in enumerate(_rows(folder)):
        yield Example(folder.name, folder / row["path"], number, labels=folder / row["mask"])


def _street(folder: Path) -> Iterator[Example]:
    rows = _rows(folder)
    lightness = np.array([_skin_lightness(folder / row["path"], folder / row["labels_png"]) for row in rows])
    darkest = lightness <= np.nanquantile(lightness, 0.25)
    for number, row in enumerate(rows):
        group = "darkest quarter" if darkest[number] else ""
        yield Example(folder.name, folder / row["path"], number, group, labels=folder / row["labels_png"])


def _heads(folder: Path) -> Iterator[Example]:
    """Squares around the heads of photographs of whole people, at a random scale."""
    for number, row in enumerate(_rows(folder)):
        if not row["hair_box"]:
            continue
        rng = np.random.default_rng(number)
        x0, y0, x1, _ = map(int, row["hair_box"].split(","))
        side = rng.uniform(_LEAST_CROP, _MOST_CROP) * (x1 - x0)
        left, top = (x0 + x1) / 2 - side * rng.uniform(0.35, 0.65), y0 - side * rng.uniform(0.05, 0.25)
        limits = (int(row["width"]), int(row["height"])) * 2
        edges = (left, top, left + side, top + side)
        x0, y0, x1, y1 = (int(np.clip(edge, 0, limit)) for edge, limit in zip(edges, limits, strict=True))
        yield Example(HEADS, folder / row["path"], number, labels=folder / row["labels_png"], crop=(x0, y0, x1, y1))


SETS: dict[str, Callable[[Path], Iterator[Example]]] = {
    "doctor-nurse": _doctors,
    "cats-dogs": _without("face", "text", "border", "vignette", "patch"),
    "raccoon-kangaroo": _animals,
    "imagenet-sample": _without("face", "border", "vignette", "patch"),
    "lfw-hair": _hair,
    "figaro1k-hair": _hair,
    "ccp600": _street,
    HEADS: _heads,
}
_MARKED_CUES = {
    "raccoon-kangaroo": frozenset({"main_object"}),
    "lfw-hair": frozenset({"face", "hair"}),
    "figaro1k-hair": frozenset({"face", "hair"}),
    "ccp600": PEOPLE,
    HEADS: PEOPLE | {"background"},
}


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@cache
def _sightings() -> dict[tuple[str, str], frozenset[str]]:
    table = pd.read_csv(Path(__file__).with_name("seen.csv"))
    return {key: frozenset(rows["shows"]) for key, rows in table.groupby(["set", "path"])}


def _seen(name: str, path: str) -> frozenset[str]:
    return _sightings().get((name, path), frozenset())


def _marked(example: Example, whole: Box) -> dict[str, Mask]:
    """The marked pixels at the file's own size."""
    if example.boxes:
        mask = np.zeros((whole[3], whole[2]), bool)
        for x0, y0, x1, y1 in example.boxes:
            mask[max(0, y0) : y1, max(0, x0) : x1] = True
        return {"main_object": mask}
    if example.labels is None:
        return {}
    labels = np.asarray(Image.open(example.labels))
    if example.collection in ("ccp600", HEADS):
        return _parts(labels, example)
    hair = labels > 0
    if example.collection == "lfw-hair":
        hair[_BEARDS] = False
    return {"hair": hair}


def _parts(labels: NDArray[np.uint8], example: Example) -> dict[str, Mask]:
    assert example.labels is not None
    names = _class_names(example.labels.parents[1])
    named = {"hair": _HEADWEAR, "skin": ("skin",), "clothing": tuple(set(names) - set(_NO_CLOTHES))}
    masks = {cue: np.isin(labels, [names[name] for name in classes]) for cue, classes in named.items()}
    masks["person"] = labels != names["null"]
    if example.collection == HEADS:
        masks["background"] = ~masks["person"]
        masks["face"] = _face_part(np.isin(labels, [names[name] for name in _ON_FACE]), masks["hair"])
    return masks


def _face_part(skin: Mask, hair: Mask) -> Mask:
    """The skin near the top of the hair: no class marks faces."""
    rows, columns = np.flatnonzero(hair.any(1)), np.flatnonzero(hair.any(0))
    face = np.zeros_like(skin)
    if len(rows):
        reach = int(_FACE_REACH * (columns[-1] + 1 - columns[0]))
        near = (slice(rows[0], rows[0] + reach), slice(columns[0], columns[-1] + 1))
        face[near] = skin[near]
    return face


@cache
def _class_names(folder: Path) -> dict[str, int]:
    table = pd.read_csv(folder / "classes.csv", keep_default_na=False)
    return dict(zip(table["name"], table["id"], strict=True))


def _skin_lightness(path: Path, labels: Path) -> float:
    """Mean lightness of the marked skin, 0..255; NaN without any."""
    skin = np.asarray(Image.open(labels)) == _class_names(labels.parents[1])["skin"]
    lab = cv2.cvtColor(np.asarray(open_photo(path)), cv2.COLOR_RGB2LAB)
    return float(lab[skin, 0].mean()) if skin.any() else float("nan")


def _shrunk(mask: Mask, crop: Box, size: tuple[int, int]) -> Mask:
    part = mask[crop[1] : crop[3], crop[0] : crop[2]]
    shrunk: Mask = cv2.resize(part.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    return shrunk
