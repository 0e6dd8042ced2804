"""Photographs of a single colour: noticed, listed, no copies of each other, and every audit with them ends well."""

import json
import warnings
from math import nan

import jsonschema
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from audit.config import DEFAULT_CUES, model_folder
from audit.data.dataset import build, load_dataset
from audit.data.duplicates import fingerprint
from audit.data.inspection import inspect
from audit.explain.clusters import unit_components
from audit.explain.one_photo import explain_picture
from audit.explain.sanity_checks import faith, judge_empty, judge_occlusion, judge_randomisation, summary
from audit.explain.stable_kmeans import group
from audit.findings.schemas import schema_text
from audit.plan.masked_copy import write_retouched
from audit.store.audit_folder import AuditFolder, read_json, read_table
from audit.store.model_files import MODEL_FILES
from audit.verification.retraining import Retraining
from audit.verification.verify import conclude, prepare
from flows.cli import app
from reports.render import render
from tests.nonfinite import nonfinite
from tests.planted import draw_picture, finished_audit, run_audit
from tests.uniform_folders import CLASSES, KINDS, PER_CLASS, draw_kind, fast_config, flat, nearly_flat, transparent

MISSING = [file.name for file in MODEL_FILES if not (model_folder() / file.name).exists()]


def is_noticed(tmp_path, picture, suffix=".png", **options):
    picture.save(tmp_path / f"picture{suffix}", **options)
    found = fingerprint(tmp_path / f"picture{suffix}", 100)
    assert not found.reason
    return found.uniform


def dark_with_noise(width=1600, height=1200, level=8):
    noise = np.random.default_rng(0).normal(level, 1, (height, width, 3))
    return Image.fromarray(noise.clip(0, 255).astype(np.uint8))


def night_sky():
    picture = dark_with_noise()
    for x, y in np.random.default_rng(1).integers(20, 1180, (12, 2)):
        ImageDraw.Draw(picture).ellipse((x, y, x + 2, y + 2), fill=(235, 235, 220))
    return picture


def white_wall():
    light = 246 - 12 * np.hypot(*np.mgrid[-1:1:300j, -1:1:400j])
    return Image.fromarray(np.repeat(light[..., None], 3, 2).astype(np.uint8))


def scan_with_a_thin_line():
    picture = Image.new("RGB", (2480, 3508), "white")
    ImageDraw.Draw(picture).line((100, 1700, 2300, 1700), fill=(110, 110, 110))
    return picture


def step(levels):
    """Grey, and lighter by so many levels in the right half."""
    grey = np.full((100, 200, 3), 90, np.uint8)
    grey[:, 100:] += np.uint8(levels)
    return Image.fromarray(grey)


def speck(levels):
    """Grey, and lighter by so many levels in one of 1,440,000 pixels."""
    grey = np.full((1200, 1200, 3), 90, np.uint8)
    grey[700, 700] += np.uint8(levels)
    return Image.fromarray(grey)


@pytest.mark.parametrize(
    ("picture", "options"),
    [
        (flat("black"), {}),
        (flat("white", 700), {"suffix": ".jpg", "quality": 60}),
        (flat("#a03070"), {"suffix": ".webp"}),
        (flat("#a03070").convert("L"), {}),
        (nearly_flat(1), {}),
        (nearly_flat(1), {"suffix": ".jpg"}),
        (transparent(1), {}),
        (dark_with_noise(), {"suffix": ".jpg"}),
        (step(4), {}),
        (speck(32), {}),
    ],
)
def test_one_colour_is_noticed(tmp_path, picture, options):
    assert is_noticed(tmp_path, picture, **options)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("picture", [night_sky(), white_wall(), scan_with_a_thin_line(), step(12)])
def test_what_shows_a_little_is_no_single_colour(tmp_path, picture, suffix):
    assert not is_noticed(tmp_path, picture, suffix)


def test_the_limits_are_where_they_are_said_to_be(tmp_path):
    assert not is_noticed(tmp_path, step(5))
    assert not is_noticed(tmp_path, speck(33))


def test_they_are_listed_with_their_classes_and_stay_in_the_audit(tmp_path):
    uniform, folder = draw_kind(tmp_path / "photos", "some of several colours"), AuditFolder(tmp_path / "audit")
    build(folder, fast_config(tmp_path / "photos"))
    table, summary_ = read_table(folder.images), read_json(folder.dataset)
    assert table.loc[table["uniform"], "path"].tolist() == uniform and (table["rejected"] == "").all()
    assert summary_["uniform"] == {label: [path for path in uniform if path.startswith(label)] for label in CLASSES}
    (warning,) = summary_["warnings"]
    assert "6 of 16 (4 of 8 of 'disc', 2 of 8 of 'square')" in warning and ", ".join(uniform) in warning
    assert load_dataset(folder).uniform.sum() == 6


