"""The bench of file and frame on drawn photographs: what it plants is there, and it counts what was flagged."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bench.file_cases import CHANGES, CLASSES, Outcome, flagged, kept, outcomes, table, write_biased, write_clean

CHANGED = {
    "a third narrower": lambda file: file.width < 160,
    "aspect ratio": lambda file: file.width == file.height,
    "format": lambda file: file.format == "PNG",
    "grey": lambda file: file.mode == "L",
    "resolution": lambda file: max(file.size) < 160,
}


@pytest.fixture
def pool(tmp_path) -> list[Path]:
    (tmp_path / "pool").mkdir()
    rng, paths = np.random.default_rng(0), [tmp_path / "pool" / f"{n}.jpg" for n in range(80)]
    for path in paths:
        blocks = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
        blocks.resize((160, 120), Image.Resampling.NEAREST).save(path, quality=90)
    return paths


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_four_of_five_and_one_of_five_are_changed_and_found(change, pool, tmp_path):
    write_biased(pool, change, tmp_path / "photos")
    counts = []
    for label in CLASSES:
        files = sorted((tmp_path / "photos" / label).iterdir())
        assert len(files) == 40
        with_it = 0
        for path in files:
            with Image.open(path) as file:
                with_it += CHANGED[change.name](file)
        counts.append(with_it)
    assert counts == [32, 8]
    assert set(flagged(tmp_path / "photos", tmp_path / "audit", 0)) & set(change.cues)


def test_clean_photographs_are_as_they_were_and_nothing_is_flagged(pool, tmp_path):
    write_clean(pool, tmp_path / "photos")
    written = sorted((tmp_path / "photos").rglob("*.jpg"))
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in pool]
    assert flagged(tmp_path / "photos", tmp_path / "audit", 0) == {}


def test_the_table_counts_draws_and_names_what_else_was_flagged():
    found = [
        Outcome("cats", "", 0, {}),
        Outcome("cats", "", 1, {"file.noise": "medium"}),
        Outcome("cats", "grey", 0, {"file.colour=grey": "medium", "file.tint": "medium"}),
        Outcome("dogs", "grey", 1, {"file.megapixels": "medium"}),
    ]
    clean, grey = table(found)
    assert clean[:3] == ("cats", "nothing", None)
    assert (clean[3]["count"], clean[3]["of"], clean[4]) == (1, 2, "file.noise 1")
    assert (grey[2]["count"], grey[3]["count"], grey[2]["of"]) == (1, 2, 2)
    assert grey[4] == "file.tint 1, file.megapixels 1"


def test_what_was_done_is_not_done_again(tmp_path):
    keep, names = tmp_path / "kept.jsonl", ["", *(change.name for change in CHANGES)]
    done = [Outcome("cats", name, 0, {"file.noise": "medium"}) for name in names]
    keep.write_text("".join(json.dumps(asdict(one)) + "\n" for one in done), encoding="utf-8")
    assert list(outcomes(tmp_path / "no-photographs", ["cats"], 1, keep)) == done == kept(keep)
