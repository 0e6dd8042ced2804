"""Sanity checks of the maps, made in every audit: weight randomisation, faithfulness to occlusion, empty maps.

Images of a single colour are left out of all three: no position in them differs from another, so that occluding one
changes nothing but rounding, and no map of them can be right or wrong.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import t
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from torchvision.transforms.functional import gaussian_blur

from audit.cam.incremental_occlusion import Leading, changed_box
from audit.cam.occlusion import occlusion_maps, rank_correlation
from audit.config import Config
from audit.data.batches import Images, read_pixels
from audit.data.dataset import Dataset, one_per_group
from audit.explain.explain_json import Check, CheckName, Sanity
from audit.explain.read_maps import read_maps
from audit.explain.weight_randomisation import Values, likeness_by_step
from audit.measures.intervals import LEVEL, share_interval
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import load_fold
from audit.model.network import Network
from audit.progress import track
from audit.store.audit_folder import AuditFolder, read_record, read_table, write_record

# Likeness to the trained maps at which randomised ones count as unchanged. Measured on 300 cats and dogs: 0.22 to 0.33
# with a random head, 0.23 and less with random convolutions as well.
MOST_LIKENESS = 0.6
# Measured on the same, 12 images each: 0.49 (head) and 0.60 (conv5), standard deviation 0.22 and 0.23.
LEAST_FAITH = 0.05
MOST_EMPTY = 0.2
# Each image costs many forward passes: more are looked at only while the first ones leave a question open.
_FIRST, _MOST = 6, 24
# Squares in a row, and their side in units of their distance: they overlap so that the edges they make count less.
_SQUARES, _OVERLAP = 4, 1.5
_OTHERS = 60
_NOTHING = "No photograph had a map that could be checked."

Row = TypeVar("Row")


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: write ``sanity.json``: ``trusted`` (no check failed), ``sentence`` and ``checks``.

    Raises AuditFolderError when a stage before it is not done.
    """
    store = ActivationStore.open(folder, config)
    predictions = read_table(folder.predictions)
    with track("checking the maps", 3, "checks") as advance:
        randomisation = _look(store, predictions, _changes, lambda rows: judge_randomisation(pd.DataFrame(rows)))
        advance(1)
        occlusion = _look(store, predictions, _faith, lambda rows: judge_occlusion(np.array(rows)))
        advance(1)
        shown = ~store.dataset.uniform
        empty = judge_empty(predictions["empty"].to_numpy(bool)[shown], store.dataset.groups[shown])
        advance(1)
    write_record(folder.sanity, summary([randomisation, occlusion, empty]))
    return [folder.sanity]


def maps_are_trusted(folder: AuditFolder) -> bool:
    """Whether the audit's maps failed none of their checks. Raises AuditFolderError when these were not made."""
    return read_record(folder.sanity, Sanity).trusted


def summary(checks: Sequence[Check]) -> Sanity:
    """The content of ``sanity.json``."""
    failed = [check for check in checks if check.passed is False]
    unclear = [check for check in checks if check.passed is None]
    if not any(check.n for check in checks):
        sentence = "The attention maps could not be checked: no photograph has anything in it that a map could show."
    elif failed:
        sentence = "The attention maps failed their own test. " + " ".join(check.sentence for check in failed)
    elif unclear:
        sentence = "The attention maps failed none of their checks, but not all of them could be decided."
    else:
        sentence = "The attention maps passed their checks."
    return Sanity(trusted=not failed, sentence=sentence, checks=tuple(checks))


def judge_randomisation(likeness: pd.DataFrame) -> Check:
    """Cascading randomisation (Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, section 3).

    ``likeness`` has a row per image and a column per step: Spearman's rank correlation of the absolute values of
    the map after the step with those of the trained network's. A method that shows edges whatever the network has
    learned stays at 1. The value is that of the step after which the maps are most alike.
    """
    steps = {str(step): float(mean) for step, mean in likeness.mean().dropna().items()}
    step = max(steps, key=lambda name: steps[name], default=None)
    value, low, high, n = mean_interval(likeness[step].to_numpy() if step else np.zeros(0))
    passed = True if high < MOST_LIKENESS else False if n > 1 and value >= MOST_LIKENESS else None
    change = "changed" if passed else "did not clearly change" if passed is None else "hardly changed"
    verdict = (
        f"When the network's weights were replaced by random ones, its maps {change} "
        f"(likeness {_two(value)}, at most {MOST_LIKENESS} is allowed, 1 is the same map)."
    )
    question = "Do the maps depend on what the network has learned?"
    sentence = verdict if n else _NOTHING
    return _check("randomisation", question, sentence, (value, low, high, n), MOST_LIKENESS, passed, steps)


