"""The bench of subsamples: trials of one audit's photographs, on a drawn set of people."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audit.selfaudit.marks import Frame
from tests.bench.audit_cases import GENDER, PEOPLE, Case
from tests.bench.subsamples import main, open_inputs, run_case
from tests.planted import draw_picture, tiny_config


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """Men have a white frame, women none; half of the doctors and of the nurses are men."""
    folder, rng, rows = tmp_path_factory.mktemp("drawn"), np.random.default_rng(0), []
    for label in ("doctor", "nurse"):
        (folder / PEOPLE / label).mkdir(parents=True)
        for number in range(80):
            gender, path = ("male", "female")[number % 2], f"{label}/{number:03d}.png"
            pixels = np.array(draw_picture("disc", False, rng))
            framed = Frame(0.1)(pixels, rng).pixels if gender == "male" else pixels
            Image.fromarray(framed).save(folder / PEOPLE / path)
            rows.append({"path": path, "label": label, "gender": gender})
    pd.DataFrame(rows).to_csv(folder / PEOPLE / "index.csv", index=False)
    return folder


def test_a_trial_sees_who_was_drawn_and_nothing_where_all_are_alike(drawn, tmp_path):
    overrides = tiny_config(Path("unused")).model_dump(mode="json")
    overrides |= {"dataset": {"photos": str(drawn / PEOPLE), "duplicate_bits": 0}}
    inputs = open_inputs(drawn / PEOPLE, tmp_path / "all", overrides)
    biased = Case("biased", GENDER, PEOPLE, (40, 40), leaning="doctor", shares=(0.9, 0.1))
    balanced = Case("balanced", GENDER, PEOPLE, (40, 40), leaning="doctor", shares=(0.5, 0.5))
    framed = [
        next(
            one["severity"]
            for one in run_case(inputs, case, drawn, tmp_path / "trial")["findings"]
            if one["cue"] == "border"
        )
        for case in (biased, balanced)
    ]
    assert framed[0] in ("high", "medium") and framed[1] not in ("high", "medium")


def test_without_photographs_it_says_so(tmp_path, capsys):
    assert main(["--data", str(tmp_path)]) == 2
    assert f"holds no {PEOPLE}" in capsys.readouterr().err
