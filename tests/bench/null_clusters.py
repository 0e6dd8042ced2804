"""Whether the p-values of clusters are honest where labels mean nothing: ``python -m tests.bench.null_clusters``.

Photographs are simulated as activations: a style of their own, and things of a few kinds at random places. Labels are
dealt out at random, linear models are fitted to them on all folds but one (so closely that they know every photograph
they saw by heart), and regions are cut out of their class activation maps as an audit does. A cluster of these regions
drawn at random is looked for in all photographs, and its share in the classes compared. The p-value is Fisher's, with
ties broken at random, so that it is exactly uniform where no label was used twice.
"""

import argparse
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import hypergeom, kstest

from audit.cam.regions import find_regions
from audit.config import parse_config
from audit.cues.cluster_cues import LookAlike, LookAlikeFinder
from audit.cues.fold_descriptors import FoldDescriptors
from audit.cues.membership import is_member
from audit.data.folds import assign_folds
from audit.detectors.cue import Cue
from audit.explain.clusters import region_features
from audit.explain.fold_clusters import without_each_fold
from audit.explain.stable_kmeans import group, refit
from audit.measures.intervals import wilson
from audit.measures.measure import Bools, Floats, Ints
from audit.measures.otsu import otsu_threshold
from audit.model.device import Runtime
from tests.bench.figures import Column, add_option, save

FOLDS = 3
_SIDE, _THING, _KINDS, _EACH = 6, 3, 5, 3
_PENALTY = 1e-3
_MOST_CLUSTERS = 4
_SETTINGS = parse_config({}).attention


@dataclass(frozen=True)
class Scene:
    """How many photographs and channels, how clearly things stand out from a photograph's style, and how much more
    often than elsewhere one kind of thing is in the class (0: as often)."""

    photographs: int
    channels: int
    clear: float
    lean: float = 0.0


SCENES: Mapping[str, Scene] = {
    "80 photographs, 256 channels, vague things": Scene(80, 256, 0.3),
    "200 photographs, 64 channels, clear things": Scene(200, 64, 1.0),
    "200 photographs, 64 channels, one kind leans": Scene(200, 64, 1.0, lean=0.6),
}


@dataclass(frozen=True)
class Drawn:
    """A simulated dataset: activations (n, C, h, w), whether each photograph is of the class, its fold, and the weights
    (FOLDS, C) of the model that saw all folds but that one."""

    activations: NDArray[np.float32]
    in_class: Bools
    folds: Ints
    weights: Floats

    @classmethod
    def of(cls, scene: Scene, rng: np.random.Generator) -> "Drawn":
        """Draw photographs, labels and folds, and fit the models."""
        n, channels = scene.photographs, scene.channels
        in_class = rng.permutation(np.arange(n) < n // 2)
        kinds = scene.clear * np.abs(rng.normal(0, 2, (_KINDS, channels))) * (rng.random((_KINDS, channels)) < 0.4)
        pixels = np.abs(rng.normal(0, 0.3, (n, channels, _SIDE, _SIDE)))
        pixels += np.abs(rng.normal(0, 0.5, (n, channels)))[:, :, None, None]
        for image, label in zip(pixels, in_class, strict=True):
            shown = [0] if label and rng.random() < scene.lean else []
            for kind in [*shown, *rng.integers(1 if scene.lean else 0, _KINDS, _EACH - len(shown))]:
                y, x = rng.integers(0, _SIDE - _THING + 1, 2)
                image[:, y : y + _THING, x : x + _THING] += (kinds[kind] * rng.gamma(4, 0.25, channels))[:, None, None]
        digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in pixels]
        folds = assign_folds(in_class.astype(int), np.arange(n), digests, FOLDS).astype(int)
        pooled = pixels.mean((2, 3))
        weights = [_fitted(pooled[folds != fold], in_class[folds != fold]) for fold in range(FOLDS)]
        return cls(pixels.astype(np.float32), in_class, folds, np.array(weights))

    def regions(self, models: Ints) -> tuple[NDArray[np.float32], Floats, Ints]:
        """Descriptors (r, C), centres (r, 2) and photographs (r,) of the regions of every photograph's map by one of
        the models (n,)."""
        rows: list[tuple[NDArray[np.float32], tuple[float, float], int]] = []
        for image, (layer, label, model) in enumerate(zip(self.activations, self.in_class, models, strict=True)):
            saliency = np.tensordot(self.weights[model] if label else -self.weights[model], layer, 1)
            for region in find_regions(saliency, _SETTINGS):
                mass = np.maximum(saliency, 0) * region.mask
                y, x = ((np.nonzero(region.mask)[axis].mean() + 0.5) / _SIDE for axis in (0, 1))
                rows.append(((layer * mass).sum((1, 2)) / mass.sum(), (x, y), image))
        descriptors, centres, images = zip(*rows, strict=True)
        return np.array(descriptors, np.float32), np.array(centres), np.array(images)

    def likeness(self, made_of: FoldDescriptors) -> NDArray[np.float32]:
        """How like each photograph is to a cluster as it is without each fold, (n, FOLDS)."""
        every = np.arange(len(self.folds))
        dataset, runtime = SimpleNamespace(folds=self.folds, groups=every), Runtime(torch.device("cpu"), "float32")
        sought = LookAlike(Cue("cluster", "", "scene", "cluster"), made_of, None)
        finder = LookAlikeFinder(
            SimpleNamespace(dataset=dataset, runtime=runtime), [sought], self.activations.mean((0, 2, 3))
        )
        alike: NDArray[np.float32] = finder.search(torch.from_numpy(self.activations), every, sought)[0].numpy()
        return alike


