"""The benchmark of natural cases: which photographs they take, what they write, their truth, and their scores."""

import os
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import chi2_contingency

from audit.config import cache_folder, parse_config
from audit.measures.intervals import wilson
from tests.bench.natural import NaturalBench, main
from tests.bench.natural_cases import (
    ATTRIBUTE,
    CELLS,
    FILE,
    LEAST_HELD,
    MOLES,
    OCCLUDED,
    PEOPLE,
    STICKER,
    NaturalCase,
    benchmark,
    cells_of,
    choose,
    column_of,
    even_share,
    half_of,
    largest,
    of_pair,
)
from tests.bench.natural_cues import ATTRIBUTES, expected, right_names
from tests.bench.natural_scores import Stated, as_json, chance, place_of, read, score
from tests.bench.natural_sets import balanced, choose_photos, draw_case, in_form, occluded, read_carrier
from tests.bench.natural_store import NaturalStore, warm
from tests.bench.natural_tables import Result, report, tables
from tests.bench.natural_truth import gap
from tests.planted import SIDE, draw_picture, run_audit

_COMMON = {"Male": 0.5, "Young": 0.65, "Smiling": 0.45, "Beard": 0.25}


def _people(count: int = 4000, seed: int = 0) -> pd.DataFrame:
    """Attributes as celeba-dev lists them, by chance; grey hair goes along with age."""
    rng = np.random.default_rng(seed)
    columns = [one.column for one in ATTRIBUTES.values() if one.column and one.column != "colour_patch"]
    table = {name: (rng.random(count) < _COMMON.get(name, 0.2)).astype(int) for name in columns}
    table["Gray_Hair"] = (rng.random(count) < np.where(table["Young"] == 1, 0.05, 0.6)).astype(int)
    paths = [f"images/{number:06d}.jpg" for number in range(count)]
    return pd.DataFrame({"path": paths, **table, "No_Beard": 1 - table["Beard"]})


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return _people()


def test_there_are_enough_pairs_in_both_directions_with_two_leans_and_a_twin(people):
    cases = [case for case in benchmark(people) if case.kind == ATTRIBUTE]
    by_pair = {pair: [case for case in cases if case.pair == pair] for pair in {case.pair for case in cases}}
    assert len(by_pair) >= 24 and len({case.name for case in cases}) == len(cases)
    assert {tuple(sorted(case.leaning for case in of_pair)) for of_pair in by_pair.values()} == {("80", "90", "even")}
    assert all(len({sum(case.cells) for case in of_pair}) == 1 for of_pair in by_pair.values())
    assert all(200 <= sum(case.cells) <= 600 for case in cases)
    pairs = {(case.label, case.cue) for case in cases}
    assert sum((cue, label) in pairs for label, cue in pairs) >= 8
    words = {"glasses", "hat", "blond", "grey", "bald", "beard", "necktie", "smiling", "man", "young"}
    assert {word for pair in pairs for word in pair} == words


def test_no_pair_asks_for_a_confounder_that_is_the_task_or_declared_to_be(people):
    for case in benchmark(people):
        if case.kind == ATTRIBUTE:
            assert right_names(case.cue, case.label) - set(case.expected), case.name


@pytest.mark.parametrize(("leaning", "share"), [("90", 0.9), ("80", 0.8)])
def test_the_confounder_is_in_as_many_of_each_class_as_the_name_says(people, leaning, share):
    for case in benchmark(people):
        if case.leaning == leaning:
            table = np.array(case.cells).reshape(2, 2)
            shares = table[:, 1] / table.sum(1)
            assert shares[case.lean] == pytest.approx(share, abs=0.01), case.name
            assert shares[1 - case.lean] == pytest.approx(1 - share, abs=0.01), case.name


def test_twins_have_the_confounder_equally_often_and_in_half_where_they_can(people):
    for case in benchmark(people):
        if case.is_clean:
            table = np.array(case.cells).reshape(2, 2)
            assert len({round(row[1] / row.sum(), 9) for row in table}) == 1, case.name
    (twin,) = (case for case in of_pair(people, "smiling", "man", 1) if case.is_clean)
    assert len(set(twin.cells)) == 1


