"""The stage: shards, resume, the pool, errors that name the photograph, and masks on the grid."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from PIL import Image

from audit.config import Config, parse_config
from audit.data.dataset import build as build_dataset
from audit.detection import detect, detections
from audit.detection import workers as looking
from audit.detection.cache import KeptAnswers
from audit.detection.detect import build
from audit.detection.detections import load_detections, shard_path
from audit.detectors.cue import GRID, Sighting
from audit.detectors.marks.border import BorderDetector
from audit.errors import AuditFolderError, ChangedImage, ConfigError, MissingModelFile, StageError
from audit.progress import reporting_to
from audit.store.audit_folder import AuditFolder, file_digest, read_json
from audit.store.shards import ShardStore

_PER_CLASS = 12


@pytest.fixture
def photos(tmp_path):
    """Two classes of smooth noise; every other picture of the first has a black bar of a tenth at its top."""
    for label in ("with", "without"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for i in range(_PER_CLASS):
            seed = i + 100 * (label == "without")
            small = np.random.default_rng(seed).integers(60, 256, (6, 8, 3), np.uint8)
            pixels = np.array(Image.fromarray(small).resize((80, 60), Image.Resampling.BICUBIC))
            if label == "with" and i % 2 == 0:
                pixels[:6] = 0
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{i:02}.png")
    return tmp_path / "photos"


def _config(photos, **tree) -> Config:
    given_ = {"cues": ["border"], "dataset": {"photos": str(photos)}, "compute": {"workers": 0}}
    given_["compute"] |= {"keep_detections": False}
    return parse_config(given_ | tree)


@pytest.fixture
def audit(photos, tmp_path):
    """A folder whose dataset stage is done, and its settings."""
    folder, config = AuditFolder(tmp_path / "audit"), _config(photos)
    build_dataset(folder, config)
    return folder, config


@pytest.fixture
def small_shards(monkeypatch):
    for module in (detect, detections):
        monkeypatch.setattr(module, "DETECTIONS_PER_SHARD", 5)


def _digests(folder):
    return {path.name: file_digest(path) for path in folder.detections.iterdir()}


def test_planted_bars_are_found_and_only_they(audit):
    folder, config = audit
    paths = build(folder, config)
    assert [path.name for path in paths] == ["detectors.json", "shard-00000.safetensors"]
    found = load_detections(folder)
    assert [cue.name for cue in found.cues] == ["border"] and found.cues[0].role == "mark"
    expected = np.array([i < _PER_CLASS and i % 2 == 0 for i in range(2 * _PER_CLASS)])
    np.testing.assert_array_equal(found.present[:, 0], expected)
    np.testing.assert_allclose(found.area[expected, 0], 0.1, atol=1e-6)
    assert not found.area[~expected].any() and not found.score[~expected].any()
    masks = found.masks(np.array([1, 0]))
    assert masks.shape == (2, 1, GRID, GRID) and not masks[0].any()
    assert masks[1, 0, :5].all() and not masks[1, 0, 6:].any()


def test_masks_come_from_the_right_shards_in_the_order_asked_for(audit, small_shards):
    folder, config = audit
    assert len(build(folder, config)) == 1 + 5
    found = load_detections(folder)
    asked = np.array([22, 4, 3, 10, 0])
    np.testing.assert_array_equal(found.masks(asked).any((1, 2, 3)), found.present[asked, 0])
    assert found.present.shape == (24, 1) and found.masks(np.array([], int)).shape == (0, 1, GRID, GRID)


def test_a_second_run_goes_on_at_the_missing_shard(audit, small_shards, monkeypatch):
    folder, config = audit
    build(folder, config)
    before = _digests(folder)
    shard_path(folder, 2).unlink()
    (folder.detections / "detectors.json").unlink()
    seen = []
    look = BorderDetector.detect
    monkeypatch.setattr(BorderDetector, "detect", lambda self, photo: seen.append(1) or look(self, photo))
    build(folder, config)
    assert len(seen) == 5 and _digests(folder) == before


def test_another_version_or_dataset_drops_the_old_shards(audit, small_shards, monkeypatch, photos):
    folder, config = audit
    build(folder, config)
    monkeypatch.setattr(BorderDetector, "version", 99)
    seen = []
    look = BorderDetector.detect
    monkeypatch.setattr(BorderDetector, "detect", lambda self, photo: seen.append(1) or look(self, photo))
    build(folder, config)
    assert len(seen) == 24 and read_json(folder.detections / "detectors.json")["versions"] == {"border": 99}
    for i in range(9, _PER_CLASS):
        (photos / "without" / f"{i:02}.png").unlink()
    more = _config(photos, dataset={"photos": str(photos), "min_images_per_class": 5})
    build_dataset(folder, more)
    assert len(build(folder, more)) == 1 + 5 and len(load_detections(folder).present) == 21


def test_workers_find_the_same_and_leave_nothing_behind(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(looking, "IMAGES_PER_WORKER", 4)
    digests = []
    for workers in (0, 2):
        folder = AuditFolder(tmp_path / f"audit-{workers}")
        config = _config(photos, compute={"workers": workers})
        build_dataset(folder, config)
        build(folder, config)
        digests.append(_digests(folder))
    assert digests[0] == digests[1]
    assert not _children(os.getpid())


def _children(process: int) -> list[int]:
    with open(f"/proc/{process}/task/{process}/children") as listing:  # noqa: PTH123 - a proc file
        return [int(child) for child in listing.read().split() if b"spawn_main" in _command(child)]


def _command(process: str) -> bytes:
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:  # noqa: PTH123 - a proc file
            return file.read()
    except FileNotFoundError:
        return b""


_SLOW_RUN = """
import sys, time
from audit.detection import detect, workers
from audit.detection.cache import KeptAnswers
from audit.detectors.marks.border import BorderDetector

