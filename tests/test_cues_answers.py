"""Kept answers: what goes in comes out, by photograph and detector; damage costs time, never an audit."""

import stat

import numpy as np
import pytest

from audit.config import parse_config
from audit.cues.answers import Answer, detector_key, kept_answers
from audit.cues.border import BorderDetector
from audit.cues.cue import ABSENT, GRID, Sighting
from audit.cues.face import FaceDetector
from audit.cues.grid import unpack_masks
from audit.progress import reporting_to

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


class _Notes:
    def __init__(self):
        self.said = []

    def started(self, task, total, unit): ...
    def advanced(self, count): ...
    def finished(self): ...
    def note(self, message):
        self.said.append(message)


def test_a_damaged_file_is_put_aside(answer, own_answers):
    own_answers.parent.mkdir()
    own_answers.write_bytes(b"not a database" * 100)
    with reporting_to(_Notes()) as _, kept_answers(KEEPING) as kept:
        kept.keep("photo", [("border", answer)])
    assert own_answers.with_suffix(".damaged").exists()
    with kept_answers(KEEPING) as kept:
        assert kept.get("photo", "border")


def test_a_place_that_cannot_be_written_is_said(answer, own_answers):
    own_answers.mkdir(parents=True)
    notes = _Notes()
    with reporting_to(notes), kept_answers(KEEPING) as kept:
        kept.keep("photo", [("border", answer)])
        assert kept.get("photo", "border") is None
    assert "cannot be used" in notes.said[0] and "looked at anew" in notes.said[0]


def test_a_damaged_answer_is_as_good_as_none(answer):
    with kept_answers(KEEPING) as kept:
        kept.database.execute("INSERT INTO answers VALUES ('photo', 'border', x'00')")
        assert kept.get("photo", "border") is None


def test_the_key_changes_with_version_and_models(monkeypatch):
    before = detector_key(BorderDetector()), detector_key(FaceDetector())
    assert before[0] != before[1] and detector_key(BorderDetector()) == before[0]
    monkeypatch.setattr(BorderDetector, "version", 99)
    monkeypatch.setattr(FaceDetector, "models", FaceDetector.models[:1])
    assert detector_key(BorderDetector()) != before[0] and detector_key(FaceDetector()) != before[1]
