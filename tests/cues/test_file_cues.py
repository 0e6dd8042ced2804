"""Facts of the file as cues: what some share becomes one, what nearly all or none show does not; their histograms."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.cues.file_cues import file_cues, folder_of, is_together, name_pattern
from audit.cues.file_distribution import BINS, distribution
from audit.cues.file_words import KINDS, NUMBERS, fact_of, remedy
from audit.data.dataset import Dataset
from audit.data.facts.file_facts import FileFacts, fact_columns

N = 200


def images(**changed: object) -> pd.DataFrame:
    """Rows of images.parquet that are alike in everything but what is changed."""
    plain = FileFacts(90.0, "4:2:0", 8, False, 100.0, 50.0, 0.0, 0.0, 6.0, 0.0)
    table = pd.DataFrame(
        {
            "path": [f"a/{n:04d}.jpg" if n < N // 2 else f"b/{n:04d}.jpg" for n in range(N)],
            "label": np.where(np.arange(N) < N // 2, "a", "b"),
            "width": 400,
            "height": 300,
            "bytes": 60000,
            "format": "JPEG",
            **fact_columns([plain] * N),
        }
    )
    return table.assign(**{name.replace("file_", "file:"): value for name, value in changed.items()})


def every(step: int, yes: object, no: object) -> list[object]:
    return [yes if n % step == 0 else no for n in range(N)]


def found(table: pd.DataFrame) -> dict[str, np.ndarray]:
    return {one.cue.name: one.present for one in file_cues(table)}


def test_files_that_are_alike_have_no_cue_nor_has_a_table_of_an_older_version():
    assert file_cues(images()) == []
    assert file_cues(images(format=every(2, "PNG", "JPEG")).filter(regex="^(?!file:)")) == []


@pytest.mark.parametrize(
    ("column", "yes", "no", "cue"),
    [
        ("format", "PNG", "JPEG", "file.format=PNG"),
        ("file_grey", True, False, "file.colour=grey"),
        ("file_depth", 16, 8, "file.depth=16"),
        ("file_subsampling", "4:4:4", "4:2:0", "file.subsampling=4:4:4"),
        ("file_camera", "camera 1", "", "file.camera=camera 1"),
        ("file_dated", True, False, "file.date=given"),
    ],
)
def test_of_two_values_the_unusual_one_is_a_cue_whichever_is_commoner(column, yes, no, cue):
    for step, values in ((4, (yes, no)), (4, (no, yes)), (2, (yes, no))):
        marked = np.array(every(step, *values), object)
        shown = found(images(**{column: marked}))
        assert np.array_equal(shown[cue], marked == yes)
        assert [name for name in shown if name.startswith(cue.partition("=")[0])] == [cue]


def test_of_more_values_each_that_enough_show_is_one():
    values = np.array(["PNG"] * 60 + ["WEBP"] * 40 + ["GIF"] * 4 + ["JPEG"] * 96)
    shown = found(images(format=values))
    assert sorted(name for name in shown if "format" in name) == [
        "file.format=JPEG",
        "file.format=PNG",
        "file.format=WEBP",
    ]


@pytest.mark.parametrize("few", [1, 9])
def test_what_too_few_or_nearly_all_show_is_no_cue(few):
    assert found(images(format=["PNG"] * few + ["JPEG"] * (N - few))) == {}
    assert found(images(width=[900] * few + [400] * (N - few))) == {}


def test_a_number_is_shown_where_it_is_high_and_its_value_is_kept():
    width = np.array(every(3, 800, 400))
    (shape,) = [one for one in file_cues(images(width=width)) if one.cue.name == "file.aspect_ratio"]
    assert np.array_equal(shape.present, width == 800) and np.allclose(shape.values, width / 300)
    assert (shape.cue.kind, shape.cue.role, shape.is_number) == ("file", "file", True)


def test_bytes_are_compared_in_one_format_and_tone_among_coloured_pictures():
    rng = np.random.default_rng(0)
    png, grey = np.array(every(4, True, False)), np.array(every(5, True, False))
    table = images(
        format=np.where(png, "PNG", "JPEG"),
        bytes=rng.integers(50_000, 70_000, N) * np.where(png, 10, 1),
        file_grey=grey,
        file_warmth=np.where(grey, 0, rng.normal(40, 10, N)),
    )
    facts = {one.cue.name: one for one in file_cues(table)}
    assert np.array_equal(facts["file.bits_per_pixel"].known, ~png)
    assert np.array_equal(facts["file.warmth"].known, ~grey)
    assert not (facts["file.bits_per_pixel"].present & png).any()


def test_a_difference_that_nobody_notices_is_none_and_one_that_is_seen_stays():
    label = np.arange(N) < N // 2
    spread = np.random.default_rng(4).normal(0, 0.01, N)
    for apart, low, high in ((0.1, 0.4, 0.6), (40.0, 0.99, 1.0)):
        (fact,) = file_cues(images(file_brightness=100 + apart * label + spread))
        wins = (fact.noticed[label][:, None] > fact.noticed[~label]).mean()
        assert low <= wins <= high and fact.values[label].min() > fact.values[~label].max()


def test_all_together_is_the_last_cue_and_needs_more_than_one_fact_of_the_file():
    one = images(format=every(2, "PNG", "JPEG"))
    two = one.assign(**{"file:grey": every(3, True, False)})
    toned = one.assign(**{"file:brightness": np.arange(N, dtype=float)})
    assert [sum(is_together(fact.cue) for fact in file_cues(table)) for table in (one, two, toned)] == [0, 1, 0]
    assert is_together(file_cues(two)[-1].cue) and file_cues(two)[-1].present.all()


@pytest.mark.parametrize(
    ("path", "label", "pattern", "folder"),
    [
        ("cat/IMG_0042.jpg", "cat", "IMG_#", ""),
        ("cat/cat-17b.png", "Cat", "*-#b", ""),
        ("cat/site 3/DSC1.jpg", "cat", "DSC#", "site 3"),
        ("location7.jpg", "cat", "location#", ""),
        ("x.jpg", "c+", "x", ""),
    ],
)
def test_names_lose_digits_and_class_and_folders_the_class(path, label, pattern, folder):
    assert (name_pattern(path, label), folder_of(path, label)) == (pattern, folder)


def test_names_that_only_say_the_class_are_no_cue_and_others_are_of_an_origin():
    names = [f"a/a_{n}.jpg" if n < N // 2 else f"b/b_{n}.jpg" for n in range(N)]
    assert found(images(path=names)) == {}
    names = [f"{'a' if n < N // 2 else 'b'}/{'IMG' if n % 2 else 'scan'}{n}.jpg" for n in range(N)]
    origin = [one.cue for one in file_cues(images(path=names))]
    assert [(cue.name, cue.role) for cue in origin] == [("file.name=IMG#", "origin")]


def dataset_of(table: pd.DataFrame) -> Dataset:
    return Dataset("files", Path(), ("a", "b"), (), table, table.iloc[:0])


def test_a_histogram_counts_every_known_photograph_once():
    rng = np.random.default_rng(3)
    values = rng.normal(100, 30, N)
    table = images(file_brightness=values, file_grey=every(2, True, False), file_warmth=values)
    cues = {one.cue.name: one.cue for one in file_cues(table)}
    spread = distribution(cues["file.brightness"], dataset_of(table))
    assert len(spread.bins) == BINS and [sum(some) for some in spread.counts.values()] == [N // 2, N // 2]
    low, high = np.quantile(values, [0.01, 0.99])
    inside = np.histogram(np.clip(values[: N // 2], low, high), np.linspace(low, high, BINS + 1))[0]
    assert spread.counts["a"] == tuple(inside)
    assert sum(map(sum, distribution(cues["file.warmth"], dataset_of(table)).counts.values())) == N // 2
    grey = distribution(cues["file.colour=grey"], dataset_of(table))
    assert set(grey.bins) == {"a grey picture", "a coloured picture"} and grey.counts == {"a": (50, 50), "b": (50, 50)}


def test_few_values_have_a_bar_each_and_the_whole_has_none():
    table = images(width=every(3, 800, 400))
    facts = file_cues(table)
    spread = distribution(facts[0].cue, dataset_of(table))
    assert spread.bins == ("1.33", "2.67") and sum(some[1] for some in spread.counts.values()) == 67
    assert is_together(facts[-1].cue) and distribution(facts[-1].cue, dataset_of(table)) is None


def test_every_fact_has_words_and_a_remedy():
    for name in (*NUMBERS, *(f"{kind}=x" for kind in KINDS), "together"):
        assert remedy(f"file.{name}").endswith(".")
    assert fact_of("file.name=a=b") == ("name", "a=b")
