"""Occlusion test: the answers of the model with a cue, or an equal-area control mask, occluded in two ways."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.config import Config
from audit.cues.cue_table import CueTable, load_cues, places_digest
from audit.data.dataset import one_per_group
from audit.data.occlude import both_views, controls_of, mean_colour
from audit.evidence.equalise_test import ask_equalised
from audit.evidence.put_to_model import put_to_model
from audit.measures.effect import may_show_more
from audit.measures.figures import Filling
from audit.measures.limits import DIFFERENCE, EFFECT
from audit.measures.measure import Floats
from audit.measures.prevalence import leaning_classes
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import fold_path, load_fold
from audit.model.network import Network
from audit.progress import track
from audit.steps import version_of
from audit.store.audit_folder import AuditFolder, file_digest, read_table, value_digest, write_table
from audit.store.shards import SUFFIX, Arrays, ShardStore, divide
from audit.store.tensors import load_arrays

FILLINGS: tuple[Filling, ...] = get_args(Filling)
# An attribute is asked about by itself where its shares differ by so much that this can be strong evidence.
LEANS = DIFFERENCE.strong
_VIEWS = ("masked", "control")
_PART = 64


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: write ``masking.parquet`` for up to ``evidence.effect_images`` images of each cue and leaning class.

    One row per cue, image and filling, with the label's probability (``p_``) and the predicted class (``predicted_``)
    ``before`` hiding, with the cue ``masked`` and with a ``control`` of equal area elsewhere masked. ``filling`` is
    what hides them: a "blur" of what surrounds them, or the "mean" colour of the dataset; the control lies at the same
    place for both. Where the cue leaves no room for a control nothing is asked: NaN and -1.

    No question is asked whose answer would hardly matter. ``evidence.min_images`` of a cue and class come first, and
    the others only if they may show more (``effect.may_show_more``). The weaker of the two fillings' effects counts, so
    the second one is tried only where the first one had an effect worth reporting.

    ``masking/<filling>-<round>-fold-<f>-<n>.safetensors`` hold those rows and what other heads need to be asked the
    same without a pass through the network: ``masked`` and ``control`` float16 (rows, C), the pretrained activations of
    these views averaged over positions, NaN where nothing was asked. In the order of their names their rows are those
    of ``masking.parquet`` (``read_masked``).

    Facts of the file are evened out instead of hidden: ``equalised.parquet`` (``equalise_test``).
    """
    store = ActivationStore.open(folder, config)
    cues = load_cues(folder)
    chosen = choose_images(cues, store)
    kept = ShardStore(folder / "masking", _key(store, chosen))
    ask = partial(_ask, kept, store, cues, read_table(folder.predictions))
    written: list[Path] = []
    for filling, colour in zip(FILLINGS, (None, mean_colour(store.dataset, config)), strict=True):
        early = chosen["rank"] < config.evidence.min_images
        first = ask(chosen[early], f"{filling}-1", colour)
        late = _wanted(chosen[~early], _gathered(cues, first), _is_open, store)
        both = first + ask(late, f"{filling}-2", colour)
        asked = pd.concat([chosen[early], late]).sort_index()
        chosen = _wanted(asked, _gathered(cues, both), _is_worth_reporting, store)
        written += both
    for stale in set(_shard_paths(folder)) - set(written):
        stale.unlink()
    write_table(folder.masking, _gathered(cues, _shard_paths(folder)))
    return [folder.masking, *_shard_paths(folder), *ask_equalised(store)]


