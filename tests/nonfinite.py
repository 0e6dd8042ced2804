"""Every number of a finished audit folder that is not finite and that no file's description allows.

Allowed is NaN, by column, where the same row says that nothing was measured. Infinities are allowed nowhere.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

_WORD = re.compile(r"(?<![\w.-])[-+]?(nan|inf|infinity)(?![\w.-])", re.IGNORECASE)
_PICTURES = re.compile(r"data:[\w/+;-]+,[\w+/=]*")


def nonfinite(folder: Path) -> list[str]:
    """Sentences, one per file and column (or tensor) with numbers that are not allowed; none in a sound audit."""
    return [
        f"{path.relative_to(folder)}: {found}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in _READERS
        for found in _READERS[path.suffix](path)
    ]


def _in_table(path: Path) -> Iterator[str]:
    table = pd.read_parquet(path)
    for name in table.columns:
        lacking, endless = _counts(table[name])
        if endless.any():
            yield f"{name} has infinities in {endless.sum()} rows"
        if (lacking & ~_unmeasured(path, table, name)).any():
            yield f"{name} is NaN in {(lacking & ~_unmeasured(path, table, name)).sum()} rows"


def _counts(column: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Where a column of numbers, or of lists of numbers, holds a NaN, and where an infinity."""
    if column.dtype == object:
        cells = [np.asarray(value, float) if _is_numeric(value) else np.zeros(1) for value in column]
    else:
        numeric = pd.api.types.is_float_dtype(column.dtype)
        cells = [np.atleast_1d(value) for value in (column.to_numpy(float) if numeric else np.zeros(len(column)))]
    lacking, endless = ([bool(test(cell).any()) for cell in cells] for test in (np.isnan, np.isinf))
    return pd.Series(lacking, column.index, dtype=bool), pd.Series(endless, column.index, dtype=bool)


def _is_numeric(value: object) -> bool:
    return isinstance(value, float) or (isinstance(value, np.ndarray | list) and np.asarray(value).dtype.kind == "f")


def _unmeasured(path: Path, table: pd.DataFrame, name: str) -> pd.Series:
    """The rows in which a column may be NaN."""
    never = pd.Series(False, table.index)
    match path.name, name:
        case "evidence.parquet", "value" | "low" | "high":
            return table["reason"] != ""
        case "evidence.parquet", "p" | "p_adjusted":
            return (table["reason"] != "") | table["kind"].isin(["attention", "gap"])
        case "images.parquet", "file:jpeg_quality":
            return table["format"] != "JPEG"
        case "cues.parquet", "score":
            return table["present"].isna()
        case "cues.parquet", "area":
            return table["cue"].str.startswith("file.")
        case "cues.parquet", "attention":
            empty = pd.read_parquet(path.with_name("predictions.parquet")).set_index("image")["empty"]
            has_place = ~table["cue"].str.startswith("file.")
            return table["image"].map(empty) | ~table["present"].fillna(False).astype(bool) | ~has_place
        case _, "p_masked" | "p_control" if path.name == "masking.parquet":
            return table["predicted_control"] == -1
    return never


def _in_tensors(path: Path) -> Iterator[str]:
    tensors = load_file(path)
    for name, values in tensors.items():
        if values.dtype.kind != "f":
            continue
        allowed = np.zeros(values.shape, bool)
        if path.parent.name == "masking" and name in ("masked", "control", "p_masked", "p_control"):
            allowed[tensors["predicted_control"] == -1] = True
        if path.parent.name == "detections" and name == "values":
            allowed[tensors["shown"] == 0] = True
        if not (np.isfinite(values) | (allowed & np.isnan(values))).all():
            yield f"{name} is not finite"


def _in_array(path: Path) -> Iterator[str]:
    values = np.load(path)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        yield "not finite"


def _in_json(path: Path) -> Iterator[str]:
    def refuse(constant: str) -> float:
        raise ValueError(constant)

    try:
        json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    except ValueError as error:
        yield f"no JSON ({error})"
    yield from _in_text(path)


def _in_text(path: Path) -> Iterator[str]:
    for found in _WORD.finditer(_PICTURES.sub("", path.read_text(encoding="utf-8"))):
        yield f"says {found[0]!r}: ...{found.string[max(0, found.start() - 40) : found.end() + 20]!r}"


_READERS = {
    ".parquet": _in_table,
    ".safetensors": _in_tensors,
    ".npy": _in_array,
    ".json": _in_json,
    ".html": _in_text,
    ".csv": _in_text,
}
