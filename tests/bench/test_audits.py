"""The benchmark of audits: its list of cases, the photographs it writes, its scoring, and an excerpt of six audits."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import adjusted_rand_score

from audit.config import model_folder, parse_config
from audit.data.dataset import Dataset
from audit.errors import BiasAuditError
from audit.model.pretrained import load_vgg16_weights
from audit.selfaudit.marks import Bar, Frame, Letterbox, Sticker, Tint
from audit.store.model_files import CUE_MODEL_FILES, require
from tests.bench import audits
from tests.bench.audit_cases import (
    CATS,
    CLEAN,
    GENDER,
    IMBALANCED,
    KINDS,
    PAIRS,
    PEOPLE,
    PERMUTED,
    PLAIN,
    Case,
    benchmark,
    choose,
    subsamples,
)
from tests.bench.audit_scores import Match, agreement, meet, overlaps, ranked, score
from tests.bench.audit_sets import write_case
from tests.bench.audit_tables import SUBSAMPLE_COLUMNS, report, save_report, subsample_rows
from tests.bench.audits import Bench, main, run_all
from tests.bench.figures import Figure, table_lines
from tests.bench.peers import cluster_maps, spray
from tests.planted import draw_picture, tiny_config

_DATA = Path(__file__).parents[3] / "shared" / "data"


def test_there_are_enough_cases_of_every_kind():
    cases = benchmark()
    planted, clean = ([case for case in cases if case.is_clean == is_clean] for is_clean in (False, True))
    assert len({case.name for case in cases}) == len(cases)
    assert len(planted) >= 40 and len(clean) >= 12
    assert {case.kind for case in planted} == set(KINDS) and {case.kind for case in clean} == set(CLEAN)
    assert {(case.carrier, case.leaning) for case in planted} == {
        (case.carrier, label) for case in cases for label in case.classes
    }
    assert all(100 <= sum(case.sizes) <= 600 for case in cases)
    for kind in KINDS:
        assert {case.pair for case in planted if case.kind == kind} == set(PAIRS)


def test_halves_share_no_case_and_hold_equal_parts_of_every_kind_and_pair():
    tune, quote = (choose(benchmark(), half) for half in ("tune", "quote"))
    assert sorted(case.name for case in (*tune, *quote)) == sorted(case.name for case in benchmark())
    for key in (lambda case: case.kind, lambda case: case.pair):
        counts = [Counter(map(key, half)) for half in (tune, quote)]
        assert counts[0].keys() == counts[1].keys()
        assert all(abs(counts[0][name] - counts[1][name]) <= 1 for name in counts[0])
    assert len(choose(benchmark(), "all")) == len(benchmark())


def test_the_papers_shares_are_drawn_ten_times_and_so_is_balance():
    biased, balanced = ([case for case in subsamples() if case.is_clean == is_clean] for is_clean in (False, True))
    assert len(biased) == len(balanced) == 10
    assert {tuple(case.marked.items()) for case in biased} == {(("doctor", 148), ("nurse", 13))}


def _pool(folder: Path, carrier: str, count: int) -> None:
    """Discs and squares, nothing marked; people among them by turns men and women."""
    rng, rows = np.random.default_rng(0), []
    for label, drawn in zip(Case("", "", carrier, (0, 0)).classes, ("disc", "square"), strict=True):
        (folder / carrier / label).mkdir(parents=True)
        for number in range(count):
            path = f"{label}/{number:03d}.png"
            draw_picture(drawn, False, rng).save(folder / carrier / path)
            rows.append({"path": path, "label": label, "gender": ("male", "female")[number % 2]})
    columns = ["path", "label", "gender"] if carrier == PEOPLE else ["path", "label"]
    pd.DataFrame(rows)[columns].to_csv(folder / carrier / "index.csv", index=False)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    _pool(folder, CATS, 60)
    _pool(folder, PEOPLE, 60)
    return folder


def _planted(mark, **changes) -> Case:
    case = Case("drawn", "border", CATS, (40, 40), mark, "dog", (0.9, 0.1), seed=1)
    return replace(case, **changes)


def test_as_many_are_marked_as_the_case_says_and_only_there(drawn, tmp_path):
    case = _planted(Letterbox(0.2))
    truth = write_case(case, drawn, tmp_path)
    listed = pd.read_csv(tmp_path / "images.csv")
    assert list(listed.columns) == ["path", "label"] and set(listed["path"]) == set(truth.marked)
    shares = listed["path"].map(truth.marked).groupby(listed["label"]).mean()
    assert shares.to_dict() == {"cat": 0.1, "dog": 0.9}
    assert set(truth.cover) == {path for path, marked in truth.marked.items() if marked}
    for path, marked in truth.marked.items():
        rows = np.asarray(Image.open(tmp_path / path))[:12].astype(int)
        assert (rows.mean() < 12) == marked
    cover = next(iter(truth.cover.values()))
    assert cover[:11].min() == 1 and cover[12:44].max() == 0 and cover.mean() == pytest.approx(0.4, abs=0.03)


def test_photographs_without_a_mark_are_the_same_file_in_every_case(drawn, tmp_path):
    contents = []
    for name, mark in (("first", Letterbox()), ("second", Tint())):
        truth = write_case(_planted(mark, sizes=(60, 60)), drawn, tmp_path / name)
        contents.append({(tmp_path / name / path).read_bytes() for path, marked in truth.marked.items() if not marked})
    assert contents[0] == contents[1] and len(contents[0]) == 60


def test_marks_are_alike_unless_they_vary(drawn, tmp_path):
    for varied in (False, True):
        truth = write_case(_planted(Sticker(0.2), varied=varied), drawn, tmp_path / str(varied))
        assert (len({cover.tobytes() for cover in truth.cover.values()}) > 1) == varied


def test_equal_cases_are_equal_to_the_byte(drawn, tmp_path):
    for name in ("a", "b"):
        write_case(_planted(Bar(), varied=True), drawn, tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert all((tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes() for path in files)


def test_men_are_chosen_as_the_case_says_and_the_manifest_does_not_tell(drawn, tmp_path):
    case = Case("drawn", GENDER, PEOPLE, (20, 20), leaning="doctor", shares=(0.9, 0.2))
    truth = write_case(case, drawn, tmp_path)
    listed = pd.read_csv(tmp_path / "images.csv")
    assert list(listed.columns) == ["path", "label"] and not truth.cover
    shares = listed["path"].map(truth.marked).groupby(listed["label"]).mean()
    assert shares.to_dict() == {"doctor": 0.9, "nurse": 0.2}
    with pytest.raises(ValueError, match="40 photographs are asked for, but there are 30"):
        write_case(replace(case, sizes=(40, 40), shares=(1.0, 0.5)), drawn, tmp_path / "too many")


def test_shuffled_labels_say_nothing_about_the_pictures_and_uneven_cases_have_a_coin(drawn, tmp_path):
    write_case(Case("drawn", PERMUTED, CATS, (50, 50), seed=3), drawn, tmp_path / "permuted")
    listed = pd.read_csv(tmp_path / "permuted" / "images.csv")
    agree = (listed["path"].str.split("/").str[0] == listed["label"]).mean()
    assert 0.3 < agree < 0.7 and listed["label"].value_counts().to_dict() == {"cat": 50, "dog": 50}
    write_case(Case("drawn", IMBALANCED, CATS, (50, 10), seed=3), drawn, tmp_path / "uneven")
    listed = pd.read_csv(tmp_path / "uneven" / "images.csv")
    assert list(listed.columns) == ["path", "label", "coin"]
    assert 0.1 < (listed["coin"] == "heads").mean() < 0.4


def _match(rank: int, severity: str, **facts: object) -> Match:
    match = Match(rank, f"cue {rank}", "detector", "dog", severity, "strong", "none", {})
    return replace(match, **{"right_class": True, **facts})


def test_a_finding_is_of_the_mark_by_name_or_by_presence_or_by_place():
    assert _match(1, "high", names_it=True).is_right
    assert _match(1, "high", agreement=0.5).is_right and not _match(1, "high", agreement=0.49).is_right
    place = {"agreement": 0.2, "located": 0.5, "area": 0.15, "overlap": 0.0}
    assert _match(1, "high", **place).is_right
    for changed in ({"agreement": 0.19}, {"located": 0.49}, {"area": 0.16}):
        assert not _match(1, "high", **{**place, **changed}).is_right
    assert _match(1, "high", **{**place, "area": 0.9, "overlap": 0.2}).is_right
    other = _match(1, "high", names_it=True, right_class=False)
    assert other.is_of_the_mark and not other.is_right


def test_found_needs_the_right_class_and_a_flag_and_the_first_right_finding_ranks():
    wrong = _match(1, "high", names_it=True, right_class=False)
    other, right, later = (
        _match(2, "medium"),
        _match(3, "medium", agreement=0.9, located=0.7),
        _match(4, "low", names_it=True),
    )
    said = score([wrong, other, right, later], 0.25)
    assert (said.found, said.rank, said.verdict, said.located, said.pointing) == (True, 3, "medium", 0.7, 0.25)
    assert said.highs == () and said.mediums == ("cue 2",)
    said = score([wrong, other, later], None)
    assert (said.found, said.rank, said.verdict) == (False, 4, "low")
    said = score([wrong, other], None)
    assert (said.found, said.rank, said.verdict, said.located) == (False, None, "nothing said", None)


def test_mirror_images_of_the_mark_take_no_rank_and_are_no_alarm():
    mirror = _match(0, "high", agreement=-0.8, right_class=False)
    alarm, right = _match(0, "high", agreement=0.1, right_class=False), _match(0, "medium", agreement=0.9)
    matches = ranked([mirror, mirror, alarm, mirror, right])
    assert [match.rank for match in matches] == [1, 1, 1, 2, 2]
    said = score(matches, None)
    assert (said.found, said.rank, said.highs) == (True, 2, ("cue 0",))
    assert not score(matches[:2], None).found
    assert not replace(mirror, right_class=True).is_mirror


def test_presence_agrees_within_the_classes_only():
    labels = np.repeat([0, 1], 100)
    marked = np.where(labels == 0, np.arange(200) % 10 != 0, np.arange(200) % 10 == 0)
    assert agreement(marked, marked, labels) == 1 and agreement(~marked, marked, labels) == -1
    assert agreement(labels == 0, marked, labels) == 0  # what tells the classes apart is not the mark
    assert agreement(marked, labels == 0, labels) is None
    present = np.array([1, 1, 0, 1, 0, 0, 0], bool)  # 2 of 3 against 1 of 1, and 0 of 1 against 0 of 2
    found = agreement(present, np.array([1, 1, 1, 0, 1, 0, 0], bool), np.array([0, 0, 0, 0, 1, 1, 1]))
    assert found == pytest.approx((-1 / 3 * 3 / 4 + 0 * 2 / 3) / (3 / 4 + 2 / 3))


def test_overlap_by_hand():
    covers = np.zeros((2, 2, 2), np.float32)
    covers[0, 0] = covers[1, 0, 0] = 1
    covers[0, 1, 0] = 0.5
    masks = np.array([[[1, 0], [1, 0]], [[0, 0], [0, 1]]], bool)
    np.testing.assert_allclose(overlaps(covers, masks), [1.5 / 3, 0])


def test_mark_and_cue_meet_where_half_of_the_smaller_lies_in_the_other_one_cell_of_a_map_spared():
    covers = np.zeros((1, 56, 56), np.float32)
    covers[0, 8:16, 8:16] = 0.3
    for rows, met in ((slice(8, 16), True), (slice(18, 20), True), (slice(18, 22), True), (slice(19, 24), False)):
        masks = np.zeros((1, 56, 56), bool)
        masks[0, rows, 8:16] = True
        assert meet(covers, masks).tolist() == [met]
    assert meet(covers, np.ones((1, 56, 56), bool)).all()


def _result(case: Case, rank: int | None, verdict: str, cue: str = "text", highs: tuple[str, ...] = ()) -> dict:
    said = {"found": verdict in ("high", "medium"), "rank": rank, "verdict": verdict, "pointing": 0.5, "located": None}
    findings = [{"cue": cue, "kind": "detector", "severity": verdict, "rank": 1, "right": True}]
    findings += [{"cue": cue, "kind": "detector", "severity": "high", "rank": 2, "right": False} for cue in highs]
    return {"score": {**said, "highs": highs, "mediums": ()}, "findings": findings, "seconds": {"all": 60}}


def test_the_table_counts_and_compares_with_the_bars():
    strong = [_planted(Bar(), name=f"strong {n}") for n in range(4)]
    faint, clean = _planted(Bar(), name="faint", shares=(0.6, 0.4)), Case("clean", PLAIN, CATS, (40, 40))
    results = [(case, _result(case, 1 if n else None, "high" if n else "low")) for n, case in enumerate(strong)]
    results += [(faint, _result(faint, 3, "cleared")), (clean, _result(clean, None, "nothing said", highs=("hair",)))]
    lines = list(report(results))
    assert "| border |  | 3 of 4 |  |  | 0 of 1 | 3 of 4 | 0.50 |  |" in lines
    assert any(
        line.startswith("| found at 95/5, 90/10, 80/20 | 3 of 4 [0.30, 0.95] |") and "**no**" in line for line in lines
    )
    assert any(line.startswith("| found by what no plain audit flags | 3 of 4") for line in lines)
    hair = (replace(clean, name="too"), _result(clean, None, "nothing said", highs=("text",)))
    assert any(line.startswith("| found by what no plain audit flags | 0 of 4") for line in report([*results, hair]))
    assert any(line.startswith("| 60/40 not cleared | 0 of 1") for line in lines)
    assert any(line.startswith("- clean: high hair; medium none") for line in lines)
    assert any(line.startswith("- strong 0: low, rank None") for line in lines) and "6 minutes" in lines[-1]


def test_subsamples_count_face_and_hair_with_their_looks_and_parts():
    cases = {case.name: case for case in subsamples()}
    told = [("biased-0", "high", "hair look 2"), ("biased-1", "medium", "eyes"), ("biased-2", "high", "clothing")]
    told += [("balanced-0", "high", "face"), ("balanced-1", "medium", "skin")]
    rows = list(subsample_rows([(cases[name], _result(cases[name], 1, *said)) for name, *said in told]))
    lines = list(table_lines(SUBSAMPLE_COLUMNS, rows))
    assert "| at the paper's bias | 2 of 3 [0.21, 0.94] | 1 | flagged ≥ 9 | **no** |" in lines
    assert "| as many men as women | 2 of 2 [0.34, 1.00] | 1 | high ≤ 1 | yes |" in lines


def _maps(places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A blob near each place (n, 2) of a grid of 14 x 14, the rest a little negative."""
    y, x = (places + rng.normal(0, 0.7, places.shape)).T[..., None, None]
    rows, columns = np.arange(14)[:, None], np.arange(14)
    return (np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 4) - 0.05).astype(np.float32)