def read_masked(folder: AuditFolder) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Pooled pretrained activations of the masked and of the control views, float16 (rows of masking.parquet, C) each.

    NaN where nothing was asked. Raises AuditFolderError when a shard is missing or damaged.
    """
    parts = [load_arrays(path, *_VIEWS) for path in _shard_paths(folder)]
    masked, control = (np.concatenate([part[name] for part in parts]) for name in _VIEWS)
    return masked, control


def choose_images(cues: CueTable, store: ActivationStore) -> pd.DataFrame:
    """The (cue, image) pairs to occlude: at random, from different duplicate groups, for every (cue, class) pair.

    ``rank`` counts those of one cue and class from 0.

    Nothing is asked for looks: hiding one is hiding its cue in some of the images. Nor for attributes of a region, but
    where one leans to a class by LEANS or more: the images that are asked about the region may hold too few that show
    it. Nor is anything asked where a class has fewer than ``evidence.min_images`` different images of a cue: no effect
    would be made of the answers.
    """
    dataset, settings = store.dataset, store.config
    pairs = []
    for number, cue in enumerate(cues.cues):
        if not cue.has_place or cue.kind == "appearance":
            continue
        present = cues.present(cue)
        known = cues.known(cue)
        for label in leaning_classes(present[known], dataset.labels[known], len(dataset.classes)):
            if cue.kind == "attribute" and not _leans(present, known, dataset.labels == label):
                continue
            rng = np.random.default_rng((settings.seed, number, label))
            shown = rng.permutation(np.flatnonzero(present & (dataset.labels == label)))
            images = one_per_group(shown, dataset.groups)
            if len(images) >= settings.evidence.min_images:
                picked = images[: settings.evidence.effect_images]
                pairs += [(cue.name, int(image), rank) for rank, image in enumerate(picked)]
    table = pd.DataFrame(pairs, columns=["cue", "image", "rank"]).astype({"image": "int64", "rank": "int64"})
    return table.sort_values(["cue", "image"], ignore_index=True)


def _leans(present: NDArray[np.bool_], known: NDArray[np.bool_], in_class: NDArray[np.bool_]) -> bool:
    """Whether LEANS more of a class's images show an attribute than of the others, of those of which it is known."""
    sides = [present[known & side] for side in (in_class, ~in_class)]
    return all(map(len, sides)) and bool(sides[0].mean() - sides[1].mean() >= LEANS)


def masks_of(cues: CueTable, pairs: pd.DataFrame) -> NDArray[np.bool_]:
    """Where each pair's cue is in its image, boolean (pairs, GRID, GRID); the pairs are in the order of their cues."""
    parts = pairs.groupby("cue", sort=False)["image"]
    return np.concatenate([cues.masks(cues.named(str(cue)), images.to_numpy()) for cue, images in parts])


def _wanted(
    pairs: pd.DataFrame, asked: pd.DataFrame, wanted: Callable[[Floats, Config], bool], store: ActivationStore
) -> pd.DataFrame:
    """Those of the ``pairs`` whose cue and class are ``wanted`` for what hiding did: drops (n,), n > 0."""
    labels, asked = store.dataset.labels, asked[asked["p_masked"].notna()]
    drops = (asked["p_control"] - asked["p_masked"]).groupby([asked["cue"], labels[asked["image"]]])
    kept = {pair for pair, values in drops if wanted(values.to_numpy(np.float64), store.config)}
    of_these = [pair in kept for pair in zip(pairs["cue"], labels[pairs["image"]], strict=True)]
    return pairs[np.array(of_these, bool)]


def _is_open(drops: Floats, config: Config) -> bool:
    settings = config.evidence
    return may_show_more(drops, EFFECT.ruled_out, config.seed, settings.resamples, settings.min_images)


def _is_worth_reporting(drops: Floats, config: Config) -> bool:
    return float(drops.mean()) >= EFFECT.weak


def _ask(
    kept: ShardStore,
    store: ActivationStore,
    cues: CueTable,
    before: pd.DataFrame,
    pairs: pd.DataFrame,
    name: str,
    colour: NDArray[np.float64] | None,
) -> list[Path]:
    """Ask each fold's network about the pairs of its images; ``name`` is that of the filling and of the round.

    Returns the shards, in the order of their names.
    """
    filling, _, number = name.partition("-")
    paths: list[Path] = []
    with track(f"hiding cues ({filling}, round {number})", len(pairs)) as advance:
        for fold in range(store.config.training.folds):
            asker = cache(partial(_Asker.of_fold, store, fold, cues, before, filling, colour))
            chosen = np.flatnonzero(store.dataset.folds[pairs["image"]] == fold)
            shards = divide(chosen, _PART, (f"{name}-fold-{fold}-" + "{:05d}").format, _contents(pairs))
            paths += kept.fill(shards, lambda shard: asker().answers(pairs.iloc[shard.rows]), advance)  # noqa: B023
    return paths


def _contents(pairs: pd.DataFrame) -> list[str]:
    return [f"{cue} {image}" for cue, image in zip(pairs["cue"], pairs["image"], strict=True)]


