"""The trunk's activations are the same from the cache and from the photographs, in the order asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from audit.data.batches import read_pixels
from audit.data.dataset import load_dataset
from audit.model import activation_store, trunk_pass
from audit.model.activation_store import ActivationStore, drop_activations, to_half
from audit.model.device import choose_runtime
from audit.model.network import load_backbone
from audit.store.audit_folder import AuditFolder, file_digest, read_json, write_json, write_table
from audit.store.tensors import load_arrays, save_tensors
from tests.planted import draw_dataset, run_audit, tiny_config

N = 24


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("photos"), per_class=N // 2)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Ten images per shard, so that there are several and the last one is not full."""
    monkeypatch.setattr(activation_store, "ACTIVATIONS_PER_SHARD", 10)


def settings(manifest, fine_tune: str = "conv5", cache_gb: float = 1.0):
    model = {"arch": "tiny", "image_size": 64, "fine_tune": fine_tune}
    compute = {"workers": 0, "device": "cpu", "precision": "float32", "cache_gb": cache_gb, "batch_size": 7}
    return tiny_config(manifest, model=model, compute=compute)


def make(path, config) -> ActivationStore:
    """A store after the features stage."""
    folder = run_audit(path, config, until="features")
    return ActivationStore(folder, load_dataset(folder), config, load_backbone(config), choose_runtime(config.compute))


def collect(store: ActivationStore, images: np.ndarray, flipped: np.ndarray | None = None) -> np.ndarray:
    batches = list(store.batches(images, 5, flipped))
    assert np.concatenate([batch for batch, _ in batches]).tolist() == images.tolist()
    assert all(tensor.dtype == torch.float32 and len(tensor) == len(batch) for batch, tensor in batches)
    return torch.cat([tensor for _, tensor in batches]).numpy()


