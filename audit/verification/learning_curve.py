"""Every fold trained again on a part of its images, to learn how accuracy grows with them."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product, starmap
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from audit.config import Config
from audit.cues.cue_table import load_cues
from audit.data.batches import Images
from audit.findings.flagged import to_mend
from audit.measures.measure import distinct
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import Recipe, fit_fold, needs_only_pooled, training_key
from audit.model.subsets import nested_subsets
from audit.model.trainer import Fitting
from audit.model.trunk_pass import fill
from audit.plan import learning_curve_words as words
from audit.plan.learning_curve import fit_curve
from audit.plan.learning_curve_json import Curve, CurvePoint, Law, LearningCurve, More, Projection, Slope
from audit.plan.plan_json import Collecting, Plan
from audit.progress import track
from audit.steps import version_of
from audit.store.audit_folder import AuditFolder, read_record, read_table, value_digest, write_record
from audit.store.shards import Shard, ShardStore
from audit.verification.curve_views import View, plain, unaided

# Shares of the training images; the last is what the audit itself trained on, and is not trained again.
SHARES = (0.25, 0.5, 0.75, 1.0)
# Subsets are drawn so often where a training takes seconds, for which images one holds matters; else once.
DRAWS = 3
# Fewer distinct images of a class than this in the smallest subset, and its accuracy would be a matter of luck.
LEAST = 5


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: write ``learning-curve.json``, and ``learning-curve/*`` with which images each training was right about.

    A killed run goes on at the epoch of the training that it was in. Raises AuditFolderError when a stage before it is
    not done.
    """
    store = ActivationStore.open(folder, config)
    if reason := reason_against(store):
        write_record(folder.learning_curve, LearningCurve(status="left_out", sentence=reason))
        return [folder.learning_curve]
    trainings = Trainings(store)
    files = trainings.train()
    write_record(folder.learning_curve, draw_curves(trainings))
    return [folder.learning_curve, *files]


def reason_against(store: ActivationStore) -> str:
    """Why no learning curve is drawn, a sentence; empty where one is."""
    config, dataset = store.config, store.dataset
    if config.plan.learning_curve is False:
        return words.UNWANTED
    if store.backbone.given is not None:
        return words.GIVEN
    if config.plan.learning_curve == "auto" and not needs_only_pooled(config.model):
        return words.LEFT_OUT
    trainings = Trainings(store)
    smallest = [trainings.subsets(draw, fold)[0] for draw in range(trainings.draws) for fold in trainings.folds]
    for label, name in enumerate(dataset.classes):
        have = min(distinct(dataset.groups[part[dataset.labels[part] == label]]) for part in smallest)
        if have < LEAST:
            return words.too_few(name, have, LEAST)
    return ""


@dataclass(frozen=True)
class Trainings:
    """The trainings on nested subsets of an audit's images. ``store`` gives the activations."""

    store: ActivationStore

    @property
    def folds(self) -> range:
        """The audit's folds."""
        return range(self.store.config.training.folds)

    @property
    def draws(self) -> int:
        """How often the subsets are drawn."""
        return DRAWS if needs_only_pooled(self.store.config.model) else 1

    def subsets(self, draw: int, fold: int) -> list[Images]:
        """The images that a fold is trained on, by share."""
        config = self.store.config
        return nested_subsets(self.store.dataset, fold, config.training.validation_share, config.seed, SHARES, draw)

    def train(self) -> list[Path]:
        """Train every fold on every smaller share, and keep which of its images it was right about.

        What is done already is not done again. Activations that a finished audit gave back are computed again.
        """
        parts = list(self._parts())
        missing = [part for part in parts if not self._answers(part).holds(part.shard)]
        if missing and not needs_only_pooled(self.store.config.model):
            fill(self.store)
        with track("learning curve", len(parts), "trainings") as advance:
            advance(len(parts) - len(missing))
            for part in missing:
                self._train(part)
                advance(1)
        return [self._answers(part).path(part.shard) for part in parts]

    def _parts(self) -> Iterator["_Part"]:
        return starmap(_Part, product(range(self.draws), range(len(SHARES) - 1), self.folds))

    def _train(self, part: "_Part") -> None:
        answers = self._answers(part)
        unfinished = ShardStore(answers.folder / f"unfinished-{part.draw}-{part.place}", answers.key)
        fitting = fit_fold(self.store, part.fold, self._recipe(part), unfinished, lambda epochs: None)
        images = np.flatnonzero(self.store.dataset.folds == part.fold)
        answers.write(part.shard, {"image": images, "correct": _right(fitting, images)})
        shutil.rmtree(unfinished.folder, ignore_errors=True)

    def _recipe(self, part: "_Part") -> Recipe:
        weights = np.zeros(len(self.store.dataset.images))
        weights[self.subsets(part.draw, part.fold)[part.place]] = 1
        return Recipe(self.store.config.seed, weights)

    def _answers(self, part: "_Part") -> ShardStore:
        key = value_digest(version_of("learning-curve"), training_key(self.store, part.fold, self._recipe(part)))
        return ShardStore(self.store.folder / "learning-curve", key)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many images a fold is trained on, by share, in the mean of all folds and draws, rounded."""
        every = starmap(self.subsets, product(range(self.draws), self.folds))
        counts = [[len(subset) for subset in subsets] for subsets in every]
        return np.asarray(np.rint(np.mean(counts, axis=0)), np.int64)

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each image is taken for its class by the training that did not see it, (draws, shares, n).

        The last share is what the audit's own models said.
        """
        right = np.zeros((self.draws, len(SHARES), len(self.store.dataset.images)), bool)
        for part in self._parts():
            kept = self._answers(part).read(part.shard)
            right[part.draw, part.place, kept["image"]] = kept["correct"]
        right[:, -1] = read_table(self.store.folder.predictions)["correct"].to_numpy(bool)
        return right


