"""Columns of the manifest as cues."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.detectors.cue import Cue

_NO = {"0", "no", "false", "n", "none", "absent", "without"}


@dataclass(frozen=True)
class ColumnCue:
    """One value of one column. ``present`` and ``known`` are boolean (images,)."""

    cue: Cue
    present: NDArray[np.bool_]
    known: NDArray[np.bool_]


def column_cues(images: pd.DataFrame, attributes: tuple[str, ...], taken: Iterable[str] = ()) -> list[ColumnCue]:
    """Cues of every attribute: one for a column with two values, one per value for a column with more.

    A column called like another cue (``taken``) gets a name of its own, since cues are told apart by their names.
    """
    names, found = set(taken), []
    for one in (cue for name in attributes for cue in _cues_of(name, images[f"attribute:{name}"])):
        name = one.cue.name
        while name in names:
            name += " (column)"
        names.add(name)
        found.append(replace(one, cue=replace(one.cue, name=name)))
    return found


def _cues_of(name: str, column: pd.Series) -> list[ColumnCue]:
    known = column.notna().to_numpy(bool)
    values = sorted(column.dropna().unique())
    if len(values) < 2:
        return []
    if len(values) == 2:
        absent = next((value for value in values if value.strip().lower() in _NO), values[1])
        shown = values[0] if absent == values[1] else values[1]
        return [_cue(name, name, shown, column, known)]
    return [_cue(f"{name}={value}", name, value, column, known) for value in values]


def _cue(cue_name: str, column_name: str, value: str, column: pd.Series, known: NDArray[np.bool_]) -> ColumnCue:
    cue = Cue(name=cue_name, words=f"{column_name} = {value}", role="attribute", kind="attribute")
    return ColumnCue(cue, (column == value).to_numpy(bool), known)