@pytest.mark.parametrize(("share", "lean"), list(product((0.9, 0.8), (0, 1))))
def test_sizes_are_the_largest_that_leave_enough_to_hold_out(share, lean):
    counts = (412, 61, 133, 377)
    fits = [
        size
        for size in range(1, 500)
        if all(have - part >= LEAST_HELD for have, part in zip(counts, cells_of(size, share, lean), strict=True))
    ]
    assert largest(counts, share, lean) == pytest.approx(max(fits), abs=6)  # cells are rounded to whole photographs
    assert largest(counts, share, lean) <= max(fits)


def test_an_even_share_is_the_nearest_to_a_half_of_all_that_fit():
    rng = np.random.default_rng(1)
    for _ in range(200):
        counts, size = rng.integers(15, 300, 4).tolist(), int(rng.integers(60, 200))
        fits = [
            having / size
            for having in range(size + 1)
            if min(counts[1], counts[3]) - LEAST_HELD >= having
            and min(counts[0], counts[2]) - LEAST_HELD >= size - having
            and 0.1 <= having / size <= 0.9
        ]
        share = even_share(counts, size)
        assert (share is None) == (not fits)
        if share is not None:
            assert abs(share - 0.5) == pytest.approx(min(abs(one - 0.5) for one in fits), abs=0.5 / size + 1e-9)


def test_too_few_photographs_are_told(people):
    with pytest.raises(ValueError, match="bald-by-glasses: too few"):
        list(of_pair(people.iloc[:200], "bald", "glasses", 0))


def test_halves_divide_pairs_by_their_names_alone_and_evenly(people):
    cases = benchmark(people)
    halves = {half: choose(cases, half) for half in ("choose", "quote")}
    assert sorted(case.name for half in halves.values() for case in half) == sorted(case.name for case in cases)
    pairs = {half: {case.pair for case in of_half} for half, of_half in halves.items()}
    assert not pairs["choose"] & pairs["quote"]
    assert abs(len(pairs["choose"]) - len(pairs["quote"])) <= 4
    assert {case.kind for case in halves["choose"]} == {case.kind for case in halves["quote"]}
    assert half_of("glasses-by-man") == "choose" and half_of("glasses-by-young") == "quote"
    assert {case.leaning for case in choose(cases, "all", "*-90")} == {"90"}


def _counted(table: pd.DataFrame) -> tuple[int, ...]:
    return tuple(int(((table["label"] == y) & (table["cue"] == c)).sum()) for y, c in CELLS)


def _pool(people: pd.DataFrame, case: NaturalCase) -> pd.DataFrame:
    label, cue = people[column_of(case.label)], people[column_of(case.cue)]
    return pd.concat([people[["path"]].assign(label=label, cue=cue), people[["Young", "Gray_Hair", "Male"]]], axis=1)


def test_members_fill_the_cells_and_nobody_held_is_in_any_case_of_the_pair(people):
    cases = list(of_pair(people, "glasses", "hat", 0))
    drawn = [choose_photos(case, _pool(people, case)) for case in cases]
    for case, (members, held) in zip(cases, drawn, strict=True):
        assert _counted(members) == case.cells and _counted(held) == case.held
        assert members["path"].is_unique and set(held["path"]) == set(drawn[0][1]["path"])
        assert not set(held["path"]) & {path for other, _ in drawn for path in other["path"]}
    again, _ = choose_photos(cases[0], _pool(people, cases[0]).sample(frac=1, random_state=3).sort_index())
    assert again.equals(drawn[0][0])