def expected(store: ActivationStore, images: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """One photograph at a time through the plain layers."""
    rows = []
    for image, mirrored in zip(images, flipped, strict=True):
        pixels = read_pixels(store.dataset, int(image), store.config)
        seen = np.ascontiguousarray(pixels[:, ::-1] if mirrored else pixels)
        with torch.no_grad():
            rows.append(store.backbone.trunk(store.runtime.normalise(seen[None])).numpy()[0])
    return np.stack(rows)


@pytest.mark.parametrize("cache_gb", [1.0, 0.0])
def test_any_order_and_any_orientation(cache_gb, manifest, tmp_path):
    store = make(tmp_path, settings(manifest, cache_gb=cache_gb))
    assert store.is_cached(False) == store.is_cached(True) == (cache_gb > 0)
    rng = np.random.default_rng(0)
    images, flipped = rng.permutation(N), rng.random(N) < 0.5
    tolerance = {"rtol": 1e-3, "atol": 1e-3} if cache_gb else {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(collect(store, images, flipped), expected(store, images, flipped), **tolerance)
    np.testing.assert_allclose(collect(store, images), expected(store, images, np.zeros(N, bool)), **tolerance)


def test_a_flip_is_computed_where_only_upright_ones_are_kept(manifest, tmp_path):
    store = make(tmp_path, settings(manifest, "head"))
    assert store.is_cached(False) and not store.is_cached(True)
    images, flipped = np.array([23, 0, 11]), np.array([True, False, True])
    np.testing.assert_allclose(collect(store, images, flipped), expected(store, images, flipped), rtol=1e-5, atol=1e-5)


def test_without_a_trunk_it_gives_the_normalised_photographs(manifest, tmp_path):
    store = make(tmp_path, settings(manifest, "all"))
    assert not list(store.folder.cache.glob("trunk-*")) and not store.is_cached(False)
    (_, tensor), *_ = store.batches(np.array([4]), 1, np.array([True]))
    pixels = read_pixels(store.dataset, 4, store.config)[:, ::-1]
    channel = (pixels[:, :, 1] / 255 - 0.456) / 0.224
    np.testing.assert_allclose(tensor[0, 1].numpy(), channel, atol=1e-5)


def test_pooled_features_are_means_of_the_whole_network(manifest, tmp_path):
    store = make(tmp_path, settings(manifest))
    trunk = torch.from_numpy(expected(store, np.arange(N), np.zeros(N, bool)))
    with torch.no_grad():
        means = store.backbone.tail(trunk).double().numpy().mean((2, 3))
    pooled = trunk_pass.read_pooled(store.folder)
    assert pooled.shape == (N, 48)
    np.testing.assert_allclose(pooled, means, rtol=1e-4, atol=1e-5)


def test_an_interrupted_pass_fills_in_only_what_is_missing(manifest, tmp_path):
    config = settings(manifest)
    folder = make(tmp_path, config).folder
    before = {path.name: path.read_bytes() for path in folder.cache.glob("*.safetensors")}
    assert len(before) == 9
    kept = folder.cache / "trunk-upright-00000.safetensors"
    stamp = kept.stat().st_mtime_ns
    for name in ("trunk-upright-00001.safetensors", "trunk-flipped-00002.safetensors", "pooled-00002.safetensors"):
        (folder.cache / name).unlink()
    trunk_pass.build(folder, config)
    assert {path.name: path.read_bytes() for path in folder.cache.glob("*.safetensors")} == before
    assert kept.stat().st_mtime_ns == stamp


def test_shards_of_other_settings_are_dropped(manifest, tmp_path):
    folder = make(tmp_path, settings(manifest)).folder
    (folder.cache / "trunk-upright-00009.safetensors").write_bytes(b"stale")
    trunk_pass.build(folder, settings(manifest, "all"))
    assert not list(folder.cache.glob("trunk-*"))
    assert read_json(folder.cache / "features.json")["cached"] == 0


def test_a_cache_over_the_budget_is_not_begun(manifest, tmp_path):
    # 32 channels of 16 x 16 positions in float16, twice for flips.
    needed = N * 2 * 2 * 32 * 16 * 16 / 1e9
    for share, kept in ((0.99, False), (1.01, True)):
        folder = make(tmp_path / str(share), settings(manifest, cache_gb=needed * share)).folder
        assert any(folder.cache.glob("trunk-*")) == kept


def test_half_precision_saturates_instead_of_overflowing():
    values = torch.tensor([1e6, -1e6, 1.5, 65504.0])
    assert to_half(values).tolist() == [65504.0, -65504.0, 1.5, 65504.0]


def test_what_an_older_release_left_beside_the_shards_is_not_read(manifest, tmp_path):
    folder = make(tmp_path, settings(manifest)).folder
    pooled = trunk_pass.read_pooled(folder)
    (folder.cache / "pooled-00000.npy").write_bytes(b"older")
    np.testing.assert_array_equal(trunk_pass.read_pooled(folder), pooled)


def test_a_dropped_cache_is_only_a_cost(tmp_path):
    folder = AuditFolder(tmp_path)
    save_tensors(folder.cache / "trunk-upright-00000.safetensors", {"trunk": np.zeros((2, 3))}, {})
    save_tensors(folder.cache / "pooled-00000.safetensors", {"pooled": np.zeros((2, 3))}, {})
    drop_activations(folder)
    assert [path.name for path in folder.cache.iterdir()] == ["pooled-00000.safetensors"]


@pytest.mark.parametrize("links", [True, False])
def test_what_another_folder_holds_of_the_same_photographs_is_taken_over(links, manifest, tmp_path, monkeypatch):
    """Of 24 photographs and 6 further ones, the first two shards of ten are the lender's; the others are computed."""
    config = settings(manifest)
    lender = make(tmp_path / "lender", config)
    work = extended(lender, AuditFolder(tmp_path / "work"))
    seen = counted(monkeypatch)
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    trunk_pass.fill(work, lender.folder)
    # One empty picture is computed to learn the size of an image's activations.
    assert sum(seen) == 1 + 2 * 10
    alone = extended(lender, AuditFolder(tmp_path / "alone"))
    trunk_pass.fill(alone)
    for flipped in (False, True):
        images = np.arange(30)
        mirrored = np.full(30, flipped)
        np.testing.assert_array_equal(collect(work, images, mirrored), collect(alone, images, mirrored))
    np.testing.assert_array_equal(trunk_pass.read_pooled(work.folder), trunk_pass.read_pooled(alone.folder))


@pytest.mark.parametrize("spoil", ["key", "photographs"])
def test_nothing_is_taken_over_from_other_inputs(spoil, manifest, tmp_path, monkeypatch):
    lender = make(tmp_path / "lender", settings(manifest))
    work = extended(lender, AuditFolder(tmp_path / "work"))
    if spoil == "key":
        for path in lender.folder.cache.glob("*.safetensors"):
            save_tensors(path, load_arrays(path), {"key": "another network's"})
    else:
        work = extended(lender, AuditFolder(tmp_path / "work"), others_first=True)
    seen = counted(monkeypatch)
    trunk_pass.fill(work, lender.folder)
    assert sum(seen) == 1 + 2 * 30


def extended(lender: ActivationStore, folder: AuditFolder, others_first: bool = False) -> ActivationStore:
    """A store of the lender's photographs and, behind or before them, six of them again in other bytes."""
    images = lender.dataset.images
    paths = [folder / f"{image}.png" for image in range(6)]
    for image, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(lender.dataset.file_of(image).path.read_bytes() + b"another")
    again = images.iloc[:6].assign(path=list(map(str, paths)), sha256=list(map(file_digest, paths)))
    parts = [again, images] if others_first else [images, again]
    table = pd.concat(parts, ignore_index=True).assign(image=np.arange(30, dtype=np.int32))
    write_table(folder.images, table)
    write_json(folder.dataset, read_json(lender.folder.dataset))
    return replace(lender, folder=folder, dataset=load_dataset(folder), _open={})


def counted(monkeypatch) -> list[int]:
    """The sizes of all batches that go through a trunk from now on."""
    sizes: list[int] = []
    compute = ActivationStore.compute
    monkeypatch.setattr(ActivationStore, "compute", lambda self, x: sizes.append(len(x)) or compute(self, x))
    return sizes


def refuse(*arguments):
    raise OSError("this disk knows no links")
