"""The plan's files: weights that free the class of every flagged cue, counts that add up, cells safe to open."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.attributes.attribute import Attribute
from audit.cues.differences import Trait
from audit.data.dataset import Dataset
from audit.plan.inventory import Flagged, Inventory
from audit.plan.orders import JointCell
from audit.plan.plan_json import PlanCell
from audit.plan.strategies import cells, collect, drop, mask, together, weight
from audit.plan.write_plan import safe_cell, safe_path, write_plan
from audit.store.audit_folder import AuditFolder, read_json

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx")


def make_inventory(
    labels: np.ndarray, paths: list[str] | None = None, classes=("doctor", "nurse"), groups=None
) -> Inventory:
    """Photographs without files; the model is a little surer of each one than of the one before."""
    paths = paths or [f"{classes[label]}/{number:03d}.jpg" for number, label in enumerate(labels)]
    named = [classes[label] for label in labels]
    groups = np.arange(len(labels)) if groups is None else groups
    images = pd.DataFrame({"path": paths, "label": named, "group": groups, "fold": 0})
    dataset = Dataset("people", Path("photos"), tuple(classes), (), images, images.iloc[:0])
    return Inventory(dataset, np.linspace(0.3, 0.9, len(labels)), 5)


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
    folder, inventory = AuditFolder(tmp_path), make_inventory(labels)
    write_plan(folder, inventory, [flag(hair), flag(gender, name="gender")], [])
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
    write_plan(folder, make_inventory(labels), [flag(hair)], [])
    cell = {(0, True): 30, (0, False): 10, (1, True): 10, (1, False): 30}
    expected = [40 * 40 / (80 * cell[c, s]) for c, s in zip(labels.tolist(), hair.tolist(), strict=True)]
    np.testing.assert_allclose(read_weights(folder), expected, atol=1e-4)


def test_nothing_flagged_weighs_everything_the_same(skewed, tmp_path):
    folder = AuditFolder(tmp_path)
    write_plan(folder, make_inventory(skewed[0]), [], [])
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
    write_plan(folder, make_inventory(labels), [flagged], [])
    shares = weighted_shares(read_weights(folder), labels, flagged.state)
    np.testing.assert_allclose(shares[0], shares[1], atol=1e-3)


def test_a_class_that_never_shows_the_cue_needs_new_photographs(tmp_path):
    labels, present = np.repeat([0, 1], 20), np.arange(40) < 10
    folder, inventory = AuditFolder(tmp_path), make_inventory(labels)
    plan_cells = cells(inventory, flag(present))
    write_plan(folder, inventory, [flag(present)], plan_cells)
    assert read_json(folder.plan / "plan.json")["weights_suffice"] is False
    assert next(cell for cell in plan_cells if cell.label == "nurse" and cell.present).add > 0


def test_cells_leave_unknown_images_out_and_end_evenly(skewed, tmp_path):
    labels, hair, _ = skewed
    known = np.arange(80) % 40 != 39
    by_state = {(cell.label, cell.present): cell for cell in cells(make_inventory(labels), flag(hair, known))}
    assert [by_state[key].have for key in (("doctor", True), ("doctor", False))] == [30, 9]
    assert [by_state[key].have for key in (("nurse", True), ("nurse", False))] == [10, 29]
    assert all(cell.need == cell.have + cell.add and cell.add >= 0 for cell in by_state.values())
    odds = [by_state[name, True].need / by_state[name, False].need for name in ("doctor", "nurse")]
    assert odds[0] == pytest.approx(odds[1], rel=0.05)


def test_the_shopping_list_says_what_the_cells_say(skewed, tmp_path):
    labels, hair, _ = skewed
    folder, inventory = AuditFolder(tmp_path), make_inventory(labels)
    plan_cells = cells(inventory, flag(hair))
    write_plan(folder, inventory, [flag(hair)], plan_cells)
    with (folder.plan / "shopping-list.csv").open(newline="") as handle:
        header, *rows = list(csv.reader(handle))
    assert header[:6] == ["list", "class", "cue state", "have", "need", "add"] and len(header) == 9
    alone = [row for row in rows if row[0] == "F1"]
    assert [(row[1], row[2], int(row[5])) for row in alone] == [(c.label, c.state, c.add) for c in plan_cells]
    assert [tuple(filter(None, row[6:])) for row in alone] == [cell.examples for cell in plan_cells]
    joint = [row for row in rows if row[0] == "together"]
    assert sorted(map(tuple, (row[1:] for row in joint))) == sorted(map(tuple, (row[1:] for row in alone)))
    plan = read_json(folder.plan / "plan.json")
    assert [cell["class"] for cell in plan["cells"]] == [cell.label for cell in plan_cells]
    assert all((tmp_path / name).exists() for name in plan["files"])


def test_sentences_say_what_to_collect():
    cell = PlanCell(finding="F1", cue="hair", words="the hair", label="nurse", present=False, have=3, need=9, add=6)
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
    inventory = replace(make_inventory(labels, paths, classes=evil), min_per_class=1)
    folder, flagged = AuditFolder(tmp_path), Flagged("F1", "x", '=cmd|"/c calc"', present, np.ones(8, bool))
    write_plan(folder, inventory, [flagged], cells(inventory, flagged))
    for name, rows, columns in (("weights.csv", 9, 2), ("drop.csv", 3, 3), ("shopping-list.csv", 9, 9)):
        with (folder.plan / name).open(newline="", encoding="utf-8") as handle:
            table = list(csv.reader(handle))
        assert len(table) == rows and {len(row) for row in table} == {columns}
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in table for cell in row)
    assert [path.removeprefix("./") for path in pd.read_csv(folder.plan / "weights.csv")["path"]] == paths


def same_shares(counts: np.ndarray) -> bool:
    """Whether both rows (classes) spread alike over the columns, to within an image."""
    total = counts.sum(1, keepdims=True)
    return bool((((counts - 1) / total).max(0) <= ((counts + 1) / total).min(0)).all())


def test_dropping_leaves_the_cue_equally_common(skewed):
    labels, hair, gender = skewed
    dropping, left_out = drop(make_inventory(labels), [flag(hair), flag(gender, name="gender")])
    kept = np.setdiff1d(np.arange(80), [image for image, _ in left_out])
    assert dropping.possible and dropping.images == len(left_out) == 80 - dropping.left_images == 80 - len(kept)
    for present in (hair, gender):
        assert same_shares(np.array([np.bincount(present[kept][labels[kept] == c], minlength=2) for c in (0, 1)]))
    assert dropping.classes == {"doctor": (labels[kept] == 0).sum(), "nurse": (labels[kept] == 1).sum()}


def test_copies_go_first_then_what_the_model_is_surest_of(skewed):
    labels, hair, _ = skewed
    groups = np.arange(80)
    groups[[7, 9]] = groups[2]
    inventory = make_inventory(labels, groups=groups)
    _, left_out = drop(inventory, [flag(hair)])
    reasons = dict(left_out)
    copies = [image for image in reasons if "a copy of doctor/002.jpg" in reasons[image]]
    assert copies == [7, 9] and 2 not in reasons
    for label, state in ((0, True), (1, False)):
        cell = np.flatnonzero((labels == label) & (hair == state) & ~np.isin(np.arange(80), (7, 9)))
        out = np.isin(cell, list(reasons))
        assert inventory.trust[cell[out]].min() > inventory.trust[cell[~out]].max()
    assert all("too common: “" in reason for image, reason in left_out if image not in (7, 9))


def test_drop_csv_names_what_to_leave_out(skewed, tmp_path):
    labels, hair, _ = skewed
    folder, inventory = AuditFolder(tmp_path), make_inventory(labels)
    write_plan(folder, inventory, [flag(hair)], [])
    table = pd.read_csv(folder.plan / "drop.csv")
    assert list(table) == ["path", "class", "reason"]
    dropping = read_json(folder.plan / "plan.json")["ways"]["drop"]
    assert len(table) == dropping["images"] > 0 and table["path"].is_unique
    assert set(table["path"]) <= set(pd.read_csv(folder.plan / "weights.csv")["path"])
    assert (table["class"] == table["path"].str.partition("/")[0]).all()


def test_a_class_without_the_cue_is_said_in_words():
    labels, present = np.repeat([0, 1], 20), np.arange(40) < 20
    inventory, flagged = make_inventory(labels), flag(present)
    dropping, left_out = drop(inventory, [flagged])
    assert not dropping.possible and left_out == [] and dropping.images == 0
    assert "every “doctor” photograph shows the hair" in dropping.sentence
    weighting, _ = weight(inventory, [flagged])
    assert not weighting.possible and "every “doctor” photograph shows the hair" in weighting.sentence
    collecting, _ = collect(inventory, [flagged])
    assert collecting.possible and collecting.images == 40


def test_findings_that_contradict_each_other_are_said_to():
    """Each cue alone could be balanced by weights; the second is the first one's mirror among doctors only."""
    labels = np.repeat([0, 1], 20)
    first = np.arange(40) % 20 < np.where(labels == 0, 15, 5)
    second = np.where(labels == 0, first, ~first)
    flagged = [flag(first), flag(second, name="scrubs")]
    assert all(weight(make_inventory(labels), [single])[0].possible for single in flagged)
    weighting, _ = weight(make_inventory(labels), flagged)
    assert not weighting.possible and "contradict each other" in weighting.sentence


