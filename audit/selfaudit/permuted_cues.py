"""False alarms about the model: the audit's own models, asked about cues that they cannot have used."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.cam.regions import cover, mass_on
from audit.config import Config
from audit.cues.cue_table import CueTable
from audit.data.batches import Images
from audit.detectors.cue import Cue
from audit.evidence.evidence_table import Measurer, as_table, corrected, parsed, read_probe_scores
from audit.explain.read_maps import read_maps
from audit.findings.caveats import Measures
from audit.findings.findings import figures_of, has_learned
from audit.findings.severity import Judgement, judge
from audit.measures.limits import Evidence
from audit.measures.measure import Measure, unmeasured
from audit.measures.permutation import permuted_order
from audit.store.audit_folder import AuditFolder, read_table

# How common a null attribute is in its class; in the others it is as rare.
SHARES = (0.9, 0.8, 0.7, 0.5)
_OF_THE_DATA = ("prevalence", "leakage")
_PERMUTED, _RANDOM = range(2)
_NOT_ASKED = unmeasured("Nothing was occluded in this trial.", 0)
Pair = tuple[Cue, int]


@dataclass(frozen=True)
class Told:
    """What is said of a cue that the model cannot have used, and what would be said with the surest gap possible.

    The latter tells whether the published rules could have raised a false alarm here.
    """

    said: Judgement
    could_be_said: Judgement


@dataclass(frozen=True)
class UnusedCues:
    """Some images (n,) of an audit that is done up to its evidence, and its models' answers to them.

    ``measurer`` knows these images alone; ``of_the_data`` are the audit's own rows of evidence about the data;
    ``scores`` holds the probes' scores (n,) of each pair in ``pairs``. Clusters are left out: neither the attention on
    places that were found by it nor the gap of them ever counts.
    """

    measurer: Measurer
    images: Images
    pairs: tuple[Pair, ...]
    of_the_data: pd.DataFrame
    scores: Mapping[tuple[str, int], NDArray[np.float64]]
    learned: bool

    @classmethod
    def of(cls, folder: AuditFolder, config: Config, images: Images) -> Self:
        """Read the tables of the earlier stages. Raises AuditFolderError when one is missing."""
        whole, evidence = Measurer.open(folder, config), read_table(folder.evidence)
        known = read_probe_scores(folder, len(whole.dataset.images))
        dataset = replace(whole.dataset, images=whole.dataset.images.iloc[images].reset_index(drop=True))
        tried = evidence[["cue", "class"]].drop_duplicates().itertuples(index=False, name=None)
        pairs = [(whole.cues.named(name), dataset.classes.index(label)) for name, label in tried]
        # Of what no pixel shows the verdict is fixed, so that no false alarm could be counted.
        pairs = [(cue, label) for cue, label in pairs if cue.kind != "cluster" and cue.role != "origin"]
        # A probe that was not needed has no scores; where it is needed here, nothing is known of the cue's look.
        nothing = np.full(len(whole.dataset.images), np.nan)
        scores = {
            (cue.name, label): known.get((cue.name, dataset.classes[label]), nothing)[images] for cue, label in pairs
        }
        of_these = evidence["cue"].isin([cue.name for cue, _ in pairs]) & evidence["kind"].isin(_OF_THE_DATA)
        own = replace(whole, dataset=dataset, correct=whole.correct[images], masking=whole.masking.iloc[:0])
        columns = evidence.drop(columns="p_adjusted")[of_these]
        return cls(own, images, tuple(pairs), columns, scores, has_learned(folder, whole.dataset))

    def permuted(self, seed: int) -> list[Told]:
        """Deal the cues out anew among the images of a class and a fold, and judge each pair.

        An image gets all of another image's cues at once: which are present, where they lie and how like the class
        they look. The data stay as they are, so that their half of the verdict is the audit's own. Gap and attention
        are measured anew, the effect is not, and p is corrected over all tests of the trial.
        """
        if not self.pairs:
            return []
        dataset, rng = self.measurer.dataset, np.random.default_rng((self._seed, seed, _PERMUTED))
        strata = dataset.labels * (dataset.folds.max() + 1) + dataset.folds
        order = permuted_order(dataset.groups, rng, strata)
        scores = {pair: values[order] for pair, values in self.scores.items()}
        measurer = replace(self._drawing_anew(seed), cues=self._dealt(order), scores=scores)
        measured = [(cue, label, _of_the_model(measurer, cue, label)) for cue, label in self.pairs]
        return list(self._judged(measured, self.of_the_data, self.pairs))

    def null_attributes(self, seed: int) -> list[Told]:
        """Judge made-up attributes, which no image has anything to do with, one for each of ``SHARES`` and each class.

        In the order of ``attributes``; their p is corrected over all tests of them.
        """
        cues, pairs = self.attributes(seed)
        measurer = replace(self._drawing_anew(seed), cues=cues)
        measured = [(cue, label, measurer.measure(cue, label)) for cue, label in pairs]
        return list(self._judged(measured, self.of_the_data.iloc[:0], pairs))

    def attributes(self, seed: int) -> tuple[CueTable, list[Pair]]:
        """Made-up attributes, and the class that each leans to.

        Each duplicate group has one with a chance of the share in the class, and of 1 minus the share elsewhere.
        """
        dataset, rng = self.measurer.dataset, np.random.default_rng((self._seed, seed, _RANDOM))
        _, unit = np.unique(dataset.groups, return_inverse=True)
        tables, pairs = [], []
        for share in SHARES:
            for label, name in enumerate(dataset.classes):
                cue = Cue(f"{share} in {name}", "a made-up attribute", "attribute", "attribute")
                chance = np.where(dataset.labels == label, share, 1 - share)
                tables.append(_rows(cue, rng.random(unit.max() + 1)[unit] < chance))
                pairs.append((cue, label))
        return replace(self.measurer.cues, cues=tuple(cue for cue, _ in pairs), rows=_indexed(tables)), pairs

    @property
    def _seed(self) -> int:
        return self.measurer.config.seed

    def _drawing_anew(self, seed: int) -> Measurer:
        """With another seed for the permutations and bootstraps of each trial."""
        drawn = int(np.random.default_rng((self._seed, seed)).integers(2**31))
        return replace(self.measurer, config=self.measurer.config.model_copy(update={"seed": drawn}))

    @cached_property
    def _maps(self) -> NDArray[np.float32]:
        return read_maps(self.measurer.cues.folder, self.images)

    @cached_property
    def _coverage(self) -> NDArray[np.float32]:
        return cover(self.measurer.cues.detections.masks(self.images), self._maps.shape[1:])

    def _dealt(self, order: NDArray[np.intp]) -> CueTable:
        """The cues with what is known of image ``order[i]`` at the i-th one, and the attention that they get there."""
        table = self.measurer.cues
        attention = mass_on(self._maps, self._coverage[order]).astype(np.float32)
        cues = {cue.name: cue for cue, _ in self.pairs}
        tables = []
        for cue in cues.values():
            rows = table.rows.loc[cue.name].iloc[self.images[order]]
            if cue.has_place:
                rows = rows.assign(attention=attention[:, table.detections.place(cue.whole)])
            tables.append(rows.assign(cue=cue.name, image=np.arange(len(order))))
        return replace(table, cues=tuple(cues.values()), rows=_indexed(tables))

    def _judged(
        self, measured: Sequence[tuple[Cue, int, Mapping[str, Measure]]], others: pd.DataFrame, pairs: Sequence[Pair]
    ) -> Iterator[Told]:
        """One for each pair, from what was ``measured`` and ``others``' rows of evidence."""
        classes = self.measurer.dataset.classes
        anew = as_table((cue.name, classes[label], measures) for cue, label, measures in measured)
        table = parsed(corrected(pd.concat([others, anew], ignore_index=True) if len(others) else anew))
        rows = dict(iter(table.groupby(["cue", "class"], sort=False)))
        for cue, label in pairs:
            measures = Measures.of(figures_of(rows[cue.name, classes[label]]))
            surest = replace(measures, gap=_surest(measures.gap), own_gap=_surest(measures.own_gap))
            yield Told(judge(cue, measures, learned=self.learned), judge(cue, surest, learned=self.learned))


def _of_the_model(measurer: Measurer, cue: Cue, label: int) -> Mapping[str, Measure]:
    nowhere = unmeasured("It has no place in the picture.", 0)
    return {
        "attention": measurer.measure_attention(cue, label) if cue.has_place else nowhere,
        "effect": _NOT_ASKED,
        "gap": measurer.measure_gap(cue, label),
    }


def _surest(gap: Evidence) -> Evidence:
    return gap if gap.value is None else replace(gap, value=1.0, low=1.0, high=1.0, p=0.0)


def _rows(cue: Cue, present: NDArray[np.bool_]) -> pd.DataFrame:
    images = np.arange(len(present))
    rows = {"cue": cue.name, "image": images, "present": pd.array(present, dtype="boolean"), "score": 1.0}
    return pd.DataFrame({**rows, "area": np.nan, "attention": np.nan})


def _indexed(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True).set_index(["cue", "image"]).sort_index()
