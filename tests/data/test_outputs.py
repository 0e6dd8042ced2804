"""Nothing is written over or among what a command reads, however the place is named."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from typer.testing import CliRunner

from audit.config import dump_config
from audit.store.audit_folder import AuditFolder, write_json, write_records, write_text
from flows.cli import app
from tests.bare_records import bare_finding
from tests.planted import draw_dataset, run_audit, tiny_config

COMMANDS = ("explain", "mask", "demo", "run", "selfcheck", "pick")


class Place:
    """A working folder with photographs, an audit of them, and things that belong to the user."""

    def __init__(self, path: Path) -> None:
        self.path, self.photos, self.audit = path, path / "photos", path / "audits" / "photos-1"
        self.photo = self.photos / "disc" / "000.png"


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Place:
    place = Place(tmp_path_factory.mktemp("outputs"))
    manifest = draw_dataset(place.photos, per_class=12)
    manifest.unlink()
    config = tiny_config(manifest, dataset={"photos": str(place.photos)})
    folder = run_audit(place.audit, config, until="cues")
    write_text(folder.config, dump_config(config))
    write_json(folder.manifest, {})
    for name in ("mine/holiday.png", "mine/why.txt"):
        (place.path / name).parent.mkdir(exist_ok=True)
        shutil.copy(place.photo, place.path / name)
    (place.path / "mine" / "folder.png").mkdir()
    (place.path / "empty").mkdir()
    os.link(place.photo, place.path / "hard.png")
    (place.path / "soft.png").symlink_to(place.photo)
    (place.path / "dangling.png").symlink_to(place.photos / "disc" / "new.png")
    (place.path / "loop.png").symlink_to(place.path / "loop.png")
    (place.path / "PHOTOS").symlink_to(place.photos)
    (place.path / "to-empty").symlink_to(place.path / "empty")
    (place.path / "to-audit").symlink_to(place.audit)
    return place


@pytest.fixture
def place(finished, monkeypatch) -> Place:
    monkeypatch.chdir(finished.path)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    return finished


def content(root: Path) -> dict[str, str]:
    """Everything below a folder: what each link points to, the digest of each file."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file() and path.name != ".lock":
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.is_dir():
            found[name] = "folder"
    return found


def call(command: str, out: str, place: Place):
    """The command, from the working folder, with an output."""
    settings = ["--set", "model.arch=tiny", "--set", "cues=[border]"]
    arguments = {
        "explain": ["photos/disc/000.png", "--audit", str(place.audit), "--out", out],
        "mask": [str(place.audit), "--cue", "border", "--out", out],
        "demo": [out, "--n", "20"],
        "run": ["photos", *settings, "--out", out],
        "selfcheck": ["photos", *settings, "--out", out],
        "pick": [str(place.audit), "empty", "--out", out],
    }
    return CliRunner().invoke(app, [command, *arguments[command]])


# A kind of target: its name, and the commands that must refuse it.
TARGETS = {
    "photos/disc/000.png": COMMANDS,
    "photos/square/003.png": COMMANDS,
    "photos/../photos/disc/000.png": COMMANDS,
    "PHOTOS/disc/000.png": COMMANDS,
    "hard.png": COMMANDS,
    "soft.png": COMMANDS,
    "dangling.png": ("explain", "mask", "run", "selfcheck"),
    "loop.png": ("explain", "mask"),
    "photos/disc/new.png": ("explain", "mask", "run", "selfcheck"),
    "PHOTOS/disc/new.png": ("explain", "mask", "run", "selfcheck"),
    "photos/new/deep/er.png": ("explain", "mask", "run", "selfcheck"),
    "audits/photos-1/manifest.json": COMMANDS,
    "audits/photos-1/model/fold-0.safetensors": COMMANDS,
    "audits/photos-1/new.png": COMMANDS,
    "audits/photos-1/explain/new.png": COMMANDS,
    "to-audit/new.png": COMMANDS,
    "audits/photos-1": COMMANDS,
    "mine/holiday.png": COMMANDS,
    "mine/why.txt": COMMANDS,
    "mine/holiday.png/below.png": COMMANDS,
    "mine/folder.png": ("explain",),
    "mine": ("explain", "mask", "demo"),
    "photos": ("explain", "mask", "demo", "run", "selfcheck"),
    "PHOTOS": ("explain", "mask", "demo", "run", "selfcheck"),
    "to-empty": ("explain", "mask", "demo"),
}


@pytest.mark.parametrize(("target", "command"), [(name, one) for name, them in TARGETS.items() for one in them])
def test_a_place_that_is_not_free_is_refused_in_a_sentence_and_left_as_it_is(target, command, place):
    before = content(place.path)
    done = call(command, target, place)
    assert done.exit_code == 2, done.output
    assert target in done.stderr and len(done.stderr.splitlines()) == 1 and "choose another" in done.stderr
    assert "FOLDER" in done.stderr if command == "demo" else "--out" in done.stderr
    assert content(place.path) == before


