"""VGG-16's weights: where they are looked for, and that wrong or malicious files are refused."""

import os
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import vgg16

from audit.config import Config, model_folder, parse_config
from audit.errors import MissingModelFile, ModelFileError
from audit.model.pretrained import load_vgg16_weights
from audit.store.model_files import TORCHVISION_NAME, VGG16


@pytest.fixture(scope="module")
def state():
    """The convolutions of VGG-16 with constant weights."""
    with torch.device("meta"):
        shapes = {
            key: value.shape for key, value in vgg16(weights=None, init_weights=False).features.state_dict().items()
        }
    return {f"features.{key}": torch.full(shape, 0.5, dtype=torch.float16) for key, shape in shapes.items()}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Neither torch's nor our own cache folder holds anything."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def _config(path) -> Config:
    return parse_config({"model": {"weights": str(path)}})


def test_nothing_there_names_the_command(elsewhere):
    with pytest.raises(MissingModelFile, match="run `bias-audit fetch`"):
        load_vgg16_weights(Config())


def test_an_explicit_path_that_is_missing_is_said(tmp_path):
    with pytest.raises(MissingModelFile, match=r"nowhere\.pth: there is no such file"):
        load_vgg16_weights(_config(tmp_path / "nowhere.pth"))


def test_safetensors_without_classifier(tmp_path, state):
    save_file(state, tmp_path / "own.safetensors")
    weights = load_vgg16_weights(_config(tmp_path / "own.safetensors"))
    assert weights.features.keys() == state.keys() and weights.classifier is None
    assert "own.safetensors" in weights.origin and len(weights.sha256) == 64


def test_a_state_dict_of_a_wrapped_model_with_its_classifier(tmp_path, state):
    classifier = {"0.weight": (4096, 25088), "0.bias": (4096,), "3.weight": (4096, 4096), "3.bias": (4096,)}
    # Expanded scalars: torch stores one number for each, so that the test writes no 240 MB.
    layers = {f"classifier.{key}": torch.zeros(()).expand(shape) for key, shape in classifier.items()}
    torch.save({f"module.{key}": value for key, value in {**state, **layers}.items()}, tmp_path / "own.pth")
    weights = load_vgg16_weights(_config(tmp_path / "own.pth"))
    assert weights.features["features.0.weight"].shape == (64, 3, 3, 3)
    assert weights.classifier is not None and weights.classifier.keys() == classifier.keys()


def test_another_classifier_is_left_out(tmp_path, state):
    torch.save({**state, "classifier.0.weight": torch.zeros(2, 2)}, tmp_path / "own.pth")
    assert load_vgg16_weights(_config(tmp_path / "own.pth")).classifier is None


def test_a_wrong_shape_names_key_and_both_shapes(tmp_path, state):
    save_file({**state, "features.5.weight": torch.zeros(128, 64, 1, 1)}, tmp_path / "own.safetensors")
    with pytest.raises(ModelFileError, match=r"'features\.5\.weight'.*\(128, 64, 1, 1\), expected \(128, 64, 3, 3\)"):
        load_vgg16_weights(_config(tmp_path / "own.safetensors"))


def test_a_missing_key_is_named(tmp_path, state):
    save_file({k: v for k, v in state.items() if k != "features.28.bias"}, tmp_path / "own.safetensors")
    with pytest.raises(ModelFileError, match=r"no tensor 'features\.28\.bias'"):
        load_vgg16_weights(_config(tmp_path / "own.safetensors"))


def test_numbers_that_are_not_finite_are_refused(tmp_path, state):
    save_file({**state, "features.0.bias": torch.full((64,), float("nan"))}, tmp_path / "own.safetensors")
    with pytest.raises(ModelFileError, match=r"'features\.0\.bias' does not hold finite"):
        load_vgg16_weights(_config(tmp_path / "own.safetensors"))


def test_a_layer_of_zeros_is_refused(tmp_path, state):
    save_file({**state, "features.28.weight": torch.zeros(512, 512, 3, 3)}, tmp_path / "own.safetensors")
    with pytest.raises(ModelFileError, match=r"'features\.28\.weight' holds nothing but zeros"):
        load_vgg16_weights(_config(tmp_path / "own.safetensors"))


class _Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "write", [lambda value, path: torch.save(value, path), lambda v, p: p.write_bytes(pickle.dumps(v, protocol=2))]
)
def test_a_malicious_pickle_is_refused_and_never_run(tmp_path, write):
    write({"features.0.weight": _Malicious(tmp_path / "owned")}, tmp_path / "evil.pth")
    with pytest.raises(ModelFileError, match="refused"):
        load_vgg16_weights(_config(tmp_path / "evil.pth"))
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("name", ["bytes.pth", "bytes.safetensors", "empty.pth", "empty.safetensors"])
def test_garbage_is_an_error_of_ours(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00garbage" * 40 if "bytes" in name else b"")
    with pytest.raises(ModelFileError):
        load_vgg16_weights(_config(tmp_path / name))


def test_a_file_that_holds_no_state_dict(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelFileError, match="no plain state_dict"):
        load_vgg16_weights(_config(tmp_path / "list.pth"))


def test_torchvision_s_file_goes_before_the_small_one_and_is_checked(elsewhere, state):
    folder = elsewhere / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(state, folder / TORCHVISION_NAME)
    with pytest.raises(ModelFileError, match=r"damaged .* run `bias-audit fetch --full-vgg`"):
        load_vgg16_weights(Config())


def test_the_fetched_file_loads():
    if not (model_folder() / VGG16.name).exists():
        pytest.skip("run `bias-audit fetch` first")
    weights = load_vgg16_weights(parse_config({"model": {"weights": str(model_folder() / VGG16.name)}}))
    assert weights.features["features.28.weight"].dtype == torch.float16 and weights.classifier is None
