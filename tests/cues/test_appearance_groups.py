"""Looks: planted groups inside a part that every picture shows are found without labels; even ones accuse nobody."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import kstest

from audit.cues.appearance_groups import compare, find_looks, sort_looks
from audit.detectors.cue import GRID, Cue
from audit.evidence.evidence_table import read_evidence
from audit.measures.prevalence import prevalence
from audit.store.audit_folder import AuditFolder, read_json, read_table
from tests.planted import draw_picture, run_audit, tiny_config

HAIR, EYES = Cue("hair", "the hair", "part"), Cue("eyes", "the eyes", "part", within="hair")


def two_kinds(rng: np.random.Generator, second: np.ndarray) -> np.ndarray:
    """Activations (n, 48) of one kind or, where ``second``, of another."""
    return np.abs(rng.normal(1, 0.3, (len(second), 48)) + np.outer(second, 2.0 * (np.arange(48) < 12)))


def test_planted_looks_are_sorted_apart_and_the_larger_comes_first():
    rng = np.random.default_rng(0)
    second = rng.random(200) < 0.3
    assigned, stability = sort_looks(two_kinds(rng, second), seed=0)
    assert assigned.tolist() == second.astype(int).tolist() and stability > 0.95


def test_one_cloud_has_no_looks():
    descriptors = np.abs(np.random.default_rng(0).normal(1, 0.3, (240, 48)))
    assert sort_looks(descriptors, seed=0) is None


@pytest.mark.parametrize("n", [0, 1, 20])
def test_too_few_images_have_no_looks(n):
    assert sort_looks(np.random.default_rng(0).random((n, 8)), seed=0) is None


def test_a_word_needs_three_of_four_pairs():
    values, words = np.arange(100.0), ("smaller", "larger")
    assert compare(values + 40, values, words) == "larger" and compare(values, values + 40, words) == "smaller"
    assert compare(values + 10, values, words) == ""
    assert compare(np.full(5, np.nan), values, words) == ""


@dataclass(frozen=True)
class Seen:
    """What detectors would have found."""

    cues: tuple[Cue, ...]
    present: np.ndarray
    area: np.ndarray

    def place(self, name: str) -> int:
        return [cue.name for cue in self.cues].index(name)

    def masks(self, images: np.ndarray) -> np.ndarray:
        return np.ones((len(images), len(self.cues), GRID, GRID), bool)


@pytest.fixture
def found(monkeypatch):
    """The looks of hair that is long and dark in some images, and what else was found."""
    rng = np.random.default_rng(1)
    long = rng.random(120) < 0.5
    monkeypatch.setattr(
        "audit.cues.appearance_groups.read_pixels",
        lambda dataset, image, config: np.full((8, 8, 3), 40 if long[image] else 200, np.uint8),
    )

    def looks(present: np.ndarray, cues=(HAIR, EYES)):
        area = np.where(long, 0.4, 0.1)[:, None].repeat(len(cues), 1)
        dataset = type("Dataset", (), {"images": pd.DataFrame(index=range(120))})
        seen = Seen(cues, np.stack([present] * len(cues), 1), area)
        config = type("Config", (), {"seed": 0})
        return find_looks(dataset, config, seen, lambda cue: two_kinds(rng, long)), long

    return looks


def test_looks_are_named_by_what_sets_them_apart(found):
    (looks,), long = found(np.ones(120, bool))
    dark = next(i for i, cue in enumerate(looks.cues) if "larger, darker" in cue.words)
    assert np.array_equal(looks.assigned == dark, long)
    assert looks.cues[1 - dark].words == f"one look of the hair (no. {2 - dark} of 2: smaller, lighter)"
    assert {(cue.kind, cue.role, cue.within) for cue in looks.cues} == {("appearance", "part", "hair")}


def test_images_without_the_part_have_no_look(found):
    present = np.arange(120) >= 20
    (looks,), _ = found(present)
    assert (looks.assigned[:20] == -1).all() and (looks.assigned[20:] >= 0).all()


@pytest.mark.parametrize(
    ("present", "cues"),
    [(0.7, (HAIR,)), (1.0, (Cue("person", "the person", "subject"),)), (1.0, (Cue("text", "text", "mark"),))],
)
def test_only_parts_that_everybody_has_are_sorted(found, present, cues):
    assert found(np.arange(120) < present * 120, cues)[0] == []


def draw_patches(root: Path, shares: tuple[float, float]) -> tuple[Path, Path]:
    """Discs and squares, each with a patch below it that is striped in a share of either class and plain otherwise.

    Returns the manifest, and the boxes that mark the patch in every picture.
    """
    rng, rows, boxes = np.random.default_rng(0), [], []
    for label, share in zip(("disc", "square"), shares, strict=True):
        (root / label).mkdir(parents=True, exist_ok=True)
        striped = rng.permutation(60) < round(60 * share)
        for number in range(60):
            path = f"{label}/{number:03d}.png"
            pixels = np.array(draw_picture(label, False, rng))
            pixels[48:, 16:48] = (210, 60, 40)
            pixels[48::4, 16:48] = pixels[49::4, 16:48] = (20, 30, 220) if striped[number] else (210, 60, 40)
            Image.fromarray(pixels).save(root / path)
            rows.append((path, label))
            boxes.append((path, 16, 48, 48, 64))
    for name, header, lines in (
        ("images", ("path", "label"), rows),
        ("boxes", ("path", "x0", "y0", "x1", "y1"), boxes),
    ):
        with (root / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *lines])
    return root / "images.csv", root / "boxes.csv"


def audit_patches(root: Path, shares: tuple[float, float]) -> AuditFolder:
    manifest, boxes = draw_patches(root / "photos", shares)
    own = [{"name": "spot", "words": "the patch", "boxes": str(boxes), "role": "part"}]
    return run_audit(root / "audit", tiny_config(manifest, own_cues=own))


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> AuditFolder:
    return audit_patches(tmp_path_factory.mktemp("planted"), (0.9, 0.1))


def test_a_look_that_goes_with_a_class_is_flagged_without_any_attribute(planted):
    found = [f for f in read_json(planted.record)["findings"] if f["cue_kind"] == "appearance"]
    assert {f["severity"] for f in found} <= {"high", "medium"} and len(found) == 2
    striped = next(f for f in found if f["class"] == "disc")
    assert striped["evidence"]["prevalence"]["value"] == pytest.approx(0.9)
    assert striped["evidence"]["prevalence"]["elsewhere"] == pytest.approx(0.1)
    assert "very activations" in striped["evidence"]["leakage"]["reason"]
    assert striped["evidence"]["attention"]["n"] == 54 and striped["evidence"]["effect"]["n"] <= 16


def test_looks_are_compared_with_groups_of_the_control_region(planted):
    """Below every picture's patch is nothing; elsewhere it is noise or the shape, which has no look of its own."""
    found = [f for f in read_json(planted.record)["findings"] if f["cue_kind"] == "appearance"]
    for finding in found:
        shown = finding["evidence"]["prevalence"]
        assert 0 <= shown["control_difference_low"] <= shown["control_difference_high"] <= 1
        assert abs(shown["difference"]) == pytest.approx(0.8)
    rows = read_evidence(planted).set_index(["cue", "kind"])
    assert "control_difference" not in rows.loc[("spot", "prevalence"), "extra"].iloc[0]


