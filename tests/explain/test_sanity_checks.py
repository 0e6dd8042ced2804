"""The maps' own checks: what ignores the network fails, what follows it passes, and a failure lowers every verdict."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file, save_file
from scipy.stats import spearmanr
from torch import nn
from torchvision.transforms.functional import gaussian_blur

from audit.data.batches import read_pixels
from audit.data.dataset import load_dataset
from audit.explain import sanity_checks
from audit.explain.read_maps import read_maps, shard_paths
from audit.explain.sanity_checks import judge_empty, judge_occlusion, judge_randomisation, summary
from audit.explain.weight_randomisation import cascade, likeness_by_step
from audit.findings.findings import Verdict, lowered
from audit.findings.sentences import LOWERED as REASON
from audit.findings.severity import LOWERED
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import load_fold
from audit.model.device import Runtime, choose_runtime
from audit.model.network import Network, load_backbone
from audit.stages import STAGES
from audit.store.audit_folder import AuditFolder, read_json, read_table, write_json
from tests.planted import draw_dataset, run_audit, tiny_config

CPU = Runtime(torch.device("cpu"), "float32")


class Edges(nn.Module):
    """Finds edges, whatever is learned: nothing in it is a parameter."""

    def __init__(self):
        super().__init__()
        self.register_buffer("kernel", torch.tensor([[[[-1.0, 0.0, 1.0]]]]).expand(1, 3, 1, 3).clone())

    def forward(self, inputs):
        return nn.functional.conv2d(inputs, self.kernel, padding=(0, 1)).abs()


class Sum(nn.Module):
    def forward(self, activations):
        return activations.sum((2, 3)).expand(-1, 2)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("planted"), per_class=60)


@pytest.fixture(scope="module")
def audit(manifest, tmp_path_factory):
    return run_audit(tmp_path_factory.mktemp("audit"), tiny_config(manifest))


@pytest.fixture
def copied(audit, tmp_path):
    return AuditFolder(shutil.copytree(audit.path, tmp_path / "audit"))


def checks_of(folder):
    return {check["name"]: check for check in read_json(folder.sanity)["checks"]}


def pictures(count=6, side=32):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def likeness_of(network):
    inputs = pictures()
    steps = likeness_by_step(network, inputs, torch.zeros(len(inputs), dtype=torch.int64), CPU, seed=0)
    return judge_randomisation(pd.DataFrame(steps))


def test_an_edge_detector_fails_since_its_maps_ignore_the_weights():
    check = likeness_of(Network(nn.Sequential(Edges()), nn.Sequential(), Sum()))
    assert (check.value, check.passed) == (pytest.approx(1), False)


def test_a_trained_head_on_frozen_edges_fails_too():
    """Only one channel: whatever the head's weight is, the map's order stays."""
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2))
    assert likeness_of(Network(nn.Sequential(Edges()), nn.Sequential(), head)).passed is False


def test_the_trained_network_passes_every_check(audit):
    record = read_json(audit.sanity)
    assert record["trusted"] is True
    assert {name: check["passed"] for name, check in checks_of(audit).items()} == {
        "randomisation": True,
        "occlusion": True,
        "empty": True,
    }
    assert checks_of(audit)["randomisation"]["steps"].keys() == {"head", "block 3", "block 2", "block 1"}


def test_maps_of_other_photographs_do_not_pass_for_faithful(audit, copied, manifest):
    """The null: maps that are as good as these in every way, but dealt out at random within the class."""
    dataset, rng = load_dataset(copied), np.random.default_rng(0)
    for path in shard_paths(copied):
        tensors = load_file(path)
        for label in range(2):
            rows = np.flatnonzero(dataset.labels[tensors["image"]] == label)
            tensors["label_map"][rows] = tensors["label_map"][rng.permutation(rows)]
        save_file(tensors, path, {"header": "{}"})
    sanity_checks.build(copied, tiny_config(manifest))
    faith = checks_of(copied)["occlusion"]
    assert faith["passed"] is not True
    assert faith["value"] < checks_of(audit)["occlusion"]["value"] / 2


def test_occlusion_agrees_with_a_calculation_by_hand(audit, manifest):
    config, dataset = tiny_config(manifest), load_dataset(audit)
    runtime = choose_runtime(config.compute)
    store = ActivationStore(audit, dataset, config, load_backbone(config), runtime)
    (sample, _) = sanity_checks._samples(store, read_table(audit.predictions), 0, 2)
    own, others = sanity_checks._faith(sample)[0]
    image = int(sample.images[0])
    network, label = load_fold(store, int(dataset.folds[image])), dataset.labels[image]
    whole = runtime.normalise(read_pixels(dataset, image, config)[None])
    blurred = gaussian_blur(whole, 21, 64 / 12)
    drops = np.zeros((4, 4))
    for y, x in np.ndindex(4, 4):
        covered = whole.clone()
        rows, columns = (slice(max(0, 16 * cell - 4), 16 * cell + 20) for cell in (y, x))
        covered[:, :, rows, columns] = blurred[:, :, rows, columns]
        with torch.no_grad():
            drops[y, x] = network(whole)[0, label] - network(covered)[0, label]

    def agreement(images):
        return [
            spearmanr(image_map.reshape(4, 4, 4, 4).mean((1, 3)).ravel(), drops.ravel()).statistic
            for image_map in read_maps(audit, images).astype(np.float64)
        ]

    assert own == pytest.approx(agreement(np.array([image]))[0], abs=1e-6)
    same = np.flatnonzero((dataset.labels == label) & (np.arange(len(dataset.labels)) != image))
    assert others == pytest.approx(np.mean(agreement(same)), abs=1e-6)


def test_the_cascade_leaves_the_network_alone_and_is_the_same_for_a_seed(audit, manifest):
    config = tiny_config(manifest)
    store = ActivationStore(audit, load_dataset(audit), config, load_backbone(config), choose_runtime(config.compute))
    network = load_fold(store, 0)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    first, again, other = ([*cascade(network, seed)][-1][1].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert all(torch.equal(first[key], again[key]) for key in first)
    weights = [key for key in first if key.endswith("weight")]
    assert weights and not any(
        torch.equal(first[key], other[key]) or torch.equal(first[key], before[key]) for key in weights
    )


@pytest.mark.parametrize(
    ("faith", "passed"),
    [
        ([[0.6, 0.1], [0.5, 0.1], [0.7, 0.2], [0.6, 0.0]], True),
        ([[0.3, 0.3], [0.1, 0.2], [0.2, 0.1], [0.4, 0.3]], False),
        ([[0.9, 0.0], [-0.4, 0.2], [0.9, 0.1], [0.1, 0.3]], None),
        ([], None),
    ],
)
def test_faith_counts_only_above_what_any_map_has(faith, passed):
    assert judge_occlusion(np.array(faith, float)).passed is passed


def test_empty_maps_are_judged_by_their_share():
    groups = np.arange(200)
    assert judge_empty(groups < 10, groups).passed is True
    assert judge_empty(groups < 44, groups).passed is None
    assert judge_empty(groups < 120, groups).passed is False


def test_the_summary_is_plain_json_and_names_what_failed():
    failing, nothing = judge_empty(np.ones(50, bool), np.arange(50)), judge_occlusion(np.zeros((0, 2)))
    record = summary([nothing, failing])
    assert record.trusted is False
    assert failing.sentence in record.sentence and nothing.sentence not in record.sentence
    json.dumps(record.tree(), allow_nan=False)


def test_untrusted_maps_lower_every_verdict_and_say_why(copied, manifest):
    before = {finding["cue"]: finding for finding in read_json(copied.findings)}
    write_json(copied.sanity, {**read_json(copied.sanity), "trusted": False})
    findings = next(stage for stage in STAGES if stage.name == "findings")
    findings.load()(copied, tiny_config(manifest))
    after = {finding["cue"]: finding for finding in read_json(copied.findings)}
    assert before["sticker"]["severity"] in ("high", "medium")
    for cue, finding in before.items():
        assert after[cue]["severity"] == LOWERED.get(finding["severity"], finding["severity"])
        assert after[cue]["sentence"].endswith(REASON) == (finding["severity"] in LOWERED)


def test_nothing_is_lowered_below_not_knowing():
    verdict = Verdict(None, "disc", "unknown", "unknown", "not_enough_data", {})
    assert lowered(verdict) is verdict
