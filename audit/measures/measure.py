"""What every evidence function returns: a value with its interval, or the reason why there is none."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]
Random = np.random.Generator | int
Plain = float | int | str | None
Extra = Mapping[str, Plain | Mapping[str, Plain]]


@dataclass(frozen=True)
class Measure:
    """One measured fact.

    ``value`` with its 95 % interval ``low`` to ``high``; ``n`` is the number of images it rests on; ``p`` the
    permutation p-value, uncorrected (None where no test makes sense). ``value`` is None when the fact could not be
    measured, and then ``reason`` is a sentence. ``extra`` holds the figures that are printed beside the value.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    p: float | None = None
    reason: str = ""
    extra: Extra = field(default_factory=dict)

    def as_json(self) -> dict[str, Plain | Mapping[str, Plain]]:
        """Plain JSON types, ``extra`` beside the rest; NaN and infinities become null; ``reason`` only if there is one.

        >>> Measure(0.5, 0.25, 0.75, 8, extra={"share": np.float32(0.5)}).as_json()
        {'value': 0.5, 'low': 0.25, 'high': 0.75, 'n': 8, 'p': None, 'share': 0.5}
        """
        named = {"value": self.value, "low": self.low, "high": self.high, "n": self.n, "p": self.p}
        reason = {"reason": self.reason} if self.reason else {}
        return {key: _plain(value) for key, value in {**named, **reason, **self.extra}.items()}


def unmeasured(reason: str, n: int) -> Measure:
    """The measure of something that could not be measured; ``reason`` is a sentence for the reader."""
    return Measure(None, None, None, n, reason=reason)


def too_few(have: int, need: int, which: str) -> str:
    """The sentence for ``have`` < ``need`` images, else the empty string. ``which`` completes "images ...".

    >>> too_few(1, 10, "of the class show the cue")
    'Only 1 distinct image of the class show the cue; 9 more would do.'
    """
    if have >= need:
        return ""
    count = f"Only {have} distinct image{'' if have == 1 else 's'}" if have else "No images"
    return f"{count} {which}; {need - have} more would do."


def distinct(groups: Ints) -> int:
    """Number of duplicate groups (n,) among some images: copies of one image count once."""
    return len(np.unique(groups))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
