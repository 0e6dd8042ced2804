"""Does a remedy help? Training on biased photographs, under each remedy, and on balanced ones, beside an even test set.

    python -m tests.bench.remedies --data ../shared/data --search    settings, by the training side alone
    python -m tests.bench.remedies --data ../shared/data             every condition: a table, and JSON
    python -m tests.bench.remedies --data ../shared/data --balanced  balanced accuracy beside the even test set

The trunk's activations of every photograph are kept in ``--work``, and every training's answers: an interrupted run
goes on where it was. The settings were chosen by ``--search`` on photographs of the training side; the test set was
used for nothing but the table.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from audit.cam.localisation import pointing_game
from audit.cam.regions import mass_on
from audit.config import Config
from audit.data.batches import Images
from audit.data.folds import assign_folds
from audit.measures.balanced_accuracy import balanced_accuracy
from audit.measures.paired_bootstrap import Change, Draws, compare
from audit.model.cross_fit import split_images
from audit.model.network import Network
from audit.model.predict import PredictionsWithMaps, predict_with_maps
from audit.model.trainer import Fitting, Inputs, PooledInputs
from audit.model.trunk_pass import read_pooled
from audit.plan.reweighting import effective_n
from audit.store.audit_folder import write_json
from tests.bench.figures import Cell, Column, add_option, save, table_lines
from tests.bench.remedy_sets import STUDIES, Condition, Study

SEEDS = 10
DEPTHS = ("conv5", "head")
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "conv5": {"epochs": 5, "patience": 5, "tail_learning_rate": 1e-5, "head_learning_rate": 3e-4},
    "head": {"epochs": 40, "patience": 5, "head_learning_rate": 3e-4, "weight_decay": 0.01},
}
GRID: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "conv5": [
        {**SETTINGS["conv5"], "tail_learning_rate": tail, "head_learning_rate": head}
        for tail, head in ((1e-5, 3e-4), (2e-5, 3e-4), (2e-5, 1e-3), (5e-5, 1e-3))
    ],
    "head": [
        {"epochs": epochs, "patience": 5, "head_learning_rate": rate, "weight_decay": decay}
        for rate, epochs, decay in product((3e-4, 1e-3, 3e-3, 1e-2), (10, 40), (0.01, 0.3))
    ],
}
_FIGURES = ("correct", "attention", "pointing")
_RESAMPLES = 2000


@dataclass(frozen=True)
class Trained:
    """What one training gave: right or wrong, attention on the cue and on the subject, by test image; its own size."""

    n: int
    effective_n: float
    epochs: int
    correct: list[bool]
    attention: list[float]
    pointing: list[bool]


def main() -> None:
    """Read the command line and do what it asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of development photographs")
    parser.add_argument("--work", type=Path, default=Path("/tmp/remedies"), help="where everything is kept")
    parser.add_argument("--study", choices=STUDIES, default="doctor-nurse")
    parser.add_argument("--depth", choices=DEPTHS, default="conv5", help="how much of the network is trained")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--only", nargs="*", default=(), metavar="CONDITION", help="some conditions only")
    parser.add_argument("--search", action="store_true", help="compare settings instead")
    parser.add_argument("--balanced", action="store_true", help="try balanced accuracy beside the even test instead")
    add_option(parser)
    options = parser.parse_args()
    study = STUDIES[options.study](options.data, options.work, options.depth)
    out = options.work / "results" / study.name / options.depth
    if options.search:
        search(study, options.depth)
    elif options.balanced:
        rows = try_balanced(study, options.depth, options.seeds, out)
        save(options.figures, f"remedies-{study.name}-{options.depth}-balanced", BALANCED_COLUMNS, rows)
    else:
        run_all(study, options.depth, range(options.seeds), options.only, out)
        shown = report(study, options.depth, out)
        about = f"{len(study.test)} test images. Settings: {dict(SETTINGS[options.depth])}."
        save(options.figures, f"remedies-{study.name}-{options.depth}", COLUMNS, shown, [about])


def run_all(study: Study, depth: str, seeds: Sequence[int], only: Sequence[str], out: Path) -> None:
    """Train under every condition (or ``only`` some) with every seed, seed by seed, and keep the answers."""
    config = configured(study.store.config, SETTINGS[depth])
    for seed in seeds:
        for name, condition in study.conditions(seed).items():
            path = _answers_path(out, name, seed)
            if not path.exists() and (not only or name in only):
                trained = run_one(study, condition, config, seed)
                write_json(path, asdict(trained))
                print(f"{depth} {name} seed {seed}: {np.mean(trained.correct):.3f}", flush=True)


