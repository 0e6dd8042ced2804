"""Copies of photographs with marks: spread as wished, the same mark on all, nothing else changed."""

from dataclasses import replace

import numpy as np
import pytest

from audit.data.decode import open_photo
from audit.model.activation_store import ActivationStore
from audit.selfaudit.forms import FORMS
from audit.selfaudit.planted_copies import PAIRS, choose_photographs, donor_of, mark_photographs, spread
from audit.store.audit_folder import AuditFolder, file_digest, read_table
from tests.planted import SIDE, draw_dataset, run_audit, tiny_config

LABELS = np.repeat([0, 1], 20)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    manifest = draw_dataset(tmp_path_factory.mktemp("planted"), per_class=24)
    config = tiny_config(manifest, self_audit={"power_images": 40, "pairs": 4})
    return ActivationStore.open(run_audit(tmp_path_factory.mktemp("audit"), config, until="dataset"), config)


@pytest.fixture(scope="module")
def marked(store, tmp_path_factory):
    return mark_photographs(store, ["border"], FORMS, tmp_path_factory.mktemp("marked"))


def pixels(marked, copy):
    return np.asarray(open_photo(marked.inputs.store.dataset.file_of(int(copy)))).astype(int)


def test_marks_are_spread_as_wished_and_weaker_spreads_mark_a_part_of_the_same():
    before = None
    for share, elsewhere in PAIRS:
        planted = spread(LABELS, share, elsewhere, seed=0)
        assert (planted[:20].mean(), planted[20:].mean()) == (share, elsewhere)
        if before is not None:
            assert (planted[:20] <= before[:20]).all() and (planted[20:] >= before[20:]).all()
        before = planted


def test_half_of_each_of_the_two_largest_classes_is_chosen_without_copies(store):
    chosen, classes = choose_photographs(store.dataset, 20, seed=0)
    assert classes == (0, 1)
    assert np.bincount(store.dataset.labels[chosen]).tolist() == [10, 10]
    assert len(np.unique(store.dataset.groups[chosen])) == 20
    everything, _ = choose_photographs(store.dataset, 1000, seed=0)
    assert len(everything) == len(np.unique(store.dataset.groups))


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_trial_has_its_copies_and_only_the_planted_ones_differ(marked, form, pair):
    planted = spread(marked.labels, *pair, seed=0)
    trial, plain = marked.trial(form, planted), marked.plain()
    assert trial.images.min() >= 0
    assert (trial.images != plain.images).tolist() == planted.tolist()
    dataset = marked.inputs.store.dataset
    for column in ("group", "fold", "label"):
        values = dataset.images[column].to_numpy()
        assert (values[trial.images] == values[plain.images]).all()


@pytest.mark.parametrize("form", ["sticker", "edge-sticker", "frame", "round-frame"])
def test_all_carry_the_same_mark_in_the_same_place(marked, form):
    copies = np.flatnonzero(marked.copies[form] >= 0)
    changed = [pixels(marked, marked.copies[form][i]) != pixels(marked, marked.copies["plain"][i]) for i in copies]
    where = np.mean([one.any(2) for one in changed], 0)
    # A pixel may have had the mark's colour before, by chance.
    assert set(np.round(where[where > 0.1], 1)) == {1.0}
    colours = [pixels(marked, marked.copies[form][i])[where > 0.9][0].tolist() for i in copies]
    assert len(copies) > 20 and all(colour == colours[0] for colour in colours)


def test_plain_copies_are_the_photographs(store, marked):
    first = marked.inputs.store.dataset.images["sha256"]
    assert first.nunique() == len(first)
    assert pixels(marked, 0).shape == (SIDE, SIDE, 3)
    chosen, _ = choose_photographs(store.dataset, 40, seed=0)
    original = np.asarray(open_photo(store.dataset.file_of(int(chosen[0])))).astype(int)
    np.testing.assert_array_equal(pixels(marked, marked.copies["plain"][0]), original)


def test_detectors_know_plain_copies_by_the_original_and_marked_ones_by_their_own_bytes(store, marked):
    chosen, _ = choose_photographs(store.dataset, 40, seed=0)
    dataset, copies = marked.inputs.store.dataset, marked.copies
    known = [dataset.seen_as(int(copy)) for copy in copies["plain"]]
    assert known == store.dataset.images["sha256"].iloc[chosen].tolist()
    assert known == [store.dataset.seen_as(int(image)) for image in chosen]
    for copy in range(len(dataset.images)):
        file = dataset.file_of(copy)
        assert file.sha256 == file_digest(file.path)
        assert copy in copies["plain"] or dataset.seen_as(copy) == file.sha256


def test_the_border_detector_sees_the_frames(marked):
    found = marked.inputs.detected["present"][:, 0].astype(bool)
    frames, plain = marked.copies["frame"], marked.copies["plain"]
    assert found[frames[frames >= 0]].all()
    assert not found[plain].any()
    table = read_table(AuditFolder(marked.inputs.store.folder.path).images)
    assert len(table) == len(found)


def test_a_piece_of_another_photograph_is_pasted_where_there_is_another(store):
    chosen, _ = choose_photographs(store.dataset, 40, seed=0)
    assert donor_of(store.dataset, chosen, seed=0) not in chosen
    everything = np.arange(len(store.dataset.images))
    assert donor_of(store.dataset, everything, seed=0) in everything


def test_fewer_pairs_need_fewer_copies(store, marked, tmp_path):
    config = store.config.self_audit.model_copy(update={"pairs": 1})
    plain = replace(store, config=store.config.model_copy(update={"self_audit": config}))
    fewer = mark_photographs(plain, ["border"], FORMS[:1], tmp_path)
    planted = spread(fewer.labels, *PAIRS[0], seed=0)
    np.testing.assert_array_equal(fewer.copies[FORMS[0].name] >= 0, planted)
    assert (marked.copies[FORMS[0].name] >= 0).sum() > planted.sum()