def _fitted(pooled: Floats, in_class: Bools) -> Floats:
    """Ridge regression on standardised features: the weights of the features as they are."""
    spread = pooled.std(0)
    rows = (pooled - pooled.mean(0)) / spread
    dual = np.linalg.solve(rows @ rows.T + _PENALTY * len(rows) * np.eye(len(rows)), in_class - in_class.mean())
    weights: Floats = dual @ rows / spread
    return weights


@dataclass(frozen=True)
class Clustered:
    """A drawn dataset, its regions, and a cluster of them: ``assigned`` (r,) and the number of the cluster."""

    drawn: Drawn
    descriptors: NDArray[np.float32]
    centres: Floats
    images: Ints
    assigned: Ints
    number: int

    @classmethod
    def of(cls, drawn: Drawn, rng: np.random.Generator) -> "Clustered":
        """The clustering that an audit shows, and one of its clusters drawn at random."""
        descriptors, centres, images = drawn.regions(drawn.folds)
        assigned = group(region_features(descriptors, centres), _MOST_CLUSTERS, 0).assigned
        return cls(drawn, descriptors, centres, images, assigned, int(rng.integers(assigned.max() + 1)))

    def features(self, rows: Bools) -> Floats:
        """What some regions are compared by."""
        return region_features(self.descriptors[rows], self.centres[rows])


Shown = Callable[[Clustered], Bools | None]


def found_and_tested_on_the_same(some: Clustered) -> Bools:
    """One clustering of all regions, and Otsu's cut through all likenesses: as until version 7 of the cues."""
    mean = some.descriptors[some.assigned == some.number].mean(0)
    # One region of no photograph: nothing is left out.
    made_of = FoldDescriptors(mean[None], np.array([-1]), np.ones((1, FOLDS), bool))
    scores = some.drawn.likeness(made_of)[:, 0]
    shown: Bools = scores >= otsu_threshold(scores)
    return shown


def cross_fitted(some: Clustered) -> Bools | None:
    """As audits do: clusters and cuts without the photographs of the fold; None where a fold has no such cluster."""
    folds = some.drawn.folds[some.images]
    inside = without_each_fold(some.features, some.assigned, folds, FOLDS, 0) == some.number
    if not inside.any(0).all():
        return None
    return _shown(some.drawn, FoldDescriptors(some.descriptors, some.images, inside))


def _shown(drawn: Drawn, made_of: FoldDescriptors) -> Bools:
    return is_member(drawn.likeness(made_of), drawn.folds, made_of.members(np.arange(len(drawn.folds))))


