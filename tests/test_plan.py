"""The plan's files: weights that free the class of every flagged cue, counts that add up, cells safe to open."""

import csv

import numpy as np
import pandas as pd
import pytest

from audit.dataset import Dataset
from audit.folder import AuditFolder, read_json
from audit.plan import Flagged, PlanCell, cells, safe_cell, safe_path, write_plan

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx")


def make_dataset(tmp_path, labels: np.ndarray, paths: list[str] | None = None, classes=("doctor", "nurse")) -> Dataset:
    paths = paths or [f"{classes[label]}/{number:03d}.jpg" for number, label in enumerate(labels)]
    named = [classes[label] for label in labels]
    images = pd.DataFrame({"path": paths, "label": named, "group": np.arange(len(labels)), "fold": 0})
    return Dataset("people", tmp_path, tuple(classes), (), images, images.iloc[:0])


def flag(present: np.ndarray, known: np.ndarray | None = None, name: str = "hair") -> Flagged:
    known = np.ones(len(present), bool) if known is None else known
    return Flagged("F1", name, f"the {name}", present, known)


@pytest.fixture
def skewed():
    """Doctors show the cue in 30 of 40 images, nurses in 10 of 40; a second cue in another pattern."""
    labels = np.repeat([0, 1], 40)
    rank = np.arange(80) % 40
    return labels, np.where(labels == 0, rank < 30, rank < 10), np.where(labels == 0, rank % 4 > 0, rank % 4 == 0)