def judge_occlusion(faith: Values) -> Check:
    """Faithfulness to occlusion (Grad-CAM paper, section 5.3), against a null.

    ``faith`` (n, 2): rank correlation of an image's map with its occlusion map, and the mean of those that maps of
    other images of its class have with it. Only the difference counts: looking at the middle, where most things
    are, is right for every image and says nothing of this one. Rows with a NaN, where there was nothing to compare
    with, are left out.
    """
    faith = faith.reshape(-1, 2)
    faith = faith[np.isfinite(faith).all(axis=1)]
    value, low, high, n = mean_interval(faith[:, 0] - faith[:, 1])
    passed = True if low > 0 else False if n > 1 and value < LEAST_FAITH else None
    agree = "agree" if passed else "do not clearly agree" if passed is None else "do not agree"
    of_own, of_others = faith.mean(0) if n else (math.nan, math.nan)
    verdict = (
        f"The maps {agree} with what covering up each part of a photograph does to the prediction: rank "
        f"correlation {_two(of_own)}, and {_two(of_others)} with the maps of other photographs."
    )
    question = "Do they show what matters in this photograph, not just in any?"
    steps = {"own map": float(of_own), "other maps": float(of_others)} if n else {}
    sentence = verdict if n else _NOTHING
    return _check("occlusion", question, sentence, (value, low, high, n), LEAST_FAITH, passed, steps)


def judge_empty(empty: NDArray[np.bool_], groups: NDArray[np.int64]) -> Check:
    """Share of empty maps, those without a positive value. ``empty`` and ``groups`` have shape (n,)."""
    question = "Is there a map at all?"
    if not len(empty):
        return _check("empty", question, _NOTHING, (math.nan, math.nan, math.nan, 0), MOST_EMPTY, None, {})
    value, (low, high) = float(empty.mean()), share_interval(empty, groups)
    passed = True if value <= MOST_EMPTY else False if low > MOST_EMPTY else None
    sentence = f"{value:.0%} of the maps are empty; at most {MOST_EMPTY:.0%} is allowed."
    figures = (value, low, high, len(empty))
    return _check("empty", question, sentence, figures, MOST_EMPTY, passed, {})


def mean_interval(values: Values) -> tuple[float, float, float, int]:
    """Mean with Student's interval, and the number of values; NaN values are left out, NaN where too few are left.

    >>> [round(number, 3) for number in mean_interval(np.array([1.0, 2.0, 3.0]))]
    [2.0, -0.484, 4.484, 3]
    """
    values = values[~np.isnan(values)]
    n = len(values)
    if n < 2:
        return (float(values[0]) if n else math.nan), math.nan, math.nan, n
    half = float(t.ppf((1 + LEVEL) / 2, n - 1) * values.std(ddof=1) / math.sqrt(n))
    return float(values.mean()), float(values.mean()) - half, float(values.mean()) + half, n


@dataclass(frozen=True)
class _Sample:
    """Some images of one fold, with the network that did not train on them."""

    store: ActivationStore
    network: Network
    fold: int
    images: Images
    inputs: Tensor
    labels: Tensor