def test_its_evidence_is_that_of_the_part_in_the_images_that_have_the_look(planted):
    rows = read_table(planted.cues).set_index(["cue", "image"]).sort_index()
    for name in ("spot look 1", "spot look 2"):
        has = rows.loc[name, "present"].to_numpy(bool)
        for column in ("attention", "area"):
            np.testing.assert_array_equal(rows.loc[name, column][has], rows.loc["spot", column][has])
    assert "spot look 1" not in set(read_table(planted.masking)["cue"])


def test_looks_are_counted_by_class_with_examples(planted):
    record = read_json(planted.record)
    (looks,) = record["looks"]
    counts = [[cell["n"] for cell in group["classes"].values()] for group in looks["groups"]]
    assert sorted(counts) == [[6, 54], [54, 6]]
    for group in looks["groups"]:
        for label, cell in group["classes"].items():
            assert len(cell["examples"]) == 3 and all(path.startswith(label) for path in cell["examples"])
            assert cell["share"] == pytest.approx(cell["n"] / 60)


def test_the_p_values_of_looks_are_uniform_where_labels_mean_nothing():
    """Groups are formed without labels, so no label is used twice: exchange the labels and the looks stay."""
    p = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        descriptors, in_class = two_kinds(rng, rng.random(80) < 0.4), rng.permutation(80) < 40
        assigned, _ = sort_looks(descriptors, seed=0)
        p.append(prevalence(assigned == 0, in_class, np.arange(80), rng, permutations=99).p)
    # Ties between the few possible differences make p too large at times, never too small.
    assert np.mean(np.array(p) <= 0.05) < 0.1 and kstest(p, "uniform", alternative="greater").pvalue > 0.001


def test_a_look_that_is_spread_evenly_accuses_nobody(tmp_path):
    record = read_json(audit_patches(tmp_path, (0.5, 0.5)).record)
    found = [f for f in record["findings"] if f["cue_kind"] == "appearance"]
    assert len(record["looks"]) == 1 and len(found) == 2
    assert {f["in_data"] for f in found} <= {"none", "unknown"}
    assert not {f["severity"] for f in found} & {"high", "medium"}
