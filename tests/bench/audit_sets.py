"""Cases as folders of photographs: who is in them, who is marked and where."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from audit.data.decode import open_photo
from audit.detectors.cue import GRID
from audit.detectors.photo import LONGEST
from tests.bench.audit_cases import EXPECTED, GENDER, IMBALANCED, PERMUTED, Case

# Nothing but the mark may tell photographs apart: all go through the same encoder at nearly no loss.
_QUALITY = {"quality": 95, "subsampling": 0}
_HEADS = 0.25


@dataclass(frozen=True)
class Truth:
    """By path: which photographs are marked, and the share of each of GRID x GRID cells that the mark covers.

    ``cover`` is empty where nothing was drawn; the marked are men then.
    """

    marked: Mapping[str, bool]
    cover: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Member:
    """A photograph of a case: its file, its place in the case's folder, its label, and whether it is marked."""

    source: Path
    path: str
    label: str
    marked: bool


def write_case(case: Case, data: Path, folder: Path) -> Truth:
    """Write the photographs of a case and ``images.csv`` into an empty folder. Raises ValueError for too few images."""
    rng = np.random.default_rng(case.seed)
    members = choose_members(case, read_pool(data / case.carrier), data / case.carrier, rng)
    marked, cover = {}, {}
    for number, member in enumerate(members):
        drawn = _write(case, member, folder / member.path, np.random.default_rng(_seed(case, number)))
        marked[member.path] = member.marked
        if drawn is not None:
            cover[member.path] = _on_grid(drawn)
    _write_manifest(case, members, folder / "images.csv", rng)
    return Truth(marked, cover)


def settings(case: Case, folder: Path) -> dict[str, Any]:
    """The tree of settings of a case's audit: the defaults, but only the head is trained, and no self-audit."""
    return {
        "dataset": {"manifest": str(folder / "images.csv")},
        "model": {"fine_tune": "head"},
        # The benchmark is what a self-audit is a small part of.
        "self_audit": {"permutations": 0, "power_images": 0},
        "expected_cues": [] if case.kind == PERMUTED else EXPECTED.get(case.carrier, []),
    }


def read_pool(carrier: Path) -> pd.DataFrame:
    """The photographs of a set, one of each group of copies: path, label and, of people, gender."""
    pool = pd.read_csv(carrier / "index.csv", dtype=str)
    if "dup_group" in pool:
        pool = pool[pool["dup_group"].isna() | ~pool["dup_group"].duplicated()]
    return pool.reset_index(drop=True)


def choose_members(case: Case, pool: pd.DataFrame, root: Path, rng: np.random.Generator) -> list[Member]:
    """Who is in a case, of the photographs of a set (``read_pool``) that lie below ``root``."""
    members = []
    for label, size in zip(case.classes, case.sizes, strict=True):
        of_class = pool[pool["label"] == label]
        chosen = _chosen(case, of_class, label, size, rng)
        marked = np.isin(np.arange(size), rng.permutation(size)[: case.marked[label]])
        if case.kind == GENDER:
            marked = (chosen["gender"] == "male").to_numpy()
        for number, (source, is_marked) in enumerate(zip(chosen["path"], marked, strict=True)):
            members.append(Member(root / source, f"{label}/{number:03d}.jpg", label, bool(is_marked)))
    return _shuffled(members, rng) if case.kind == PERMUTED else members


def _chosen(case: Case, of_class: pd.DataFrame, label: str, size: int, rng: np.random.Generator) -> pd.DataFrame:
    """``size`` photographs of a class in any order; of people as many men as the case says, else half."""
    if "gender" not in of_class:
        return _drawn(of_class, size, rng)
    men = case.marked[label] if case.kind == GENDER else size // 2
    male = of_class["gender"] == "male"
    parts = [_drawn(of_class[male], men, rng), _drawn(of_class[~male], size - men, rng)]
    return pd.concat(parts).sample(frac=1, random_state=rng)


def _drawn(rows: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    if count > len(rows):
        raise ValueError(f"{count} photographs are asked for, but there are {len(rows)}")
    return rows.iloc[rng.permutation(len(rows))[:count]]


def _shuffled(members: Sequence[Member], rng: np.random.Generator) -> list[Member]:
    labels = rng.permutation([member.label for member in members])
    return [Member(one.source, one.path, str(label), one.marked) for one, label in zip(members, labels, strict=True)]


def _seed(case: Case, number: int) -> tuple[int, ...]:
    return (case.seed, number) if case.varied else (case.seed,)


def _write(case: Case, member: Member, path: Path, rng: np.random.Generator) -> NDArray[np.bool_] | None:
    """Write one photograph; returns the planted mask where a mark is drawn."""
    pixels = np.asarray(open_photo(member.source, longest=LONGEST))
    planted = case.mark(pixels, rng) if case.mark and member.marked else None
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(planted.pixels if planted else pixels).save(path, **_QUALITY)
    return planted.mask if planted else None


def _on_grid(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    # cv2 averages areas only where both sides shrink.
    fine = mask.repeat(-(-GRID // mask.shape[0]), 0).repeat(-(-GRID // mask.shape[1]), 1)
    return cv2.resize(fine.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)


def _write_manifest(case: Case, members: Sequence[Member], path: Path, rng: np.random.Generator) -> None:
    """Cases of uneven size also get a column ``coin`` that means nothing."""
    coins = np.where(rng.random(len(members)) < _HEADS, "heads", "tails")
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(("path", "label", "coin") if case.kind == IMBALANCED else ("path", "label"))
        for member, coin in zip(members, coins, strict=True):
            row = (member.path, member.label, coin)
            writer.writerow(row if case.kind == IMBALANCED else row[:2])