def _answers_path(out: Path, name: str, seed: int) -> Path:
    return out / f"{name.replace(' ', '-').replace('%', '')}-{seed}.json"


def run_one(study: Study, condition: Condition, config: Config, seed: int) -> Trained:
    """One training and its answers about the test set."""
    fitting = fit(study, condition, config, seed)
    sight = predict_with_maps(study.store, fitting.network, study.test)
    weights = np.ones(len(condition.images)) if condition.weights is None else condition.weights[condition.images]
    return Trained(
        len(condition.images),
        effective_n(weights),
        len(fitting.history),
        (sight.probabilities.argmax(1) == study.dataset.labels[study.test]).tolist(),
        np.nan_to_num(mass_on(sight.maps, study.watched[study.test, None])[:, 0]).round(4).tolist(),
        [] if study.objects is None else _on_object(sight, study.objects[study.test]),
    )


def fit(study: Study, condition: Condition, config: Config, seed: int) -> Fitting:
    """Train one network on a condition's images, some of them set aside to decide when to stop."""
    store, pooled = study.store, read_pooled(study.store.folder)
    split = split_images(
        store.dataset, condition.images, config.training.validation_share, np.random.default_rng((seed, 3))
    )
    split = split.counting(condition.weights)
    torch.manual_seed(seed)
    network = store.backbone.network(config.model.head, len(store.dataset.classes), store.runtime)
    network.head.standardise(store.runtime.to_device(pooled[split.fit]))
    inputs: Inputs = PooledInputs(pooled, store.runtime) if config.model.fine_tune == "head" else store
    fitting = Fitting(
        network, inputs, split, store.dataset.labels, config, store.runtime, seed, weights=condition.weights
    )
    fitting.run(lambda count: None)
    return fitting


def configured(config: Config, training: Mapping[str, Any]) -> Config:
    """The settings with others for the training."""
    return config.model_copy(update={"training": config.training.model_copy(update=training)})


def _on_object(sight: PredictionsWithMaps, objects: NDArray[np.bool_]) -> list[bool]:
    """Whether each map's maximum lies on the subject."""
    pairs = zip(torch.from_numpy(sight.maps[:, None]), torch.from_numpy(objects[:, None]), strict=True)
    return [bool(pointing_game(one[None].float(), mask[None]).hits) for one, mask in pairs]


def search(study: Study, depth: str, draws: Sequence[int] = (100,)) -> Mapping[str, Any]:
    """Print how settings do on photographs of the training side that a draw left over, all cells counting the same.

    Returns the best.
    """
    found = []
    for training in GRID[depth]:
        config = configured(study.store.config, training)
        scores = {name: [_left_over(study, name, config, seed) for seed in draws] for name in ("biased", "balanced")}
        shown = ", ".join(f"{name} {np.mean(values):.3f}" for name, values in scores.items())
        found.append(float(np.mean(list(scores.values()))))
        print(f"{shown}, both {found[-1]:.3f}  {dict(training)}", flush=True)
    return GRID[depth][int(np.argmax(found))]


def _left_over(study: Study, name: str, config: Config, seed: int) -> float:
    condition = study.conditions(seed)[name]
    images = study.pool[~np.isin(study.groups[study.pool], study.groups[condition.images])]
    correct = _right(study, fit(study, condition, config, seed).network, images)
    return float(np.mean(_by_cell(study, correct, images)))


def _by_cell(study: Study, values: NDArray[np.generic], images: Images) -> NDArray[np.float64]:
    cells = study.cell_of(images)
    return np.array([values[..., cells == cell].mean(-1) for cell in np.unique(cells)]).T


def try_balanced(study: Study, depth: str, seeds: int, out: Path) -> list[tuple[Cell, ...]]:
    """Print and return what balanced accuracy says of biased photographs, each held out from the model that answers,
    beside what the same models score on the even test set, its groups counted by the same shares of class and state."""
    config, rows = configured(study.store.config, SETTINGS[depth]), []
    for seed in range(seeds):
        images = study.conditions(seed)["biased"].images
        folds = assign_folds(study.dataset.labels[images], study.groups[images], 3, seed)
        correct, on_test = np.zeros(len(images), bool), []
        for fold in range(3):
            network = fit(study, Condition(images[folds != fold]), config, seed).network
            correct[folds == fold] = _right(study, network, images[folds == fold])
            on_test.append(_right(study, network, study.test))
        labels, state = study.dataset.labels[images], study.state[images]
        measure = balanced_accuracy(correct, labels, state, study.groups[images])
        shares = np.outer(np.bincount(labels), np.bincount(state)).ravel() / len(images) ** 2
        truth = float(np.mean([_by_cell(study, right, study.test) @ shares for right in on_test]))
        rows.append({**measure.as_json(), "truth": truth, "seed": seed})
        print(
            f"seed {seed}: plain {correct.mean():.3f}, balanced {measure.value:.3f}, even test {truth:.3f}", flush=True
        )
    write_json(out / "balanced.json", rows)
    return [
        (row["seed"], row["plain"], {key: row[key] for key in ("value", "low", "high")}, row["truth"]) for row in rows
    ]


