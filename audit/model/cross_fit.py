"""Fine-tuning with cross-fitting: one model per fold, each trained without the images it will explain."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from audit.config import Config, ModelConfig
from audit.data.batches import Images
from audit.data.dataset import Dataset
from audit.data.folds import ADDED
from audit.errors import DatasetError
from audit.model.activation_store import ActivationStore
from audit.model.checkpoint import GivenHead
from audit.model.model_json import ModelDescription
from audit.model.network import GapHead, Network
from audit.model.trainer import Checkpoint, Epoch, Fitting, Inputs, PooledInputs, Split
from audit.model.trunk_pass import read_pooled
from audit.progress import track
from audit.steps import version_of
from audit.store.audit_folder import AuditFolder, read_json, value_digest, write_record, write_table
from audit.store.contents import by_content
from audit.store.shards import SUFFIX, Shard, ShardStore
from audit.store.tensors import load_header, load_tensors


@dataclass(frozen=True)
class Recipe:
    """What trainings on one dataset and under the same settings may differ in; ``weights`` as in ``Fitting``."""

    seed: int
    weights: NDArray[np.float64] | None = None


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: train every fold. Writes ``model/fold-*.safetensors``, ``model/model.json`` and ``training.parquet``.

    A given classifier is not trained: it is every fold's model, and the table of epochs is empty.

    A killed run goes on at the epoch it was in and ends with the same weights: the order of images and their flips
    depend on seed, fold and epoch alone.
    """
    return train(ActivationStore.open(folder, config))


def train(store: ActivationStore) -> list[Path]:
    """As ``build``, from a store that is open."""
    folder, config = store.folder, store.config
    rows: list[dict[str, object]] = []
    with track("training", config.training.folds * config.training.epochs, "epochs") as advance:
        for fold in range(config.training.folds):
            history = _train_fold(store, fold, advance)
            advance(config.training.epochs - len(history))
            rows += [{"fold": fold, "epoch": epoch, **asdict(row)} for epoch, row in enumerate(history)]
    write_table(folder.training, _table(rows))
    write_record(folder.model / "model.json", _description(store))
    return [folder.training, folder.model / "model.json", *(fold_path(folder, f) for f in range(config.training.folds))]


def fold_path(folder: AuditFolder, fold: int) -> Path:
    """Where a fold's trained tail and head are kept."""
    return folder.model / f"{_shard(fold).name}{SUFFIX}"


def _shard(fold: int) -> Shard:
    return Shard(f"fold-{fold}", np.array([fold]))


def load_fold(store: ActivationStore, fold: int) -> Network:
    """A fold's trained network, in evaluation mode. Raises AuditFolderError where there is none."""
    network = store.backbone.network(store.config.model.head, len(store.dataset.classes), store.runtime)
    tensors, _ = load_tensors(fold_path(store.folder, fold))
    network.load_trained_state(tensors)
    return network.eval().requires_grad_(False)


def split_fold(dataset: Dataset, fold: int, share: float, seed: int) -> Split:
    """Divide the images outside a fold: about ``share`` of every class decides when to stop, the rest is fitted.

    Duplicate groups stay together. Every class keeps at least one image on each side unless it has only one group.
    Images that are in no fold at all (``ADDED``) are divided by themselves: the others fall as they would without them.
    """
    rng = np.random.default_rng((seed, fold))
    outside = (dataset.folds != fold) & (dataset.folds != ADDED), dataset.folds == ADDED
    parts = [split_images(dataset, np.flatnonzero(images), share, rng) for images in outside]
    return Split(np.concatenate([part.fit for part in parts]), np.concatenate([part.validation for part in parts]))


def split_images(dataset: Dataset, images: Images, share: float, rng: np.random.Generator) -> Split:
    """Divide some images, class by class and group by group, as ``split_fold`` does."""
    chosen: set[int] = set()
    for label in range(len(dataset.classes)):
        groups = rng.permutation(np.unique(dataset.groups[images[dataset.labels[images] == label]]))
        chosen.update(groups[: max(1, round(share * len(groups)))] if len(groups) > 1 else [])
    validating = np.isin(dataset.groups[images], list(chosen))
    return Split(images[~validating], images[validating])


