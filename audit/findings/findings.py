"""The findings: one verdict per cue, in words, with what to do about it."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audit.config import Config
from audit.cues.cue_json import Difference
from audit.cues.cue_table import CueTable, load_cues
from audit.cues.differences import Trait, differences, traits_in, traits_of
from audit.cues.overlap import covered_cues, shares_inside
from audit.cues.undecided import outermost
from audit.data.dataset import Dataset, load_dataset
from audit.detection.detections import load_attributes
from audit.detectors.cue import Cue
from audit.detectors.parts.subject import PERSON
from audit.evidence.causes import Suspect, consequences
from audit.evidence.evidence_table import read_evidence, read_probe_scores
from audit.evidence.exemplars import Exemplars
from audit.evidence.given_declared import leaks_given_declared
from audit.explain.clusters import load_clusters
from audit.explain.sanity_checks import maps_are_trusted
from audit.findings import file_sentences, sentences
from audit.findings.caveats import Measures
from audit.findings.finding import Finding
from audit.findings.severity import COMPLAINTS, FLAGGED, ORDER, Severity, judge, lower, undeclared
from audit.measures.balanced_accuracy import beats_guessing
from audit.measures.conditional import signal_of
from audit.measures.figures import Figures
from audit.measures.limits import UNEVEN, Strength
from audit.plan.inventory import Flagged, Inventory
from audit.plan.plan_json import PlanCell
from audit.plan.remove_cue import allowed_removal
from audit.plan.strategies import cells
from audit.plan.write_plan import write_plan
from audit.progress import note
from audit.records import JsonObject
from audit.store.audit_folder import AuditFolder, read_table, write_records

_LEVELS: dict[Strength, int] = {"strong": 2, "weak": 1, "unknown": 0, "none": 0}


@dataclass(frozen=True)
class Verdict:
    """What is concluded about one cue and one class."""

    cue: Cue
    label: str
    data: Strength
    model: Strength
    severity: Severity
    figures: Figures
    lowered: bool = False

    @property
    def rank(self) -> tuple[int, bool, int, int, float, str]:
        """Sort key: gravest first, then marks that the data give away, for no class is made of marks.

        After them attributes that the data give away, which have words and can be counted; then what has a name, what
        is certain, and what can be counted before what only a probe sees.
        """
        figures = self.figures
        leak, shown = figures.leakage.value or 0.5, abs(figures.prevalence.difference or 0)
        effect, gap = figures.effect.value or 0, figures.gap.value or 0
        is_mark = self.cue.role == "mark" and self.data == "strong"
        certain = _LEVELS[self.data] + _LEVELS[self.model]
        weight = shown + max(leak - 0.5, 0) + max(effect, gap, 0)
        worded = 0 if self.cue.kind == "attribute" and self.data == "strong" else 2 if self.cue.kind == "cluster" else 1
        return ORDER.index(self.severity), not is_mark, worded, -certain, -weight, self.cue.name


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: write ``findings.json`` and the plan's files.

    A cue that leans towards several classes gives one finding with two classes, since there the second is its mirror
    image, and one finding per class otherwise. Raises AuditFolderError when a stage before it is not done.
    """
    dataset, cues = load_dataset(folder), load_cues(folder)
    _note_unknown(config, {cue.name for cue in cues.cues})
    inside = shares_inside(cues, cues.cues)
    declared = covered_cues(config.expected_cues, cues.cues, inside)
    judgements: Iterable[Verdict] = _verdicts(folder, dataset, cues, declared)
    if not maps_are_trusted(folder):
        judgements = map(lowered, judgements)
    verdicts = sorted(judgements, key=lambda verdict: verdict.rank)
    causes = _causes(folder, verdicts, dataset, cues, inside, declared)
    verdicts, causes = consequences_last(excused(verdicts, causes), causes)
    trust = read_table(folder.predictions)["p_label"].to_numpy(np.float64)
    inventory = Inventory(dataset, trust, config.dataset.min_images_per_class)
    chooser = Exemplars(load_clusters(folder), dataset, cues, trust, config.report.exemplars)
    traits = traits_of(load_attributes(folder))
    opposites = {trait.attribute.name: trait.attribute.opposite for trait in traits}
    apparent = {trait.attribute.name for trait in traits if trait.attribute.apparent} - set(config.irrelevant_cues)
    entries, to_mend, plan_cells = [], [], []
    marks: dict[str, Flagged] = {}
    for place, verdict in enumerate(verdicts):
        cue, cause = verdict.cue, causes.get(place)
        present, known = cues.present(cue), cues.known(cue)
        flagged = Flagged(_id(place), cue.name, cue.words, present, known, opposite=opposites.get(cue.name, ""))
        # What people are taken for is balanced only where the owner said that it has nothing to do with the classes.
        is_to_mend = _is_uneven(verdict) and cause is None and cue.name not in apparent
        needed = cells(inventory, flagged) if is_to_mend else []
        plan_cells += needed
        to_mend += [flagged] if verdict.severity in FLAGGED and needed else []
        region_cue = cues.named(cue.whole)
        mark = _mark(flagged.finding, region_cue, config.irrelevant_cues, cues)
        if verdict.severity in COMPLAINTS and cause is None:
            marks.setdefault(region_cue.name, mark)
        different = _differences(verdict, traits, dataset, cues)
        entry = _entry(mark, verdict, needed, chooser, declared - set(config.expected_cues), different or ())
        if different is not None:
            told_of = sentences.differ(different, verdict.label)
            entry = entry.model_copy(update={"differences": tuple(different), "differences_sentences": told_of})
        if verdict.severity in COMPLAINTS and (told := caution(verdict, dataset, cues)):
            entry = entry.model_copy(update={"caution": told})
        entries.append(entry if cause is None else _under(entry, _id(cause), verdicts[cause].cue.words))
    write_records(folder.findings, entries)
    return [folder.findings, *write_plan(folder, inventory, to_mend, plan_cells, list(marks.values()), traits)]