def test_spray_parts_maps_by_where_they_look_and_a_perfect_reader_needs_the_marks_to_part_alike():
    rng = np.random.default_rng(0)
    places = np.repeat([[3, 3], [10, 9], [2, 12]], 20, axis=0)
    maps = _maps(places, rng)
    assigned = cluster_maps(maps)
    assert adjusted_rand_score(places[:, 0] * 14 + places[:, 1], assigned) == 1
    dataset = Dataset("", Path(), ("cat",), (), pd.DataFrame({"label": ["cat"] * 60}), pd.DataFrame())
    marked = np.arange(60) < 20
    told = spray(maps, dataset, marked)
    assert told["found"] and told["clusters"] == 3 and told["p"] < 1e-6
    assert not spray(maps, dataset, rng.permutation(marked))["found"]
    alike = spray(_maps(np.full((60, 2), 7), rng), dataset, marked)
    assert not alike["found"] and 2 <= alike["clusters"] <= 8


def test_peers_stand_beside_ours_where_every_case_has_them():
    case, clean = _planted(Bar()), Case("clean", PLAIN, CATS, (40, 40))
    peers = {"datalab": {"flagged": ["dark"], "found": True}, "spray": {"clusters": 4, "found": False}}
    results = [(case, _result(case, 1, "high")), (clean, _result(clean, None, "nothing said"))]
    assert not any("Datalab" in line for line in report(results))
    lines = list(report([(one, {**found, "peers": peers}) for one, found in results]))
    assert "| border | 1 of 1 | 1 of 1 | 0 of 1 |" in lines
    assert "| clean audits with a high or an alarm | 0 of 1 | 1 of 1 |  |" in lines
    assert "| groups of maps to look at |  |  | 4.0 per audit |" in lines


