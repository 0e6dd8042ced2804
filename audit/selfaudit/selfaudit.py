"""The audit of the audit: false alarms under permuted labels and cues, and power to notice planted marks."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from audit.config import Config
from audit.data.batches import Images
from audit.detection.detections import not_looked_for
from audit.detection.registry import listed_cues
from audit.explain.sanity_checks import maps_are_trusted
from audit.findings.finding import Finding
from audit.findings.self_audit_json import FalseAlarms, ModelAlarms, PowerFigures, SelfAudit
from audit.measures.permutation import permuted_order
from audit.model.activation_store import ActivationStore
from audit.progress import track
from audit.selfaudit.false_alarms import false_alarms, model_alarms
from audit.selfaudit.forms import coverage_sentence, forms_of
from audit.selfaudit.permuted_cues import UnusedCues
from audit.selfaudit.planted_copies import mark_photographs, pairs_of
from audit.selfaudit.power import measure_power, power_sentence
from audit.selfaudit.trial import Outcome, Trial, run_trial
from audit.selfaudit.trial_inputs import TrialInputs
from audit.steps import STEPS, stage_key
from audit.store.audit_folder import AuditFolder, value_digest, write_record
from audit.store.shards import Shard, ShardStore
from audit.store.tensors import load_header

NOT_RUN = SelfAudit(
    status="not_run",
    sentence="This audit did not measure its own rate of false alarms, nor the weakest shortcut it would notice.",
    null=None,
    power=None,
    left_out=(),
)


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: write ``self-audit.json``: ``status``, ``sentence``, ``null``, ``power`` and ``left_out``.

    An interrupted one goes on at the trial it was in.
    """
    settings = config.self_audit
    has_power = settings.power_images > 0 and len(settings.kinds) > 0
    if not settings.permutations and not has_power:
        write_record(folder.self_audit, NOT_RUN)
        return [folder.self_audit]
    auditor = SelfAuditor.of(folder, config)
    of_power = 1 + len(forms_of(settings.kinds, settings.forms)) if has_power else 0
    with track("trials", 2 * settings.permutations + of_power, "trials") as advance:
        null = auditor.null(advance) if settings.permutations else None
        power = auditor.power(advance) if has_power else None
    record = SelfAudit(
        status="done",
        sentence=" ".join(part.sentence for part in (null, power) if part),
        null=null,
        power=power,
        left_out=tuple(left_out(config, len(auditor.store.dataset.classes))),
    )
    write_record(folder.self_audit, record)
    shutil.rmtree(auditor.scratch, ignore_errors=True)
    return [folder.self_audit]


@dataclass(frozen=True)
class SelfAuditor:
    """Makes trials of one audit's photographs; outcomes are kept in ``scratch`` until all are there."""

    store: ActivationStore
    trusted: bool
    key: str

    @classmethod
    def of(cls, folder: AuditFolder, config: Config) -> "SelfAuditor":
        """For an audit that is done up to its occlusion test."""
        (stage,) = (stage for stage in STEPS if stage.name == "self-audit")
        return cls(ActivationStore.open(folder, config), maps_are_trusted(folder), stage_key(stage, folder, config))

    @property
    def scratch(self) -> Path:
        """Where trials lie while they are made."""
        return self.store.folder / "self-audit"

    def null(self, advance: Callable[[int], None]) -> FalseAlarms:
        """Count what is said of the data where labels are permuted, and of the models where cues are."""
        dataset, config = self.store.dataset, self.store.config
        images = self._null_images()
        inputs = TrialInputs.of(self.store, images)
        labels, groups, folds = (values[images] for values in (dataset.labels, dataset.groups, dataset.folds))
        findings = []
        for number in range(config.self_audit.permutations):
            order = permuted_order(groups, np.random.default_rng((config.seed, number)), strata=folds)
            outcome = self._run(inputs, f"null-{number}", Trial(images, labels[order]))
            findings.append(outcome.findings)
            advance(1)
        return false_alarms(findings, len(images), self._of_the_models(images, advance))

    def power(self, advance: Callable[[int], None]) -> PowerFigures:
        """Put marks on photographs and see which are noticed."""
        config, missing = self.store.config, not_looked_for(self.store.folder)
        cues = [cue for cue in listed_cues(config) if cue not in missing]
        forms = forms_of(config.self_audit.kinds, config.self_audit.forms)
        marked = mark_photographs(self.store, cues, forms, self.scratch / "marked")
        run = partial(self._run, marked.inputs)
        plain = run("plain", marked.plain())
        advance(1)
        powers = []
        for form in forms:
            powers.append(measure_power(marked, form, pairs_of(config.self_audit.pairs), plain, run, config.seed))
            advance(1)
        n, images = len(marked.labels), len(self.store.dataset.images)
        return PowerFigures(
            sentence=power_sentence(powers, n, images),
            n=n,
            images=images,
            classes=marked.classes,
            marks=tuple(power.record() for power in powers),
            coverage=coverage_sentence(forms),
        )

    def _of_the_models(self, images: Images, advance: Callable[[int], None]) -> ModelAlarms:
        unused = UnusedCues.of(self.store.folder, self.store.config, images)
        deals = self.store.config.self_audit.permutations
        permuted, attributes = [], []
        with threadpool_limits(1):
            for number in range(deals):
                permuted += unused.permuted(number)
                attributes += unused.null_attributes(number)
                advance(1)
        return model_alarms(permuted, attributes, deals, len(images))

    def _null_images(self) -> Images:
        count, most = len(self.store.dataset.images), self.store.config.self_audit.null_images
        return np.sort(np.random.default_rng(self.store.config.seed).permutation(count)[:most])

    def _run(self, inputs: TrialInputs, name: str, trial: Trial) -> Outcome:
        """The outcome that an interrupted run kept, or a new one, which is kept in turn."""
        kept, shard = ShardStore(self.scratch, self.key), Shard(name, trial.images, value_digest(trial.labels.tolist()))
        if kept.holds(shard):
            findings = load_header(kept.path(shard))["findings"]
            return Outcome(tuple(map(Finding.model_validate_json, findings)), kept.read(shard))
        place = self.scratch / name
        shutil.rmtree(place, ignore_errors=True)
        outcome = run_trial(inputs, trial, self.trusted, place)
        shutil.rmtree(place)
        kept.write(
            shard,
            outcome.present,
            findings=[finding.model_dump_json(exclude_unset=True) for finding in outcome.findings],
        )
        return outcome


def left_out(config: Config, classes: int) -> list[str]:
    """What the trials do not do as the audit does, one sentence each."""
    sentences = [
        "With labels dealt out at random, the effect of hiding is measured for what detectors find only, and with "
        "content dealt out or marks put on not at all: there a use has to show in the attention or the accuracy.",
        "Places that attention itself found were not dealt out, for nothing is concluded from the attention or the "
        "accuracy there.",
    ]
    if config.model.fine_tune != "head" or config.model.head != "gap" or config.model.checkpoint is not None:
        sentences.append("The trials train a last layer only, on the network as it was before this audit.")
    if config.own_cues:
        sentences.append("Cues that you marked yourself are left out of the trials with marks.")
    if classes > 2:
        sentences.append("Marks were put on photographs of the two largest classes only.")
    return sentences