@dataclass(frozen=True)
class _Asker:
    """Asks the network of one fold about that fold's images, ``before`` being what it said of them.

    What is hidden is filled with ``colour`` (3,), 0..255, or without it with a blur.
    """

    store: ActivationStore
    network: Network
    cues: CueTable
    before: pd.DataFrame
    filling: str
    colour: NDArray[np.float64] | None

    @classmethod
    def of_fold(cls, store: ActivationStore, fold: int, *asked: Any) -> "_Asker":
        """With the network of a fold."""
        return cls(store, load_fold(store, fold), *asked)

    def answers(self, pairs: pd.DataFrame) -> Arrays:
        """What a shard holds: the pooled views and the columns of the table, cue and filling as their numbers."""
        images = pairs["image"].to_numpy()
        masks = masks_of(self.cues, pairs)
        controls = controls_of(masks[:, None], images, self.store.config.seed)[:, 0]
        room = np.array(controls.any((1, 2)))
        colours = [self.colour] * int(room.sum())
        views = both_views(self.store.dataset, self.store.config, images[room], masks[room], controls[room], colours)
        probabilities, pooled = (
            self._spread(answers, room) for answers in put_to_model(self.store, self.network, views)
        )
        columns = {name: column.to_numpy() for name, column in self._table(pairs, probabilities).items()}
        return columns | {name: pooled[:, view] for view, name in enumerate(_VIEWS)}

    def _spread(self, answers: NDArray[np.floating], room: NDArray[np.bool_]) -> NDArray[np.floating]:
        """Answers about the views (views, d) by pair and what is hidden (pairs, 2, d), else NaN."""
        spread = np.full((len(room), 2, answers.shape[1]), np.nan, answers.dtype)
        spread[room] = answers.reshape(-1, *spread.shape[1:])
        return spread

    def _table(self, pairs: pd.DataFrame, probabilities: NDArray[np.floating]) -> pd.DataFrame:
        images = pairs["image"].to_numpy()
        labels, before = self.store.dataset.labels[images], self.before.loc[images]
        p = probabilities[np.arange(len(pairs)), :, labels]
        predicted = np.where(np.isfinite(p[:, :1]), probabilities.argmax(2), -1)
        cues = [cue.name for cue in self.cues.cues]
        return (
            pairs[["cue", "image"]]
            .reset_index(drop=True)
            .assign(
                cue=[cues.index(name) for name in pairs["cue"]],
                filling=FILLINGS.index(self.filling),
                p_before=before["p_label"].to_numpy(np.float64),
                p_masked=p[:, 0].astype(np.float64),
                p_control=p[:, 1].astype(np.float64),
                predicted_before=np.stack(before["probabilities"]).argmax(1),
                predicted_masked=predicted[:, 0],
                predicted_control=predicted[:, 1],
            )
        )


def no_answers() -> pd.DataFrame:
    """``masking.parquet`` where nothing was hidden."""
    types = {"cue": "object", "image": "int64", "filling": "object"}
    views = ("before", *_VIEWS)
    types |= {f"p_{view}": "float64" for view in views} | {f"predicted_{view}": "int64" for view in views}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})


def _gathered(cues: CueTable, paths: Sequence[Path]) -> pd.DataFrame:
    """The answers in some shards, as a table."""
    if not paths:
        return no_answers()
    parts = [pd.DataFrame(load_arrays(path, *no_answers().columns)) for path in paths]
    table = pd.concat(parts, ignore_index=True)
    names = np.array([cue.name for cue in cues.cues], object)
    return table.assign(cue=names[table["cue"]], filling=np.array(FILLINGS, object)[table["filling"]])


def _shard_paths(folder: AuditFolder) -> list[Path]:
    return sorted((folder / "masking").glob(f"*-fold-*{SUFFIX}"))


def _key(store: ActivationStore, chosen: pd.DataFrame) -> str:
    """Digest of all that the answers depend on but the pairs of a shard."""
    models = [file_digest(fold_path(store.folder, fold)) for fold in range(store.config.training.folds)]
    made = version_of("masking"), places_digest(store.folder), file_digest(store.folder.predictions), store.cache.key
    return value_digest(chosen.to_dict("list"), models, *made, store.config.seed, FILLINGS, _PART)