def test_the_report_s_tables_are_kept_as_figures(tmp_path):
    case, clean = _planted(Bar()), Case("clean", PLAIN, CATS, (40, 40))
    results = [(case, _result(case, 1, "high")), (clean, _result(clean, None, "nothing said"))]
    save_report(tmp_path, results)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["audits", "audits-bars"]
    kept = [line for name in ("audits", "audits-bars") for line in Figure.read(tmp_path / f"{name}.json").markdown()]
    assert {line for line in report(results) if line.startswith("| ")} <= set(kept)
    assert "* 2 cases, 2 minutes of audits." in kept


_EXCERPT = (
    Case("frame", "border", CATS, (50, 50), Frame(0.08), "dog", (0.9, 0.1), seed=1),
    Case("bars", "border", CATS, (50, 50), Letterbox(0.12), "cat", (0.8, 0.2), seed=2),
    Case("edge", "border", CATS, (50, 50), Bar(0.15), "dog", (0.95, 0.05), seed=3),
    Case("plain", PLAIN, CATS, (50, 50), seed=4),
    Case("shuffled", PERMUTED, CATS, (50, 50), seed=5),
    Case("uneven", IMBALANCED, CATS, (50, 15), seed=6),
)


@pytest.fixture(scope="module")
def excerpt(drawn, tmp_path_factory) -> dict[str, dict]:
    out = tmp_path_factory.mktemp("bench")
    tree = tiny_config(drawn).model_dump(mode="json", exclude={"dataset", "expected_cues"})
    tree["compute"]["keep_detections"] = False
    tree["attention"]["max_clusters"] = 5
    bench = Bench(drawn, out, tree)
    run_all(bench, _EXCERPT, 0)
    assert all(bench.is_done(case) for case in _EXCERPT)
    return {case.name: json.loads(bench.result(case).read_text("utf-8")) for case in _EXCERPT}


