"""Hiding a cue, or an equal area elsewhere, and asking the model again."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import ndimage

from audit.activations import ActivationStore
from audit.config import Config
from audit.cues.table import CueTable, load_cues
from audit.dataset import load_dataset
from audit.folder import AuditFolder, file_digest, read_table, value_digest, write_table, write_text
from audit.leaning import leaning_classes
from audit.models import Network, load_backbone
from audit.pixels import Images, read_pixels
from audit.progress import track
from audit.runtime import choose_runtime
from audit.training import load_fold

_SHIFTS = 48
_MOST_OVERLAP = 0.5
_PART = 32


@dataclass(frozen=True)
class Masked:
    """One row of ``masking.parquet``: the label's probability and the predicted class, before and after hiding.

    ``control`` hides an equal area elsewhere in the same picture; its values are NaN and -1 where the cue leaves no
    room for that.
    """

    cue: str
    image: int
    p_before: float
    p_masked: float
    p_control: float
    predicted_before: int
    predicted_masked: int
    predicted_control: int


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: write ``masking.parquet`` for up to ``evidence.effect_images`` images of each cue and leaning class."""
    dataset, runtime = load_dataset(folder), choose_runtime(config)
    store = ActivationStore(folder, dataset, config, load_backbone(config).on(runtime), runtime)
    cues = load_cues(folder)
    chosen = choose_images(cues, store)
    _forget_other_inputs(folder, chosen, config)
    with track("hiding cues", len(chosen)) as advance:
        for fold in range(config.training.folds):
            _ask_fold(store, cues, chosen[dataset.folds[chosen["image"]] == fold], fold, advance)
    parts = [read_table(path) for path in sorted((folder / "masking").glob("fold-*.parquet"))]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(Masked.__annotations__))
    write_table(folder / "masking.parquet", table.sort_values(["cue", "image"], ignore_index=True))
    return [folder / "masking.parquet"]


def choose_images(cues: CueTable, store: ActivationStore) -> pd.DataFrame:
    """The (cue, image) pairs to ask about: at random, from different duplicate groups, of every leaning class."""
    dataset, settings = store.dataset, store.config
    pairs = []
    for number, cue in enumerate(cues.cues):
        if cue.kind == "attribute":
            continue
        present = cues.present(cue)
        for label in leaning_classes(present, dataset.labels, len(dataset.classes)):
            rng = np.random.default_rng((settings.seed, number, label))
            images = rng.permutation(np.flatnonzero(present & (dataset.labels == label)))
            first = np.sort(np.unique(dataset.groups[images], return_index=True)[1])
            pairs += [(cue.name, int(image)) for image in images[first][: settings.evidence.effect_images]]
    return pd.DataFrame(pairs, columns=["cue", "image"]).astype({"image": "int64"})