BALANCED_COLUMNS = (
    Column("draw"),
    Column("right as they are", ".1%"),
    Column("balanced accuracy", ".1%"),
    Column("even test set", ".1%"),
)


def _right(study: Study, network: Network, images: Images) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = (
        predict_with_maps(study.store, network, images).probabilities.argmax(1) == study.dataset.labels[images]
    )
    return right


COLUMNS = (
    Column("training"),
    Column("photographs"),
    Column("worth", ".0f"),
    Column("seeds"),
    Column("right", ".1%"),
    Column("± spread over draws", ".1%"),
    Column("worst group", ".1%"),
    Column("worst group of each draw", ".1%"),
    Column("attention on the cue", ".1%"),
    Column("map's maximum on the subject", ".1%"),
    Column("beside biased, points", "+.1f"),
)


def report(study: Study, depth: str, out: Path) -> list[tuple[Cell, ...]]:
    """Print and return the table's rows, and write all figures to ``summary.json``."""
    names = list(study.conditions(0))
    found = {
        name: {seed: path for seed in range(100) if (path := _answers_path(out, name, seed)).exists()} for name in names
    }
    loaded = {
        name: {seed: Trained(**json.loads(path.read_text())) for seed, path in paths.items()}
        for name, paths in found.items()
        if paths
    }
    rows = list(summarise(study, loaded))
    write_json(out / "summary.json", {"settings": dict(SETTINGS[depth]), "test": len(study.test), "rows": rows})
    print(f"\n{study.name}, {depth}: {len(study.test)} test images")
    shown = [_row(row) for row in rows]
    print(*table_lines(COLUMNS, shown), sep="\n")
    return shown


def summarise(study: Study, loaded: Mapping[str, Mapping[int, Trained]]) -> Iterator[dict[str, Any]]:
    """Mean and spread over seeds of every figure of every condition, and the change beside the biased training with
    the same seeds."""
    cells = study.cell_of(study.test)
    by_cell = (cells[:, None] == np.unique(cells)).astype(float)
    everything = np.ones((len(study.test), 1))
    for name, of_seed in loaded.items():
        seeds = sorted(of_seed.keys() & loaded["biased"].keys())
        draws = Draws.of(study.groups[study.test], len(seeds), _RESAMPLES, 0)
        trained = [of_seed[seed] for seed in seeds]
        before, after = (
            {key: np.array([getattr(one[seed], key) for seed in seeds], float) for key in _FIGURES}
            for one in (loaded["biased"], of_seed)
        )
        found: dict[str, Change] = {
            "accuracy": compare(before["correct"], after["correct"], everything, draws),
            "worst_cell": compare(before["correct"], after["correct"], by_cell, draws, lambda means: means.min(-1)),
            "attention": compare(before["attention"], after["attention"], everything, draws),
        }
        if study.objects is not None:
            found["pointing"] = compare(before["pointing"], after["pointing"], everything, draws)
        of_cells = _by_cell(study, after["correct"], study.test)
        yield {
            "condition": name,
            "seeds": len(seeds),
            "n": trained[0].n,
            "effective_n": float(np.mean([one.effective_n for one in trained])),
            "epochs": float(np.mean([one.epochs for one in trained])),
            "accuracy_sd": float(after["correct"].mean(1).std(ddof=1)),
            "worst_of_seed": float(of_cells.min(1).mean()),
            "worst_of_seed_sd": float(of_cells.min(1).std(ddof=1)),
            "cells": of_cells.mean(0).tolist(),
            **{key: change.as_json() for key, change in found.items()},
        }


def _row(row: Mapping[str, Any]) -> tuple[Cell, ...]:
    change, ends = row["accuracy"], {"value": "difference", "low": "low", "high": "high"}
    beside = {name: 100 * change[key] for name, key in ends.items()} if row["condition"] != "biased" else None
    pointing = row["pointing"]["after"] if "pointing" in row else None
    counts = row["n"], row["effective_n"], row["seeds"]
    right = change["after"], row["accuracy_sd"], row["worst_cell"]["after"], row["worst_of_seed"]
    return row["condition"], *counts, *right, row["attention"]["after"], pointing, beside


if __name__ == "__main__":
    main()
