"""One real VGG-16, from drawn photographs to the report. Needs the model files: run `bias-audit fetch` first."""

import numpy as np
import pytest
from captum.attr import LayerGradCam

from audit.config import Config, model_folder, parse_config
from audit.data.batches import read_pixels
from audit.data.dataset import load_dataset
from audit.demo.dataset import draw_demo
from audit.explain.read_maps import read_maps
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import load_fold
from audit.model.device import choose_runtime
from audit.model.network import load_backbone
from audit.store.audit_folder import read_json, read_table
from audit.store.model_files import MODEL_FILES
from reports.render import render
from tests.planted import run_audit

MISSING = [file.name for file in MODEL_FILES if not (model_folder() / file.name).exists()]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"no {', '.join(MISSING)}; run `bias-audit fetch`")


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Config:
    photos = draw_demo(tmp_path_factory.mktemp("demo") / "drawn", n=40).train
    return parse_config(
        {
            "dataset": {"photos": str(photos)},
            "model": {"fine_tune": "head"},
            "training": {"folds": 2},
            "compute": {"device": "cpu", "precision": "float32", "workers": 0},
            "evidence": {"resamples": 200, "permutations": 100, "effect_images": 3},
            "cues": ["face", "hair", "border"],
            "self_audit": {"permutations": 0, "power_images": 0},
        }
    )


@pytest.fixture(scope="module")
def audit(config, tmp_path_factory):
    return run_audit(tmp_path_factory.mktemp("audit"), config)


def test_doctors_are_told_from_nurses_and_faces_are_found(audit):
    record = read_json(audit.record)
    assert record["model"]["accuracy"]["value"] >= 0.75
    assert record["model"]["weights"]
    assert record["findings"]
    faces = next(cue for cue in record["cues"] if cue["name"] == "face")
    assert faces["n_present"] >= 28


def test_maps_are_captums_on_the_real_network(audit, config):
    dataset, runtime = load_dataset(audit), choose_runtime(config.compute)
    store = ActivationStore(audit, dataset, config, load_backbone(config), runtime)
    images = np.array([0, 25])
    stored = read_maps(audit, images)
    assert stored.shape == (2, 14, 14)
    for row, image in enumerate(images):
        network = load_fold(store, int(dataset.folds[image])).requires_grad_(True)
        pixels = runtime.normalise(read_pixels(dataset, int(image), config)[None]).contiguous()
        layer = network.trunk[-1]
        theirs = (
            LayerGradCam(network, layer).attribute(pixels, target=int(dataset.labels[image]))[0, 0].detach().numpy()
        )
        np.testing.assert_allclose(stored[row], theirs, atol=2e-3 * np.abs(theirs).max())


def test_the_report_is_rendered_from_the_folder(audit):
    page = render(audit).read_text(encoding="utf-8")
    assert "the hair or headwear" in page.lower()
    assert len(read_table(audit.predictions)) == 40