def test_a_file_that_is_rejected_is_not_listed_as_uniform(tmp_path):
    draw_kind(tmp_path / "photos", "one black")
    flat("black", side=16).save(tmp_path / "photos" / "disc" / "small.png")
    (tmp_path / "photos" / "disc" / "torn.png").write_bytes(b"\x89PNG")
    assert len(inspect(fast_config(tmp_path / "photos")).rejected) == 2
    folder = AuditFolder(tmp_path / "audit")
    build(folder, fast_config(tmp_path / "photos"))
    assert read_json(folder.dataset)["uniform"] == {"disc": ["disc/003.png"]}


def test_a_class_that_has_clearly_more_of_them_is_said(tmp_path):
    draw_kind(tmp_path / "more", "a class black", per_class=12)
    first, second = inspect(fast_config(tmp_path / "more")).warnings
    assert "disc/009.png, and 2 more;" in first
    assert "'disc' has clearly more" in second and "12 of 12, elsewhere 0 of 12" in second
    for kind in ("one black", "some nearly flat", "all of one colour"):
        draw_kind(tmp_path / kind, kind)
        assert len(inspect(fast_config(tmp_path / kind)).warnings) == 1


def test_they_are_no_copies_of_each_other_and_others_still_are(tmp_path):
    """A class of failed exposures, equal to the byte, is many photographs; a picture of something is one."""
    draw_kind(tmp_path / "photos", "all of one colour")
    bytes_ = (tmp_path / "photos" / "disc" / "000.png").read_bytes()
    assert (tmp_path / "photos" / "square" / "000.png").read_bytes() == bytes_
    for name in ("first", "second"):
        draw_picture("disc", True, np.random.default_rng(0)).save(tmp_path / "photos" / "disc" / f"x-{name}.png")
    inspection = inspect(fast_config(tmp_path / "photos"))
    assert not inspection.problems and not inspection.cross_class_duplicates and inspection.n_duplicates == 1


def test_check_tells_them(tmp_path):
    draw_kind(tmp_path / "photos", "one black")
    result = CliRunner().invoke(app, ["check", str(tmp_path / "photos"), "--set", "dataset.min_images_per_class=4"])
    assert result.exit_code == 0, result.output
    assert "Photographs of a single colour" in result.output and "disc/003.png" in result.output


@pytest.mark.parametrize("kind", KINDS)
def test_an_audit_of_every_kind_ends_and_no_number_in_it_is_not_finite(kind, tmp_path):
    uniform = draw_kind(tmp_path / "photos", kind)
    folder = finished_audit(tmp_path / "audit", fast_config(tmp_path / "photos"))
    page = render(folder).read_text(encoding="utf-8")
    assert nonfinite(folder.path) == []
    record = read_json(folder.record)
    jsonschema.validate(record, json.loads(schema_text("audit")))
    assert sorted(path for paths in record["dataset"]["uniform"].values() for path in paths) == uniform
    assert record["dataset"]["n_images"] == 2 * PER_CLASS
    assert "Photographs of a single colour" in page and uniform[0] in page
    shown = 2 * PER_CLASS - len(uniform)
    checks = {check["name"]: check["n"] for check in record["sanity"]["checks"]}
    assert checks["empty"] == shown and max(checks.values()) <= shown
    if not shown:
        assert "could not be checked: no photograph has anything in it" in record["sanity"]["sentence"]
    assert record["self_audit"]["null"]["audits"] == 1


def test_marks_explaining_masking_and_verifying_with_a_class_that_is_black(tmp_path):
    """What only some audits do: marks put on photographs, a map of one, copies without a cue, the plan tried."""
    draw_kind(tmp_path / "photos", "a class black", per_class=12)
    marks = {"permutations": 0, "power_images": 20, "kinds": ["sticker"]}
    config = fast_config(tmp_path / "photos", self_audit=marks)
    folder = finished_audit(tmp_path / "audit", config)
    assert len(read_json(folder.self_audit)["power"]["marks"]) == 2
    for method in ("gradcam", "guided-gradcam"):
        explain_picture(folder, tmp_path / "photos" / "disc" / "000.png", method)
    assert write_retouched(folder, "background", tmp_path / "masked", irrelevant=True)[0] == 24
    assert {finding["severity"] for finding in read_json(folder.findings)} & {"high", "medium"}
    retraining = Retraining.open(folder, prepare(folder, config, "weight", None), config)
    for condition in ("baseline", "weight"):
        for seed in range(2):
            retraining.train(condition, seed)
    conclude(folder, folder, config, "weight", 2)
    render(folder)
    assert nonfinite(folder.path) == []


@pytest.mark.skipif(bool(MISSING), reason=f"no {', '.join(MISSING)}; run `bias-audit fetch`")
def test_an_audit_with_vgg16_and_every_detector_ends_as_well(tmp_path):
    draw_kind(tmp_path / "photos", "some of several colours")
    model = {"arch": "vgg16", "image_size": 64, "fine_tune": "conv5"}
    folder = run_audit(tmp_path / "audit", fast_config(tmp_path / "photos", model=model, cues=[DEFAULT_CUES]))
    render(folder)
    assert nonfinite(folder.path) == []