class Slow(BorderDetector):
    def detect(self, photo):
        time.sleep(0.2)
        return super().detect(photo)

BorderDetector.detect = Slow.detect
workers.IMAGES_PER_WORKER = 4

if __name__ == "__main__":
    from audit.config import parse_config
    from audit.store.audit_folder import AuditFolder
    compute = {"workers": 2, "keep_detections": False}
    tree = {"cues": ["border"], "dataset": {"photos": sys.argv[2]}, "compute": compute}
    detect.build(AuditFolder(__import__("pathlib").Path(sys.argv[1])), parse_config(tree))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for child processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_ends_soon_with_its_workers(audit, photos, tmp_path, how):
    script = tmp_path / "slow.py"
    script.write_text(textwrap.dedent(_SLOW_RUN))
    with subprocess.Popen(
        [sys.executable, script, audit[0].path, photos], stderr=subprocess.PIPE, start_new_session=True
    ) as run:
        workers = _wait_for(lambda: found if len(found := _children(run.pid)) == 2 else None)
        run.send_signal(how)
        run.communicate(timeout=15)
    assert run.returncode != 0
    _wait_for(lambda: not any(b"spawn_main" in _command(str(worker)) for worker in workers))
    assert not list(audit[0].detections.glob("shard-*"))


def _wait_for(condition, seconds=15.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.05)
    pytest.fail(f"nothing happened within {seconds} s")


def test_a_failing_detector_names_itself_and_the_photograph(audit, monkeypatch):
    def fail(self, photo):
        raise ZeroDivisionError("of course")

    monkeypatch.setattr(BorderDetector, "detect", fail)
    with pytest.raises(StageError, match=r"with/00\.png: the detector 'border' failed.*of course"):
        build(*audit)
    assert not list(audit[0].detections.glob("shard-*"))


def test_a_photograph_that_has_gone_bad_is_named(audit, photos):
    (photos / "without" / "03.png").write_bytes(b"no longer a picture")
    with pytest.raises(ChangedImage, match=r"without/03\.png: the file has changed since .* run the audit again"):
        build(*audit)


@pytest.mark.parametrize("workers", [0, 2])
def test_nothing_is_kept_of_a_photograph_that_was_replaced(photos, tmp_path, monkeypatch, small_shards, workers):
    """The last photograph becomes another one after the dataset was read; later it is the old one again."""
    monkeypatch.setattr(looking, "IMAGES_PER_WORKER", 4)
    folder, config = AuditFolder(tmp_path / "audit"), _config(photos, compute={"workers": workers})
    build_dataset(folder, config)
    last, framed = photos / "without" / "11.png", (photos / "with" / "00.png").read_bytes()
    original = last.read_bytes()
    last.write_bytes(framed)
    with pytest.raises(ChangedImage, match=r"without/11\.png"):
        build(folder, config)
    last.write_bytes(original)
    later = AuditFolder(tmp_path / "later")
    build_dataset(later, config)
    build(later, config)
    build(folder, config)
    for found in (load_detections(later), load_detections(folder)):
        assert found.present[:, 0].tolist() == [i < _PER_CLASS and i % 2 == 0 for i in range(24)]