def by_models_that_never_saw_the_fold(some: Clustered) -> Bools:
    """As ``cross_fitted``, with regions outside a fold from the one model that was not fitted on it, too.

    An audit does not do so, for it needs as many maps of every photograph as there are folds.
    """
    drawn, count = some.drawn, int(some.assigned.max()) + 1
    wanted = some.descriptors[some.assigned == some.number].mean(0) - drawn.activations.mean((0, 2, 3))
    parts: list[tuple[NDArray[np.float32], Ints, Bools]] = []
    for fold in range(FOLDS):
        descriptors, centres, images = drawn.regions(np.full(len(drawn.folds), fold))
        outside = drawn.folds[images] != fold
        descriptors, images = descriptors[outside], images[outside]
        anew = refit(region_features(descriptors, centres[outside]), count, 0)
        centred = np.array([descriptors[anew == number].mean(0) for number in range(anew.max() + 1)])
        centred -= drawn.activations.mean((0, 2, 3))
        closest = int(np.argmax(centred @ wanted / np.linalg.norm(centred, axis=1)))
        inside = (anew == closest)[:, None] & (np.arange(FOLDS) == fold)
        parts.append((descriptors, images, inside))
    return _shown(drawn, FoldDescriptors(*(np.concatenate(column) for column in zip(*parts, strict=True))))


PROCEDURES: Mapping[str, Shown] = {
    "found and tested on the same photographs": found_and_tested_on_the_same,
    "found without the fold, as audits do": cross_fitted,
    "found without the fold by models that never saw it": by_models_that_never_saw_the_fold,
}


def p_value(shown: Bools, in_class: Bools, rng: np.random.Generator) -> float:
    """Exact two-sided p of the difference in shares, equal differences counting in part, at random."""
    n, inside, count = len(shown), int(in_class.sum()), int(shown.sum())
    hits = np.arange(max(0, count + inside - n), min(count, inside) + 1)
    chance = hypergeom(n, count, inside).pmf(hits)
    apart = np.abs(hits / inside - (count - hits) / (n - inside))
    ours = apart[int((shown & in_class).sum()) - hits[0]]
    return float(chance[apart > ours + 1e-12].sum() + rng.random() * chance[np.abs(apart - ours) <= 1e-12].sum())


def p_values(scene: Scene, procedures: Sequence[str], repetitions: int, seed: int = 0) -> dict[str, list[float]]:
    """The p-values of each procedure, on the same datasets; those where it has no such cluster are left out."""
    found: dict[str, list[float]] = {name: [] for name in procedures}
    for number in range(repetitions):
        rng = np.random.default_rng((seed, number))
        some = Clustered.of(Drawn.of(scene, rng), rng)
        for name in procedures:
            shown = PROCEDURES[name](some)
            if shown is not None:
                found[name].append(p_value(shown, some.drawn.in_class, rng))
    return found


COLUMNS = (
    Column("photographs, and how clusters are found"),
    Column("clusters"),
    Column("p up to .05", ".1%"),
    Column("p up to .2", ".1%"),
    Column("smaller than uniform (Kolmogorov-Smirnov)", ".3f"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    add_option(parser)
    given = parser.parse_args(arguments)
    rows = []
    for title, scene in SCENES.items():
        for name, p in p_values(scene, tuple(PROCEDURES), given.repetitions, given.seed).items():
            below = {limit: sum(value <= limit for value in p) for limit in (0.05, 0.2)}
            intervals = (wilson(count, len(p)) for count in below.values())
            shares = [
                {"value": count / len(p), "low": low, "high": high}
                for count, (low, high) in zip(below.values(), intervals, strict=True)
            ]
            smaller = float(kstest(p, "uniform", alternative="greater").pvalue)
            rows.append((f"{title}: {name}", len(p), *shares, smaller))
            print(
                f"{rows[-1][0]:100} {len(p):4} {shares[0]['value']:6.1%} {shares[1]['value']:6.1%} {smaller:.3f}",
                flush=True,
            )
    save(given.figures, "null-clusters", COLUMNS, rows)


if __name__ == "__main__":
    main()
