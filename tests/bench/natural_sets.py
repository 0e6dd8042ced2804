"""Natural cases as manifests: who is in them, who is held out, and the files of cases that need other files."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from audit.data.decode import open_photo
from audit.detectors.photo import LONGEST
from audit.store.audit_folder import value_digest
from tests.bench.audit_sets import read_pool
from tests.bench.natural_cases import CELLS, FILE, MOLES, OCCLUDED, PEOPLE, NaturalCase, column_of
from tests.bench.natural_cues import ATTRIBUTES

_QUALITY = {"quality": 95, "subsampling": 0}
_MOST_SWAPS = 400
_KEPT_OF_WIDTH, _SMALLER = 0.75, 0.5
# The lower face in the aligned photographs of celeba-dev, in shares of width and height: centre and half axes.
_LOWER_FACE = ((0.5, 0.66), (0.3, 0.17))


@dataclass(frozen=True)
class Drawn:
    """The photographs of a case below ``root``.

    ``members`` and ``held`` have the columns path, label (0 or 1; in ``held`` -1 where labels were dealt by chance) and
    cue (0 or 1). ``leaning`` is how much more often class 1 has each further column of the carrier than class 0.
    """

    root: Path
    members: pd.DataFrame
    held: pd.DataFrame
    leaning: dict[str, float]

    @property
    def digest(self) -> str:
        """Digest of who is in the case and who is held out."""
        columns = ["path", "label", "cue"]
        return value_digest(*(table[columns].to_numpy().tolist() for table in (self.members, self.held)))


def draw_case(case: NaturalCase, data: Path, files: Path) -> Drawn:
    """Who is in a case; photographs of which it needs other files are written below ``files``, once for all cases.

    Raises ValueError where a cell has too few photographs.
    """
    pool = read_carrier(data / case.carrier)
    chosen, held = choose_photos(case, _columns(case, pool))
    further = [name for name in _further(case, pool) if name not in _own_columns(case)]
    differences = chosen[chosen["label"] == 1][further].mean() - chosen[chosen["label"] == 0][further].mean()
    leaning = {str(name): round(float(value), 3) for name, value in differences.items()}
    root = data / case.carrier
    if case.kind in (FILE, OCCLUDED):
        root, folder = files / case.carrier, data / case.carrier
        chosen, held = (_as_files(case, table, folder, root) for table in (chosen, held))
    if case.dealt == "label":
        held = held.assign(label=-1)
    columns = ["path", "label", "cue"]
    return Drawn(root, chosen[columns].reset_index(drop=True), held[columns].reset_index(drop=True), leaning)


def read_carrier(carrier: Path) -> pd.DataFrame:
    """The photographs of a set, one of each group of copies; columns of 0 and 1 as numbers, a beard added."""
    pool = read_pool(carrier)
    binary = [name for name in pool if set(pool[name].unique()) <= {"0", "1"}]
    pool = pool.astype(dict.fromkeys(binary, int))
    return pool.assign(Beard=1 - pool["No_Beard"]) if "No_Beard" in pool else pool


def write_manifest(table: pd.DataFrame, classes: Sequence[str], path: Path) -> None:
    """A manifest of path and label; where labels are unknown (-1), of any two by turns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = table["label"].where(table["label"] >= 0, np.arange(len(table)) % 2)
    with path.open("w", newline="", encoding="utf-8") as handle:
        rows = zip(table["path"], (classes[label] for label in known), strict=True)
        csv.writer(handle).writerows([("path", "label"), *rows])


