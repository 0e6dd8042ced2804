"""The bench of copies: on drawn pictures every edit is made, counted where it belongs, and found or not."""

import numpy as np
import pytest
from PIL import Image

from tests.bench import copies
from tests.bench.copies import EDITS, QUOTED, recall_rows, run, set_rows


@pytest.fixture
def carrier(tmp_path):
    """Forty different scenes of coarse noise, and a copy of the first."""
    folder = tmp_path / "data" / QUOTED[0]
    folder.mkdir(parents=True)
    for number in range(40):
        noise = np.random.default_rng(number).integers(0, 255, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((320, 240), Image.Resampling.NEAREST).save(folder / f"{number:02}.jpg")
    (folder / "40.jpg").write_bytes((folder / "00.jpg").read_bytes())
    return tmp_path / "data"


def test_edits_are_counted_by_kind_and_pairs_that_nobody_saw_are_false(carrier, tmp_path, monkeypatch):
    result = run(carrier, QUOTED[0], tmp_path)
    assert result.n_images == 41 and sum(map(len, result.found.values())) == 41
    assert result.pairs == [(f"{QUOTED[0]}/00.jpg", f"{QUOTED[0]}/40.jpg")]
    rows = {row[0]: row[1:] for row in recall_rows([result])}
    assert rows.keys() == EDITS.keys()
    chosen_on, quoted, by_hash = rows["mirrored"]
    assert chosen_on is None and quoted["count"] == quoted["of"] == 5 and by_hash["count"] == 0
    assert rows["a caption over the lowest eighth"][1]["count"] == 5
    assert next(set_rows([result]))[:5] == (QUOTED[0], "quoted", 41, 1, 1)
    seen = tmp_path / "seen.csv"
    seen.write_text(f"path,other,seen\n{QUOTED[0]}/40.jpg,{QUOTED[0]}/00.jpg,one picture\n")
    monkeypatch.setattr(copies, "SEEN", seen)
    assert next(set_rows([result]))[:5] == (QUOTED[0], "quoted", 41, 1, 0)