def _id(place: int) -> str:
    return f"F{place + 1}"


def consequences_last(verdicts: Sequence[Verdict], causes: Mapping[int, int]) -> tuple[list[Verdict], dict[int, int]]:
    """Verdicts in the order of their severities, each consequence after its cause and before the next cause.

    ``causes``: for each verdict (by its place) that another one explains, the place of that one; returned for the new
    places.
    """

    def key(place: int) -> tuple[int, int, bool, int]:
        return ORDER.index(verdicts[place].severity), causes.get(place, place), place in causes, place

    order = sorted(range(len(verdicts)), key=key)
    new = {old: place for place, old in enumerate(order)}
    return [verdicts[place] for place in order], {new[place]: new[cause] for place, cause in causes.items()}


def excused(verdicts: Sequence[Verdict], causes: Mapping[int, int]) -> list[Verdict]:
    """The verdicts, of which those that an expected one explains are expected, too."""
    expected = {place for place, cause in causes.items() if verdicts[cause].severity == "expected"}
    return [replace(one, severity="expected") if place in expected else one for place, one in enumerate(verdicts)]


def _causes(
    folder: AuditFolder,
    verdicts: Sequence[Verdict],
    dataset: Dataset,
    cues: CueTable,
    inside: Mapping[tuple[str, str], float],
    declared: Collection[str],
) -> dict[int, int]:
    """For verdicts (by their places) that accuse and that another or a declared one explains, the place of that."""
    scores = read_probe_scores(folder, len(dataset.images))
    levels = {place: COMPLAINTS.index(as_if) for place, as_if in _accusing(verdicts, declared)}
    accusing = sorted(levels, key=lambda place: (levels[place], verdicts[place].severity != "expected", place))
    suspects = []
    for place in accusing:
        verdict = verdicts[place]
        leans = Measures.of(verdict.figures).leans
        # Numbers of the file lean in more ways than their high values do.
        by_score = verdict.cue.kind == "file" or not leans
        score = scores.get((verdict.cue.name, verdict.label)) if by_score else None
        signal = signal_of(cues.present(verdict.cue), cues.known(verdict.cue), score, dataset.folds)
        label = dataset.classes.index(verdict.label)
        suspects.append(Suspect(verdict.cue, label, levels[place], signal, verdict.severity == "expected"))
    under = consequences(suspects, dataset.labels, dataset.groups, dataset.folds, inside)
    return {accusing[place]: accusing[cause] for place, cause in under.items()}


