"""Out-of-fold answers without and with a strategy compared: for all images, and finding by finding."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from audit.cam.regions import cover, mass_on
from audit.data.dataset import Dataset
from audit.data.extra_images import added
from audit.detectors.cue import Cue
from audit.findings.finding import Finding
from audit.findings.flagged import flagged, to_mend
from audit.findings.verification_json import ChangedFinding, ChangeFigures, Sizes, WorstGroup, WorstGroups
from audit.measures.gap import CELLS, TOWARDS, cell_words
from audit.measures.measure import distinct
from audit.measures.paired_bootstrap import Change, Draws, compare
from audit.plan.plan_json import Strategy
from audit.plan.reweighting import Raking, effective_n, rake, states
from audit.verification.occluded_views import filling_of
from audit.verification.retraining import Retraining, SeedAnswers
from audit.verification.strategy import weights_under

# One value per seed and image, (S, n).
Values = NDArray[np.float64]
_LEAST_CELL = 5
_PART = 512
_EXAMPLES = 8
_EXEMPLARS, _COUNTER_EXEMPLARS = 2, 1


@dataclass(frozen=True)
class Comparison:
    """The out-of-fold answers without (``before``) and with a strategy (``after``)."""

    retraining: Retraining
    dataset: Dataset
    before: SeedAnswers
    after: SeedAnswers

    @cached_property
    def draws(self) -> Draws:
        """The resamples that all figures share."""
        settings = self.retraining.store.config
        return Draws.of(self.dataset.groups, len(self.before.probabilities), settings.evidence.resamples, settings.seed)

    def _both(self, figures: Callable[[SeedAnswers], Values]) -> tuple[Values, Values]:
        return figures(self.before), figures(self.after)

    @cached_property
    def _correct(self) -> tuple[Values, Values]:
        return self._both(lambda answers: (answers.probabilities.argmax(2) == self.dataset.labels).astype(float))

    @cached_property
    def even(self) -> Raking:
        """Raked weights under which each flagged cue is independent of the class, as far as weights can do that."""
        states = [self._state(self.retraining.cues.named(finding.cue)) for finding in to_mend(self.retraining.audit)]
        return rake(self.dataset.labels, np.stack(states, 1))

    def overall(self) -> dict[str, Change]:
        """Accuracy as it is, and under the weights of ``even``."""
        weights = self.even.weights[:, None]
        return {
            "accuracy": compare(*self._correct, np.ones_like(weights), self.draws),
            "balanced": compare(*self._correct, weights, self.draws),
        }

    def findings(self) -> Iterator[ChangedFinding]:
        """Every flagged finding with what changed about it."""
        for finding in flagged(self.retraining.audit):
            cue = self.retraining.cues.named(finding.cue)
            changes = self._changes(finding, cue)
            yield ChangedFinding(
                id=finding.id,
                cue=finding.cue,
                words=finding.words,
                label=finding.label,
                severity="high" if finding.severity == "high" else "medium",
                **{name: figures_of(change) if change else None for name, change in changes.items()},
                worst=self._worst_words(finding, cue),
            )

    def _changes(self, finding: Finding, cue: Cue) -> dict[str, Change | None]:
        """The figures of one finding; None for what this cue does not allow, or too few images."""
        of_cue = {"attention": self._attention(cue), "effect": self._effect(finding, cue)}
        cells = self._cells(finding, cue)
        if min(distinct(self.dataset.groups[column > 0]) for column in cells.T) < _LEAST_CELL:
            return {"balanced": None, "worst_cell": None, "gap": None, **of_cue}
        signs = TOWARDS if _leans_towards(cells) else -TOWARDS
        known = self.retraining.cues.known(cue)
        weights = np.zeros((len(known), 1))
        weights[known, 0] = rake(self.dataset.labels[known], self._state(cue)[known]).weights
        return {
            "balanced": compare(*self._correct, weights, self.draws),
            "worst_cell": compare(*self._correct, cells, self.draws, lambda means: means.min(-1)),
            "gap": compare(*self._correct, cells, self.draws, lambda means: means @ signs),
            **of_cue,
        }

    def _state(self, cue: Cue) -> NDArray[np.int64]:
        """0 without the cue, 1 with it, 2 unknown."""
        return states(self.retraining.cues.present(cue), self.retraining.cues.known(cue))

    def _cells(self, finding: Finding, cue: Cue) -> NDArray[np.float64]:
        """Which images are in each of ``gap.CELLS``, (n, 4)."""
        inside = self.dataset.labels == self.dataset.classes.index(finding.label)
        present, known = self.retraining.cues.present(cue), self.retraining.cues.known(cue)
        return np.stack([(inside == of) & (present == shown) & known for of, shown in CELLS], 1).astype(float)

    def _worst_words(self, finding: Finding, cue: Cue) -> WorstGroups:
        """The group in which the model is right least often, before and after, with its number of images."""
        cells = self._cells(finding, cue)
        if not cells.any(0).all():
            return WorstGroups()
        worst = {}
        for name, correct in zip(("before", "after"), self._correct, strict=True):
            lowest = int(np.argmin(correct.mean(0) @ cells / cells.sum(0)))
            words = cell_words(*CELLS[lowest], finding.label, cue.words)
            worst[name] = WorstGroup(words=words, n=int(cells[:, lowest].sum()))
        return WorstGroups(**worst)

    def _attention(self, cue: Cue) -> Change | None:
        """Share of the map's mass on the cue, over the images that show it; None for what has no place."""
        present = self.retraining.cues.present(cue)
        if not cue.has_place or not present.any():
            return None
        images = np.flatnonzero(present)
        parts = np.split(images, range(_PART, len(images), _PART))
        shape = self.before.maps.shape[2:]
        coverage = np.concatenate([cover(self.retraining.cues.masks(cue, part)[:, None], shape) for part in parts])

        def shares(answers: SeedAnswers) -> Values:
            values = np.full(answers.maps.shape[:2], np.nan)
            values[:, images] = [mass_on(maps[images], coverage)[:, 0] for maps in answers.maps]
            return values

        return compare(*self._both(shares), present[:, None].astype(float), self.draws)

    def _effect(self, finding: Finding, cue: Cue) -> Change | None:
        """Probability lost when the cue is occluded, minus that lost when as much elsewhere is; None if not asked."""
        pairs, filling = self.retraining.pairs, filling_of(finding)
        rows = np.flatnonzero((pairs["cue"] == cue.whole) & (pairs["filling"] == filling))
        images = pairs["image"].to_numpy()[rows]
        shown = self.retraining.cues.present(cue)[images]
        rows, images = rows[shown], images[shown]
        if not cue.has_place or distinct(self.dataset.groups[images]) < _LEAST_CELL:
            return None

        def lost(answers: SeedAnswers) -> Values:
            values = np.full(answers.maps.shape[:2], np.nan)
            values[:, images] = answers.occluded[:, rows, 1] - answers.occluded[:, rows, 0]
            return values

        asked = np.isin(np.arange(len(self.dataset.images)), images)
        return compare(*self._both(lost), asked[:, None].astype(float), self.draws)

    def sizes(self, strategy: Strategy) -> Sizes:
        """How many images the audit has, and how many of them and of new ones the strategy trains on."""
        everything = self.retraining.store.dataset
        weights = weights_under(strategy, self.retraining.audit, everything)
        counted = np.ones(len(everything.images)) if weights is None else weights
        fresh = added(everything)
        new = np.bincount(everything.labels[fresh], minlength=len(everything.classes)).tolist()
        return Sizes(
            n=len(self.dataset.images),
            dropped=int((counted[~fresh] == 0).sum()),
            added=dict(zip(everything.classes, new, strict=True)),
            effective_n=round(effective_n(counted), 1),
        )

    def examples(self) -> tuple[list[str], torch.Tensor, torch.Tensor]:
        """Paths of a few images, and their maps (k, h, w) before and after.

        They are the first examples of each finding, whatever became of them. A map is the mean over seeds, each seed's
        map with its positive part scaled to sum 1, so that no seed counts more than another.
        """
        chosen: dict[str, None] = {}
        for finding in flagged(self.retraining.audit):
            shown = finding.exemplars[:_EXEMPLARS] + finding.counter_exemplars[:_COUNTER_EXEMPLARS]
            chosen.update(dict.fromkeys(shown))
        paths = list(chosen)[:_EXAMPLES]
        numbers = {str(path): image for image, path in enumerate(self.dataset.images["path"])}
        images = [numbers[path] for path in paths]
        maps = [_mean_map(answers.maps[:, images]) for answers in (self.before, self.after)]
        return paths, maps[0], maps[1]


def figures_of(change: Change) -> ChangeFigures:
    """A change as verification.json holds it: null for what could not be worked out."""
    return ChangeFigures.model_validate(change.as_json())


def _leans_towards(cells: NDArray[np.float64]) -> bool:
    """Whether the cue is at least as common in the class as elsewhere, by ``gap.CELLS``."""
    with_cue, without, elsewhere_with, elsewhere_without = cells.sum(0)
    return bool(with_cue * (elsewhere_with + elsewhere_without) >= elsewhere_with * (with_cue + without))


def _mean_map(maps: NDArray[np.float16]) -> torch.Tensor:
    positive = np.maximum(maps.astype(np.float32), 0)
    scaled = positive / np.maximum(positive.sum((2, 3), keepdims=True), 1e-9)
    return torch.from_numpy(scaled.mean(0))
