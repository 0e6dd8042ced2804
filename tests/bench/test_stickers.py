"""The bench of stickers: what it draws, and what its rows say."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from tests.bench.stickers import FALSE, FORMS, Bar, Form, moles, row


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.words)
def test_a_disc_is_as_long_as_asked_and_cut_if_asked(form):
    pixels = np.full((300, 400, 3), 128, np.uint8)
    for seed in range(5):
        drawn = (form.on(pixels, np.random.default_rng(seed)) != pixels).any(2)
        rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
        edges = (rows[0] == 0, rows[-1] == 299, columns[0] == 0, columns[-1] == 399)
        assert any(edges) == form.is_cut
        assert max(np.ptp(rows), np.ptp(columns)) <= form.lengths[1] * 400
        assert np.array_equal(
            form.on(pixels, np.random.default_rng(seed)), form.on(pixels, np.random.default_rng(seed))
        )


def test_a_hole_shows_the_picture():
    pixels = np.full((300, 400, 3), 128, np.uint8)
    whole, holed = (Form("", (0.3, 0.3), is_cut=False, hole=hole) for hole in (0.0, 0.5))
    areas = [(form.on(pixels, np.random.default_rng(1)) != 128).any(2).sum() for form in (whole, holed)]
    assert areas[1] / areas[0] == pytest.approx(0.75, abs=0.02)


def test_a_row_says_whether_its_bar_is_met():
    hits = np.array([True] * 3 + [False] * 97)
    assert row("q", "set", hits, FALSE)[3:] == ("≤ 2 %", "**no**")
    assert row("q", "set", hits[1:], FALSE)[4] == "**no**" and row("q", "set", hits[2:], FALSE)[4] == "yes"
    assert row("q", "set", hits, Bar(3))[3:] == ("≥ 3", "yes") and row("q", "set", hits, Bar(4))[4] == "**no**"
    assert row("q", "set", hits)[2]["count"] == 3 and row("q", "set", hits)[3:] == ("", "")


def test_the_halves_are_parted_by_content_and_together_are_all(tmp_path):
    (tmp_path / "images").mkdir()
    lines, odd = ["path,colour_patch"], 0
    for seed in range(8):
        path = tmp_path / "images" / f"{seed}.png"
        Image.fromarray(np.random.default_rng(seed).integers(90, 110, (40, 40, 3), np.uint8)).save(path)
        lines.append(f"images/{seed}.png,{int(seed < 3)}")
        odd += int(hashlib.sha256(path.read_bytes()).hexdigest(), 16) % 2
    (tmp_path / "index.csv").write_text("\n".join(lines))
    counts = [cells[2]["of"] for cells in moles(tmp_path)]
    assert counts[0] + counts[2] == counts[4] == 3 and counts[1] + counts[3] == counts[5] == 5
    assert counts[2] + counts[3] == odd and counts[6] == 8
