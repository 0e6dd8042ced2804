"""Trained weights and interrupted trainings as safetensors files, with a JSON header; nothing is ever unpickled."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from audit.errors import ModelFileError
from audit.folder import write_atomically

Header = dict[str, Any]


def save_tensors(path: Path, tensors: dict[str, Tensor], header: Header) -> None:
    """Write tensors and a header of JSON values, atomically."""
    contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    metadata = {"header": json.dumps(header, allow_nan=False)}
    write_atomically(path, lambda aside: save_file(contiguous, aside, metadata))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], Header]:
    """Read what ``save_tensors`` wrote. Raises ModelFileError when the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
            return tensors, json.loads(file.metadata()["header"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: damaged ({error}); delete it and run the audit again.") from None


def load_header(path: Path) -> Header:
    """Read the header alone; an empty one when there is no such file. Raises ModelFileError when it is damaged."""
    if not path.exists():
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            header: Header = json.loads(file.metadata()["header"])
            return header
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: damaged ({error}); delete it and run the audit again.") from None


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as tensors named ``<parameter index>.<name>``."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": value for index, values in state.items() for name, value in values.items()}


def restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Inverse of ``optimizer_tensors`` for an optimizer over the same parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename every tensor to ``<prefix><name>``."""
    return {prefix + key: value for key, value in tensors.items()}


def only_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keep the tensors whose names begin with ``prefix``, without it."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