@dataclass(frozen=True)
class _Part:
    """One training: a fold, on the share at a place in ``SHARES``, of a draw of the subsets."""

    draw: int
    place: int
    fold: int

    @property
    def shard(self) -> Shard:
        """Where its answers are."""
        name = f"draw-{self.draw}-share-{self.place}-fold-{self.fold}"
        return Shard(name, np.array([self.draw, self.place, self.fold]))


def draw_curves(trainings: Trainings) -> LearningCurve:
    """The curves of what was trained: of the accuracy as it is, and without the shortcut of the first open finding."""
    folder, dataset = trainings.store.folder, trainings.store.dataset
    ways = read_record(folder.plan / "plan.json", Plan).ways
    collecting = ways.collect if ways else None
    findings = to_mend(folder)[:1]
    views = [plain(dataset), *(view for finding in findings if (view := unaided(dataset, load_cues(folder), finding)))]
    curves = tuple(_curve(trainings, view, collecting) for view in views)
    return LearningCurve(
        status="done", sentence=words.outlook(curves, collecting.images if collecting else 0), curves=curves
    )


def _curve(trainings: Trainings, view: View, collecting: Collecting | None) -> Curve:
    config, correct, sizes = trainings.store.config, trainings.correct, trainings.sizes
    accuracies = [view.accuracy(row) for row in correct.mean(0)]
    largest = int(sizes[-1])
    wanted = _wanted(collecting, largest)
    fit = fit_curve(
        correct,
        view.weights,
        trainings.store.dataset.groups,
        sizes,
        (accuracies[-1].low, accuracies[-1].high),
        [largest + more for more in wanted.values()],
        config.evidence.resamples,
        config.seed,
    )
    points = zip(SHARES, sizes.tolist(), accuracies, strict=True)
    expected = {one.n: one for one in fit.expected}
    curve = Curve(
        kind=view.kind,
        **view.about,
        n=int((view.weights > 0).sum()),
        points=tuple(CurvePoint(share=share, n_train=n, accuracy=accuracy) for share, n, accuracy in points),
        law=Law(limit=float(fit.law.limit[0]), scale=float(fit.law.scale[0]), exponent=float(fit.law.exponent[0])),
        slope=Slope(**dict(zip(("value", "low", "high"), fit.slope, strict=True))),
        trend=fit.trend,
        projections=tuple(
            Projection(more=name, added=more, n_train=one.n, value=one.value, low=one.low, high=one.high)
            for name, more in wanted.items()
            if (one := expected.get(largest + more))
        ),
        sentence="",
    )
    return curve.model_copy(update={"sentence": words.measured(curve)})


def _wanted(collecting: Collecting | None, largest: int) -> dict[More, int]:
    """How many more images to train on the curves are continued to."""
    if collecting is None or not collecting.images:
        return {"double": largest}
    return {"quarter": collecting.first, "order": collecting.images, "double": largest}


def _right(fitting: Fitting, images: Images) -> NDArray[np.bool_]:
    """Whether a trained network takes each of some images for its class."""
    network, right = fitting.network.eval(), []
    for batch, inputs in fitting.inputs.batches(images, fitting.config.compute.batch_size):
        with torch.no_grad():
            scores = network.head(fitting.runtime.infer(network.tail, inputs))
        right.append(scores.argmax(1).cpu().numpy() == fitting.labels[batch])
    return np.concatenate(right)
