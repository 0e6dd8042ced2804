"""The masking stage: each row is what the fold's model says about that view, beside the view's pooled activations."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from audit.config import Config
from audit.cues.cue_table import load_cues
from audit.data.batches import read_pixels
from audit.data.dataset import load_dataset
from audit.data.occlude import control_masks, mean_colour, occlude
from audit.evidence.occlusion_test import FILLINGS, choose_images, read_masked
from audit.measures.limits import EFFECT
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import load_fold
from audit.model.device import choose_runtime
from audit.model.network import load_backbone
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder, read_table
from tests.planted import SIDE, draw_dataset, run_audit, tiny_config

MODEL = {"arch": "tiny", "image_size": SIDE, "fine_tune": "conv5"}


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Config:
    """Beside the border a cue that covers most of each picture, and leaves no room for a control."""
    manifest = draw_dataset(tmp_path_factory.mktemp("planted"), per_class=30)
    boxes = manifest.with_name("boxes.csv")
    with manifest.open() as rows, boxes.open("w", newline="") as file:
        marked = [(row["path"], 0, 0, SIDE, SIDE - 4) for row in csv.DictReader(rows)]
        csv.writer(file).writerows([("path", "x0", "y0", "x1", "y1"), *marked])
    own = [{"name": "nearly_all", "boxes": str(boxes), "role": "part"}]
    compute = {"workers": 0, "device": "cpu", "precision": "float32", "batch_size": 7}
    return tiny_config(manifest, model=MODEL, own_cues=own, compute=compute)


@pytest.fixture(scope="module")
def audit(config, tmp_path_factory) -> AuditFolder:
    return run_audit(tmp_path_factory.mktemp("audit"), config, until="masking")


def test_every_pair_is_asked_with_a_blur_and_again_only_where_that_had_an_effect(audit):
    table, labels = read_table(audit.masking), load_dataset(audit).labels
    table["label"], table["effect"] = labels[table["image"]], table["p_control"] - table["p_masked"]
    blurred, filled = (table[table["filling"] == filling] for filling in FILLINGS)
    outside = blurred[blurred["cue"] == "outside_nearly_all"]
    assert len(outside) in (2 * 10, 10 + 16, 2 * 16) and outside["p_masked"].notna().all()
    worth = blurred.groupby(["cue", "label"]).filter(lambda pairs: pairs["effect"].mean() >= EFFECT.weak)
    assert 0 < len(worth) < len(blurred)
    once, again = (set(map(tuple, rows[["cue", "image"]].to_numpy().tolist())) for rows in (worth, filled))
    # Of those worth it the first ten at least.
    assert again <= once and len(again) >= 10 / 16 * len(once)
    assert {cue for cue, _ in again} == {cue for cue, _ in once}
    assert (table[table["p_masked"].notna()].groupby("image")["p_before"].nunique() == 1).all()


def test_no_more_is_asked_where_the_first_images_rule_an_effect_out(audit, config):
    """Which effects are open is judged anew, by Student's interval of the first ten drops."""
    table, labels, chosen = read_table(audit.masking), load_dataset(audit).labels, _chosen(audit, config)
    blurred = chosen.merge(table[(table["filling"] == "blur") & table["p_masked"].notna()], on=["cue", "image"])
    stopped = 0
    for (_, _), asked in blurred.groupby([blurred["cue"], labels[blurred["image"]]]):
        assert sorted(asked["rank"]) in ([*range(10)], [*range(16)])
        drops = (asked["p_control"] - asked["p_masked"])[asked["rank"] < 10]
        middle, error = drops.mean(), drops.sem()
        if len(asked) == 10:
            stopped += 1
            assert middle + 1.5 * error < EFFECT.ruled_out and middle < 2 * error + 1e-9
        else:
            assert middle + 4 * error > EFFECT.ruled_out or middle > 0.5 * error
    assert 0 < stopped < len(set(blurred["cue"])) * 2


def test_an_interrupted_round_goes_on_to_the_same_answers(audit, config, tmp_path):
    table = read_table(audit.masking).copy()
    rounds = sorted((audit / "masking").glob("*.safetensors"))
    assert {path.name[:6] for path in rounds} >= {"blur-1", "blur-2", "mean-1"}
    for part in rounds:
        if part.name > "blur-2-fold-1":
            part.unlink()
    run_stage(next(stage for stage in STAGES if stage.name == "masking"), _forgotten(audit), config)
    assert read_table(audit.masking).equals(table)


def test_nothing_is_asked_where_there_is_no_room_for_a_control(audit):
    table, pooled = read_table(audit.masking), read_masked(audit)
    large = (table["cue"] == "nearly_all").to_numpy()
    assert large.any() and table.loc[large, ["p_masked", "p_control"]].isna().all(axis=None)
    assert (table.loc[large, ["predicted_masked", "predicted_control"]] == -1).all(axis=None)
    for arrays in pooled:
        assert np.isnan(arrays[large]).all() and np.isfinite(arrays[~large]).all()


def test_rows_are_the_answers_of_the_folds_own_model_to_the_hidden_picture(audit, config):
    dataset, runtime, cues = load_dataset(audit), choose_runtime(config.compute), load_cues(audit)
    store = ActivationStore(audit, dataset, config, load_backbone(config), runtime)
    table, pooled, colour = read_table(audit.masking), read_masked(audit), mean_colour(dataset, config)
    asked = np.flatnonzero(table["predicted_masked"] >= 0)
    for row in np.random.default_rng(0).permutation(asked)[:12]:
        cue, image, filling, label = *table.loc[row, ["cue", "image", "filling"]], dataset.labels[table.image[row]]
        mask = cues.masks(cues.named(cue), np.array([image]))
        places = {"masked": mask[0], "control": control_masks(mask, image, config.seed)[0]}
        network = load_fold(store, int(dataset.folds[image]))
        for (view, place), stored in zip(places.items(), pooled, strict=True):
            pixels = occlude(read_pixels(dataset, int(image), config), place, colour if filling == "mean" else None)
            with torch.no_grad():
                trunk = store.compute(pixels[None])
                p = network.head(network.tail(trunk)).softmax(1)[0]
            assert table.loc[row, f"p_{view}"] == pytest.approx(float(p[label]), abs=1e-4)
            assert table.loc[row, f"predicted_{view}"] == int(p.argmax())
            expected = store.backbone.tail(trunk).mean((2, 3))[0].numpy()
            np.testing.assert_allclose(stored[row], expected, rtol=2e-3, atol=1e-3)


def test_batches_are_filled_across_cues(audit, config, tmp_path, monkeypatch):
    sizes = []
    compute = ActivationStore.compute
    monkeypatch.setattr(ActivationStore, "compute", lambda self, x: sizes.append(len(x)) or compute(self, x))
    table = read_table(audit.masking).copy()
    for part in (audit / "masking").iterdir():
        part.unlink()
    run_stage(next(stage for stage in STAGES if stage.name == "masking"), _forgotten(audit), config)
    assert read_table(audit.masking).equals(table)
    parts = len(list((audit / "masking").glob("*.safetensors")))
    assert sum(sizes) == 2 * table["p_masked"].notna().sum()
    assert len(sizes) - sizes.count(7) <= parts < len(sizes)


def _chosen(folder: AuditFolder, config: Config) -> pd.DataFrame:
    return choose_images(load_cues(folder), ActivationStore.open(folder, config))


def _forgotten(folder: AuditFolder) -> AuditFolder:
    Path(folder.stage_record("masking")).unlink()
    return folder