def test_classes_are_made_alike_in_what_the_confounder_does_not_bring_along(people):
    # Whoever is old is grey here more often: by chance alone the classes of "grey" would differ in age.
    for case in of_pair(people, "grey", "smiling", 0):
        members, _ = choose_photos(case, _pool(people, case).drop(columns=["Gray_Hair"]))
        by_chance = people.groupby("Gray_Hair")["Young"].mean()
        means = members.groupby("label")[["Young", "Male"]].mean()
        assert abs(by_chance[1] - by_chance[0]) > 0.4
        assert (means.loc[1] - means.loc[0]).abs().max() < 0.02


def test_each_exchange_is_the_best_of_all(people):
    pool = people.iloc[:60].assign(label=lambda table: table["Male"], cue=lambda table: table["Smiling"])
    columns = ["Young", "Gray_Hair", "Bald"]
    members = pool.groupby(["label", "cue"]).head(5)

    def difference(chosen: pd.DataFrame) -> float:
        means = chosen.groupby("label")[columns].mean()
        return float(((means.loc[1] - means.loc[0]) ** 2).sum())

    chosen = balanced(members, pool, columns)
    assert _counted(chosen) == _counted(members) and difference(chosen) < difference(members)
    others = pool[~pool["path"].isin(chosen["path"])]
    for (_, leaves), (_, enters) in product(chosen.iterrows(), others.iterrows()):
        if (leaves["label"], leaves["cue"]) == (enters["label"], enters["cue"]):
            swapped = pool[(pool["path"].isin(chosen["path"]) & (pool["path"] != leaves["path"]))
                           | (pool["path"] == enters["path"])]  # fmt: skip
            assert difference(swapped) >= difference(chosen) - 1e-9


@pytest.mark.parametrize("dealt", ["label", "cue"])
def test_what_is_dealt_fills_the_cells_and_depends_on_nothing_else(people, dealt):
    case = _case(cells=(5, 45, 45, 5), held=(3, 4, 5, 6), dealt=dealt)
    pool = people[["path"]].assign(label=0 if dealt == "label" else people["Male"],
                                   cue=0 if dealt == "cue" else people["Smiling"])  # fmt: skip
    members, held = choose_photos(case, pool)
    assert _counted(members) == case.cells and _counted(held) == case.held
    assert not set(members["path"]) & set(held["path"])
    known, column = ("cue", "Smiling") if dealt == "label" else ("label", "Male")
    of_carrier = people.set_index("path")[column]
    assert (of_carrier[members["path"]].to_numpy() == members[known].to_numpy()).all()


def test_labels_that_are_known_are_not_declared_where_that_would_declare_the_confounder():
    assert expected("glasses", "smiling") == () and expected("blond", "smiling") == ("face",)
    assert expected("smiling", "hat") == ("hair",) and expected("sticker", "chance") == ()
    assert expected("sticker", "mole") == ("main_object",) and expected("aspect", "uniform") == ("clothing",)


def _case(**changes) -> NaturalCase:
    case = NaturalCase(
        "drawn-90", "drawn", STICKER, MOLES, ("melanoma", "not melanoma"), "mole", "sticker", "90", 1,
        (36, 4, 4, 36), (10, 10, 10, 10),
    )  # fmt: skip
    return replace(case, **changes)