@pytest.mark.parametrize("moment", [3, 30])
def test_answers_that_get_lost_in_the_middle_are_asked_for_again(
    photos, tmp_path, monkeypatch, small_shards, moment, own_answers
):
    """The store is damaged while the work is planned (call 3) or done (call 30); each photograph is known before."""
    config = _config(photos, compute={"workers": 0})
    folders = [AuditFolder(tmp_path / name) for name in ("first", "second")]
    for folder in folders:
        build_dataset(folder, config)
    build(folders[0], config)
    calls, get = [], KeptAnswers.get

    def damaged_at_the_moment(kept, photo, key):
        calls.append(photo)
        if len(calls) == moment:
            own_answers.write_bytes(b"nothing that SQLite knows" * 1000)
        return get(kept, photo, key)

    monkeypatch.setattr(KeptAnswers, "get", damaged_at_the_moment)
    build(folders[1], config)
    assert len(calls) >= 48 and _digests(folders[0]) == _digests(folders[1])
    assert len(list(own_answers.parent.glob("*.damaged-*"))) == 1


def test_missing_model_files_and_unknown_cues_are_said_before_any_work(audit, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(ShardStore, "discard_others", lambda *_: pytest.fail("work was begun"))
    tree = {"workers": 0, "models": str(tmp_path / "nothing")}
    with pytest.raises(MissingModelFile, match=r"run `bias-audit fetch --set compute.models=.*nothing`"):
        build(audit[0], _config(photos, cues=["border", "face"], compute=tree))
    with pytest.raises(ConfigError, match="the nearest is 'border'"):
        build(audit[0], _config(photos, cues=["boarder"]))


def test_no_cues_at_all_is_no_error(audit, photos):
    build(audit[0], _config(photos, cues=[]))
    found = load_detections(audit[0])
    assert found.present.shape == (24, 0) and found.masks(np.arange(3)).shape == (3, 0, GRID, GRID)


def test_damaged_shards_are_said(audit):
    folder, config = audit
    build(folder, config)
    shard_path(folder, 0).write_bytes(b"damaged")
    with pytest.raises(AuditFolderError, match=r"shard-00000\.safetensors: damaged"):
        load_detections(folder)


def test_progress_counts_what_was_there_already(audit, small_shards):
    folder, config = audit
    build(folder, config)
    shard_path(folder, 0).unlink()

    class Recorder:
        total, done = 0, 0

        def started(self, task, total, unit):
            assert (task, unit) == ("looking for cues", "images")
            self.total = total

        def advanced(self, count):
            self.done += count

        def finished(self): ...
        def note(self, message): ...

    recorder = Recorder()
    with reporting_to(recorder):
        build(folder, config)
    assert recorder.total == recorder.done == 24


def test_the_list_of_detectors_is_as_documented(audit):
    build(*audit)
    listed = json.loads((audit[0].detections / "detectors.json").read_text())
    cue = {"name": "border", "words": "a border or frame", "role": "mark", "kind": "detector", "within": ""}
    columns = {"grid": 56, "cues": [cue], "columns": ["border"], "attributes": []}
    assert listed == columns | {"versions": {"border": BorderDetector.version}, "not_looked_for": {}}


def test_lines_of_text_are_kept_with_their_image(audit, small_shards, monkeypatch):
    look = BorderDetector.detect

    def read(self, photo):
        (sighting,) = look(self, photo).values()
        text = (photo.path, "© é") if sighting.present else ()
        return {"border": Sighting(sighting.present, sighting.score, sighting.mask, text)}

    monkeypatch.setattr(BorderDetector, "detect", read)
    build(*audit)
    read_lines = load_detections(audit[0]).text()
    assert list(read_lines.columns) == ["image", "cue", "text"] and set(read_lines["cue"]) == {"border"}
    expected = [line for i in range(0, _PER_CLASS, 2) for line in ((i, f"with/{i:02}.png"), (i, "© é"))]
    assert list(zip(read_lines["image"], read_lines["text"], strict=True)) == expected


def test_photographs_seen_before_are_not_looked_at_again(audit, photos, tmp_path, monkeypatch, small_shards):
    keeping = _config(photos, compute={"workers": 0})
    build(audit[0], keeping)
    before = _digests(audit[0])
    seen = []
    look = BorderDetector.detect
    monkeypatch.setattr(BorderDetector, "detect", lambda self, photo: seen.append(photo.path) or look(self, photo))
    (photos / "with" / "00.png").rename(photos / "with" / "00-renamed.png")
    small = np.random.default_rng(999).integers(60, 256, (6, 8, 3), np.uint8)
    Image.fromarray(small).resize((80, 60), Image.Resampling.BICUBIC).save(photos / "with" / "new.png")
    later = AuditFolder(tmp_path / "later")
    build_dataset(later, keeping)
    build(later, keeping)
    assert seen == ["with/new.png"]
    found = load_detections(later)
    assert found.present[0, 0] and found.masks(np.array([0]))[0, 0, :5].all()
    assert len(before) == len(_digests(later))
    monkeypatch.setattr(BorderDetector, "version", 99)
    again = AuditFolder(tmp_path / "again")
    build_dataset(again, keeping)
    build(again, keeping)
    assert len(seen) == 1 + 25
