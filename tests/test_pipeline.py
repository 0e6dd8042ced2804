"""The stages in a row on drawn pictures: a planted shortcut is found, an even one is not, and a kill loses nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

from audit.cam.gradcam import GradCAM
from audit.data.batches import read_pixels
from audit.data.dataset import load_dataset
from audit.explain.read_maps import read_maps
from audit.findings.schemas import schema_text
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import load_fold, split_fold
from audit.model.device import choose_runtime
from audit.model.network import load_backbone
from audit.store.audit_folder import AuditFolder, read_json, read_table
from tests.planted import draw_dataset, run_audit, tiny_config

TABLES = ("predictions", "regions", "clusters", "cues", "evidence")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("planted"), per_class=80, sticker=(0.85, 0.15))


@pytest.fixture(scope="module")
def audit(manifest, tmp_path_factory) -> AuditFolder:
    return run_audit(tmp_path_factory.mktemp("audit"), tiny_config(manifest))


@pytest.fixture(scope="module")
def null_audit(tmp_path_factory) -> AuditFolder:
    manifest = draw_dataset(tmp_path_factory.mktemp("null"), per_class=60, sticker=(0.5, 0.5))
    return run_audit(tmp_path_factory.mktemp("null-audit"), tiny_config(manifest))


def findings(folder: AuditFolder) -> list[dict]:
    return read_json(folder.record)["findings"]


def test_the_planted_attribute_is_flagged_high(audit):
    found = next(finding for finding in findings(audit) if finding["cue"] == "sticker")
    assert (found["severity"], found["class"], found["cue_kind"]) == ("high", "disc", "attribute")
    assert found["evidence"]["prevalence"]["value"] == pytest.approx(0.85)
    assert found["evidence"]["prevalence"]["elsewhere"] == pytest.approx(0.15)
    assert found["evidence"]["gap"]["low"] > 0


def test_the_sticker_is_found_by_looking_alone(audit):
    """No detector knows stickers: a cluster of attention in the top left corner must lead to it."""
    clusters = [f for f in findings(audit) if f["cue_kind"] == "cluster" and f["severity"] in ("high", "medium")]
    assert clusters
    best = clusters[0]
    assert "top left" in best["words"]
    assert best["class"] == "disc"
    assert best["evidence"]["effect"]["low"] > 0


def test_its_exemplars_show_the_sticker(audit, manifest):
    marked = pd.read_csv(manifest).set_index("path")["sticker"] == "yes"
    best = next(f for f in findings(audit) if f["cue_kind"] == "cluster")
    assert marked[best["exemplars"]].mean() >= 0.8


def test_the_meaningless_attribute_is_not_flagged(audit):
    found = next(finding for finding in findings(audit) if finding["cue"] == "coin")
    assert found["severity"] not in ("high", "medium")


def test_an_evenly_spread_sticker_is_not_flagged_high(null_audit):
    assert [f["cue"] for f in findings(null_audit) if f["severity"] == "high"] == []


def test_the_record_follows_its_schema(audit):
    jsonschema.validate(read_json(audit.record), json.loads(schema_text("audit")))
    assert json.loads((audit / "audit.schema.json").read_text()) == json.loads(schema_text("audit"))


def test_the_plan_makes_cue_and_class_independent(audit, manifest):
    weights = pd.read_csv(audit.plan / "weights.csv").merge(pd.read_csv(manifest), on="path")
    assert len(weights) == 160
    share = weights[weights["sticker"] == "yes"].groupby("label")["weight"].sum()
    assert share["disc"] == pytest.approx(share["square"], rel=0.05)
    cells = {(c["class"], c["present"]): c for c in read_json(audit.record)["plan"]["cells"] if c["cue"] == "sticker"}
    assert cells["disc", True]["have"] == 68
    assert cells["disc", False]["add"] > 0 and cells["square", True]["add"] > 0


def test_every_map_is_grad_cam_of_the_model_that_did_not_train_on_the_image(audit, manifest):
    config = tiny_config(manifest)
    dataset, runtime = load_dataset(audit), choose_runtime(config.compute)
    store = ActivationStore(audit, dataset, config, load_backbone(config), runtime)
    images = np.array([3, 50, 77, 119])
    stored, predicted = read_maps(audit, images), read_maps(audit, images, "predicted")
    for row, image in enumerate(images):
        network = load_fold(store, int(dataset.folds[image])).requires_grad_(False)
        pixels = runtime.normalise(read_pixels(dataset, int(image), config)[None])
        last = f"trunk.{len(network.trunk) - 1}"
        label = dataset.labels[[image]]
        scores = network(pixels)
        both = np.stack([label, scores.argmax(1).numpy()], 1)
        maps = GradCAM(network, last)(pixels, runtime.to_device(both)).maps[0].numpy()
        np.testing.assert_allclose(stored[row], maps[0], atol=2e-3 * np.abs(maps).max())
        np.testing.assert_allclose(predicted[row], maps[1], atol=2e-3 * np.abs(maps).max())


def test_no_model_sees_the_images_that_it_explains(audit):
    dataset = load_dataset(audit)
    for fold in range(2):
        split = split_fold(dataset, fold, 0.15, seed=0)
        used = np.concatenate([split.fit, split.validation])
        assert not (dataset.folds[used] == fold).any()
        assert len(np.intersect1d(dataset.groups[split.fit], dataset.groups[split.validation])) == 0
        assert len(used) == (dataset.folds != fold).sum()


def test_empty_maps_are_counted(audit):
    predictions = read_table(audit.predictions)
    maps = read_maps(audit, predictions["image"].to_numpy())
    assert predictions["empty"].tolist() == (maps.max((1, 2)) <= 0).tolist()
    assert read_json(audit.record)["model"]["empty_maps"]["n"] == int(predictions["empty"].sum())
    assert not read_table(audit.regions)["image"].isin(predictions.loc[predictions["empty"], "image"]).any()


def test_two_runs_give_the_same_bytes(audit, manifest, tmp_path):
    again = run_audit(tmp_path, tiny_config(manifest))
    for name in TABLES:
        assert getattr(again, name).read_bytes() == getattr(audit, name).read_bytes(), name


@pytest.mark.parametrize("fine_tune", ["conv5", "all"])
def test_trains_what_it_is_told_to(fine_tune, manifest, tmp_path):
    config = tiny_config(manifest, model={"arch": "tiny", "image_size": 64, "fine_tune": fine_tune})
    folder = run_audit(tmp_path, config, until="explain")
    assert read_table(folder.predictions)["correct"].mean() > 0.7
    assert read_table(folder.training)["loss"].notna().all()


def test_without_a_cache_the_result_is_the_same_up_to_rounding(manifest, tmp_path):
    model = {"arch": "tiny", "image_size": 64, "fine_tune": "conv5"}
    results = []
    for name, budget in (("cached", 1.0), ("computed", 0.0)):
        config = tiny_config(manifest, model=model, compute={"workers": 0, "cache_gb": budget})
        folder = run_audit(tmp_path / name, config, until="explain")
        assert any(folder.cache.glob("trunk-*")) == (budget > 0)
        results.append(np.stack(read_table(folder.predictions)["probabilities"]))
    np.testing.assert_allclose(results[0], results[1], atol=0.02)


KILLED = """
import time
from audit.explain import compute_maps
from audit.store.shards import ShardStore
compute_maps.MAPS_PER_SHARD = 8
if {slow}:
    write = ShardStore.write
    def slowly(self, shard, arrays, **header):
        time.sleep(0.3 if "explain" in str(self.folder) else 0)
        return write(self, shard, arrays, **header)
    ShardStore.write = slowly