def test_collecting_for_several_findings_says_what_is_wanted(skewed):
    labels, hair, gender = skewed
    inventory = make_inventory(labels)
    collecting, orders = collect(inventory, [flag(hair), flag(gender, name="gender")])
    assert collecting.images == sum(cell.ask for cell in orders) and collecting.unknown == 0
    assert all(abs(cell.ask - cell.add) < 5 and cell.ask % 5 == 0 and cell.first <= cell.ask for cell in orders)
    assert collecting.first == sum(cell.first for cell in orders) <= collecting.images
    final = {(cell.label, *(present for _, present in cell.states)): cell.need for cell in orders}
    for cue in (0, 1):
        counts = np.zeros((2, 2), int)
        for (label, *states), need in final.items():
            counts[inventory.dataset.classes.index(label), int(states[cue])] += need
        assert same_shares(counts)
    for cell in orders:
        shows = [present for _, present in cell.states]
        images = [int(path[-7:-4]) for path in cell.examples]
        assert all([hair[image], gender[image]] == shows for image in images)
        assert len(images) == min(3, ((hair == shows[0]) & (gender == shows[1])).sum())


def test_examples_are_of_the_class_where_it_has_any_and_no_copies():
    labels, present = np.repeat([0, 1], 10), np.arange(20) < 10
    present[18:] = True
    inventory = make_inventory(labels, groups=np.append(np.arange(18), [18, 18]))
    assert inventory.examples(1, present) == ("nurse/019.jpg", "doctor/009.jpg", "doctor/008.jpg")
    assert inventory.examples(1, present & (labels == 0))[0] == "doctor/009.jpg"


