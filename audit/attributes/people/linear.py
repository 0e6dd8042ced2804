"""Linear models whose weights lie in files beside the readers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Linear:
    """A logistic regression: log odds are ``offset`` plus the sum of ``weights`` (n,) times numbers (n,)."""

    weights: Floats
    offset: float

    def probability(self, numbers: Floats) -> float:
        """Of having the attribute, in (0, 1)."""
        logit = float(np.clip(self.weights @ numbers + self.offset, -30, 30))
        return 1 / (1 + float(np.exp(-logit)))


@cache
def read_models(name: str) -> Mapping[str, Linear]:
    """The models of the file ``name``.npz in the folder WEIGHTS, by attribute."""
    with np.load(WEIGHTS / f"{name}.npz", allow_pickle=False) as file:
        tables = {key: file[key].astype(np.float32) for key in file.files}
    return {key: Linear(table[1:], float(table[0])) for key, table in tables.items()}