@pytest.mark.parametrize("name", ["frame", "bars", "edge"])
def test_a_planted_border_is_found_in_the_right_class(excerpt, name):
    said = excerpt[name]["score"]
    assert said["found"] and said["rank"] == 1
    assert said["located"] >= 0.9 and said["overlap"] > 0.5
    border = excerpt[name]["findings"][0]
    assert border["cue"] == "border" and border["agreement"] > 0.9
    assert border["label"] == next(case.leaning for case in _EXCERPT if case.name == name)


@pytest.mark.parametrize("name", ["plain", "shuffled", "uneven"])
def test_a_clean_excerpt_raises_no_alarm(excerpt, name):
    said = excerpt[name]["score"]
    assert said["highs"] == [] and said["verdict"] == "nothing said"
    coins = [one["severity"] for one in excerpt[name]["findings"] if one["cue"] == "coin"]
    assert len(coins) == (name == "uneven") and not {"high", "medium"} & set(coins)


def test_a_finished_case_is_not_run_again_and_its_photographs_are_gone(excerpt, drawn, tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "plain.json").write_text(json.dumps(excerpt["plain"]))
    monkeypatch.setattr(Bench, "run", lambda *_: pytest.fail("ran again"))
    run_all(Bench(drawn, tmp_path), [_EXCERPT[3]], 0)