def _accusing(verdicts: Sequence[Verdict], declared: Collection[str]) -> Iterator[tuple[int, Severity]]:
    """The places of verdicts that accuse, or would if nothing were declared, with that verdict."""
    for place, verdict in enumerate(verdicts):
        severity = verdict.severity
        if severity == "expected" and {verdict.cue.name, verdict.cue.whole} & set(declared):
            severity = undeclared(verdict.cue, verdict.data, verdict.model)
        if severity in COMPLAINTS:
            yield place, severity


def caution(verdict: Verdict, dataset: Dataset, cues: CueTable) -> str:
    """What to look at before a finding is believed, a sentence; empty where there is nothing.

    The parts of people are sought only where a face was found. Where that alone makes half of a difference or more, it
    may be the face detector's mistakes that differ between the classes. Where its two networks contradict each other
    more often in one class, what is left open differs.
    """
    difference = verdict.figures.prevalence.difference
    if PERSON not in {cue.name for cue in cues.cues} or outermost(verdict.cue, cues.cues) != PERSON:
        return ""
    person, inside = cues.named(PERSON), dataset.labels == dataset.classes.index(verdict.label)
    decided = cues.known(person)
    open_here, open_elsewhere = (float((~decided)[side].mean()) for side in (inside, ~inside))
    if abs(open_here - open_elsewhere) >= UNEVEN:
        return sentences.left_open(verdict.cue.words, verdict.label, open_here, open_elsewhere)
    if difference is None or abs(difference) < UNEVEN:
        return ""
    seen = cues.present(person)
    share, elsewhere = (float(seen[decided & side].mean()) for side in (inside, ~inside))
    if (share - elsewhere) / difference < 0.5:
        return ""
    return sentences.rests_on_faces(verdict.cue.words, verdict.label, share, elsewhere)


def _under(entry: Finding, cause: str, words: str) -> Finding:
    """A finding as the consequence of another one: what mends that one mends it, and if that is expected, so is it."""
    under = {"explained_by": cause, "recommendation": (sentences.consequence(cause, words),)}
    if entry.severity == "expected":
        under |= {"recommendation": (), "sentence": sentences.excused(entry.words, words)}
    return entry.model_copy(update=under)


def lowered(verdict: Verdict) -> Verdict:
    """The verdict one step lower, where the maps failed their checks; facts of the file need no map."""
    severity = verdict.severity if verdict.cue.kind == "file" else lower(verdict.severity)
    return verdict if severity == verdict.severity else replace(verdict, severity=severity, lowered=True)


def _verdicts(folder: AuditFolder, dataset: Dataset, cues: CueTable, declared: Collection[str]) -> Iterator[Verdict]:
    evidence, learned = read_evidence(folder), has_learned(folder, dataset)
    left = leaks_given_declared(read_probe_scores(folder, len(dataset.images)), dataset, cues, declared)
    for name, of_cue in evidence.groupby("cue", sort=False):
        cue = cues.named(str(name))
        by_class = of_cue.groupby("class", sort=False)
        given = [(str(label), rows, left.get((cue.name, str(label)))) for label, rows in by_class]
        verdicts = [verdict_of(cue, label, rows, declared, learned, auc) for label, rows, auc in given]
        yield from [min(verdicts, key=lambda verdict: verdict.rank)] if len(dataset.classes) == 2 else verdicts


def has_learned(folder: AuditFolder, dataset: Dataset) -> bool:
    """Whether the model tells the classes apart better than by guessing.

    Raises AuditFolderError when there are no predictions yet.
    """
    correct = read_table(folder.predictions)["correct"].to_numpy(bool)
    return beats_guessing(correct, dataset.labels, dataset.groups)


def verdict_of(
    cue: Cue, label: str, rows: pd.DataFrame, declared: Iterable[str], learned: bool, left: float | None = None
) -> Verdict:
    """What the evidence table's rows of one cue and one class amount to.

    ``declared`` are the cues that are expected; ``learned``: whether the model tells the classes apart at all;
    ``left``: the AUC of the leak given what is declared.
    """
    figures = figures_of(rows).with_leak_given_declared(left)
    judgement = judge(cue, Measures.of(figures), declared, learned)
    return Verdict(cue, label, judgement.data, judgement.model, judgement.severity, figures)


