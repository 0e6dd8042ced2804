"""Arrays and tensors as safetensors files with a JSON header, atomically; nothing is ever unpickled."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from audit.errors import AuditFolderError
from audit.store.audit_folder import write_atomically

if TYPE_CHECKING:  # Processes that only look for cues do without PyTorch.
    from torch import Tensor
    from torch.optim import Optimizer

Header = dict[str, Any]


def save_tensors(path: Path, tensors: "Mapping[str, Tensor | NDArray[Any]]", header: Header) -> None:
    """Write tensors or arrays and a header of JSON values, atomically. Raises ValueError for a NaN in the header."""
    arrays = {name: _array(value) for name, value in tensors.items()}
    metadata = {"header": json.dumps(header, allow_nan=False)}
    write_atomically(path, lambda aside: save_file(arrays, aside, metadata))


def load_tensors(path: Path) -> "tuple[dict[str, Tensor], Header]":
    """Read what ``save_tensors`` wrote, as tensors. Raises AuditFolderError when the file is missing or damaged."""
    with _opened(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, _header(file)  # noqa: SIM118 - not a mapping


def load_arrays(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """Read the arrays named, or all. Raises AuditFolderError when the file is missing or damaged."""
    with _opened(path, "numpy") as file:
        return {name: file.get_tensor(name) for name in names or file.keys()}


def map_array(path: Path, name: str) -> Any:
    """One array, of which only the rows that are indexed are read. Raises AuditFolderError as ``load_arrays``."""
    with _opened(path, "numpy") as file:
        return file.get_slice(name)


def load_header(path: Path) -> Header:
    """Read the header alone; an empty one when there is no such file. Raises AuditFolderError when it is damaged."""
    if not path.exists():
        return {}
    with _opened(path, "numpy") as file:
        return _header(file)


@contextmanager
def _opened(path: Path, framework: str) -> Iterator[Any]:
    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except FileNotFoundError:
        raise AuditFolderError(f"{path}: missing; run the audit again to make it.") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise AuditFolderError(f"{path}: damaged ({error}); delete it and run the audit again.") from None


def _header(file: Any) -> Header:
    header: Header = {**json.loads(file.metadata()["header"])}
    return header


def _array(value: "Tensor | NDArray[Any]") -> NDArray[Any]:
    array = value if isinstance(value, np.ndarray) else value.detach().cpu().numpy()
    return np.ascontiguousarray(array).reshape(array.shape)


def optimizer_tensors(optimizer: "Optimizer") -> "dict[str, Tensor]":
    """The optimizer's state as tensors named ``<parameter index>.<name>``."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": value for index, values in state.items() for name, value in values.items()}


def restore_optimizer(optimizer: "Optimizer", tensors: "dict[str, Tensor]") -> None:
    """Inverse of ``optimizer_tensors`` for an optimizer over the same parameters."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def only_prefix(prefix: str, tensors: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Keep the tensors whose names begin with ``prefix``, without it."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
