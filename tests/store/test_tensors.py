"""Weights and optimizer states go through files and back; damaged files are errors of ours."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from audit.errors import AuditFolderError
from audit.store.tensors import (
    load_arrays,
    load_header,
    load_tensors,
    map_array,
    only_prefix,
    optimizer_tensors,
    restore_optimizer,
    save_tensors,
)


def test_tensors_and_header_come_back(tmp_path):
    path = tmp_path / "deep" / "x.safetensors"
    tensors = {
        "transposed": torch.arange(6.0).reshape(2, 3).T,
        "channels_last": torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        "step": torch.tensor(3.0),
        "half": torch.rand(3).half(),
    }
    save_tensors(path, tensors, {"key": "κ", "history": [{"loss": 0.1}]})
    loaded, header = load_tensors(path)
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[key], tensors[key]) and loaded[key].dtype == tensors[key].dtype for key in tensors)
    assert header == load_header(path) == {"key": "κ", "history": [{"loss": 0.1}]}
    assert [p.name for p in path.parent.iterdir()] == ["x.safetensors"]


def test_no_file_has_an_empty_header(tmp_path):
    assert load_header(tmp_path / "nothing.safetensors") == {}


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, {"a": torch.ones(2)}, {"key": 1})
    with pytest.raises(ValueError, match="JSON"):
        save_tensors(path, {"a": torch.zeros(2)}, {"loss": float("nan")})
    assert load_tensors(path)[0]["a"].sum() == 2


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-5])


def emptied(path):
    path.write_bytes(b"")


def garbage(path):
    path.write_bytes(b"\xff" * 200)


def headless(path):
    save_file({"a": torch.ones(2)}, path)


def broken_header(path):
    save_file({"a": torch.ones(2)}, path, {"header": "{"})


def no_object(path):
    save_file({"a": torch.ones(2)}, path, {"header": "[]"})


@pytest.mark.parametrize("damage", [cut_off, emptied, garbage, headless, broken_header, no_object])
@pytest.mark.parametrize("load", [load_tensors, load_header])
def test_a_damaged_file_is_named(damage, load, tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, {"a": torch.ones(2)}, {})
    damage(path)
    with pytest.raises(AuditFolderError, match=r"x\.safetensors: damaged .*delete it"):
        load(path)


def test_arrays_and_tensors_share_one_form(tmp_path):
    path = tmp_path / "x.safetensors"
    arrays = {"a": np.arange(12, dtype=np.float16).reshape(4, 3), "b": np.array([True, False]), "c": torch.ones(2)}
    save_tensors(path, arrays, {})
    loaded = load_arrays(path)
    assert all(np.array_equal(loaded[name], arrays[name]) and loaded[name].dtype == arrays[name].dtype for name in "ab")
    assert load_arrays(path, "c")["c"].tolist() == [1, 1]
    assert map_array(path, "a")[2].tolist() == [6, 7, 8]


@pytest.mark.parametrize("load", [load_tensors, load_arrays])
def test_a_missing_file_is_named(load, tmp_path):
    with pytest.raises(AuditFolderError, match=r"x\.safetensors: missing; run the audit again"):
        load(tmp_path / "x.safetensors")


def test_only_what_has_a_prefix_is_kept_and_without_it():
    both = {"best.a": torch.zeros(1), "network.a": torch.ones(1), "network.b": torch.ones(2)}
    assert only_prefix("network.", both) == {"a": both["network.a"], "b": both["network.b"]}
    assert only_prefix("optimizer.", both) == {}


def adam(seed: int) -> tuple[torch.nn.Linear, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    layer = torch.nn.Linear(3, 2)
    groups = [{"params": [layer.weight], "lr": 0.1}, {"params": [layer.bias], "lr": 0.01}]
    return layer, torch.optim.AdamW(groups)


def step(layer, optimizer) -> None:
    optimizer.zero_grad()
    layer(torch.ones(1, 3)).square().sum().backward()
    optimizer.step()


def test_an_optimizer_goes_on_where_it_was(tmp_path):
    (first, one), (second, two) = adam(0), adam(1)
    step(first, one)
    save_tensors(tmp_path / "o.safetensors", optimizer_tensors(one), {})
    second.load_state_dict(first.state_dict())
    restore_optimizer(two, load_tensors(tmp_path / "o.safetensors")[0])
    step(first, one)
    step(second, two)
    assert torch.equal(first.weight, second.weight) and torch.equal(first.bias, second.bias)
