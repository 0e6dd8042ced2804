"""Kept answers: what goes in comes out, by photograph and detector; damage costs time, never an audit."""

import shutil
import sqlite3
import stat
from pathlib import Path

import numpy as np
import pytest

from audit.config import parse_config
from audit.detection import cache_file
from audit.detection.cache import Answer, detector_key, kept_answers
from audit.detectors.cue import ABSENT, GRID, Sighting
from audit.detectors.marks.border import BorderDetector
from audit.detectors.mask_grid import unpack_masks
from audit.detectors.parts.face import FaceDetector
from audit.progress import reporting_to
from tests.notes import Notes

KEEPING = parse_config({"compute": {"keep_detections": True}})


@pytest.fixture
def answer():
    mask = np.zeros((112, 112), bool)
    mask[:56] = True
    return Answer.of([Sighting(True, 0.75, mask, ("© agency", 'a"b')), ABSENT])


def _same(first, second):
    assert first.text == second.text and first.tensors.keys() == second.tensors.keys()
    for name, tensor in first.tensors.items():
        np.testing.assert_array_equal(second.tensors[name], tensor)
        assert second.tensors[name].dtype == tensor.dtype


def test_sightings_become_an_answer(answer):
    assert answer.tensors["present"].tolist() == [1, 0] and answer.tensors["area"].tolist() == [0.5, 0.0]
    masks = unpack_masks(answer.tensors["masks"])
    assert masks.shape == (2, GRID, GRID) and masks[0, : GRID // 2].all() and not masks[0, GRID // 2 :].any()


def test_bytes_and_back(answer):
    _same(answer, Answer.from_bytes(answer.to_bytes()))
    with pytest.raises(ValueError, match="damaged answer"):
        Answer.from_bytes(b"damaged")
    with pytest.raises(ValueError, match="damaged answer"):
        Answer.from_bytes(answer.to_bytes()[:-9])


def test_answers_are_told_apart_by_photograph_and_detector(answer, own_answers):
    with kept_answers(KEEPING) as kept:
        kept.keep("photo", [("border", answer)])
    with kept_answers(KEEPING) as kept:
        _same(answer, kept.get("photo", "border"))
        assert kept.get("photo", "face") is None and kept.get("other", "border") is None
    assert stat.S_IMODE(own_answers.stat().st_mode) == 0o600


def test_two_audits_at_once(answer):
    with kept_answers(KEEPING) as first, kept_answers(KEEPING) as second:
        first.keep("photo", [("border", answer)])
        second.keep("photo", [("border", answer)])
        first.flush()
        second.flush()
        assert first.get("photo", "border") and second.get("photo", "border")


def test_nothing_is_kept_unless_wanted(answer, own_answers):
    with kept_answers(parse_config({"compute": {"keep_detections": False}})) as kept:
        kept.keep("photo", [("border", answer)])
        kept.flush()
        assert kept.get("photo", "border") is None
    assert not own_answers.exists()


def test_a_damaged_file_is_put_aside(answer, own_answers):
    own_answers.parent.mkdir()
    own_answers.write_bytes(b"not a database" * 100)
    notes = Notes()
    with reporting_to(notes), kept_answers(KEEPING) as kept:
        kept.keep("photo", [("border", answer)])
    aside = own_answers.with_name("detections.damaged-1.sqlite")
    assert aside.read_bytes() == b"not a database" * 100
    assert notes.said == [f"{own_answers}: damaged, so it was put aside as {aside.name} and begun anew."]
    with kept_answers(KEEPING) as kept:
        assert kept.get("photo", "border")


def test_a_place_that_cannot_be_written_is_said(answer, own_answers):
    own_answers.mkdir(parents=True)
    notes = Notes()
    with reporting_to(notes), kept_answers(KEEPING) as kept:
        kept.keep("photo", [("border", answer)])
        assert kept.get("photo", "border") is None
    assert "cannot be used" in notes.said[0] and "looked at anew" in notes.said[0]


def test_a_damaged_answer_is_as_good_as_none(answer, own_answers):
    with kept_answers(KEEPING) as kept:
        for damaged in (b"\0", answer.to_bytes(), None, "text", 7):
            with sqlite3.connect(own_answers) as database:
                database.execute("INSERT OR REPLACE INTO answers VALUES ('photo', 'border', ?)", (damaged,))
            database.close()
            assert kept.get("photo", "border") is None


def test_an_answer_under_another_name_is_no_answer(answer, own_answers):
    """As damage to the columns of the key, or to the index over them, would have it."""
    with kept_answers(KEEPING) as kept:
        kept.keep("photo", [("border", answer)])
    for column in ("photo", "detector"):
        with sqlite3.connect(own_answers) as database:
            database.execute(f"UPDATE answers SET {column} = 'other'")
        database.close()
        names = {"photo": "photo", "detector": "border", column: "other"}
        with kept_answers(KEEPING) as kept:
            assert kept.get(*names.values()) is None
            kept.keep(names["photo"], [(names["detector"], answer)])


def test_the_key_changes_with_version_and_models(monkeypatch):
    before = detector_key(BorderDetector()), detector_key(FaceDetector())
    assert before[0] != before[1] and detector_key(BorderDetector()) == before[0]
    monkeypatch.setattr(BorderDetector, "version", 99)
    monkeypatch.setattr(FaceDetector, "models", FaceDetector.models[:1])
    assert detector_key(BorderDetector()) != before[0] and detector_key(FaceDetector()) != before[1]


DETECTORS = ("border", "face", "text")
# A multiple of the kinds of damage.
DAMAGED = 102


def varied(number: int) -> Answer:
    """An answer unlike any other, some of several kilobytes."""
    rng = np.random.default_rng(number)
    sightings = [
        Sighting(True, float(rng.random()), rng.random((64, 64)) < 0.5, (rng.bytes(300 * (number % 9)).hex(),))
        for _ in range(1 + number % 3)
    ]
    return Answer.of(sightings)


TRUTH = {(f"{photo:064x}", key): varied(3 * photo + k) for photo in range(40) for k, key in enumerate(DETECTORS)}
NEW = {("new photograph", key): varied(500 + k) for k, key in enumerate(DETECTORS)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    """A store with all of the truth, of many pages."""
    path = tmp_path_factory.mktemp("whole") / "detections.sqlite"
    file = cache_file.AnswerFile(path)
    for photo, key in TRUTH:
        file.put([(photo, key, TRUTH[photo, key].to_bytes())])
    file.close()
    return path.read_bytes()


def damage(content: bytes, seed: int) -> bytes:
    """Bytes flipped, a range zeroed, the end cut off, a page overwritten by noise or by another page, the head hurt."""
    rng, damaged = np.random.default_rng(seed), bytearray(content)
    start, page = int(rng.integers(len(content))), 4096 * int(rng.integers(len(content) // 4096))
    match seed % 6:
        case 0:
            for place in rng.integers(len(content), size=int(rng.integers(1, 200))):
                damaged[place] ^= int(rng.integers(1, 256))
        case 1:
            zeroed = min(int(rng.integers(1, 20_000)), len(content) - start)
            damaged[start : start + zeroed] = bytes(zeroed)
        case 2:
            del damaged[start:]
        case 3:
            damaged[page : page + 4096] = rng.bytes(4096)
        case 4:
            other = 4096 * int(rng.integers(len(content) // 4096))
            damaged[page : page + 4096] = content[other : other + 4096]
        case 5:
            for place in rng.integers(100 + 4000 * (seed % 4), size=int(rng.integers(1, 6))):
                damaged[place] ^= int(rng.integers(1, 256))
    return bytes(damaged)


def equal(first: Answer, second: Answer) -> bool:
    """As ``_same``, which takes ten times as long."""
    pairs = [(tensor, second.tensors[name]) for name, tensor in first.tensors.items()]
    return first.text == second.text and all(a.tobytes() == b.tobytes() for a, b in pairs)


def use(kept) -> int:
    """As the stage does: ask for everything, keep what was not there and something new; return how many came out."""
    found = {names: kept.get(*names) for names in TRUTH}
    for names, answer in found.items():
        if answer is not None:
            assert equal(TRUTH[names], answer), names
    for number, ((photo, key), answer) in enumerate((TRUTH | NEW).items()):
        if found.get((photo, key)) is None:
            kept.keep(photo, [(key, answer)])
        if number % 60 == 0:
            kept.flush()
    kept.flush()
    return sum(answer is not None for answer in found.values())


def test_whatever_is_damaged_no_audit_ends_and_no_wrong_answer_comes_out(whole, own_answers):
    own_answers.parent.mkdir()
    came_out = []
    for seed in range(DAMAGED):
        own_answers.write_bytes(damage(whole, seed))
        with kept_answers(KEEPING) as kept:
            came_out.append(use(kept))
        with kept_answers(KEEPING) as kept:
            for names, answer in NEW.items():
                _same(answer, kept.get(*names))
        for path in own_answers.parent.glob(f"{own_answers.name}*"):
            path.unlink()
    assert min(came_out) == 0 and 0 < sum(count == len(TRUTH) for count in came_out) < DAMAGED / 2
    assert len(list(own_answers.parent.iterdir())) <= cache_file.KEPT_COPIES + 1


@pytest.mark.parametrize("moment", ["get", "flush"])
def test_damage_in_the_middle_of_a_run_is_met_at_once(whole, own_answers, moment):
    """The file is overwritten while it is open: SQLite notices at its next look, whichever that is."""
    own_answers.parent.mkdir()
    own_answers.write_bytes(whole)
    notes, (names, answer) = Notes(), next(iter(TRUTH.items()))
    with reporting_to(notes), kept_answers(KEEPING) as kept:
        assert equal(answer, kept.get(*names)) and kept.losses == 0
        with own_answers.open("r+b") as handle:
            handle.write(b"nothing that SQLite knows" * 1000)
        if moment == "get":
            assert kept.get(*names) is None
        kept.keep(names[0], [(names[1], answer)])
        kept.flush()
        assert equal(answer, kept.get(*names)) and kept.losses == 1
    assert len(notes.said) == 1 and "put aside as detections.damaged-1.sqlite" in notes.said[0]


def test_what_is_put_aside_keeps_its_journal_and_only_the_last_three_stay(tmp_path):
    path, notes = tmp_path / "detections.sqlite", Notes()
    suffixes = ("", "-journal", "-wal", "-shm")
    for number in range(1, 6):
        for suffix in suffixes:
            Path(f"{path}{suffix}").write_text(f"{number}{suffix}")
        with reporting_to(notes):
            cache_file.put_aside(path)
    left = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert left == {
        f"detections.damaged-{number}.sqlite{suffix}": f"{number}{suffix}"
        for number in (3, 4, 5)
        for suffix in suffixes
    }
    assert [note for note in notes.said if "deleted" in note] == [
        f"{tmp_path}/detections.damaged-{number}.sqlite: deleted; only the last 3 damaged ones are kept."
        for number in (1, 2)
    ]


def test_a_new_file_of_another_audit_is_not_put_aside(answer, own_answers):
    """Two audits meet the same damage: the second one finds the file that the first one began."""
    own_answers.parent.mkdir()
    with kept_answers(KEEPING) as first, kept_answers(KEEPING) as second:
        with own_answers.open("r+b") as handle:
            handle.write(b"nothing that SQLite knows" * 1000)
        first.keep("photo", [("border", answer)])
        first.flush()
        _same(answer, second.get("photo", "border"))
    assert len(list(own_answers.parent.glob("*damaged*"))) == 1


def test_a_store_that_another_process_holds_is_left_alone(answer, own_answers, monkeypatch):
    monkeypatch.setattr(cache_file, "WAIT_SECONDS", 0.05)
    with kept_answers(KEEPING) as kept:
        kept.keep("photo", [("border", answer)])
    notes, holder = Notes(), sqlite3.connect(own_answers, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with reporting_to(notes), kept_answers(KEEPING) as kept:
        assert kept.get("photo", "border") is None
        kept.keep("photo", [("face", answer)])
    holder.execute("ROLLBACK")
    holder.close()
    assert notes.said == [f"{own_answers}: cannot be used (database is locked), so every photograph is looked at anew."]
    with kept_answers(KEEPING) as kept:
        assert kept.get("photo", "border") and not list(own_answers.parent.glob("*damaged*"))


def test_a_store_that_cannot_be_written_is_still_read(answer, own_answers, monkeypatch):
    monkeypatch.setattr(cache_file, "WAIT_SECONDS", 0.05)
    with kept_answers(KEEPING) as kept:
        kept.keep("photo", [("border", answer)])
    notes, reader = Notes(), sqlite3.connect(own_answers, isolation_level=None)
    with reporting_to(notes), kept_answers(KEEPING) as kept:
        reader.execute("BEGIN IMMEDIATE")
        for photo in ("one", "two"):
            kept.keep(photo, [("border", answer)])
            kept.flush()
        _same(answer, kept.get("photo", "border"))
    reader.close()
    assert notes.said == [
        f"{own_answers}: cannot be written (database is locked), so what detectors see now is not kept."
    ]


def test_what_sqlite_says_of_a_full_disk_or_a_read_only_place_is_no_damage(tmp_path, monkeypatch):
    def failure(code):
        error = sqlite3.OperationalError("said by SQLite")
        error.sqlite_errorcode = code
        return error

    path = tmp_path / "detections.sqlite"
    path.touch()
    judged = {
        code: cache_file.is_damage(failure(code), path) for code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY)
    }
    assert set(judged.values()) == {True}
    monkeypatch.setattr(cache_file.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 4096))
    monkeypatch.setattr(cache_file.os, "access", lambda place, _: place == path)
    assert not any(cache_file.is_damage(failure(code), path) for code in judged)
    assert not cache_file.is_damage(failure(sqlite3.SQLITE_BUSY_RECOVERY), path)
    assert cache_file.is_damage(failure(sqlite3.SQLITE_CORRUPT_INDEX), path)