@pytest.mark.parametrize("folder", ["weights", "marks", "tables"])
def test_what_the_settings_name_is_kept_too(folder, place, tmp_path):
    """A manifest, boxes and a checkpoint may be called anything, even as pictures are."""
    from audit.config import parse_config
    from audit.data.outputs import Inputs, require_audits_folder, require_picture, write_picture
    from audit.errors import OutputError

    named = tmp_path / folder / "named.png"
    write_picture(Image.new("RGB", (4, 4)), named)
    tree = {
        "weights": {"model": {"checkpoint": str(named), "arch": "resnet18"}},
        "marks": {"own_cues": [{"name": "lesion", "boxes": str(named)}]},
        "tables": {"dataset": {"manifest": str(named)}},
    }[folder]
    os.link(named, tmp_path / "other-name.png")
    for out in (named, tmp_path / "other-name.png"):
        with pytest.raises(OutputError, match="only read"):
            require_picture(out, Inputs.of_settings(parse_config(tree)))
    masks = Inputs.of_settings(parse_config({"own_cues": [{"name": "lesion", "masks": str(named.parent)}]}))
    with pytest.raises(OutputError, match="only read"):
        require_audits_folder(named.parent / "audits", masks)


def test_audits_do_not_go_into_the_image_root_unless_people_work_there(tmp_path):
    from audit.config import parse_config
    from audit.data.outputs import Inputs, require_audits_folder
    from audit.errors import OutputError

    (tmp_path / "photos").mkdir()

    def inputs(root: Path) -> Inputs:
        dataset = {"manifest": str(tmp_path / "images.csv"), "image_root": str(root)}
        return Inputs.of_settings(parse_config({"dataset": dataset}))

    with pytest.raises(OutputError, match="only read"):
        require_audits_folder(tmp_path / "photos" / "audits", inputs(tmp_path / "photos"))
    require_audits_folder(tmp_path / "audits", inputs(tmp_path / "photos"))
    require_audits_folder(tmp_path / "audits", inputs(tmp_path))


def test_an_own_picture_is_replaced_and_a_new_one_gets_its_folder(place, tmp_path):
    out = tmp_path / "deep" / "why.png"
    for _ in range(2):
        done = call("explain", str(out), place)
        assert done.exit_code == 0, done.output
        with Image.open(out) as picture:
            assert picture.info["Software"] == "bias-audit explain"
        written = out.stat().st_mtime_ns
        os.utime(out, (0, 0))
    assert written > 0


def test_a_picture_of_ours_that_was_audited_is_an_input_like_any_other(tmp_path):
    manifest = draw_dataset(tmp_path / "photos", per_class=12)
    photo, mark = tmp_path / "photos" / "disc" / "000.png", PngInfo()
    mark.add_text("Software", "bias-audit explain")
    with Image.open(photo) as picture:
        picture.load()
    picture.save(photo, pnginfo=mark)
    config = tiny_config(manifest)
    folder = run_audit(tmp_path / "audit", config, until="training")
    write_text(folder.config, dump_config(config))
    os.link(photo, tmp_path / "why.png")
    before = photo.read_bytes()
    for out in (photo, tmp_path / "why.png"):
        done = CliRunner().invoke(app, ["explain", str(photo), "--audit", str(folder.path), "--out", str(out)])
        assert done.exit_code == 2 and "only read" in done.stderr
    assert photo.read_bytes() == (tmp_path / "why.png").read_bytes() == before


def test_free_places_are_taken(place):
    assert call("mask", "empty", place).exit_code == 0
    assert sorted(path.name for path in (place.path / "empty").iterdir()) == ["disc", "square"]
    shutil.rmtree(place.path / "empty")
    (place.path / "empty").mkdir()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_may_not_be_written_is_told_before_any_work(command, place, tmp_path, monkeypatch):
    closed, may = tmp_path / "closed", os.access
    closed.mkdir(mode=0o555)
    # The superuser may write anywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed and may(path, mode))
    done = call(command, str(closed / "new.png"), place)
    assert done.exit_code == 2 and f"you may not write in {closed}" in done.stderr
    assert not list(closed.iterdir())


@pytest.mark.parametrize("command", [["report"], ["verify"], ["selfcheck"]])
@pytest.mark.parametrize("link", [".lock", "stages", "verification", "plan"])
def test_a_prepared_audit_does_not_lead_elsewhere(command, link, finished, tmp_path, monkeypatch):
    audit = AuditFolder(tmp_path / "audit")
    shutil.copytree(finished.audit, audit.path)
    write_records(audit.findings, [bare_finding(severity="high")])
    mine = tmp_path / "mine"
    mine.mkdir()
    if link == ".lock":
        (mine / "notes").write_text("mine")
        (audit.path / link).unlink(missing_ok=True)
        (audit.path / link).symlink_to(mine / "notes")
    else:
        if (audit.path / link).exists():
            (audit.path / link).rename(mine / link)
        (mine / link).mkdir(exist_ok=True)
        (audit.path / link).symlink_to(mine / link)
    before = content(mine)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    done = CliRunner().invoke(app, [*command, str(audit.path)])
    assert done.exit_code == 2, done.output
    assert str(audit.path / link) in done.stderr and len(done.stderr.splitlines()) == 1
    assert content(mine) == before