def test_a_mirror_image_costs_no_place_among_the_four(skewed):
    _, hair, gender = skewed
    rng = np.random.default_rng(0)
    others = [flag(rng.random(80) < 0.5, name=f"look {number}") for number in range(3)]
    chosen = together([flag(hair), flag(~hair, name="short hair"), flag(gender, name="gender"), *others])
    assert [flagged.cue for flagged in chosen] == ["hair", "gender", "look 0", "look 1"]


def test_only_what_can_be_masked_is_offered(skewed):
    _, hair, gender = skewed
    known = np.ones(80, bool)
    text = Flagged("F2", "text", "text", gender, known, "inpaint")
    assert not mask([flag(hair)]).possible and "irrelevant_cues" in mask([flag(hair)]).sentence
    masking = mask([flag(hair), text, Flagged("F3", "face", "the face", hair, known, "blur")])
    assert masking.possible and masking.images == (hair | gender).sum()
    assert [(cue.finding, cue.how, cue.images) for cue in masking.cues] == [
        ("F2", "inpaint", 40),
        ("F3", "blur", 40),
    ]


def test_sentences_can_be_copied():
    cell = JointCell("doctor", (("glasses", False), ("long hair", True)), 3, 121)
    assert (
        cell.sentence() == "Collect about 120 photographs of “doctor” with long hair and without glasses, like these."
    )
    assert (cell.ask, cell.first) == (120, 30)
    kept = replace(cell, have=0, keep=("white clothing in about 8 of 10",))
    assert kept.sentence().endswith(
        "as in these of another class. Keep the rest as it is now: white clothing in about 8 of 10."
    )


@pytest.mark.parametrize(("missing", "ask", "first"), [(0, 0, 0), (4, 0, 0), (5, 5, 5), (12, 10, 5), (100, 100, 25)])
def test_orders_are_rounded_and_small_ones_dropped(missing, ask, first):
    cell = JointCell("doctor", (("long hair", True),), 3, 3 + missing)
    assert (cell.ask, cell.first) == (ask, first)
    assert ("no order is needed" in cell.sentence()) == (ask == 0)


def test_an_attribute_is_ordered_in_the_words_of_what_is_there(skewed):
    labels, hair, _ = skewed
    long_hair = replace(flag(hair, name="long_hair"), words="long hair", opposite="short hair")
    _, orders = collect(make_inventory(labels), [long_hair])
    assert {cell.state for cell in orders} == {"with long hair", "with short hair"}


def test_what_new_ones_keep_is_not_of_what_is_to_change(skewed):
    labels, hair, gender = skewed
    known = np.ones(len(labels), bool)
    traits = [
        Trait(Attribute(name, f"{name} words", "none", within, 0.5, "", topic), shown.astype(float), shown)
        for name, within, topic, shown in (
            ("long_hair", "hair", "length", hair),
            ("fringe", "hair", "fringe", known),
            ("smile", "face", "smile", gender | ~gender),
            ("beard", "face", "beard", np.zeros_like(known)),
        )
    ]
    _, orders = collect(make_inventory(labels), [flag(hair, name="long_hair")], traits=traits)
    assert orders and all(cell.keep == ("smile words in about 10 of 10",) for cell in orders)
    shown = {(cell.label, cell.states[0][1]): cell for cell in orders}
    for (label, has), cell in shown.items():
        for path in cell.avoid:
            image = int(path[-7:-4])
            assert path.startswith(label) and hair[image] != has


def test_a_mark_is_to_be_taken_off_and_not_collected_for(skewed):
    labels, hair, gender = skewed
    text = flag(hair, name="text")
    collecting, _ = collect(make_inventory(labels), [text, flag(gender)], [replace(text, removal="inpaint")])
    assert collecting.sentence.startswith("Do not collect photographs without the text: take it off")
