"""Facts of the file and the frame as cues: a high value of what is measured, one value of what is a kind, and all."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.cues.file_words import KINDS, NAME, NUMBERS, TOGETHER, TOGETHER_WORDS, KindWords, NumberWords
from audit.data.facts.file_facts import PREFIX
from audit.detectors.cue import Cue
from audit.measures.otsu import otsu_threshold

# A value that fewer photographs show, or all but so few, can hardly give a class away, and is no cue.
LEAST_SHARE, LEAST_IMAGES = 0.05, 10
# Kinds with more values than this (names of people as names of files) are told of for their commonest values only.
MOST_VALUES = 8
_MASKED, _CLASS = "#", "*"


@dataclass(frozen=True)
class FileCue:
    """One fact of all images.

    ``present`` and ``known`` are boolean (images,); ``values`` (images,) the numbers, NaN where unknown, of what is
    measured, and 1 or 0 of what is there or not; ``noticed`` (images,) the same as far as anybody could notice it.
    """

    cue: Cue
    present: NDArray[np.bool_]
    known: NDArray[np.bool_]
    values: NDArray[np.float64]
    noticed: NDArray[np.float64]

    @property
    def is_number(self) -> bool:
        """Whether it is measured, and not one of several kinds."""
        return self.cue.name.removeprefix(NAME) in NUMBERS


def file_cues(images: pd.DataFrame) -> list[FileCue]:
    """Cues of the file that some photographs show and others do not; none for a table of an older version.

    ``images`` are rows of ``images.parquet``. A number is present from Otsu's threshold on, or from the median where
    that parts off too few. The last cue is the file and the frame at once, where more than one fact of them is there.
    """
    if f"{PREFIX}grey" not in images:
        return []
    some = [*_measured(images), *_kinds(images)]
    if sum(fact.cue.role == "file" for fact in some) < 2:
        return some
    every = np.ones(len(images), bool)
    cue = Cue(f"{NAME}{TOGETHER}", TOGETHER_WORDS, "file", "file")
    shown = every.astype(np.float64)
    return [*some, FileCue(cue, every, every, shown, shown)]


def is_together(cue: Cue) -> bool:
    """Whether a cue is the file and the frame at once."""
    return cue.kind == "file" and cue.name == f"{NAME}{TOGETHER}"


def numbers_of(images: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """What is measured of every image, by the fact's name: (images,) each, NaN where unknown or not to be compared.

    Bytes are compared within the commonest format, and the tone among coloured pictures: that a format takes more
    bytes, and that grey has no tone, are no further differences.
    """
    width, height, size = (images[name].to_numpy(np.float64) for name in ("width", "height", "bytes"))
    usual, coloured = images["format"] == images["format"].mode()[0], ~images[f"{PREFIX}grey"].to_numpy(bool)
    numbers = {name: images[f"{PREFIX}{name}"].to_numpy(np.float64) for name in NUMBERS if f"{PREFIX}{name}" in images}
    numbers["aspect_ratio"], numbers["megapixels"] = width / height, width * height / 1e6
    numbers["bits_per_pixel"] = np.where(usual, 8 * size / (width * height), np.nan)
    for name in ("warmth", "tint"):
        numbers[name] = np.where(coloured, numbers[name], np.nan)
    return {name: numbers[name] for name in NUMBERS}


def kinds_of(images: pd.DataFrame) -> dict[str, pd.Series]:
    """Of what kind every image is, by the fact's name: texts, None where unknown."""
    columns = {
        "format": images["format"],
        "colour": images[f"{PREFIX}grey"].map({True: "grey", False: "colour"}),
        "depth": images[f"{PREFIX}depth"].astype(str),
        "subsampling": images[f"{PREFIX}subsampling"].where(images[f"{PREFIX}subsampling"] != ""),
        "camera": images[f"{PREFIX}camera"].replace("", "none"),
        "software": images[f"{PREFIX}software"].replace("", "none"),
        "date": images[f"{PREFIX}dated"].map({True: "given", False: "none"}),
        "name": pd.Series(map(name_pattern, images["path"], images["label"]), index=images.index, dtype=object),
        "folder": pd.Series(map(folder_of, images["path"], images["label"]), index=images.index, dtype=object),
    }
    return {name: column.astype(object).where(column.notna(), None) for name, column in columns.items()}