from flows.cli import main
main()
"""


def start_flow(arguments: list[str], environment: dict[str, str], slow: bool) -> subprocess.Popen:
    command = [sys.executable, "-c", KILLED.format(slow=slow), "run", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_a_flow_killed_while_explaining_resumes_to_the_same_tables(manifest, tmp_path, prefect_home):
    environment = os.environ | {"PREFECT_HOME": str(prefect_home)}
    settings = tmp_path / "config.yaml"
    settings.write_text(json.dumps(tiny_config(manifest).model_dump(mode="json")))
    results = {}
    for name in ("killed", "straight"):
        parent = tmp_path / name
        arguments = ["--config", str(settings), "--out", str(parent), "--quiet"]
        if name == "killed":
            process = start_flow(arguments, environment, slow=True)
            wait_for_shards(process, parent, 3)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        process = start_flow(arguments, environment, slow=False)
        output = process.communicate(timeout=240)[0].decode()
        assert process.returncode == 0, output
        (folder,) = (path for path in parent.iterdir() if path.is_dir())
        results[name] = AuditFolder(folder)
    assert results["killed"].manifest.exists()
    for table in TABLES:
        assert getattr(results["killed"], table).read_bytes() == getattr(results["straight"], table).read_bytes(), table


def wait_for_shards(process: subprocess.Popen, parent: Path, count: int) -> None:
    deadline = time.monotonic() + 180
    while len(list(parent.glob("*/explain/fold-*.safetensors"))) < count:
        assert process.poll() is None, process.communicate()[0].decode()
        if time.monotonic() > deadline:
            pytest.fail(f"{count} shards were not written within three minutes")
        time.sleep(0.05)
