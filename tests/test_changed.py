"""Photographs that become others under their names: whatever reads them stops, and nothing wrong is left behind."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from audit.config import Config
from audit.data.dataset import load_dataset
from audit.data.extra_images import add_images
from audit.data.photo_file import CHANGED
from audit.errors import ChangedImage
from audit.explain.one_photo import explain_picture
from audit.plan.masked_copy import write_retouched
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder, file_digest, read_json, read_table
from audit.verification.retraining import Retraining
from audit.verification.strategy import BASELINE
from flows.cli import app
from tests.planted import SIDE, draw_dataset, draw_picture, finished_audit, tiny_config

TABLES = ("images", "predictions", "regions", "clusters", "cues", "masking", "evidence")
PER_CLASS = 16


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Drawn photographs, some discs in a black frame, and beside them a folder of others with the same names."""
    root = tmp_path_factory.mktemp("changed")
    for seed, name in enumerate(("photos", "others")):
        draw_dataset(root / name, PER_CLASS, seed=seed)
        for path in sorted((root / name / "disc").iterdir())[:6]:
            Image.fromarray(np.pad(np.asarray(Image.open(path)), ((8, 8), (6, 6), (0, 0)))).save(path)
    return root / "photos"


@pytest.fixture(autouse=True)
def originals(photos) -> Iterator[None]:
    """Every test begins with the photographs as they were drawn, and leaves them so."""
    kept = photos.parent / "kept"
    if not kept.exists():
        shutil.copytree(photos, kept)
    yield
    shutil.copytree(kept, photos, dirs_exist_ok=True)


def settings(photos: Path, keep: bool = False) -> Config:
    """Without a cache of activations, so that every stage that needs photographs reads them."""
    return tiny_config(
        photos / "images.csv",
        model={"arch": "tiny", "image_size": SIDE, "fine_tune": "conv5"},
        compute={"workers": 0, "device": "cpu", "precision": "float32", "cache_gb": 0.0, "keep_detections": keep},
        self_audit={"permutations": 1, "power_images": 20, "kinds": ["border"]},
    )


@contextmanager
def replaced(photos: Path, names: str) -> Iterator[None]:
    """The photographs that a pattern names are those of the other folder inside the block."""
    paths = sorted(photos.glob(names))
    contents = [path.read_bytes() for path in paths]
    for path in paths:
        shutil.copy(photos.parent / "others" / path.relative_to(photos), path)
    yield
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)


def tables(audit: AuditFolder) -> dict[str, str]:
    return {name: file_digest(getattr(audit, name)) for name in TABLES}


@pytest.fixture(scope="module")
def undisturbed(photos, tmp_path_factory) -> AuditFolder:
    return finished_audit(tmp_path_factory.mktemp("undisturbed") / "audit", settings(photos))


opened: set[str] = set()


@pytest.fixture(scope="module")
def readers(photos, tmp_path_factory) -> dict[str, set[str]]:
    """The photographs that each stage opens, as Python itself tells."""
    sys.addaudithook(lambda event, details: opened.add(str(details[0])) if event == "open" else None)
    audit, config, found = AuditFolder(tmp_path_factory.mktemp("watched")), settings(photos), {}
    for stage in STAGES:
        opened.clear()
        run_stage(stage, audit, config)
        found[stage.name] = {str(path) for path in photos.glob("*/*.png")} & opened
    return found


@pytest.mark.parametrize("names", ["*/*.png", "square/015.png"])
def test_every_stage_stops_and_goes_on_rightly_with_the_old_photographs(photos, undisturbed, readers, tmp_path, names):
    """All photographs, or the last one, are others when a stage begins, and the old ones when it is done again."""
    config, audit, stopped = settings(photos, keep=True), AuditFolder(tmp_path / "audit"), []
    for number, stage in enumerate(STAGES):
        if number:
            with replaced(photos, names):
                try:
                    run_stage(stage, audit, config)
                except ChangedImage as error:
                    stopped.append(stage.name)
                    assert Path(error.path) in photos.glob(names) and error.reason == CHANGED
        run_stage(stage, audit, config)
    gone = {str(path) for path in photos.glob(names)}
    assert stopped == [name for name, paths in readers.items() if paths & gone and name != "dataset"]
    assert {"detect", "features", "training", "explain"} <= set(stopped)
    if names == "*/*.png":
        assert {"sanity", "masking", "evidence", "self-audit"} <= set(stopped)
    assert tables(audit) == tables(undisturbed)
    for name in ("findings", "self_audit"):
        assert read_json(getattr(audit, name)) == read_json(getattr(undisturbed, name))


