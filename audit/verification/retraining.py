"""Every fold trained again under a strategy and with another seed, and its out-of-fold answers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.config import Config
from audit.cues.cue_table import CueTable, load_cues
from audit.findings.flagged import flagged
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import Recipe, fit_fold
from audit.model.predict import predict_with_maps
from audit.model.trunk_pass import fill
from audit.progress import track
from audit.steps import version_of
from audit.store.audit_folder import AuditFolder, value_digest
from audit.store.contents import by_content
from audit.store.shards import SUFFIX, Arrays, Shard, ShardStore
from audit.store.tensors import load_arrays
from audit.verification.occluded_views import choose_pairs, predict_views, view_activations
from audit.verification.strategy import folder_of, weights_under

# The arrays of a shard, in the order of ``SeedAnswers``.
_ANSWERS = ("probabilities", "maps", "hidden")


@dataclass(frozen=True)
class SeedAnswers:
    """The answers of S seeds about n images. ``probabilities`` (S, n, classes); ``maps`` (S, n, h, w), the Grad-CAM map
    of each label; ``occluded`` (S, pairs, 2), the label's probability with a cue and with its control occluded."""

    probabilities: NDArray[np.float32]
    maps: NDArray[np.float16]
    occluded: NDArray[np.float32]


@dataclass(frozen=True)
class Retraining:
    """Trainings under strategies. ``store`` gives activations of the audit's images and of those that were added;
    ``pairs`` (cue, image, filling) are what is occluded."""

    audit: AuditFolder
    store: ActivationStore
    cues: CueTable
    pairs: pd.DataFrame

    @classmethod
    def open(cls, audit: AuditFolder, work: AuditFolder, config: Config) -> "Retraining":
        """For an audit, with the images and activations of the folder ``work``.

        Raises AuditFolderError when a stage of the audit is not done.
        """
        cues = load_cues(audit)
        return cls(audit, ActivationStore.open(work, config), cues, choose_pairs(audit, cues, flagged(audit)))

    def train(self, strategy: str, seed: int) -> list[Path]:
        """Train every fold under a strategy, or the baseline, with the seed-th seed and keep its answers.

        What is done already is not done again. Activations are computed when the first training needs them, and only
        those that the audit does not hold.
        """
        weights = weights_under(strategy, self.audit, self.store.dataset)
        recipe = Recipe(self.store.config.seed + seed, weights)
        stores = {fold: self._answer_store(strategy, recipe, fold) for fold in range(self.store.config.training.folds)}
        missing = [fold for fold in stores if not stores[fold].holds(_shard(seed, fold))]
        if missing:
            fill(self.store, lender=self.audit)
        with track(f"{strategy}, seed {seed + 1}", len(stores), "folds") as advance:
            advance(len(stores) - len(missing))
            for fold in missing:
                stores[fold].write(_shard(seed, fold), self._train_and_ask(recipe, fold))
                advance(1)
        return [stores[fold].path(_shard(seed, fold)) for fold in stores]

    def _train_and_ask(self, recipe: Recipe, fold: int) -> Arrays:
        network = fit_fold(self.store, fold, recipe, None, lambda count: None).network.eval().requires_grad_(False)
        images, rows = np.flatnonzero(self.store.dataset.folds == fold), self._pairs_of(fold)
        sight = predict_with_maps(self.store, network, images)
        views = view_activations(self.store, self.cues, self.pairs, rows)
        labels = self.store.dataset.labels[self.pairs["image"].to_numpy()[rows]]
        occluded = predict_views(self.store, network, views)[np.arange(len(rows)), :, labels]
        return {
            "image": images,
            "probabilities": sight.probabilities,
            "maps": sight.maps,
            "hidden": occluded,
        }

    def _pairs_of(self, fold: int) -> NDArray[np.intp]:
        return np.flatnonzero(self.store.dataset.folds[self.pairs["image"].to_numpy()] == fold)

    def _answer_store(self, strategy: str, recipe: Recipe, fold: int) -> ShardStore:
        """The store of one training's answers; images that count for nothing are no part of what they depend on."""
        dataset, config = self.store.dataset, self.store.config
        weights = np.ones(len(dataset.images)) if recipe.weights is None else recipe.weights
        counting = np.flatnonzero((weights > 0) | (dataset.folds >= 0))
        columns = dataset.labels, dataset.groups, dataset.folds, weights
        images = [dataset.images["sha256"].iloc[counting].tolist(), *(column[counting].tolist() for column in columns)]
        versions = [version_of(name) for name in ("training", "explain", "masking")]
        asked = self.pairs.to_dict("list"), self.cues.places
        trained = self.store.cache.key, by_content(config.training), dataset.classes, recipe.seed, fold
        return ShardStore(folder_of(self.audit, strategy), value_digest(versions, images, *trained, *asked))

    def answers(self, strategy: str, seeds: int) -> SeedAnswers:
        """The answers of ``train`` for the first ``seeds`` seeds. Raises AuditFolderError where one is missing."""
        read = [self._read(strategy, seed) for seed in range(seeds)]
        return SeedAnswers(*(np.stack([of_seed[name] for of_seed in read]) for name in _ANSWERS))

    def _read(self, strategy: str, seed: int) -> dict[str, NDArray[Any]]:
        """The answers of one seed, images and pairs in their order."""
        folds = range(self.store.config.training.folds)
        files = [load_arrays(answers_path(self.audit, strategy, seed, fold)) for fold in folds]
        joined = {name: np.concatenate([file[name] for file in files]) for name in files[0]}
        images = np.argsort(joined["image"])
        pairs = np.argsort(np.concatenate([self._pairs_of(fold) for fold in folds]))
        return {name: joined[name][pairs if name == "hidden" else images] for name in _ANSWERS}


def answers_path(audit: AuditFolder, strategy: str, seed: int, fold: int) -> Path:
    """The file of one training's answers."""
    return folder_of(audit, strategy) / f"{_shard(seed, fold).name}{SUFFIX}"


def _shard(seed: int, fold: int) -> Shard:
    return Shard(f"seed-{seed}-fold-{fold}", np.array([fold]))
