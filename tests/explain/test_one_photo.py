"""One picture explained by a finished audit, and the pictures that heat and gradients become."""

import shutil
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from audit.cam.gradcam import GradCAM
from audit.cam.heatmap import heat_colours, lay_heat, relief
from audit.config import dump_config
from audit.data.batches import read_pixels
from audit.data.dataset import load_dataset
from audit.data.outputs import write_picture
from audit.errors import AuditFolderError, ConfigError, OutputError, RejectedImage
from audit.explain.one_photo import Method, explain_picture
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import load_fold
from audit.model.device import choose_runtime
from audit.model.network import load_backbone
from audit.store.audit_folder import AuditFolder, read_table, write_text
from flows.cli import app
from flows.commands import explain
from tests.planted import SIDE, draw_dataset, draw_picture, run_audit, tiny_config


@pytest.fixture(scope="module")
def audit(tmp_path_factory) -> AuditFolder:
    root = tmp_path_factory.mktemp("single")
    config = tiny_config(draw_dataset(root / "drawn", per_class=20))
    folder = run_audit(root / "audit", config, until="explain")
    write_text(folder.config, dump_config(config))
    return folder


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """A picture that the audit does not know, twice as wide as high."""
    path = tmp_path_factory.mktemp("stranger") / "new.png"
    draw_picture("disc", True, np.random.default_rng(99)).resize((160, 80)).save(path)
    return path


def test_a_photograph_is_explained_by_the_model_that_did_not_train_on_it(audit):
    dataset, table = load_dataset(audit), read_table(audit.predictions)
    for image in (0, 1, 20, 39):
        sight = explain_picture(audit, dataset.file_of(image).path)
        assert sight.predicted == sight.label == table["predicted"][image]
        assert sight.confidence == pytest.approx(table["p_predicted"][image], abs=1e-3)


def test_the_heat_is_that_of_the_map(audit):
    config = tiny_config(audit.path.parent / "drawn" / "images.csv")
    dataset, runtime = load_dataset(audit), choose_runtime(config.compute)
    store = ActivationStore(audit, dataset, config, load_backbone(config), runtime)
    path, square = dataset.file_of(3).path, dataset.classes.index("square")
    network = load_fold(store, int(dataset.folds[3]))
    explanation = GradCAM(network)(runtime.normalise(read_pixels(dataset, 3, config)[None]), torch.tensor([square]))
    with Image.open(path) as photo:
        expected = np.asarray(lay_heat(photo.convert("RGB"), explanation.maps[0, 0].numpy()), int)
        against = np.asarray(lay_heat(photo.convert("RGB"), -explanation.maps[0, 0].numpy()), int)
    drawn = np.asarray(explain_picture(audit, path, "gradcam", "square").image, int)
    assert np.abs(drawn - expected).max() <= 2
    drawn = np.asarray(explain_picture(audit, path, "counterfactual", "square").image, int)
    assert np.abs(drawn - against).max() <= 2
    assert (expected != against).any()


@pytest.mark.parametrize("method", get_args(Method))
def test_every_method_draws_a_picture_of_the_photographs_shape(method, audit, stranger, tmp_path):
    arguments = ["explain", str(stranger), "--audit", str(audit.path), "--method", method, "--class", "disc"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "why.png")])
    assert result.exit_code == 0, result.output
    assert "sure of disc." in result.output and "why.png" in result.output
    with Image.open(tmp_path / "why.png") as picture:
        assert (picture.size, picture.mode, picture.format) == ((160, 80), "RGB", "PNG")
        assert np.asarray(picture).std() > 1


def test_the_methods_of_the_command_are_those_of_the_library():
    assert [method.value for method in explain.Method] == list(get_args(Method))


def test_says_what_is_wrong(audit, stranger, tmp_path):
    with pytest.raises(ConfigError, match="no class 'cat'; its classes are disc, square"):
        explain_picture(audit, stranger, label="cat")
    with pytest.raises(AuditFolderError, match="no trained model"):
        explain_picture(AuditFolder(tmp_path), stranger)
    with pytest.raises(RejectedImage, match=r"nowhere\.png: the file is missing"):
        explain_picture(audit, tmp_path / "nowhere.png")
    with pytest.raises(OutputError, match=r"end in \.png"):
        write_picture(Image.new("RGB", (2, 2)), tmp_path / "why.jpg")


def test_a_damaged_fold_model_is_told(audit, stranger, tmp_path):
    copy = AuditFolder(tmp_path / "audit")
    shutil.copytree(audit.path, copy.path)
    path = copy.model / "fold-0.safetensors"
    content = path.read_bytes()
    half = len(content) // 2
    for damaged in (
        content[:-1] + bytes([content[-1] ^ 1]),
        content[:half] + bytes(len(content) - half),
        content[:half],
        (copy.model / "fold-1.safetensors").read_bytes(),
    ):
        path.write_bytes(damaged)
        with pytest.raises(AuditFolderError, match=r"fold-0\.safetensors: missing or damaged"):
            explain_picture(copy, stranger)
    path.write_bytes(content)
    explain_picture(copy, stranger)


def test_a_map_without_attention_leaves_the_photograph_as_it_is():
    photo = Image.effect_noise((SIDE, SIDE), 50).convert("RGB")
    assert lay_heat(photo, np.full((4, 4), -1.0)).tobytes() == photo.tobytes()


def test_heat_is_strongest_where_the_map_is():
    saliency = np.zeros((4, 4), np.float32)
    saliency[1, 2] = 7.0
    change = np.asarray(lay_heat(Image.new("RGB", (64, 64)), saliency), int).sum(2)
    row, column = np.unravel_index(change.argmax(), change.shape)
    assert 16 <= row < 32 and 32 <= column < 48
    assert not change[48:].any()
    colours, opacities = heat_colours(8)
    assert opacities[0] == 0 and (np.diff(opacities.astype(int)) >= 0).all() and colours.shape == (8, 3)


def test_relief_is_grey_without_a_gradient_and_keeps_signs():
    assert not np.ptp(np.asarray(relief(np.zeros((3, 3, 3)))))
    drawn = np.asarray(relief(np.array([[[1.0, -1.0, 0.0]]])))
    assert drawn.tolist() == [[[255, 0, 128]]]