def test_run_again_it_begins_with_the_photographs_as_they_are(photos, tmp_path):
    """As the message says, and as ``run`` does when it resumes: the first stage is done again."""
    config, audit = settings(photos), AuditFolder(tmp_path / "audit")
    before = [stage.name for stage in STAGES].index("masking")
    for stage in STAGES[:before]:
        run_stage(stage, audit, config)
    shutil.copytree(photos.parent / "others", photos, dirs_exist_ok=True)
    with pytest.raises(ChangedImage):
        run_stage(STAGES[before], audit, config)
    audit.stage_record("dataset").unlink()
    fresh = AuditFolder(tmp_path / "fresh")
    for stage in STAGES:
        run_stage(stage, audit, config)
        run_stage(stage, fresh, config)
    assert tables(audit) == tables(fresh)


def test_masking_a_copy_stops_and_names_the_photograph(photos, undisturbed, tmp_path):
    with replaced(photos, "square/003.png"):
        arguments = ["mask", str(undisturbed.path), "--cue", "border", "--out", str(tmp_path / "command"), "-q"]
        done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert f"square/003.png: {CHANGED}; put back the file that was audited, or run the audit again" in done.output
    assert write_retouched(undisturbed, "border", tmp_path / "out")[0] == 2 * PER_CLASS


def test_verifying_stops_before_it_trains_on_another_photograph(photos, undisturbed):
    retraining = Retraining.open(undisturbed, undisturbed, settings(photos))
    with replaced(photos, "disc/007.png"), pytest.raises(ChangedImage, match=r"disc/007\.png"):
        retraining.train(BASELINE, 0)
    assert not list(undisturbed.path.glob("verification/**/*.safetensors"))


def test_new_photographs_are_compared_with_those_that_were_audited(photos, undisturbed, tmp_path):
    """Were the copy check made with the replaced one, a copy of a photograph that tests a model would train it."""
    (tmp_path / "new" / "square").mkdir(parents=True)
    shutil.copy(photos / "square" / "005.png", tmp_path / "new" / "square" / "copy.png")
    draw_picture("square", False, np.random.default_rng(5)).save(tmp_path / "new" / "square" / "new.png")
    place = AuditFolder(tmp_path / "work")
    with replaced(photos, "square/005.png"), pytest.raises(ChangedImage, match=r"square/005\.png"):
        add_images(undisturbed, settings(photos), tmp_path / "new", place)
    assert not place.images.exists()
    (refused,) = add_images(undisturbed, settings(photos), tmp_path / "new", place)
    assert refused.reason.startswith("a copy of square/005.png")


def test_explaining_a_replaced_photograph_stops_and_a_copy_elsewhere_is_that_photograph(photos, undisturbed, tmp_path):
    dataset, table = load_dataset(undisturbed), read_table(undisturbed.predictions)
    image = next(image for image in range(2 * PER_CLASS) if dataset.folds[image] == 1)
    path, copy = dataset.file_of(image).path, tmp_path / "copy.png"
    shutil.copy(path, copy)
    (tmp_path / "link.png").symlink_to(path)
    assert explain_picture(undisturbed, copy).confidence == pytest.approx(table["p_predicted"][image], abs=1e-3)
    with replaced(photos, str(path.relative_to(photos))):
        for name in (path, tmp_path / "link.png", photos / ".." / "photos" / path.relative_to(photos)):
            with pytest.raises(ChangedImage, match="has changed since the audit read it"):
                explain_picture(undisturbed, name)
        assert explain_picture(undisturbed, copy).confidence == pytest.approx(table["p_predicted"][image], abs=1e-3)
        explain_picture(undisturbed, photos.parent / "others" / path.relative_to(photos))


def test_the_embedded_photographs_are_those_that_were_audited(photos, undisturbed):
    command = ["report", str(undisturbed.path)]
    with replaced(photos, "*/*.png"):
        done = CliRunner().invoke(app, command)
    page = undisturbed.report.read_text(encoding="utf-8")
    assert done.exit_code == 0 and "so the report does not show it, nor" in done.output
    assert CHANGED in page and "data:image/jpeg" not in page
    assert CliRunner().invoke(app, command).exit_code == 0
    page = undisturbed.report.read_text(encoding="utf-8")
    assert CHANGED not in page and "data:image/jpeg" in page


def test_a_self_check_of_a_finished_audit_stops(photos, undisturbed, tmp_path):
    audit = AuditFolder(tmp_path / "audit")
    shutil.copytree(undisturbed.path, audit.path)
    command = ["selfcheck", str(audit.path), "--permutations", "1", "--marked", "20", "-q"]
    with replaced(photos, "*/*.png"):
        done = CliRunner().invoke(app, command)
    assert done.exit_code == 2 and CHANGED in done.output
    assert read_json(audit.self_audit) == read_json(undisturbed.self_audit)