def figures_of(rows: pd.DataFrame) -> Figures:
    """The figures of one cue and one class, of the rows that the evidence table has for them."""
    return Figures.model_validate({row.kind: _figures(row) for row in rows.itertuples()})


def _figures(row: Any) -> JsonObject:
    numbers = {key: _number(getattr(row, key)) for key in ("value", "low", "high", "p", "p_adjusted")}
    return {**numbers, "n": int(row.n), **({"reason": row.reason} if row.reason else {}), **row.extra}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _note_unknown(config: Config, cue_names: set[str]) -> None:
    for setting in ("expected_cues", "irrelevant_cues"):
        for name in sorted(set(getattr(config, setting)) - cue_names):
            note(f"{setting} names '{name}', which was not looked for; the cues are listed in cues.json.")


def _mark(finding: str, cue: Cue, irrelevant: Sequence[str], cues: CueTable) -> Flagged:
    removal = allowed_removal(cue, irrelevant)
    return Flagged(finding, cue.name, cue.words, cues.present(cue), cues.known(cue), removal)


def _is_uneven(verdict: Verdict) -> bool:
    difference = verdict.figures.prevalence.difference
    # Photographs that differ as files are saved again alike; collecting others would only add a third kind.
    return (
        verdict.cue.kind != "file"
        and verdict.severity in COMPLAINTS
        and difference is not None
        and abs(difference) >= UNEVEN
    )


def _entry(
    mark: Flagged,
    verdict: Verdict,
    needed: Sequence[PlanCell],
    chooser: Exemplars,
    covered: Collection[str],
    different: Sequence[Difference],
) -> Finding:
    cue, label, figures = verdict.cue, verdict.label, verdict.figures
    to_mask, adds = mark.cue if mark.removal else "", [cell.sentence() for cell in needed if cell.add]
    named = sentences.in_other_words(cue.words, different)
    in_data = sentences.data_answer(cue.words, label, figures, verdict.data)
    in_model = sentences.model_answer(cue.words, label, figures, verdict.model)
    steps = sentences.recommendations(cue.words, label, verdict.severity, adds, to_mask)
    if cue.kind == "file":
        in_data = file_sentences.data_answer(cue.name, label, figures, verdict.data, chooser.medians(cue, label))
        in_model = file_sentences.model_answer(cue.name, cue.words, label, figures, verdict.model)
        steps = file_sentences.advice(cue.name, verdict.severity)
    return Finding(
        id=mark.finding,
        cue=cue.name,
        cue_kind=cue.kind,
        words=cue.words,
        label=label,
        severity=verdict.severity,
        sentence=sentences.headline(
            named, label, verdict.severity, verdict.data, verdict.model, verdict.lowered, cue.name in covered
        ),
        in_data=verdict.data,
        in_model=verdict.model,
        in_data_sentence=in_data.sentence,
        in_model_sentence=in_model.sentence,
        evidence=figures,
        exemplars=chooser.showing(cue, label),
        counter_exemplars=chooser.against(cue, label),
        cluster=chooser.cluster(cue),
        recommendation=tuple(steps),
    )


def _differences(
    verdict: Verdict, traits: Sequence[Trait], dataset: Dataset, cues: CueTable
) -> list[Difference] | None:
    """In what a class's images that show the cue differ from the others that do; None where that is not the question.

    It is where the cue is in nearly all images, or is a place that has no name, and the finding accuses.
    """
    cue, leans = verdict.cue, Measures.of(verdict.figures).leans
    accuses = verdict.severity in COMPLAINTS and cue.kind in ("detector", "cluster")
    if not accuses or leans or cue.role == "mark":
        return None
    in_class = dataset.labels == dataset.classes.index(verdict.label)
    shown = cues.present(cue)
    return differences(
        traits_in(cue, traits, cues.cues), shown & in_class, shown & ~in_class, dataset.groups, dataset.folds
    )
