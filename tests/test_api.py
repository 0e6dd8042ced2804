"""The public Python API: the same audit as on the command line, run and read without leaving Python."""

import asyncio
import gc
import json
import math
import multiprocessing
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from audit import Audit, stages
from audit.config import dump_config, load_config
from audit.errors import AuditFolderError, ConfigError, DatasetError
from audit.progress import Silence, reporting_to
from audit.run import run_here
from audit.run.open_audit import find_unfinished
from audit.stages import Stage, all_stages
from audit.store.audit_folder import AuditFolder, write_json, write_record, write_text
from flows.audit import manifest_task, stage_task
from flows.commands.arguments import settings_of
from tests.bare_records import bare_figures, bare_finding, bare_record
from tests.planted import SIDE, draw_dataset

SETTINGS = {
    "model": {"arch": "tiny", "image_size": SIDE},
    "training": {"folds": 2, "epochs": 4, "batch_size": 16, "head_learning_rate": 0.01},
    "compute": {"workers": 0, "device": "cpu", "precision": "float32"},
    "evidence": {"resamples": 100, "permutations": 20, "effect_images": 8},
    "cues": ["border"],
    "self_audit": {"permutations": 0, "power_images": 0},
}
SET = [f"{section}={json.dumps(value)}" for section, value in SETTINGS.items()] + ["model.fine_tune=head"]
HOSTILE = "<script>alert(1)</script>\"'&\u202e"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("drawn"), per_class=24)


@pytest.fixture(scope="module")
def audit(manifest, tmp_path_factory):
    """The audit that all tests read: interrupted by Ctrl-C while it looks for clusters, then run again."""
    out, ran, load = tmp_path_factory.mktemp("audits"), [], Stage.load

    def watched(stage):
        ran.append(stage.name)
        if stage.name == "clusters" and "again" not in ran:
            raise KeyboardInterrupt
        return load(stage)

    def run():
        return Audit.run(manifest=manifest, out=out, fine_tune="head", settings=SETTINGS)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stage, "load", watched)
        with pytest.raises(KeyboardInterrupt):
            run()
        by_command = settings_of(None, manifest, None, None, SET)
        left = find_unfinished(by_command, out)
        ran.append("again")
        done = run()
    assert left is not None and left == done.folder, "the command would not go on with it"
    names = [stage.name for stage in all_stages()]
    where = names.index("clusters")
    assert ran == [*names[: where + 1], "again", "dataset", *names[where:]]
    return done