def _samples(store: ActivationStore, predictions: pd.DataFrame, start: int, stop: int) -> Iterator[_Sample]:
    """Images ``start`` to ``stop`` of a random order of those that have a map and show something, spread over the
    folds. All are of different duplicate groups.
    """
    dataset, folds = store.dataset, store.config.training.folds
    fit = np.flatnonzero(~(predictions["empty"].to_numpy(bool) | dataset.uniform))
    images = one_per_group(np.random.default_rng(store.config.seed).permutation(fit), dataset.groups)
    for fold in range(folds):
        first, last = (count // folds + (fold < count % folds) for count in (start, stop))
        chosen = images[dataset.folds[images] == fold][first:last]
        if len(chosen):
            pixels = np.stack([read_pixels(dataset, int(image), store.config) for image in chosen])
            inputs, labels = store.runtime.normalise(pixels), store.runtime.to_device(dataset.labels[chosen])
            yield _Sample(store, load_fold(store, fold), fold, chosen, inputs, labels)


def _look(
    store: ActivationStore,
    predictions: pd.DataFrame,
    ask: Callable[[_Sample], Sequence[Row]],
    judge: Callable[[list[Row]], Check],
) -> Check:
    """Judge what is seen in a few images, and in up to four times as many if need be.

    Looking four times lets chance pass bad maps in about 6 % of audits instead of 2.5 %.
    """
    rows: list[Row] = []
    for start in range(0, _MOST, _FIRST):
        for sample in _samples(store, predictions, start, start + _FIRST):
            rows += ask(sample)
        check = judge(rows)
        if check.passed:
            break
    return check


def _changes(sample: _Sample) -> list[dict[str, float]]:
    seed = sample.store.config.seed * 1000 + sample.fold
    steps = likeness_by_step(sample.network, sample.inputs, sample.labels, sample.store.runtime, seed)
    return [{step: float(values[row]) for step, values in steps.items()} for row in range(len(sample.images))]


def _faith(sample: _Sample) -> list[tuple[float, float]]:
    store, network, size = sample.store, sample.network, sample.store.config.model.image_size
    stride = math.ceil(size / _SQUARES)
    blurred = gaussian_blur(sample.inputs, 2 * (size // 6) + 1, size / 12)
    layers = (*network.trunk, *network.tail)
    leading = Leading.of(layers)
    remaining = nn.Sequential(*layers[len(leading.layers) :])
    with torch.no_grad(), store.runtime.autocast():
        trace = leading.trace(sample.inputs)

    def score(inputs: Tensor) -> Tensor:
        with store.runtime.autocast():
            activations = remaining(leading.follow(trace, inputs, changed_box(sample.inputs, inputs)))
        scores: Tensor = network.head(activations.float()).gather(1, sample.labels[:, None])[:, 0]
        return scores

    occlusions = occlusion_maps(score, sample.inputs, int(_OVERLAP * stride), stride, blurred).cpu()
    rows = []
    for image, occlusion in zip(sample.images, occlusions, strict=True):
        other_images = _others(store.dataset, int(image), store.config.seed)
        maps = torch.from_numpy(read_maps(store.folder, np.append(image, other_images)))
        coarse = adaptive_avg_pool2d(maps[:, None], occlusion.shape)[:, 0]
        rows.append(faith(coarse, occlusion))
    return rows


def faith(maps: Tensor, occlusion: Tensor) -> tuple[float, float]:
    """A row of ``judge_occlusion``: rank correlation of the first map with the occlusion map (h, w), and the others'.

    ``maps`` (1 + others, h, w). A map that is the same everywhere ranks nothing, so it agrees with nothing: 0. NaN
    twice where there is nothing to agree with: occluding one square changes as much as any other, or there are no maps
    of others.
    """
    if len(maps) < 2 or occlusion.min() == occlusion.max():
        return math.nan, math.nan
    agreement = np.nan_to_num(rank_correlation(maps, occlusion.expand_as(maps)).numpy())
    return float(agreement[0]), float(agreement[1:].mean())


def _others(dataset: Dataset, image: int, seed: int) -> Images:
    """Images of the same class that show something and are no copies of the image."""
    same = (dataset.labels == dataset.labels[image]) & (dataset.groups != dataset.groups[image]) & ~dataset.uniform
    return np.random.default_rng((seed, image)).permutation(np.flatnonzero(same))[:_OTHERS]


def _check(
    name: CheckName,
    question: str,
    sentence: str,
    figures: tuple[float, float, float, int],
    limit: float,
    passed: bool | None,
    steps: Mapping[str, float],
) -> Check:
    """``figures``: value, low, high (NaN where too few images tell) and their number."""
    value, low, high, n = figures
    return Check(
        name=name,
        question=question,
        sentence=sentence,
        value=_finite(value),
        low=_finite(low),
        high=_finite(high),
        n=n,
        limit=limit,
        passed=passed,
        steps=dict(steps),
    )


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
