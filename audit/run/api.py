"""The public way in from Python: run an audit or open one, and read what it found."""

import inspect
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import current_process
from pathlib import Path
from typing import Self

import pandas as pd

from audit.config import Config, FineTune, load_config, no_such_setting
from audit.errors import ConfigError
from audit.findings.audit_json import AuditRecord, read_audit
from audit.findings.consequences import consequences
from audit.findings.finding import Finding
from audit.findings.severity import ORDER
from audit.findings.verification_json import Verification, read_verification
from audit.measures.figures import Figures
from audit.plan.plan_json import Plan, Strategy
from audit.processes import from_folder, starting_folder
from audit.progress import Silence, reporting_by_default
from audit.run.notebook import as_html
from audit.run.run_here import run_here
from audit.store.audit_folder import AuditFolder
from audit.text import printable

Place = str | os.PathLike[str]
_FIGURES = ("value", "low", "high", "n")


@dataclass(frozen=True, repr=False)
class Audit:
    """One finished audit: what it found, what to do about it, and where its report is.

    ``folder`` holds its files, ``record`` is the content of ``audit.json`` when the audit was opened.

    Example, with images in one subfolder per class:

    >>> from audit import Audit
    >>> audit = Audit.run("photos/", fine_tune="head")  # doctest: +SKIP
    >>> [finding.sentence for finding in audit.findings if finding.severity == "high"]  # doctest: +SKIP
    ['“nurse” is tied to long hair, and this model has learned to use it.']
    >>> audit.to_frame().sort_values("effect", ascending=False)  # doctest: +SKIP
    >>> audit.plan.ways.collect.sentence, audit.report_path  # doctest: +SKIP
    """

    folder: AuditFolder
    record: AuditRecord = field(hash=False)

    @classmethod
    def run(
        cls,
        photos: Place | None = None,
        *,
        manifest: Place | None = None,
        image_root: Place | None = None,
        out: Place = "audits",
        config: Place | None = None,
        fresh: bool = False,
        fine_tune: FineTune | None = None,
        expected_cues: Sequence[str] | None = None,
        settings: Mapping[str, object] | None = None,
        **more: object,
    ) -> Self:
        """Audit images in this process, as ``bias-audit run`` does, and write the report.

        Interrupted, the same call (or command) goes on where it stopped; ``fresh`` begins anew. Nothing is downloaded:
        ``bias-audit fetch`` brings the model files. Only notes are printed, on the standard error stream; whoever wants
        the progress wraps the call in ``audit.progress.reporting_to``.

        Args:
            photos: folder of images with one subfolder per class.
            manifest: instead of it, a CSV file with the columns path and label; further columns are tested as cues.
            image_root: folder from which the manifest's paths start; its own folder if not given.
            out: folder in which the audit gets a folder of its own.
            config: YAML file of settings. What is given here wins over it.
            fresh: do not go on with an interrupted audit.
            fine_tune: how much of the network is trained.
            expected_cues: cues in which the answer may lie; they are reported and never flagged.
            settings: any settings by dotted key, as ``{"training.folds": 5}``.
            more: settings that have no section, as ``seed=1``, and whole sections, as ``training={"folds": 5}``.

        Relative paths mean the current folder. Raises BiasAuditError, whose text says what is wrong and what to do:
        ConfigError for settings, also unknown ones, DatasetError for the images, MissingModelFile, OutputError for
        ``out``, AuditFolderError when another run works in the folder, StageError when a stage fails.
        """
        _require_main_process()
        _require_known(more)
        named = {"model.fine_tune": fine_tune, "expected_cues": expected_cues}
        chosen = {**(settings or {}), **more, **{key: value for key, value in named.items() if value is not None}}
        whole = load_config(
            _given(config),
            settings=chosen,
            photos=_given(photos),
            manifest=_given(manifest),
            image_root=_given(image_root),
        )
        with reporting_by_default(_NotesOnly()):
            folder = run_here(whole, _path(out), fresh=fresh)
        return cls(folder, read_audit(folder))

    @classmethod
    def open(cls, path: Place) -> Self:
        """Open the finished audit in a folder, as ``run`` leaves it, of an older version too.

        Raises AuditFolderError when it is not finished, damaged, or of a version that is not known here.
        """
        folder = AuditFolder(_path(path))
        folder.require_finished()
        return cls(folder, read_audit(folder))

    @property
    def path(self) -> Path:
        """The audit's folder."""
        return self.folder.path

    @property
    def report_path(self) -> Path:
        """The report, one HTML file that can be sent to somebody."""
        return self.folder.report

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is concluded about every cue and class, gravest first."""
        return self.record.findings

    @property
    def plan(self) -> Plan:
        """What to collect, to leave out, to weight and to mask, and what each way costs."""
        return self.record.plan

    def verification(self, strategy: Strategy) -> Verification:
        """Whether a strategy of the plan helped, as ``bias-audit verify`` measured it.

        Raises AuditFolderError when that was not verified, or the file is damaged or of an unknown version.
        """
        return read_verification(self.folder, strategy)

    def to_frame(self) -> pd.DataFrame:
        """One row per finding, in their order, under its id.

        The columns are cue, words, class, severity, explained_by (the id of its cause, or empty) and sentence, then for
        each kind of evidence its value under the kind's name (prevalence, attention, leakage, effect, gap), the 95 %
        interval in ``<kind>_low`` and ``<kind>_high``, NaN where nothing could be measured, and the number of images in
        ``<kind>_n``.
        """
        causes = consequences(self.record)
        frame = pd.DataFrame(
            {
                "cue": [finding.cue for finding in self.findings],
                "words": [finding.words for finding in self.findings],
                "class": [finding.label for finding in self.findings],
                "severity": [finding.severity for finding in self.findings],
                "explained_by": [causes.get(finding.id, "") for finding in self.findings],
                "sentence": [finding.sentence for finding in self.findings],
            },
            index=pd.Index([finding.id for finding in self.findings], name="finding", dtype=object),
            dtype=object,
        )
        return frame.assign(**dict(_evidence_columns(self.findings, frame.index)))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return as_html(self.record, self.report_path)

    def __repr__(self) -> str:
        numbers = Counter(finding.severity for finding in self.findings)
        counts = [f"{numbers[level]} {level.replace('_', ' ')}" for level in ORDER if numbers[level]]
        return f"<Audit {str(self.path)!r}: {', '.join(counts) or 'no findings'}>"


class _NotesOnly(Silence):
    """Prints notes and no progress, for library use."""

    def note(self, message: str) -> None:
        print(printable(message), file=sys.stderr)


def _evidence_columns(findings: Sequence[Finding], index: pd.Index) -> Iterator[tuple[str, pd.Series]]:
    for kind in Figures.model_fields:
        for figure in _FIGURES:
            values = [getattr(finding.evidence.kinds()[kind], figure) for finding in findings]
            name = kind if figure == "value" else f"{kind}_{figure}"
            yield name, pd.Series(values, index, dtype="int64" if figure == "n" else "float64")


def _path(path: Place) -> Path:
    return from_folder(starting_folder(), Path(path))


def _given(path: Place | None) -> Path | None:
    return None if path is None else _path(path)


def _require_known(names: Mapping[str, object]) -> None:
    """Raise ConfigError for a keyword that is neither a parameter nor a setting, with the nearest of both."""
    parameters = [name for name in inspect.signature(Audit.run).parameters if name != "more"]
    for name in names:
        if name.split(".")[0] not in Config.model_fields:
            message = no_such_setting(name, parameters)
            raise ConfigError(f'{message} A name with a dot goes into settings={{"section.key": value}}.')


def _require_main_process() -> None:
    """A worker begins by running the user's script again: one that audits at once would start workers without end."""
    if getattr(current_process(), "_inheriting", False):
        raise ConfigError("A worker process reached Audit.run: in a script, put it below: if __name__ == '__main__':")