def weighted_shares(weights: np.ndarray, labels: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Share of each state within each class, (classes, states)."""
    table = np.array([[weights[(labels == c) & (state == s)].sum() for s in range(state.max() + 1)] for c in (0, 1)])
    return table / table.sum(1, keepdims=True)


def read_weights(folder: AuditFolder) -> np.ndarray:
    return pd.read_csv(folder.plan / "weights.csv")["weight"].to_numpy()


def test_weights_make_every_flagged_cue_independent_of_the_class(skewed, tmp_path):
    labels, hair, gender = skewed
    folder, dataset = AuditFolder(tmp_path), make_dataset(tmp_path, labels)
    write_plan(folder, dataset, [flag(hair), flag(gender, name="gender")], [])
    weights = read_weights(folder)
    assert weights.mean() == pytest.approx(1)
    for state in (hair.astype(int), gender.astype(int)):
        shares = weighted_shares(weights, labels, state)
        np.testing.assert_allclose(shares[0], shares[1], atol=1e-3)
    plan = read_json(folder.plan / "plan.json")
    assert plan["weights_suffice"] is True
    assert plan["effective_n"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum(), abs=0.1)


def test_one_cue_gives_kamiran_and_calders_weights(skewed, tmp_path):
    labels, hair, _ = skewed
    folder = AuditFolder(tmp_path)
    write_plan(folder, make_dataset(tmp_path, labels), [flag(hair)], [])
    cell = {(0, True): 30, (0, False): 10, (1, True): 10, (1, False): 30}
    expected = [40 * 40 / (80 * cell[c, s]) for c, s in zip(labels.tolist(), hair.tolist(), strict=True)]
    np.testing.assert_allclose(read_weights(folder), expected, atol=1e-4)


def test_nothing_flagged_weighs_everything_the_same(skewed, tmp_path):
    folder = AuditFolder(tmp_path)
    write_plan(folder, make_dataset(tmp_path, skewed[0]), [], [])
    assert (read_weights(folder) == 1).all()
    plan = read_json(folder.plan / "plan.json")
    assert plan["effective_n"] == 80 and plan["cells"] == [] and plan["weights_suffice"] is True


def test_unknown_is_a_state_of_its_own(skewed, tmp_path):
    """Whether an attribute was recorded at all may give the class away, so it is balanced as well."""
    labels, hair, _ = skewed
    known = np.where(labels == 0, np.arange(80) % 2 == 0, np.arange(80) % 8 > 0)
    folder = AuditFolder(tmp_path)
    flagged = flag(hair & known, known)
    assert flagged.state.tolist() == np.where(known, hair, 2).tolist()
    write_plan(folder, make_dataset(tmp_path, labels), [flagged], [])
    shares = weighted_shares(read_weights(folder), labels, flagged.state)
    np.testing.assert_allclose(shares[0], shares[1], atol=1e-3)


def test_a_class_that_never_shows_the_cue_needs_new_photographs(tmp_path):
    labels, present = np.repeat([0, 1], 20), np.arange(40) < 10
    folder, dataset = AuditFolder(tmp_path), make_dataset(tmp_path, labels)
    wanted = cells(dataset, flag(present))
    write_plan(folder, dataset, [flag(present)], wanted)
    assert read_json(folder.plan / "plan.json")["weights_suffice"] is False
    assert next(cell for cell in wanted if cell.label == "nurse" and cell.present).add > 0


def test_cells_leave_unknown_images_out_and_end_evenly(skewed, tmp_path):
    labels, hair, _ = skewed
    known = np.arange(80) % 40 != 39
    found = {(cell.label, cell.present): cell for cell in cells(make_dataset(tmp_path, labels), flag(hair, known))}
    assert [found[key].have for key in (("doctor", True), ("doctor", False))] == [30, 9]
    assert [found[key].have for key in (("nurse", True), ("nurse", False))] == [10, 29]
    assert all(cell.need == cell.have + cell.add and cell.add >= 0 for cell in found.values())
    odds = [found[name, True].need / found[name, False].need for name in ("doctor", "nurse")]
    assert odds[0] == pytest.approx(odds[1], rel=0.05)


def test_the_shopping_list_says_what_the_cells_say(skewed, tmp_path):
    labels, hair, _ = skewed
    folder, dataset = AuditFolder(tmp_path), make_dataset(tmp_path, labels)
    wanted = cells(dataset, flag(hair))
    write_plan(folder, dataset, [flag(hair)], wanted)
    with (folder.plan / "shopping-list.csv").open(newline="") as handle:
        header, *rows = list(csv.reader(handle))
    assert header == ["finding", "class", "cue", "shows the cue", "have", "need", "add"]
    assert [(row[1], row[3], int(row[6])) for row in rows] == [
        (cell.label, "yes" if cell.present else "no", cell.add) for cell in wanted
    ]
    plan = read_json(folder.plan / "plan.json")
    assert [cell["class"] for cell in plan["cells"]] == [cell.label for cell in wanted]
    assert all((tmp_path / name).exists() for name in plan["files"])


def test_sentences_say_what_to_collect():
    cell = PlanCell("F1", "hair", "the hair", "nurse", False, 3, 9, 6)
    assert cell.sentence() == "Collect 6 more “nurse” photographs without the hair (there are 3)."


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text):
    assert safe_cell(text) == f"'{text}" and safe_path(text) == f"./{text}"


@pytest.mark.parametrize("value", ["cat", "", "a=b", -3, 0, 2.5])
def test_other_cells_stay_as_they_are(value):
    assert safe_cell(value) == value


def test_hostile_names_stay_in_their_cells(tmp_path):
    """A file, a class and a cue called like formulas, with quotes, commas and line ends in them."""
    evil = ('=HYPERLINK("http://x","y")', '@SUM(1),"\nz')
    paths = [f"{prefix}{number}.jpg" for number, prefix in enumerate((*FORMULAS, *evil))]
    labels = np.array([0, 1] * 4)
    present = np.array([1, 1, 0, 0, 1, 0, 1, 0], bool)
    dataset = make_dataset(tmp_path, labels, paths, classes=evil)
    folder, flagged = AuditFolder(tmp_path), Flagged("F1", "x", '=cmd|"/c calc"', present, np.ones(8, bool))
    write_plan(folder, dataset, [flagged], cells(dataset, flagged))
    for name, rows, columns in (("weights.csv", 9, 2), ("shopping-list.csv", 5, 7)):
        with (folder.plan / name).open(newline="", encoding="utf-8") as handle:
            table = list(csv.reader(handle))
        assert len(table) == rows and {len(row) for row in table} == {columns}
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in table for cell in row)
    assert [path.removeprefix("./") for path in pd.read_csv(folder.plan / "weights.csv")["path"]] == paths