def _moles(folder: Path, per_cell: int = 50) -> Path:
    """Discs and squares for moles, half of either with a sticker."""
    rng, rows = np.random.default_rng(0), []
    (folder / MOLES / "images").mkdir(parents=True)
    for label, drawn in (("melanoma", "disc"), ("not_melanoma", "square")):
        for number in range(2 * per_cell):
            path, has = f"images/{label}-{number:03d}.jpg", number % 2
            draw_picture(drawn, bool(has), rng).save(folder / MOLES / path, quality=95)
            rows.append({"path": path, "label": label, "colour_patch": has, "age": "40", "sex": "female"})
    pd.DataFrame(rows).to_csv(folder / MOLES / "index.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def moles(tmp_path_factory) -> Path:
    return _moles(tmp_path_factory.mktemp("moles"))


def test_photographs_that_need_no_other_file_are_audited_where_they_lie(moles, tmp_path):
    drawn = draw_case(_case(), moles, tmp_path)
    assert drawn.root == moles / MOLES and not list(tmp_path.iterdir())
    listed = read_carrier(moles / MOLES).set_index("path")
    assert (listed.loc[drawn.members["path"], "colour_patch"].to_numpy() == drawn.members["cue"]).all()
    labels = listed.loc[drawn.members["path"], "label"] == "not_melanoma"
    assert (labels.to_numpy() == (drawn.members["label"] == 1)).all()


@pytest.mark.parametrize("form", ["aspect", "format", "grey scale", "resolution"])
def test_files_differ_in_the_one_thing_and_are_written_once_for_all_cases(moles, tmp_path, form):
    case = _case(kind=FILE, cue=form, dealt="cue", cells=(20, 5, 5, 20), held=(4, 4, 4, 4))
    drawn = draw_case(case, moles, tmp_path)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    facts = {}
    for path, has in zip(drawn.members["path"], drawn.members["cue"], strict=True):
        with Image.open(drawn.root / path) as picture:
            facts.setdefault(has, set()).add((picture.size, picture.format, picture.mode))
    changed = {
        "aspect": ((48, SIDE), "JPEG", "RGB"),
        "format": ((SIDE, SIDE), "PNG", "RGB"),
        "grey scale": ((SIDE, SIDE), "JPEG", "L"),
        "resolution": ((SIDE // 2, SIDE // 2), "JPEG", "RGB"),
    }
    assert facts == {0: {((SIDE, SIDE), "JPEG", "RGB")}, 1: {changed[form]}}
    draw_case(replace(case, name="drawn-again"), moles, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in written} == written


def test_the_occluder_lies_on_the_lower_face_alone():
    pixels = np.full((109, 89, 3), 250, np.uint8)
    changed = (occluded(pixels, np.random.default_rng(0)) != pixels).any(2)
    rows, columns = np.nonzero(changed)
    assert 0.1 < changed.mean() < 0.25
    assert rows.min() > 0.4 * 109 and rows.max() < 0.9 * 109
    assert columns.min() > 0.1 * 89 and columns.max() < 0.9 * 89
    assert in_form(Image.fromarray(pixels), "", np.random.default_rng(0)).size == (89, 109)


def _stated(cue: str, severity: str = "high", **changes) -> Stated:
    return replace(
        Stated(cue, "", "detector", "hat", severity, "strong", "unknown", False, None, None, {}, {}), **changes
    )


_HATS = NaturalCase(
    "hat-by-glasses-90", "hat-by-glasses", ATTRIBUTE, PEOPLE, ("no hat", "hat"), "hat", "glasses", "90", 0,
    (9, 76, 77, 8), (40, 40, 40, 10), expected=("hair",),
)  # fmt: skip


@pytest.mark.parametrize(
    ("finding", "place"),
    [
        (_stated("glasses"), "right"),
        (_stated("eyes look 1", kind="appearance", within="eyes"), "right"),
        (_stated("hair"), "task"),
        (_stated("text"), "task"),
        (_stated("skin"), "false"),
        (_stated("skin look 1", kind="appearance", within="skin"), "false"),
        (_stated("cluster 1", kind="cluster", inside={"eyes": 0.7, "hair": 0.1}, agreement=0.3), "right"),
        (_stated("cluster 1", kind="cluster", inside={"eyes": 0.7, "hair": 0.1}, agreement=0.0), "consequence"),
        (_stated("cluster 1", kind="cluster", inside={"hair": 0.7}, agreement=0.0), "task"),
        (_stated("cluster 1", kind="cluster", inside={"background": 0.7}, agreement=0.0), "false"),
        (_stated("overlay-1", agreement=0.6), "right"),
        (_stated("background", agreement=-0.3, chance=0.001), "consequence"),
        (_stated("background", agreement=-0.3, chance=0.2), "false"),
    ],
)
def test_every_finding_has_its_place_beside_the_truth(finding, place):
    assert place_of(_HATS, finding, {}) == place


def test_in_a_twin_the_confounder_is_a_false_alarm_too_and_the_task_is_none():
    twin = replace(_HATS, leaning="even")
    assert place_of(twin, _stated("glasses"), {}) == "false"
    assert place_of(twin, _stated("hair"), {}) == "task"
    assert place_of(twin, _stated("skin"), {"Male": 0.1}) == "false"
    assert place_of(twin, _stated("skin"), {"Male": -0.3}) == "consequence"


def test_a_sticker_is_right_for_the_class_that_it_leans_to_only():
    assert place_of(_case(), _stated("patch", label="not melanoma"), {}) == "right"
    assert place_of(_case(), _stated("patch", label="melanoma"), {}) == "consequence"
    assert place_of(_case(kind=OCCLUDED, label="hat", cue="occluder"), _stated("eyes"), {}) == "consequence"


def test_cues_of_the_file_are_right_whatever_they_are_called():
    case = _case(kind=FILE, cue="resolution", label="", dealt="cue")
    assert place_of(case, _stated("width", kind="file"), {}) == "right"
    assert place_of(replace(case, leaning="even", cue="nothing"), _stated("width", kind="file"), {}) == "false"


_NO_HELD: dict[str, list[int]] = {"named": [], "cue": [], "label": []}


def test_a_score_counts_open_findings_by_cue_and_takes_the_gravest_right_one():
    findings = [
        _stated("skin", "high"),
        _stated("hair", "high"),
        _stated("glasses", "medium", model="weak"),
        _stated("skin", "medium", label="no hat"),
        _stated("border", "medium"),
        _stated("background", "medium", explained=True),
        _stated("eyes", "low", model="strong"),
        _stated("clothing", "low"),
    ]
    said = score(_HATS, read(as_json(findings)), {}, _NO_HELD)
    assert (said.found, said.verdict, said.rank, said.said) == (True, "medium", 2, "strong")
    assert said.false == ("skin", "border") and said.highs == ("skin",) and said.mediums == ("border",)
    assert said.of_task == ("hair",) and said.truth is None
    assert said.right == ("glasses",) and said.open == ("glasses", "skin", "border", "hair")


def test_nothing_flagged_is_not_found_and_a_twin_is_neither():
    assert score(_HATS, [_stated("glasses", "low")], {}, _NO_HELD).found is False
    assert score(_HATS, [], {}, _NO_HELD).verdict == "not said"
    assert score(replace(_HATS, leaning="even"), [_stated("glasses")], {}, _NO_HELD).found is None


def test_chance_is_the_test_of_mantel_and_haenszel():
    rng = np.random.default_rng(0)
    marked, present = rng.random(80) < 0.5, rng.random(80) < 0.3
    table = [
        [np.sum(marked & present), np.sum(marked & ~present)],
        [np.sum(~marked & present), np.sum(~marked & ~present)],
    ]
    plain = chi2_contingency(table, correction=False)
    # Of one stratum it is Pearson's test with n - 1 for n.
    from scipy.stats import chi2

    assert chance(present, marked, np.zeros(80, int)) == pytest.approx(chi2.sf(plain.statistic * 79 / 80, 1))
    labels = np.repeat([0, 1], 40)
    assert chance(labels == 1, labels == 1, labels) is None  # within the classes nothing goes along with anything
    shuffled = [chance(rng.permutation(present), marked, labels) for _ in range(2000)]
    assert np.mean(np.array(shuffled) < 0.1) == pytest.approx(0.1, abs=0.03)


def test_the_gap_is_how_much_less_often_rare_cells_are_named_rightly():
    rng = np.random.default_rng(0)
    labels, cue = rng.integers(0, 2, 400), rng.integers(0, 2, 400)
    named = rng.random(400) < 0.2 + 0.3 * labels + 0.4 * cue
    right = named == (labels == 1)
    common = cue == labels
    by_class = [right[common & (labels == y)].mean() - right[~common & (labels == y)].mean() for y in (0, 1)]
    found = gap(named, cue, labels)
    assert found.value == pytest.approx(np.mean(by_class)) and found.use == "yes"
    assert found.low < found.value < found.high
    assert found.n == min(np.sum(cue == 1), np.sum(cue == 0))


def test_one_class_alone_has_the_interval_of_newcombe():
    named, cue = np.repeat([True, False, True, False], [18, 2, 5, 15]), np.repeat([1, 0], 20)
    found = gap(named, cue, np.full(40, -1))
    (low, high), (low_without, high_without) = wilson(18, 20), wilson(5, 20)
    assert found.low == pytest.approx(0.65 - np.hypot(0.9 - low, high_without - 0.25))
    assert found.high == pytest.approx(0.65 + np.hypot(high - 0.9, 0.25 - low_without))


def test_a_model_that_does_not_look_is_cleared_or_too_few_are_held():
    named = np.tile([True, False], 200)
    cue = np.tile([0, 0, 1, 1], 100)
    assert gap(named, cue, np.zeros(400, int)).use == "no"
    assert gap(named[:16], cue[:16], np.zeros(16, int)).use == "unclear"
    assert gap(named, np.ones(400, int), np.zeros(400, int)) is None


def _tiny(**changes) -> dict[str, object]:
    return {
        "model": {"arch": "tiny", "image_size": SIDE, "fine_tune": "head"},
        "training": {"folds": 2, "epochs": 12, "batch_size": 16, "head_learning_rate": 0.01},
        "compute": {"workers": 0, "device": "cpu", "precision": "float32"},
        "evidence": {"resamples": 200, "permutations": 200, "effect_images": 4},
        "cues": ["border", "patch"],
        **changes,
    }


@pytest.fixture(scope="module")
def bench(moles, tmp_path_factory) -> NaturalBench:
    out = tmp_path_factory.mktemp("bench")
    return NaturalBench(moles, out, NaturalStore(out / "store"), _tiny())


@pytest.fixture(scope="module")
def results(bench) -> dict[str, Result]:
    """A case that leans and its twin, audited."""
    cases = [_case(), _case(name="drawn-even", leaning="even", cells=(20, 20, 20, 20))]
    with bench.store.in_use():
        return {case.leaning: Result.of(case, bench.run(case)) for case in cases}


def test_a_sticker_is_seen_to_be_used_where_it_leans_and_not_in_the_twin(results):
    leaning, twin = (results[name].score.truth for name in ("90", "even"))
    assert leaning.use == "yes" and leaning.n == 20
    assert twin.use != "yes" and twin.value < leaning.value - 0.2
    assert results["90"].kept["seen"]["with"] == 40 and results["90"].score.found is not None


def test_a_finished_case_is_not_run_again_unless_its_settings_or_photographs_change(bench, results, monkeypatch):
    monkeypatch.setattr("tests.bench.natural.run_stages", lambda *_, **__: pytest.fail("run again"))
    case = results["90"].case
    with bench.store.in_use():
        assert bench.run(case) == results["90"].kept
        drawn = bench.draw(case)
        assert bench.kept(case, drawn) and not (bench.out / "work" / case.name).exists()
        other = replace(bench, overrides=_tiny(cues=["border"]))
        assert not other.kept(case, drawn)
        fewer = replace(drawn, members=drawn.members.iloc[1:])
        assert not bench.kept(case, fewer)
        threads = replace(bench, overrides=_tiny(compute={"workers": 1, "device": "cpu", "precision": "float32"}))
        assert threads.kept(case, drawn)


def test_peers_are_asked_without_another_audit(bench, results, monkeypatch):
    answers = {"datalab": {"found": True, "flagged": []}, "spray": {"found": False}}
    asked = []
    monkeypatch.setattr("tests.bench.natural.compare_peers", lambda folder, truth: asked.append(truth) or answers)
    monkeypatch.setattr("tests.bench.natural.compare", lambda *_: pytest.fail("audited again"))
    case = results["90"].case
    with bench.store.in_use():
        kept = replace(bench, peers=True).run(case)
    assert sum(asked[0].marked.values()) == 40 and kept["findings"] == results["90"].kept["findings"]
    rows = {row[0]: row for row in tables([Result.of(case, kept)])["natural-peers"][1]}
    assert rows["leaning"][2]["count"] == 1 and rows["leaning"][3]["count"] == 0


def test_tables_hold_shares_bars_and_every_case(results):
    made = tables(list(results.values()))
    kinds = {row[0]: row for row in made["natural"][1]}
    assert kinds["sticker"][1]["of"] == 1 and kinds["sticker"][6]["of"] == 1 and kinds["file"][1] is None
    use = {row[0]: row[1:] for row in made["natural-use"][1]}
    assert sum(use["yes"]) == 1 and sum(use["no"]) == 0
    bars = {row[0]: row for row in made["natural-bars"][1]}
    assert bars["found at 90/10"][1]["of"] == 1 and bars["balanced twins with a high"][3] is None
    assert any("drawn-even" in line for line in report(list(results.values())))


def test_bars_are_met_at_their_limit_and_missed_beyond(results):
    def found(hits: int, of: int) -> str:
        flagged = [_stated("patch", label="not melanoma")]
        made = [
            replace(results["90"], score=score(_case(), flagged if number < hits else [], {}, _NO_HELD))
            for number in range(of)
        ]
        return {row[0]: row for row in tables(made)["natural-bars"][1]}["found at 90/10"][3]

    assert found(9, 10) == "yes" and found(17, 20) == "**no**"


def test_another_checkout_finds_what_was_warmed(moles, tmp_path):
    store, settings = NaturalStore(tmp_path / "store"), _tiny()
    paths = read_carrier(moles / MOLES)["path"].tolist()[:30]
    before = os.environ.get("XDG_CACHE_HOME")
    with store.in_use():
        assert list(warm(store, moles / MOLES, paths, settings)) == [30]
        assert cache_folder() == (tmp_path / "store" / "bias-audit").resolve()
        (tmp_path / "images.csv").write_text(
            "path,label\n" + "".join(f"{path},{'ab'[number % 2]}\n" for number, path in enumerate(paths))
        )
        dataset = {"manifest": str(tmp_path / "images.csv"), "image_root": str(moles / MOLES)}
        config = parse_config({**settings, "dataset": dataset})
        asked: Counter[str] = Counter()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("audit.detection.workers.Looker.look", lambda *_: asked.update(["look"]) or {})
            run_audit(tmp_path / "audit", config, until="detect")
    assert not asked and os.environ.get("XDG_CACHE_HOME") == before
    assert len(list(store.trunk.rglob("*.safetensors"))) == 30 and not list((store.folder / "warming").iterdir())


def test_tables_of_what_is_done_need_no_audit(people, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(NaturalBench, "run", lambda *_: pytest.fail("an audit was made"))
    (tmp_path / PEOPLE).mkdir()
    (tmp_path / MOLES).mkdir()
    people.drop(columns="Beard").to_csv(tmp_path / PEOPLE / "index.csv", index=False)
    pd.DataFrame({"path": [], "label": []}).to_csv(tmp_path / MOLES / "index.csv", index=False)
    arguments = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--done", "--cases", "glasses-by-man-*"]
    assert main(arguments) == 0
    assert "found at 90/10" in capsys.readouterr().out


def test_what_cannot_be_run_is_told(tmp_path, capsys, people):
    assert main(["--data", str(tmp_path)]) == 2 and "celeba-dev" in capsys.readouterr().err
    (tmp_path / PEOPLE).mkdir()
    people.drop(columns="Beard").to_csv(tmp_path / PEOPLE / "index.csv", index=False)
    assert main(["--data", str(tmp_path), "--list", "--half", "choose", "--cases", "glasses-by-man-*"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"choose glasses-by-man-{name}" for name in ("90", "80", "even")]
    assert main(["--data", str(tmp_path), "--list", "--cases", "nobody"]) == 2
