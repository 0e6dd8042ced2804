"""An audit's photographs once more without a cue: all of them, in class folders, whatever they are called."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from audit.config import dump_config
from audit.cues.cue_table import load_cues
from audit.cues.file_words import remedy
from audit.data.dataset import load_dataset
from audit.detectors.cue import Cue
from audit.detectors.marks.border import find_border
from audit.errors import AuditFolderError, ConfigError, OutputError
from audit.plan.masked_copy import Paths, why_not, write_retouched
from audit.progress import Silence, reporting_to
from audit.store.audit_folder import AuditFolder, write_json, write_text
from flows.cli import app
from tests.planted import draw_dataset, run_audit, tiny_config


@pytest.fixture(scope="module")
def audit(tmp_path_factory) -> AuditFolder:
    """Pictures of which every disc has a black frame."""
    root = tmp_path_factory.mktemp("retouched")
    config = tiny_config(draw_dataset(root / "drawn", per_class=12))
    for path in (root / "drawn" / "disc").iterdir():
        inside = np.asarray(Image.open(path))
        Image.fromarray(np.pad(inside, ((8, 8), (6, 6), (0, 0)))).save(path)
    folder = run_audit(root / "audit", config, until="cues")
    write_text(folder.config, dump_config(config))
    write_json(folder.manifest, {})
    return folder


def has_border(path) -> bool:
    return any(run.lines for run in find_border(np.asarray(Image.open(path).convert("RGB"))))


def test_every_photograph_is_written_and_no_border_is_left(audit, tmp_path):
    dataset = load_dataset(audit)
    assert sum(has_border(dataset.file_of(image).path) for image in range(24)) == 12
    assert write_retouched(audit, "border", tmp_path / "out") == (24, 12)
    written = sorted((tmp_path / "out").rglob("*.*"))
    assert [path.relative_to(tmp_path / "out").with_suffix(".png").as_posix() for path in written] == sorted(
        dataset.images["path"]
    )
    assert not any(map(has_border, written))
    for path in written:
        with Image.open(path) as picture:
            assert picture.format == "JPEG" and not picture.getexif()
            assert max(picture.size) <= 64 and min(picture.size) >= 58


def test_the_command_says_what_it_did(audit, tmp_path):
    done = CliRunner().invoke(app, ["mask", str(audit.path), "--cue", "border", "--out", str(tmp_path / "out"), "-q"])
    assert done.exit_code == 0, done.output
    assert "24 photographs written, 12 of them changed" in done.output


@pytest.mark.parametrize(("cue", "words"), [("sticker", "a column of the table"), ("boarder", "nearest is 'border'")])
def test_what_cannot_be_masked_is_said(audit, tmp_path, cue, words):
    with pytest.raises(ConfigError, match=words):
        write_retouched(audit, cue, tmp_path / "out", irrelevant=True)
    assert not (tmp_path / "out").exists()


def test_other_cues_must_be_declared_irrelevant():
    assert "--irrelevant" in why_not(Cue("face", "the face", "part"))
    assert "--cue face" in why_not(Cue("face look 1", "one look of the face", "part", "appearance", "face"))
    for name, role in (("file.format=PNG", "file"), ("file.name=IMG_#", "origin"), ("file.together", "file")):
        assert why_not(Cue(name, "it", role, "file")).endswith(remedy(name))


def test_a_cluster_is_masked_where_the_audit_saw_it(audit, tmp_path):
    clusters = [cue for cue in load_cues(audit).cues if cue.kind == "cluster"]
    for cue in clusters[:1]:
        written, changed = write_retouched(audit, cue.name, tmp_path / "out", irrelevant=True)
        assert written == 24 and changed == load_cues(audit).present(cue).sum()


def test_nothing_is_written_over_or_among_the_photographs(audit, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.txt").write_text("mine")
    for out in (tmp_path / "here", tmp_path / "here" / "mine.txt", load_dataset(audit).root / "masked"):
        with pytest.raises(OutputError, match="--out"):
            write_retouched(audit, "border", out)
    assert (tmp_path / "here" / "mine.txt").read_text() == "mine"


def test_a_copy_has_its_name_only_when_it_is_whole(audit, tmp_path):
    existed = []

    class Watching(Silence):
        def advanced(self, count: int) -> None:
            existed.append((tmp_path / "out").exists())

    with reporting_to(Watching()):
        write_retouched(audit, "border", tmp_path / "out")
    assert len(existed) == 24 and not any(existed)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_interrupted_copy_leaves_nothing(audit, tmp_path):
    class Impatient(Silence):
        def advanced(self, count: int) -> None:
            raise KeyboardInterrupt

    (tmp_path / "out").mkdir()
    with pytest.raises(KeyboardInterrupt), reporting_to(Impatient()):
        write_retouched(audit, "border", tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_an_unfinished_audit_is_refused(tmp_path):
    with pytest.raises(AuditFolderError, match="no finished audit"):
        write_retouched(AuditFolder(tmp_path), "border", tmp_path / "out")


def test_hostile_names_stay_inside_and_apart(tmp_path):
    paths = Paths(tmp_path)
    names = [
        ("nurse/1.jpg", "nurse"),
        ("nurse/1.png", "nurse"),
        ("1.jpg", "nurse"),
        ("a/b.jpg", "../../etc"),
        ("a/b.jpg", "/etc"),
        ("..", ".."),
        ("x\x1b[2J.jpg", "=cmd"),
        ("N" * 300 + ".jpg", "Nurse"),
    ]
    written = [paths.of(path, label) for path, label in names]
    assert len({str(path).casefold() for path in written}) == len(names)
    assert all(path.parent.parent == tmp_path and path.suffix == ".jpg" for path in written)
    assert all(len(path.name) < 140 and path.name.isprintable() and path.name[0].isalnum() for path in written)
    assert len({path.parent for path in written[:3]}) == 1 and len({path.parent for path in written}) == 6
