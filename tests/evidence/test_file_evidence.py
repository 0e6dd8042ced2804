"""What the file gives away: planted differences are found, permuted classes are not, and one fact is one finding."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.config import Config, EvidenceConfig
from audit.cues.cue_table import CueTable, files_of
from audit.cues.file_cues import FileCue, file_cues
from audit.data.dataset import Dataset
from audit.data.facts.file_facts import FileFacts, fact_columns
from audit.evidence.evidence_table import Measurer
from audit.evidence.file_evidence import file_leakage
from audit.measures.measure import Measure
from audit.store.audit_folder import AuditFolder

N = 200
SETTINGS = EvidenceConfig(resamples=200, permutations=100)


def dataset(seed: int, width: np.ndarray, grey: np.ndarray) -> Dataset:
    plain = FileFacts(90.0, "4:2:0", 8, False, 100.0, 50.0, 0.0, 0.0, 6.0, 0.0)
    table = pd.DataFrame(
        {
            "path": [f"{n:04d}.jpg" for n in range(N)],
            "label": np.where(np.arange(N) < N // 2, "a", "b"),
            **{"width": width, "height": 300, "bytes": 60000 * width // 300, "format": "JPEG"},
            "group": np.arange(N),
            "fold": np.random.default_rng(seed).permutation(N) % 3,
            **fact_columns([plain] * N),
        }
    ).assign(**{"file:grey": grey})
    return Dataset("files", Path(), ("a", "b"), (), table, table.iloc[:0])


def leaning(rng: np.random.Generator, here: float, elsewhere: float) -> np.ndarray:
    """True for a share of the first half, and another of the second."""
    return rng.random(N) < np.where(np.arange(N) < N // 2, here, elsewhere)


def measured(data: Dataset, name: str) -> Measure:
    facts = file_cues(data.images)
    return file_leakage(facts, fact(facts, name).cue, data.labels == 0, data, SETTINGS, np.random.default_rng(0))


def fact(facts: list[FileCue], name: str) -> FileCue:
    return next(one for one in facts if one.cue.name == name)


def test_a_planted_shape_is_found_and_a_kind_is_counted_instead():
    rng = np.random.default_rng(0)
    data = dataset(0, np.where(leaning(rng, 0.8, 0.2), 600, 400) + rng.integers(0, 40, N), leaning(rng, 0.3, 0.3))
    shape = measured(data, "file.aspect_ratio")
    assert shape.value == pytest.approx(0.8, abs=0.08) and shape.low > 0.6 and shape.p < 0.01
    assert shape.n == N and not shape.extra
    kind = measured(data, "file.colour=grey")
    assert kind.value is None and "says it all" in kind.reason


def test_the_middle_is_found_too():
    rng = np.random.default_rng(1)
    middle = leaning(rng, 0.85, 0.15)
    width = np.where(middle, rng.integers(440, 480, N), np.where(rng.random(N) < 0.5, 300, 700))
    assert measured(dataset(1, width, leaning(rng, 0.3, 0.3)), "file.aspect_ratio").value > 0.75


def test_without_a_difference_p_is_uniform_enough():
    p = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        data = dataset(seed, rng.integers(300, 700, N), leaning(rng, 0.3, 0.3))
        p.append(measured(data, "file.together").p)
    assert 0.3 < np.mean(p) < 0.7 and np.mean(np.array(p) < 0.1) <= 0.25


def test_all_together_say_more_than_the_clearest_only_where_they_do():
    rng = np.random.default_rng(3)
    width = np.where(leaning(rng, 0.75, 0.25), 600, 400)
    both = measured(dataset(3, width, leaning(rng, 0.75, 0.25)), "file.together")
    alone = measured(dataset(3, width, leaning(rng, 0.3, 0.3)), "file.together")
    assert both.value > alone.value and both.extra["above_control"] > 0.05
    assert alone.extra["above_control"] < 0.03 and alone.extra["control"] == pytest.approx(0.75, abs=0.08)


def test_what_is_unknown_is_left_out_of_a_single_fact():
    rng = np.random.default_rng(4)
    data = dataset(4, rng.integers(300, 700, N), leaning(rng, 0.3, 0.3))
    data.images["file:jpeg_quality"] = np.where(rng.random(N) < 0.5, np.nan, rng.integers(60, 95, N)).astype("float32")
    facts = file_cues(data.images)
    assert measured(data, "file.jpeg_quality").n == fact(facts, "file.jpeg_quality").known.sum() < N


def test_nobody_is_asked_for_photographs_without_a_file(tmp_path):
    rng = np.random.default_rng(5)
    data = dataset(5, np.where(leaning(rng, 0.75, 0.25), 600, 400), leaning(rng, 1.0, 0.0))
    cues, rows = files_of(data)
    table = CueTable(AuditFolder(tmp_path), tuple(cues), rows.set_index(["cue", "image"]).sort_index(), None)
    measurer = Measurer(Config(), data, table, np.ones(N, bool), pd.DataFrame())
    gaps = {cue.name: measurer.measure_gap(cue, 0) for cue in cues}
    asked = {name for name, gap in gaps.items() if "more would do" in gap.reason}
    assert "file.colour=grey" in asked and gaps["file.together"].value is None and "file.together" not in asked
