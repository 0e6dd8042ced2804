"""The evidence stage: all five measures for every (cue, class) pair to test."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from audit.config import Config
from audit.cues.cue_table import CueTable, load_cues
from audit.cues.file_cues import FileCue, file_cues, is_together
from audit.data.dataset import Dataset, load_dataset
from audit.detectors.cue import Cue
from audit.evidence.equalise_test import no_equalised
from audit.evidence.file_evidence import EVERY, NOWHERE, file_effect, file_leakage, file_views
from audit.evidence.look_control import beside_control_groups, control_groups
from audit.evidence.occlusion_test import FILLINGS
from audit.evidence.pixel_views import Views, is_seen_as_pixels, pixel_views
from audit.measures.attention import attention
from audit.measures.effect import Answers, effect, weaker
from audit.measures.gap import BETWEEN, MOST, gap, likeness_thirds, likeness_words, presence_words
from audit.measures.leakage import leakage, out_of_fold_scores
from audit.measures.limits import NEARLY_ALL
from audit.measures.measure import Measure, distinct, too_few, unmeasured
from audit.measures.permutation import benjamini_hochberg
from audit.measures.prevalence import leaning_classes, prevalence
from audit.progress import track
from audit.store.audit_folder import AuditFolder, read_table, write_table

KINDS = ("prevalence", "attention", "leakage", "effect", "gap")
NO_PLACE = {"file": NOWHERE, "attribute": "An attribute has no place in the picture."}
TESTED = ("prevalence", "leakage", "effect", "gap")

# Why nothing else is asked to tell the classes apart within a cue.
_UNTESTED = {
    "appearance": "The looks were told apart by the very activations that this test would see.",
    "attribute": "An attribute is one number, whose share in each class says all.",
}


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: write ``evidence.parquet``, one row per cue, class and kind of evidence, and ``probe-scores.parquet``.

    Columns: cue, class, kind; value, low, high, n, p as in ``Measure``; ``p_adjusted``, corrected over all tests of
    the audit (Benjamini-Hochberg); ``reason`` where nothing could be measured; ``extra``, the further figures as JSON.
    The other file holds cue, class, image and score, of the probes whose AUC is the leakage (``probe_scores``).
    """
    return measure_all(Measurer.open(folder, config))


def measure_all(measurer: "Measurer") -> list[Path]:
    """As ``build``, with a measurer that is open."""
    pairs = list(measurer.pairs())
    measured: list[tuple[str, str, Mapping[str, Measure]]] = []
    # The tests are so small that a second thread would only wait for the first.
    with track("evidence", len(pairs), "pairs of cue and class") as advance, threadpool_limits(1):
        for cue, label in pairs:
            measured.append((cue.name, measurer.dataset.classes[label], measurer.measure(cue, label)))
            advance(1)
    table = corrected(as_table(measured))
    folder = measurer.cues.folder
    write_table(folder.evidence, table)
    write_table(folder.probe_scores, _score_table(measurer))
    return [folder.evidence, folder.probe_scores]


def as_table(measured: Iterable[tuple[str, str, Mapping[str, Measure]]]) -> pd.DataFrame:
    """What was measured of cues and classes (by their names) as the evidence table has it, but for ``p_adjusted``."""
    rows = [_row(cue, label, kind, measure) for cue, label, measures in measured for kind, measure in measures.items()]
    columns = ["cue", "class", "kind", "value", "low", "high", "n", "p", "reason", "extra"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(("value", "low", "high", "p"), "float64"))


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """An evidence table with ``p_adjusted`` from all of its tests (Benjamini-Hochberg); NaN where nothing is tested."""
    tested = table["kind"].isin(TESTED)
    adjusted = np.full(len(table), np.nan)
    adjusted[tested] = benjamini_hochberg(table.loc[tested, "p"].to_numpy())
    return table.assign(p_adjusted=adjusted)


def parsed(table: pd.DataFrame) -> pd.DataFrame:
    """An evidence table with ``extra`` as a dict."""
    return table.assign(extra=[json.loads(text) for text in table["extra"]])


