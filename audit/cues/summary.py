"""What an audit says of each cue as a whole: how often it was seen, how it was looked at, examples, words read."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.config import Config
from audit.cues.cue_json import CueSummary, ReadText
from audit.cues.file_distribution import distribution
from audit.cues.undecided import undecided_by_class
from audit.data.dataset import Dataset, one_per_group
from audit.detectors.cue import Cue
from audit.measures.attention import attention
from audit.measures.figures import AttentionInClass

_EXAMPLES = 3
_LINES = 8


def summarise(cue: Cue, rows: pd.DataFrame, lines: pd.DataFrame, dataset: Dataset, config: Config) -> CueSummary:
    """The entry of a cue in ``cues.json``.

    ``rows`` are the cue's part of ``cues.parquet``, ``lines`` what was read in it, columns image and text. What has no
    place in the picture has neither attention nor examples.
    """
    rows = rows.sort_values("image")
    present, open_ones = rows["present"].fillna(False).to_numpy(bool), rows["present"].isna().to_numpy(bool)
    further: dict[str, Any] = {}
    if cue.kind == "file" and (spread := distribution(cue, dataset)):
        further["distribution"] = spread
    if cue.kind == "detector" and open_ones.any():
        further["undecided"] = undecided_by_class(open_ones, dataset)
    shares = {name: float(present[dataset.labels == label].mean()) for label, name in enumerate(dataset.classes)}
    return CueSummary(
        name=cue.name,
        kind=cue.kind,
        role=cue.role,
        within=cue.within,
        words=cue.words,
        number=cue.number,
        n_present=int(present.sum()),
        present_share=shares,
        attention=_attention_by_class(rows, present, dataset, config) if cue.has_place else None,
        examples=examples(present, dataset.groups, config.seed) if cue.has_place else (),
        text=most_read(lines["text"].tolist(), lines["image"].tolist()),
        **further,
    )


def examples(present: NDArray[np.bool_], groups: NDArray[np.int64], seed: int) -> tuple[int, ...]:
    """Up to three images that show a cue, drawn at random from different duplicate groups.

    >>> examples(np.array([True, False, True, True]), np.array([0, 1, 2, 2]), seed=0)
    (0, 3)
    """
    images = np.random.default_rng(seed).permutation(np.flatnonzero(present))
    return tuple(sorted(int(image) for image in one_per_group(images, groups)[:_EXAMPLES]))


def most_read(lines: Sequence[str], images: Sequence[int]) -> tuple[ReadText, ...]:
    """The lines read in most images, whatever their capitals, with the number of images.

    >>> most_read(["Alamy", "alamy", "ALAMY", "a stock photo"], [1, 1, 2, 2])
    (ReadText(text='Alamy', n=2), ReadText(text='a stock photo', n=1))
    """
    spelling: dict[str, str] = {}
    for line in lines:
        spelling.setdefault(line.casefold(), line)
    counts = Counter(line for line, _ in dict.fromkeys(zip((one.casefold() for one in lines), images, strict=True)))
    return tuple(ReadText(text=spelling[line], n=n) for line, n in counts.most_common(_LINES))


def _attention_by_class(
    rows: pd.DataFrame, present: NDArray[np.bool_], dataset: Dataset, config: Config
) -> dict[str, AttentionInClass]:
    share, area = (rows[name].to_numpy(np.float64) for name in ("attention", "area"))
    settings, measured = config.evidence, {}
    for label, name in enumerate(dataset.classes):
        chosen = present & (dataset.labels == label)
        measure = attention(
            share[chosen],
            area[chosen],
            dataset.groups[chosen],
            np.random.default_rng((config.seed, label)),
            settings.resamples,
            settings.min_images,
        )
        measured[name] = AttentionInClass.model_validate(measure.as_json())
    return measured