def fit_fold(
    store: ActivationStore,
    fold: int,
    recipe: Recipe,
    unfinished: ShardStore | None,
    advance: Callable[[int], None],
) -> Fitting:
    """Train a new network without the images of a fold; resumable from ``unfinished``, whose shard is left behind.

    The network, the order of images and their flips depend on the recipe's seed, the fold and the epoch alone. Raises
    DatasetError when the recipe leaves too few images.
    """
    folder, config, dataset = store.folder, store.config, store.dataset
    pooled = read_pooled(folder)
    split = split_fold(dataset, fold, config.training.validation_share, recipe.seed).counting(recipe.weights)
    if not len(split.fit) or not len(split.validation):
        raise DatasetError("Too few photographs are left to train on; collect new ones, or give them weights instead.")
    fitting = Fitting(
        network=_fresh_network(store, pooled[split.fit], recipe.seed * 1000 + fold),
        inputs=_inputs(store, pooled),
        split=split,
        labels=dataset.labels,
        config=config,
        runtime=store.runtime,
        seed=recipe.seed * 1000 + fold,
        checkpoint=None if unfinished is None else Checkpoint(unfinished, _shard(fold)),
        weights=recipe.weights,
    )
    fitting.run(advance)
    return fitting


def _train_fold(store: ActivationStore, fold: int, advance: Callable[[int], None]) -> list[Epoch]:
    recipe, shard = Recipe(store.config.seed), _shard(fold)
    key = training_key(store, fold, recipe)
    trained, unfinished = ShardStore(store.folder.model, key), ShardStore(store.folder.cache, key)
    if trained.holds(shard):
        history = [Epoch(**epoch) for epoch in load_header(trained.path(shard))["history"]]
        advance(len(history))
        return history
    network, history = _given_network(store), list[Epoch]()
    if store.backbone.given is None:
        fitting = fit_fold(store, fold, recipe, unfinished, advance)
        network, history = fitting.network, fitting.history
    header = {"history": [asdict(epoch) for epoch in history], "classes": list(store.dataset.classes)}
    trained.write(shard, network.trained_state(), **header)
    unfinished.path(shard).unlink(missing_ok=True)
    return history


def _given_network(store: ActivationStore) -> Network:
    network = store.backbone.network(store.config.model.head, len(store.dataset.classes), store.runtime)
    if isinstance(network.head, GivenHead):
        network.head.answer_for(store.dataset.classes)
    return network


def _fresh_network(store: ActivationStore, pooled: NDArray[np.float32], seed: int) -> Network:
    torch.manual_seed(seed)  # a fresh fc8 is drawn at random
    network = store.backbone.network(store.config.model.head, len(store.dataset.classes), store.runtime)
    if isinstance(network.head, GapHead):
        network.head.standardise(store.runtime.to_device(pooled))
    return network


def _inputs(store: ActivationStore, pooled: NDArray[np.float32]) -> Inputs:
    return PooledInputs(pooled, store.runtime) if needs_only_pooled(store.config.model) else store


def needs_only_pooled(model: ModelConfig) -> bool:
    """Whether all that is trained is one linear layer on pooled activations, which takes seconds."""
    return model.fine_tune == "head" and model.head == "gap"


def training_key(store: ActivationStore, fold: int, recipe: Recipe) -> str:
    """Digest of all that a fold's training depends on. Raises AuditFolderError when the trunk's pass is not done."""
    config, dataset = store.config, store.dataset
    features = read_json(store.folder.cache / "features.json")["key"]
    labelling = [column.tolist() for column in (dataset.labels, dataset.groups, dataset.folds)]
    weights = None if recipe.weights is None else recipe.weights.tolist()
    settings = by_content(config.model), by_content(config.training), recipe.seed, weights
    made = version_of("training"), dataset.classes, fold, store.runtime.precision
    return value_digest(features, labelling, *settings, *made)


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    numbers = ["loss", "accuracy", "validation_loss", "validation_accuracy"]
    table = pd.DataFrame(rows, columns=["fold", "epoch", *numbers]).astype({"fold": "int8", "epoch": "int16"})
    table = table.astype(dict.fromkeys(numbers, "float32"))
    best = table.groupby("fold")["validation_loss"].idxmin()
    return table.assign(best=table.index.isin(best))


def _description(store: ActivationStore) -> ModelDescription:
    origin = store.backbone.origin
    return ModelDescription(
        classes=store.dataset.classes,
        arch=store.config.model.arch,
        weights=origin.sentence,
        weights_sha256=origin.sha256,
        device=str(store.runtime.device),
        precision=store.runtime.precision,
    )