@pytest.fixture
def standins(tmp_path, monkeypatch):
    """A folder to audit with stages that take no time, named relative to where the user stands."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import standin_stages

    monkeypatch.setattr(stages, "STAGES", standin_stages.STAGES)
    monkeypatch.setattr(stages, "REPORT", standin_stages.REPORT)
    monkeypatch.setattr(run_here, "require_ready", lambda config: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    return tmp_path


def kept(folder, *findings):
    """A finished audit with these findings."""
    write_record(folder.record, bare_record("made", "2026-01-02T03:04:05+00:00", findings))
    write_json(folder.manifest, {})
    return Audit.open(folder.path)


def test_it_is_the_audit_that_the_flow_makes(audit, manifest, tmp_path):
    flow = AuditFolder(tmp_path / "flow")
    write_text(flow.config, dump_config(settings_of(None, manifest, None, None, SET)))
    for stage in all_stages():
        stage_task.fn(stage.name, flow.path)
    manifest_task.fn(flow.path)
    assert flow.config.read_bytes() == audit.folder.config.read_bytes()
    for name in ("findings", "evidence", "predictions"):
        assert getattr(flow, name).read_bytes() == getattr(audit.folder, name).read_bytes(), name
    files = [{path.relative_to(root).as_posix() for path in root.rglob("*")} for root in (flow.path, audit.path)]
    assert files[1] - files[0] == {".lock"} and files[0] <= files[1]


def test_what_it_tells_is_what_its_files_hold(audit):
    record = json.loads(audit.folder.record.read_text())
    findings = json.loads(audit.folder.findings.read_text())
    assert [finding.tree() for finding in audit.findings] == findings == record["findings"]
    assert audit.findings
    assert audit.plan.tree() == record["plan"]
    assert audit.report_path.read_text().startswith("<!doctype html>")
    assert audit.path == audit.report_path.parent and audit.path.is_absolute()
    assert Audit.open(str(audit.path)) == audit and hash(Audit.open(audit.path)) == hash(audit)


def test_the_frame_holds_the_values_of_audit_json(audit):
    frame = audit.to_frame()
    findings = json.loads(audit.folder.record.read_text())["findings"]
    assert len(frame.columns) == 6 + 5 * 4
    assert frame.index.tolist() == [finding["id"] for finding in findings]
    for (_, row), finding in zip(frame.iterrows(), findings, strict=True):
        assert {
            name: row[name] for name in ("cue", "words", "class", "severity", "sentence")
        }.items() <= finding.items()
        for kind, figure in finding["evidence"].items():
            told = {"value": row[kind], **{part: row[f"{kind}_{part}"] for part in ("low", "high", "n")}}
            assert {part: None if math.isnan(value) else value for part, value in told.items()} == {
                part: figure[part] for part in told
            }
    assert frame["prevalence"].notna().any() and frame["effect"].dtype == "float64"


def test_no_findings_are_an_empty_frame_with_the_same_columns(audit, tmp_path):
    empty = kept(AuditFolder(tmp_path / "made"))
    pd.testing.assert_frame_equal(empty.to_frame(), audit.to_frame().iloc[:0])
    assert "no findings" in repr(empty)
    assert "Nothing can be told" in empty._repr_html_()


def test_a_cell_of_a_notebook_runs_an_audit(standins, capfd):
    here = Path.cwd()

    async def cell():
        return Audit.run("photos", seed=3, training={"epochs": 2})

    audit = asyncio.run(cell())
    gc.collect()
    assert audit.path.parent == here / "audits" and here == Path.cwd()
    assert (audit.path / "work.txt").read_text() == "2\n"
    assert load_config(audit.folder.config).seed == 3
    assert load_config(audit.folder.config).dataset.photos == here / "photos"
    assert capfd.readouterr() == ("", "work began\n")


def test_the_process_never_leaves_the_user_s_folder(standins, monkeypatch):
    monkeypatch.setattr(os, "chdir", lambda _: pytest.fail("left the user's folder"))
    assert Audit.run("photos", out="elsewhere").path.parent == standins / "elsewhere"


def test_only_notes_are_printed_unless_somebody_listens(standins, monkeypatch, capfd):
    monkeypatch.setenv("STANDIN", "broken")
    with pytest.raises(Exception, match="wrong colour"):
        Audit.run("photos")
    monkeypatch.delenv("STANDIN")
    capfd.readouterr()

    class Listener(Silence):
        def __init__(self):
            self.heard = []

        def started(self, task, total, unit):
            self.heard.append(task)

    (folder,) = (standins / "audits").iterdir()
    (folder / "error.log").write_text("what the command line left of this failure")
    Audit.run("photos")
    assert not (folder / "error.log").exists()
    out, told = capfd.readouterr()
    assert out == "" and told == f"Resuming {folder} (finished stages: dataset)\nwork began\n"
    listener = Listener()
    with reporting_to(listener):
        Audit.run("photos")
    assert capfd.readouterr() == ("", "work began\n")
    assert listener.heard == [stage.name for stage in all_stages()]


def test_a_finished_audit_or_a_fresh_one_is_a_new_folder(standins, monkeypatch):
    first = Audit.run("photos")
    monkeypatch.setenv("STANDIN", "broken")
    with pytest.raises(Exception, match="wrong colour"):
        Audit.run("photos")
    monkeypatch.delenv("STANDIN")
    assert len({first.path, Audit.run("photos", fresh=True).path, *(standins / "audits").iterdir()}) == 3


def test_refused_photographs_leave_no_folder(standins):
    with pytest.raises(DatasetError, match="no such folder"):
        Audit.run("nowhere")
    assert list((standins / "audits").iterdir()) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"fine_tun": "head"}, r"^fine_tun: .* nearest is 'fine_tune'"),
        ({"folds": 5}, r"^folds: .* nearest is 'training\.folds'.* settings="),
        ({"settings": {"training.fold": 5}}, r"^training\.fold: .* nearest is 'training\.folds'\.$"),
        ({"settings": {"training": {"fold": 5}}}, r"^training\.fold: .* nearest is 'training\.folds'\.$"),
        ({"settings": {"seed": 3, "seed.folds": 5}}, r"^seed\.folds: 'seed' is not a section"),
        ({"fine_tune": "hand"}, r"^model\.fine_tune: .*'head'"),
        ({"expected_cues": "hair"}, r"^expected_cues: .* list"),
        ({"photos": None}, "No photographs"),
    ],
)
def test_a_wrong_setting_is_told_with_the_nearest_right_one(standins, given, told):
    with pytest.raises(ConfigError, match=told):
        Audit.run(**{"photos": "photos", **given})
    assert not (standins / "audits").exists()


def test_keywords_win_over_the_file_key_by_key_and_stay_the_caller_s(standins):
    Path("mine.yaml").write_text("training: {epochs: 7, folds: 4}\ndataset: {manifest: other.csv}\nseed: 1\n")
    training = {"epochs": 2}
    settings = {"training": training, "training.patience": 1}
    audit = Audit.run("photos", config="mine.yaml", settings=settings, expected_cues=("hair",), fine_tune="all")
    config = load_config(audit.folder.config)
    assert (config.training.epochs, config.training.folds, config.training.patience) == (2, 4, 1)
    assert (config.seed, config.expected_cues, config.model.fine_tune) == (1, ["hair"], "all")
    assert config.dataset.manifest is None
    assert training == {"epochs": 2}


def test_an_unfinished_folder_says_what_to_do(tmp_path):
    with pytest.raises(
        AuditFolderError, match=r"no finished audit .* finish it with 'bias-audit run', or .* Audit\.run"
    ):
        Audit.open(tmp_path)


def test_an_audit_is_opened_from_where_the_user_stands(tmp_path, monkeypatch):
    made = kept(AuditFolder(tmp_path / "made"), bare_finding())
    monkeypatch.chdir(tmp_path)
    assert Audit.open("made") == made
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Audit.open("~/made") == made


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_a_notebook_shows_the_verdict_and_escapes_what_strangers_named(tmp_path, monkeypatch):
    said = {"words": f"the {HOSTILE}", "sentence": f"About {HOSTILE}.", "severity": "high"}
    audit = kept(AuditFolder(tmp_path / 'a"b<i>'), bare_finding(label=HOSTILE, evidence=bare_figures(), **said))
    page = Page(audit._repr_html_())
    plain = HOSTILE.replace("\u202e", "\\u202e")
    assert {tag for tag, _ in page.elements} == {
        *("div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "code", "a")
    }
    assert {name for _, attributes in page.elements for name in attributes} == {"style", "href", "target", "rel"}
    assert {"High", plain, f"the {plain}", f"About {plain}."} <= set(page.text)
    assert any(text.endswith(": a shortcut that this model would learn.") for text in page.text)
    (link,) = (attributes["href"] for tag, attributes in page.elements if tag == "a")
    assert link == audit.report_path.as_uri()
    monkeypatch.chdir(tmp_path)
    (link,) = (attributes["href"] for tag, attributes in Page(audit._repr_html_()).elements if tag == "a")
    assert link == "./a%22b%3Ci%3E/report.html"


def test_a_notebook_says_first_that_the_maps_are_not_to_be_trusted(tmp_path):
    folder = AuditFolder(tmp_path / "made")
    kept(folder, bare_finding())
    record = json.loads(folder.record.read_text())
    record["sanity"] |= {"trusted": False, "sentence": "The maps failed."}
    write_json(folder.record, record)
    texts = Page(Audit.open(folder.path)._repr_html_()).text
    (headline,) = (text for text in texts if text.endswith(": a possible shortcut."))
    assert texts.index("The maps failed.") < texts.index(headline)


def test_many_findings_are_shown_in_part_and_counted(tmp_path):
    findings = [bare_finding(id=f"F{number}", cue=f"cue{number}") for number in range(1, 31)]
    audit = kept(AuditFolder(tmp_path / "made"), *findings)
    page = Page(audit._repr_html_())
    assert sum(tag == "tr" for tag, _ in page.elements) == 1 + 12
    assert "All 30 findings with their figures: " in page.text
    assert repr(audit) == f"<Audit {str(audit.path)!r}: 30 medium>"


def test_a_worker_that_runs_the_user_s_script_again_is_told(standins, monkeypatch):
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(ConfigError, match="if __name__ == '__main__'"):
        Audit.run("photos")


def test_asking_for_the_errors_alone_imports_nothing_heavy():
    code = "import sys, audit.errors; print({'torch', 'pandas', 'numpy', 'pydantic', 'prefect'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_package_names_what_it_offers():
    import audit as package

    assert {"Audit", "__version__"} <= set(dir(package))
    with pytest.raises(AttributeError, match="has no attribute 'Odit'"):
        _ = package.Odit