class TestMapsCheck:
    def test_a_photograph_without_anything_to_compare_is_left_out(self):
        rows = [[0.5, 0.1], [nan, nan], [0.6, 0.2], [0.55, 0.1]]
        check = judge_occlusion(np.array(rows))
        assert check == judge_occlusion(np.array([row for row in rows if row[0] == row[0]]))
        assert check.n == 3 and check.steps == {"own map": pytest.approx(0.55), "other maps": pytest.approx(0.4 / 3)}
        assert "nan" not in check.sentence
        json.dumps(summary([check]).tree(), allow_nan=False)

    @pytest.mark.parametrize("rows", [[[nan, nan]], [[nan, 0.2]], [[nan, nan], [nan, nan]]])
    def test_nothing_to_compare_at_all(self, rows):
        check = judge_occlusion(np.array(rows))
        assert (check.n, check.passed, check.sentence) == (0, None, "No photograph had a map that could be checked.")
        json.dumps(summary([check]).tree(), allow_nan=False)

    def test_one_photograph_alone_condemns_no_maps(self):
        assert judge_occlusion(np.array([[0.1, 0.5]])).passed is None
        assert judge_randomisation(pd.DataFrame({"head": [0.9]})).passed is None

    def test_no_likeness_and_no_map(self):
        for check in (
            judge_randomisation(pd.DataFrame({"head": [nan, nan]})),
            judge_empty(np.zeros(0, bool), np.zeros(0, int)),
        ):
            assert (check.n, check.passed, check.steps) == (0, None, {})
            json.dumps(summary([check]).tree(), allow_nan=False)

    def test_a_map_without_order_agrees_with_nothing_and_an_even_occlusion_is_no_question(self):
        rising, even = torch.arange(4.0).reshape(2, 2), torch.ones(2, 2)
        assert faith(torch.stack([even, rising, -rising]), rising) == (0, 0)
        assert faith(torch.stack([rising, rising, even]), rising) == (pytest.approx(1), pytest.approx(0.5))
        assert np.isnan(faith(torch.stack([rising, rising]), even)).all()
        assert np.isnan(faith(rising[None], rising)).all()


def test_descriptors_that_are_all_the_same_have_no_components():
    same = np.repeat(np.random.default_rng(0).random((1, 8)), 30, axis=0)
    noise = 1e-5 * np.random.default_rng(1).random(same.shape)
    for descriptors in (same, same + noise, np.zeros((30, 8))):
        assert not unit_components(descriptors).any()
    assert group(np.zeros((30, 1)), 6, seed=0).assigned.tolist() == [0] * 30


def test_rows_that_are_mostly_equal_are_grouped_without_a_complaint():
    """Of 40 regions 36 are those of one blank picture: halves of them hold fewer different rows than all do."""
    features = np.zeros((40, 3))
    features[36:] = np.eye(4, 3) + 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grouping = group(features, 12, seed=0)
    assert np.isfinite(grouping.stability).all() and len(np.unique(grouping.assigned[:36])) == 1


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    root = tmp_path_factory.mktemp("sound")
    draw_kind(root / "photos", "one black")
    folder = run_audit(root / "audit", fast_config(root / "photos", self_audit={"permutations": 0, "power_images": 0}))
    assert nonfinite(folder.path) == []
    return folder


class TestTheCheckItself:
    """What looks for numbers that are not finite finds each of them."""

    @pytest.mark.parametrize(
        ("table", "column"),
        [
            *[("predictions", "p_label"), ("training", "loss"), ("cues", "score"), ("cues", "attention")],
            *[("evidence", "value"), ("evidence", "p"), ("masking", "p_before"), ("regions", "cx")],
        ],
    )
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_in_tables(self, audit, table, column, value):
        path = getattr(audit, table)
        kept = path.read_bytes()
        changed = pd.read_parquet(path)
        row = int(changed[column].notna().to_numpy().argmax())
        changed.loc[row, column] = value
        changed.to_parquet(path)
        found = nonfinite(audit.path)
        path.write_bytes(kept)
        assert len(found) == 1 and found[0].startswith(f"{path.name}: {column} ")

    def test_in_lists(self, audit):
        kept, changed = audit.predictions.read_bytes(), pd.read_parquet(audit.predictions)
        changed.at[2, "probabilities"] = np.array([np.nan, 1.0], np.float32)
        changed.to_parquet(audit.predictions)
        found = nonfinite(audit.path)
        audit.predictions.write_bytes(kept)
        assert found == ["predictions.parquet: probabilities is NaN in 1 rows"]

    def test_in_maps(self, audit):
        path = sorted(audit.explain.glob("*.safetensors"))[0]
        kept, tensors = path.read_bytes(), load_file(path)
        tensors["label_map"][0, 0, 0] = np.nan
        save_file(tensors, path)
        found = nonfinite(audit.path)
        path.write_bytes(kept)
        assert found == [f"explain/{path.name}: label_map is not finite"]

    @pytest.mark.parametrize(
        "text", ['{"value": NaN}', '{"sentence": "rank correlation nan, and 0.2"}', '{"a": "-inf"}']
    )
    def test_in_text(self, audit, text):
        path = audit.path / "extra.json"
        path.write_text(text)
        found = nonfinite(audit.path)
        path.unlink()
        assert found and all(one.startswith("extra.json: ") for one in found)