def hide(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Replace what a mask covers by a blur of what surrounds it.

    ``pixels`` uint8 (S, S, 3), ``mask`` boolean on any grid over the same picture. The fill is a normalised
    convolution: a Gaussian mean (sigma S / 12) over pixels outside the mask alone, so nothing of the hidden content
    remains, not even its mean colour, and no sharp edge is added in the middle of it. A mask that leaves nothing gives
    plain grey.
    """
    side = len(pixels)
    # Interpolation mixes neighbouring cells, diagonal ones too: all that touch the mask must hide.
    reach = math.ceil(len(mask) / side / 2 + 0.5)
    grown = ndimage.binary_dilation(mask, np.ones((3, 3)), reach).astype(np.float32)
    hidden = cv2.resize(grown, (side, side), interpolation=cv2.INTER_LINEAR)[:, :, None]
    shown = (hidden <= 0.01).astype(np.float32)
    sigma = side / 12
    total = cv2.GaussianBlur(pixels * shown, (0, 0), sigma)
    weight = cv2.GaussianBlur(shown, (0, 0), sigma).reshape(side, side, 1)
    mean = (pixels * shown).sum((0, 1)) / shown.sum() if shown.any() else 128.0
    fill = (total + 1e-3 * mean) / (weight + 1e-3)
    blended: NDArray[np.uint8] = np.clip(pixels * (1 - hidden) + fill * hidden + 0.5, 0, 255).astype(np.uint8)
    return blended


def control_mask(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_] | None:
    """The mask moved elsewhere, around the edges if need be, so that shape and area stay the same.

    Of 48 random shifts the one that overlaps the mask least is taken; None if it still covers half of the mask.
    """
    best, least = None, _MOST_OVERLAP * mask.sum()
    for rows, columns in rng.integers(1, mask.shape, size=(_SHIFTS, 2)):
        moved = np.roll(mask, (rows, columns), (0, 1))
        overlap = (moved & mask).sum()
        if overlap < least:
            best, least = moved, overlap
    return best


def _ask_fold(
    store: ActivationStore, cues: CueTable, chosen: pd.DataFrame, fold: int, advance: Callable[[int], None]
) -> None:
    network = load_fold(store, fold)
    before = read_table(store.folder.predictions)
    for number, start in enumerate(range(0, len(chosen), _PART)):
        path = store.folder / "masking" / f"fold-{fold}-{number:05d}.parquet"
        pairs = chosen.iloc[start : start + _PART]
        if not path.exists():
            groups = pairs.groupby("cue", sort=False)["image"]
            rows = [_ask_about(store, network, cues, str(cue), images.to_numpy(), before) for cue, images in groups]
            write_table(path, pd.DataFrame([row for part in rows for row in part]))
        advance(len(pairs))


def _ask_about(
    store: ActivationStore, network: Network, cues: CueTable, cue: str, images: Images, before: pd.DataFrame
) -> list[Masked]:
    masked, controls, has_control = [], [], []
    for image, mask in zip(images, cues.masks(cues.named(cue), images), strict=True):
        pixels = read_pixels(store.dataset, int(image), store.config)
        moved = control_mask(mask, np.random.default_rng((store.config.seed, int(image))))
        has_control.append(moved is not None)
        masked.append(hide(pixels, mask))
        controls += [hide(pixels, moved)] if moved is not None else []
    hidden, elsewhere = _predict(store, network, masked), iter(_predict(store, network, controls))
    rows = []
    for image, after, comparable in zip(images, hidden, has_control, strict=True):
        label = int(store.dataset.labels[image])
        control = next(elsewhere) if comparable else None
        rows.append(_row(cue, int(image), label, before.loc[image], after, control))
    return rows


def _row(
    cue: str,
    image: int,
    label: int,
    before: "pd.Series[Any]",
    masked: NDArray[np.float32],
    control: NDArray[np.float32] | None,
) -> Masked:
    return Masked(
        cue=cue,
        image=image,
        p_before=float(before["p_label"]),
        p_masked=float(masked[label]),
        p_control=float("nan") if control is None else float(control[label]),
        predicted_before=int(np.argmax(before["probabilities"])),
        predicted_masked=int(masked.argmax()),
        predicted_control=-1 if control is None else int(control.argmax()),
    )


def _predict(store: ActivationStore, network: Network, views: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Class probabilities (views, classes)."""
    size = store.config.compute.batch_size
    probabilities = [np.zeros((0, len(store.dataset.classes)), np.float32)]
    for start in range(0, len(views), size):
        with torch.no_grad():
            trunk = store.compute(np.stack(views[start : start + size]))
            with store.runtime.autocast():
                activations = network.tail(trunk)
            probabilities.append(network.head(activations.float()).softmax(1).cpu().numpy())
    return np.concatenate(probabilities)


def _forget_other_inputs(folder: AuditFolder, chosen: pd.DataFrame, config: Config) -> None:
    """Drop parts that were written for other images, cues or models."""
    models = [file_digest(path) for path in sorted(folder.model.glob("*.safetensors"))]
    key = value_digest(chosen.to_dict("list"), file_digest(folder.cues), models, config.seed)
    marker = folder / "masking" / "key"
    if marker.exists() and marker.read_text(encoding="utf-8") == key:
        return
    for stale in (folder / "masking").glob("*.parquet"):
        stale.unlink()
    write_text(marker, key)