def name_pattern(path: str, label: str) -> str:
    """A file's name without its ending, digits masked, and the class's name too: that tells nothing but the class.

    >>> name_pattern("cat/IMG_0042.jpg", "cat"), name_pattern("cat/Cat.17.jpg", "cat")
    ('IMG_#', '*.#')
    """
    whole_word = rf"(?<![^\W\d_]){re.escape(label)}(?![^\W\d_])"
    plain = re.sub(whole_word, _CLASS, PurePosixPath(path).stem, flags=re.IGNORECASE)
    return re.sub(r"\d+", _MASKED, plain)


def folder_of(path: str, label: str) -> str:
    """The folders that a file lies in, but for those that are called like its class.

    >>> folder_of("cat/site 2/a.jpg", "cat"), folder_of("cat/a.jpg", "cat")
    ('site 2', '')
    """
    parts = [part for part in PurePosixPath(path).parts[:-1] if part.casefold() != label.casefold()]
    return "/".join(parts)


def _measured(images: pd.DataFrame) -> Iterator[FileCue]:
    for name, values in numbers_of(images).items():
        known, noticed = np.isfinite(values), _noticed(values, NUMBERS[name])
        if _high(values, known) is not None and (present := _high(noticed, known)) is not None:
            yield FileCue(_number_cue(NUMBERS[name]), present, known, values, noticed)


def _noticed(values: NDArray[np.float64], words: NumberWords) -> NDArray[np.float64]:
    """The values with as much chance added as nobody notices: of a smaller difference nothing is left.

    Rounding would not do: of values close to where it turns, a tiny difference would become a whole step.
    """
    if not words.noticeable:
        return values
    scaled = np.log(values) if words.logarithmic else values
    chance = np.random.default_rng([*words.name.encode()]).normal(0, words.noticeable, len(values))
    return np.asarray(scaled + chance, np.float64)


def _number_cue(words: NumberWords) -> Cue:
    return Cue(f"{NAME}{words.name}", words.words, words.role, "file")


def _high(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Which images have a high value; None where too few differ from the rest."""
    if not known.any():
        return None
    for cut in (otsu_threshold(values[known]), float(np.median(values[known]))):
        for high in (values >= cut, values > cut):
            if _is_shared(high[known]):
                return high & known
    return None


def _is_shared(present: NDArray[np.bool_]) -> bool:
    """Whether enough images show something, and enough do not."""
    rarer = min(int(present.sum()), int((~present).sum()))
    return rarer >= max(LEAST_IMAGES, LEAST_SHARE * len(present))


def _kinds(images: pd.DataFrame) -> Iterator[FileCue]:
    for name, column in kinds_of(images).items():
        known = column.notna().to_numpy(bool)
        for value in _telling_values(column[known], KINDS[name].usual):
            present = (column == value).to_numpy(bool)
            shown = present.astype(np.float64)
            yield FileCue(_kind_cue(KINDS[name], value), present, known, shown, shown)


def _telling_values(values: pd.Series, usual: str) -> list[str]:
    """The values worth a cue, the commonest first; of two, which are opposites, the unusual or the rarer one."""
    counts = values.value_counts()
    shared = [str(value) for value in counts.index[:MOST_VALUES] if _is_shared((values == value).to_numpy(bool))]
    return [value for value in shared if value != usual][-1:] if len(counts) == 2 else shared


def _kind_cue(words: KindWords, value: str) -> Cue:
    return Cue(f"{NAME}{words.name}={value}", words.of(value), words.role, "file")