def read_evidence(folder: AuditFolder) -> pd.DataFrame:
    """The evidence, one row per cue, class and kind, with ``extra`` as a dict.

    Raises AuditFolderError when the stage has not written it.
    """
    return parsed(read_table(folder.evidence))


def read_probe_scores(folder: AuditFolder, images: int) -> dict[tuple[str, str], NDArray[np.float64]]:
    """The scores (images,) of every cue (by name) and class whose leakage was measured; NaN where it is not shown.

    Raises AuditFolderError when the stage has not written them.
    """
    scores: dict[tuple[str, str], NDArray[np.float64]] = {}
    for (cue, label), rows in read_table(folder.probe_scores).groupby(["cue", "class"], sort=False):
        of_pair = scores.setdefault((str(cue), str(label)), np.full(images, np.nan))
        of_pair[rows["image"].to_numpy()] = rows["score"].to_numpy()
    return scores


@dataclass(frozen=True)
class Measurer:
    """What the measuring of every pair shares."""

    config: Config
    dataset: Dataset
    cues: CueTable
    correct: NDArray[np.bool_]
    masking: pd.DataFrame
    textures: dict[str, Views] = field(default_factory=dict)
    leaks: dict[str, Measure] = field(default_factory=dict)
    scores: dict[tuple[str, int], NDArray[np.float64]] = field(default_factory=dict)
    controls: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    equalised: pd.DataFrame = field(default_factory=no_equalised)

    @classmethod
    def open(cls, folder: AuditFolder, config: Config) -> "Measurer":
        """Read the tables of the earlier stages."""
        correct = read_table(folder.predictions)["correct"].to_numpy(bool)
        masking = read_table(folder.masking)
        equalised = read_table(folder.equalised)
        return cls(config, load_dataset(folder), load_cues(folder), correct, masking, equalised=equalised)

    @cached_property
    def files(self) -> tuple[FileCue, ...]:
        """The facts of the file and the frame."""
        return tuple(file_cues(self.dataset.images))

    def pairs(self) -> Iterator[tuple[Cue, int]]:
        """The (cue, class) pairs to test, the class as an index into the dataset's classes."""
        for cue in self.cues.cues:
            known = self.cues.known(cue)
            present, labels = self.cues.present(cue)[known], self.dataset.labels[known]
            for label in leaning_classes(present, labels, len(self.dataset.classes)):
                yield cue, label

    def measure(self, cue: Cue, label: int) -> dict[str, Measure]:
        """All five measures of one pair. What has no place in the picture has no attention there."""
        in_class, present = self.dataset.labels == label, self.cues.present(cue)
        leak = self._leakage(cue, label, in_class, present)
        if leak.value is not None:
            self.probe_scores(cue, label)
        nowhere = unmeasured(NO_PLACE.get(cue.kind, ""), int(self.cues.known(cue).sum()))
        return {
            "prevalence": self._prevalence(cue, label, in_class, present),
            "attention": self.measure_attention(cue, label) if cue.has_place else nowhere,
            "leakage": leak,
            "effect": self._effect(cue, label, present & in_class) if cue.has_place else self._evened(cue, label),
            "gap": self.measure_gap(cue, label),
        }

    def _prevalence(self, cue: Cue, label: int, in_class: NDArray[np.bool_], present: NDArray[np.bool_]) -> Measure:
        known, settings = self.cues.known(cue), self.config.evidence
        shown = prevalence(
            present[known],
            in_class[known],
            self.dataset.groups[known],
            self._rng(cue, label, "prevalence"),
            settings.permutations,
            settings.min_images,
        )
        if cue.kind != "appearance" or shown.value is None:
            return shown
        return replace(shown, extra={**shown.extra, **self._beside_control(cue, label, in_class, present)})

    def measure_gap(self, cue: Cue, label: int) -> Measure:
        """By presence; where nearly all images of either side show the cue, by what it looks like there."""
        if is_together(cue):
            return replace(unmeasured(EVERY, len(self.dataset.images)), extra={"along": "presence"})
        in_class, present = self.dataset.labels == label, self.cues.present(cue)
        folds, sides = self.dataset.folds, (in_class, ~in_class)
        if cue.kind == "detector" and all(present[side].mean() >= NEARLY_ALL for side in sides):
            third = likeness_thirds(self.probe_scores(cue, label), in_class, folds)
            along, rows, shown, towards, words = "leak", third != BETWEEN, third == MOST, True, likeness_words
        else:
            along, rows, shown, towards, words = "presence", self.cues.known(cue), present, None, presence_words
        measure = gap(
            self.correct[rows],
            in_class[rows],
            shown[rows],
            self.dataset.groups[rows],
            folds[rows],
            self._rng(cue, label, "gap"),
            towards,
            self.config.evidence.permutations,
            words=words(self.dataset.classes[label], cue.words),
        )
        return replace(measure, extra={"along": along, **measure.extra})

    def probe_scores(self, cue: Cue, label: int) -> NDArray[np.float64]:
        """Out-of-fold scores (images,) of the probe of a cue that has a leakage; NaN where it is not shown."""
        if (cue.name, label) not in self.scores:
            scores, (rows, inside) = np.full(len(self.dataset.images), np.nan), self._probed(cue)
            in_class, folds = self.dataset.labels[rows] == label, self.dataset.folds[rows]
            scores[rows] = out_of_fold_scores(inside[rows], in_class, folds, self._rng(cue, label, "leakage"))
            self.scores[cue.name, label] = scores
        return self.scores[cue.name, label]

    def _beside_control(
        self, look: Cue, label: int, in_class: NDArray[np.bool_], present: NDArray[np.bool_]
    ) -> dict[str, float]:
        """How a look's difference compares with that of groups formed from control regions of what it is a look of."""
        known, settings = self.cues.known(look), self.config.evidence
        if look.within not in self.controls:
            looks = sum(cue.kind == "appearance" and cue.within == look.within for cue in self.cues.cues)
            control = self.cues.pooled_control(self.cues.named(look.within))[known]
            self.controls[look.within] = control_groups(control, looks, self.config.seed)
        return beside_control_groups(
            present[known],
            in_class[known],
            self.controls[look.within],
            self.dataset.groups[known],
            self._rng(look, label, "prevalence", 1),
            settings.resamples,
            settings.min_images,
        )

    def measure_attention(self, cue: Cue, label: int) -> Measure:
        """In the images of the class that show a cue which has a place in the picture."""
        rows = self.cues.present(cue) & (self.dataset.labels == label)
        share, area = (self.cues.column(cue, name)[rows].astype(np.float64) for name in ("attention", "area"))
        settings, rng = self.config.evidence, self._rng(cue, label, "attention")
        return attention(share, area, self.dataset.groups[rows], rng, settings.resamples, settings.min_images)

    def _leakage(self, cue: Cue, label: int, in_class: NDArray[np.bool_], present: NDArray[np.bool_]) -> Measure:
        if cue.kind in _UNTESTED:
            return unmeasured(_UNTESTED[cue.kind], int(present.sum()))
        if cue.name in self.leaks:
            return self.leaks[cue.name]
        leak = self._measure_leakage(cue, label, in_class)
        if len(self.dataset.classes) == 2 and leak.value is not None:
            # What tells one of two classes from the other tells the other from it, just as well.
            self.leaks[cue.name] = leak
        return leak

    def _measure_leakage(self, cue: Cue, label: int, in_class: NDArray[np.bool_]) -> Measure:
        if cue.kind == "file":
            rng = self._rng(cue, label, "leakage")
            return file_leakage(self.files, cue, in_class, self.dataset, self.config.evidence, rng)
        rows, (inside, rest, control) = self._leaking_rows(cue), self._views(cue)
        settings = self.config.evidence
        return leakage(
            inside[rows],
            rest[rows],
            in_class[rows],
            self.dataset.groups[rows],
            self.dataset.folds[rows],
            self._rng(cue, label, "leakage"),
            settings.resamples,
            settings.permutations,
            settings.min_images,
            control=control[rows],
        )

    def _probed(self, cue: Cue) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """The images whose class a probe is to tell by the cue, and what it sees of all images."""
        if cue.kind == "file":
            rows, inside = file_views(self.files, cue)
            return rows, np.zeros((len(rows), 0), np.float32) if inside is None else inside
        return self._leaking_rows(cue), self._views(cue)[0]

    def _leaking_rows(self, cue: Cue) -> NDArray[np.bool_]:
        # A cluster's place is looked at in every image: whether it shows the cue there is part of what leaks.
        present = self.cues.present(cue)
        return np.ones_like(present) if cue.kind == "cluster" else present

    def _views(self, cue: Cue) -> Views:
        return self._textures(cue) if is_seen_as_pixels(cue) else self._activations(cue)

    def _activations(self, cue: Cue) -> Views:
        return *self.cues.pooled(cue), self.cues.pooled_control(cue)

    def _textures(self, cue: Cue) -> Views:
        if cue.name not in self.textures:
            every = np.arange(len(self.dataset.images))
            self.textures[cue.name] = pixel_views(self.dataset, self.config, self.cues.detections, cue, every)
        return self.textures[cue.name]

    def _effect(self, cue: Cue, label: int, shown: NDArray[np.bool_]) -> Measure:
        have, least = distinct(self.dataset.groups[shown]), self.config.evidence.min_images
        if reason := too_few(have, least, "of the class show the cue"):
            return unmeasured(reason, have)
        shown_there = self.masking[shown[self.masking["image"].to_numpy()]]
        own = shown_there[shown_there["cue"] == cue.name]
        rows = own if len(own) else shown_there[shown_there["cue"] == cue.whole]
        comparable = rows[rows["predicted_control"] >= 0]
        asked, left = rows["image"].nunique(), comparable["image"].nunique()
        if asked >= least > left:
            return unmeasured("It covers too much of the pictures: there is no equal area left to compare with.", asked)
        tried = [name for name in FILLINGS if name == FILLINGS[0] or (rows["filling"] == name).any()]
        return weaker(
            {name: self._under(comparable[comparable["filling"] == name], cue, label, name) for name in tried}
        )

    def _evened(self, cue: Cue, label: int) -> Measure:
        if cue.kind != "file":
            return unmeasured(NO_PLACE.get(cue.kind, ""), int(self.cues.known(cue).sum()))
        asked = (self.equalised["cue"] == cue.name) & (self.equalised["class"] == self.dataset.classes[label])
        rng = self._rng(cue, label, "effect")
        return file_effect(cue, self.equalised[asked], self.dataset, self.config.evidence, rng)

    def _under(self, rows: pd.DataFrame, cue: Cue, label: int, filling: str) -> Measure:
        images, settings = rows["image"].to_numpy(), self.config.evidence
        before, masked, control = (
            Answers(rows[f"p_{view}"].to_numpy(np.float64), rows[f"predicted_{view}"].to_numpy(np.int64))
            for view in ("before", "masked", "control")
        )
        return effect(
            before,
            masked,
            control,
            label=self.dataset.labels[images],
            groups=self.dataset.groups[images],
            rng=self._rng(cue, label, "effect", FILLINGS.index(filling)),
            resamples=settings.resamples,
            permutations=settings.permutations,
            min_images=settings.min_images,
        )

    def _rng(self, cue: Cue, label: int, kind: str, part: int = 0) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, label, KINDS.index(kind), part, *cue.name.encode()])


def _score_table(measurer: Measurer) -> pd.DataFrame:
    parts = []
    for (cue, label), scores in measurer.scores.items():
        images, name = np.flatnonzero(np.isfinite(scores)), measurer.dataset.classes[label]
        parts.append(pd.DataFrame({"cue": cue, "class": name, "image": images, "score": scores[images]}))
    empty = pd.DataFrame({"cue": [], "class": [], "image": [], "score": []})
    return pd.concat(parts or [empty], ignore_index=True).astype({"image": "int32", "score": "float32"})


def _row(cue: str, label: str, kind: str, measure: Measure) -> tuple[object, ...]:
    plain = measure.as_json()
    extra = {k: v for k, v in plain.items() if k not in ("value", "low", "high", "n", "p", "reason")}
    numbers = (measure.value, measure.low, measure.high, measure.n, measure.p)
    return (cue, label, kind, *numbers, measure.reason, json.dumps(extra, ensure_ascii=False))