def test_where_only_the_peers_are_missing_the_audit_stops_at_its_maps(excerpt, drawn, tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "plain.json").write_text(json.dumps(excerpt["plain"]))
    reached = []
    monkeypatch.setattr(audits, "run_stages", lambda *_, until: reached.append(until))
    monkeypatch.setattr(audits, "compare_peers", lambda _, truth: {"spray": len(truth.marked)})
    bench = Bench(drawn, tmp_path, peers=True)
    run_all(bench, [_EXCERPT[3]], 0)
    assert reached == ["explain"] and bench.is_done(_EXCERPT[3])
    assert bench.kept(_EXCERPT[3]) == {**excerpt["plain"], "peers": {"spray": 100}}


def test_the_command_line_names_what_is_wrong(tmp_path, capsys):
    assert main(["--data", str(tmp_path), "--cases", "text-95-cd-dog-200,nonsense"]) == 2
    assert "No such case: nonsense" in capsys.readouterr().err
    assert main(["--data", str(tmp_path), "--cases", "text-95-cd-dog-200"]) == 2
    assert "holds no cats-dogs" in capsys.readouterr().err


def test_a_real_case_is_found_at_its_place(tmp_path):
    case = next(case for case in benchmark() if case.name == "border-95-rk-raccoon-100")
    if not (_DATA / case.carrier / "index.csv").exists():
        pytest.skip(f"the photographs {case.carrier} are not on this machine")
    try:
        load_vgg16_weights(parse_config({}))
        for model in CUE_MODEL_FILES:
            require(model_folder(), model.name)
    except BiasAuditError as error:
        pytest.skip(str(error))
    assert main(["--data", str(_DATA), "--out", str(tmp_path), "--cases", case.name]) == 0
    result = json.loads((tmp_path / "results" / f"{case.name}.json").read_text("utf-8"))
    assert result["trusted"] and result["score"]["found"]
    assert result["score"]["located"] > 0.9 and result["score"]["overlap"] > 0.6
    assert not (tmp_path / "work" / case.name).exists() and list((tmp_path / "trunk").rglob("*.safetensors"))