def choose_photos(case: NaturalCase, pool: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Members and held photographs of a pool with the columns path, label, cue and further ones of 0 and 1.

    Labels or cue that chance deals are 0 in the pool and written here. Members are chosen so that the classes differ as
    little as possible in the further columns. Raises ValueError where a cell has too few photographs.
    """
    rng = np.random.default_rng(case.seed("held"))
    pool = pool.iloc[rng.permutation(len(pool))]
    held = _first_of_each(pool, _before_dealing(case, case.held))
    rest = pool[~pool["path"].isin(held["path"])]
    rest = rest.iloc[np.random.default_rng(case.seed("members")).permutation(len(rest))].reset_index(drop=True)
    members = _first_of_each(rest, _before_dealing(case, case.cells))
    further = [name for name in pool if name not in ("path", "label", "cue")]
    members = balanced(members, rest, further) if further and case.dealt != "label" else members
    return _dealt(case, members, case.cells), _dealt(case, held, case.held)


def balanced(members: pd.DataFrame, pool: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Members exchanged for others of the same cell as long as that makes the classes more alike in some columns.

    What is lowered is the sum of the squared differences of the two classes' means; each exchange is the best of all.
    """
    inside = pool["path"].isin(members["path"]).to_numpy(copy=True)
    values, labels = pool[list(columns)].to_numpy(float), pool["label"].to_numpy()
    cells = list(zip(pool["label"], pool["cue"], strict=True))
    groups = [np.array([cell == one for cell in cells]) for one in CELLS]
    for _ in range(_MOST_SWAPS):
        swaps = [swap for group in groups if (swap := _best_swap(values, labels, inside, group))]
        gain, leaves, enters = max(swaps, default=(0.0, -1, -1))
        if gain <= 1e-12:
            break
        inside[[leaves, enters]] = False, True
    return pool[inside]


def _best_swap(
    values: NDArray[np.float64], labels: NDArray[np.integer], inside: NDArray[np.bool_], group: NDArray[np.bool_]
) -> tuple[float, int, int] | None:
    """By how much the best exchange within a group lowers the sum of squares, who leaves and who enters."""
    leaving, entering = np.flatnonzero(group & inside), np.flatnonzero(group & ~inside)
    if not len(leaving) or not len(entering):
        return None
    label = int(labels[leaving[0]])
    size = np.count_nonzero(inside & (labels == label))
    means = [values[inside & (labels == side)].mean(0) for side in (0, 1)]
    difference = (means[1] - means[0]) * (1 if label else -1)
    # |d + (e - l) / n|^2 - |d|^2, taken apart so that no array of leaving x entering x columns is needed.
    ins, outs = values[entering], values[leaving]
    squares = (ins**2).sum(1)[None] + (outs**2).sum(1)[:, None] - 2 * outs @ ins.T
    change = 2 * ((ins @ difference)[None] - (outs @ difference)[:, None]) / size + squares / size**2
    best = np.unravel_index(change.argmin(), change.shape)
    return -float(change[best]), int(leaving[best[0]]), int(entering[best[1]])


def _before_dealing(case: NaturalCase, cells: Sequence[int]) -> tuple[int, int, int, int]:
    """The cells where what is dealt is 0 everywhere."""
    both = np.array(cells).reshape(2, 2)
    if case.dealt:
        axis = 0 if case.dealt == "label" else 1
        both = np.concatenate([both.sum(axis, keepdims=True), np.zeros_like(both.sum(axis, keepdims=True))], axis)
    first, second, third, fourth = both.ravel().tolist()
    return first, second, third, fourth


def _dealt(case: NaturalCase, table: pd.DataFrame, cells: Sequence[int]) -> pd.DataFrame:
    """The table with the label or the cue dealt out by chance, as often as the cells say."""
    if not case.dealt:
        return table
    column, other = ("label", "cue") if case.dealt == "label" else ("cue", "label")
    both = np.array(cells).reshape(2, 2)
    counts = both if case.dealt == "label" else both.T
    values = np.zeros(len(table), int)
    for known in (0, 1):
        rows = np.random.default_rng(case.seed(f"{known}")).permutation(np.flatnonzero(table[other] == known))
        values[rows] = np.repeat((0, 1), counts[:, known])
    return table.assign(**{column: values})


def _first_of_each(pool: pd.DataFrame, counts: Sequence[int]) -> pd.DataFrame:
    parts = []
    for (label, cue), count in zip(CELLS, counts, strict=True):
        of_cell = pool[(pool["label"] == label) & (pool["cue"] == cue)]
        if count > len(of_cell):
            raise ValueError(f"{count} photographs of a cell are asked for, but there are {len(of_cell)}")
        parts.append(of_cell.iloc[:count])
    return pd.concat(parts)


def _columns(case: NaturalCase, pool: pd.DataFrame) -> pd.DataFrame:
    """The pool with path, label and cue, 0 where chance deals them, and what classes are to be alike in."""
    if case.carrier == MOLES and case.dealt == "label":
        pool = pool[pool["label"] == "not_melanoma"]
    label = pd.Series(0, pool.index)
    if case.dealt != "label":
        # The set spells the class that has stickers in another way.
        listed = pool["label"].str.replace("_", " ").map(case.classes.index) if "label" in pool else None
        label = pool[column_of(case.label)] if listed is None else listed
    column = column_of(case.cue)
    cue = pool[column] if column and case.dealt != "cue" else pd.Series(0, pool.index)
    return pd.concat([pool[["path"]].assign(label=label, cue=cue), pool[_further(case, pool)]], axis=1)


def _further(case: NaturalCase, pool: pd.DataFrame) -> list[str]:
    """The columns of 0 and 1 that describe people, but for those that say what the label or the cue says."""
    if case.carrier != PEOPLE:
        return []
    return [name for name in pool if name not in ("path", *_own_columns(case))]


def _own_columns(case: NaturalCase) -> set[str]:
    own = {column_of(word) for word in (case.label, case.cue) if word in ATTRIBUTES}
    return own | ({"No_Beard", "Mustache", "Goatee"} if "Beard" in own else {"No_Beard"})


def _as_files(case: NaturalCase, table: pd.DataFrame, source: Path, root: Path) -> pd.DataFrame:
    """The table with the paths of files that have the cue or lack it."""
    paths = [
        write_form(source / path, case.cue if has else "", root, str(path))
        for path, has in zip(table["path"], table["cue"], strict=True)
    ]
    return table.assign(path=paths)


def write_form(source: Path, form: str, root: Path, path: str) -> str:
    """Write a photograph in a form ("" as it is) unless it is there; returns its path below ``root``."""
    stem = f"{form.replace(' ', '-') or 'plain'}/{Path(path).with_suffix('').as_posix().replace('/', '-')}"
    target = root / f"{stem}{'.png' if form == 'format' else '.jpg'}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        picture = in_form(open_photo(source, longest=LONGEST), form, np.random.default_rng(sum(map(ord, path))))
        partial = target.with_suffix(".partial")
        picture.save(partial, **({"format": "PNG"} if form == "format" else {"format": "JPEG", **_QUALITY}))
        partial.replace(target)
    return target.relative_to(root).as_posix()


def in_form(picture: Image.Image, form: str, rng: np.random.Generator) -> Image.Image:
    """A photograph cropped to three quarters of its width, without colour, at half its size, with an occluded face."""
    width, height = picture.size
    if form == "aspect":
        margin = round(width * (1 - _KEPT_OF_WIDTH) / 2)
        return picture.crop((margin, 0, width - margin, height))
    if form == "grey scale":
        return picture.convert("L")
    if form == "resolution":
        return picture.resize((round(width * _SMALLER), round(height * _SMALLER)), Image.Resampling.LANCZOS)
    return Image.fromarray(occluded(np.asarray(picture), rng)) if form == "occluder" else picture


def occluded(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Pixels (h, w, 3) with the lower face behind a woven ellipse of any colour, as a scarf or a held cup would be."""
    height, width = pixels.shape[:2]
    (across, down), (wide, tall) = _LOWER_FACE
    rows, columns = np.mgrid[:height, :width]
    x, y = columns / width - across - rng.uniform(-0.03, 0.03), rows / height - down - rng.uniform(-0.03, 0.03)
    inside = (x / wide) ** 2 + (y / tall) ** 2 < 1
    weave = 25 * np.sin(rows * rng.uniform(0.5, 1.2)) * np.sin(columns * rng.uniform(0.5, 1.2))
    cloth = rng.uniform(40, 200, 3) + (weave + rng.normal(0, 8, (height, width)))[..., None]
    return np.where(inside[..., None], cloth.clip(0, 255), pixels).astype(np.uint8)
