"""Photographs of one subject are one group where a column tells so, and are noticed where it is not used."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from audit.config import parse_config
from audit.data.dataset import build, load_dataset
from audit.data.extra_images import add_images
from audit.data.inspection import inspect
from audit.data.subjects import joined_groups, subject_column, subject_names
from audit.errors import DatasetError
from audit.findings.limitations import ungrouped
from audit.store.audit_folder import AuditFolder

LABELS = ("sick", "well")


def draw(path, seed):
    noise = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).resize((80, 60), Image.Resampling.BICUBIC).save(path)


def patients(folder, first, last, views=4, empty=0, across=False, prefix="p", first_seed=0):
    """A manifest of so many views of each patient; ``empty`` cells are left out, ``across`` gives them both classes."""
    rows = []
    for number in range(first, last):
        for view in range(views):
            path = f"img/{prefix}{number:02}x{view}.png"
            draw(folder / path, first_seed + 100 * number + view)
            label = LABELS[(view if across else number) % 2]
            rows.append((path, label, "" if len(rows) < empty else f"P{number:02}"))
    with (folder / "m.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("path", "label", "patient_id"), *rows])
    return folder / "m.csv"


def configured(manifest, group="patient_id", folds=3):
    return parse_config({"dataset": {"manifest": manifest, "group": group}, "training": {"folds": folds}})


def built(manifest, tmp_path, **settings):
    folder = AuditFolder(tmp_path / "audit")
    build(folder, configured(manifest, **settings))
    return load_dataset(folder)


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["", *"abcdefgh"])), max_size=30))
def test_linked_images_are_one_group(images):
    """Against the connected components of the graph of all pairs that share a duplicate group or a subject."""
    duplicates, subjects = np.array([one for one, _ in images], int), [other for _, other in images]
    linked = [
        (a, b)
        for a in range(len(images))
        for b in range(len(images))
        if duplicates[a] == duplicates[b] or (subjects[a] and subjects[a] == subjects[b])
    ]
    rows, columns = np.array(linked, int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), (len(images), len(images)))
    expected = connected_components(graph)[1] if images else np.array([], int)
    groups = joined_groups(duplicates, subjects)
    assert groups.dtype == np.int32
    assert (groups[:, None] == groups).tolist() == (expected[:, None] == expected).tolist()
    first = np.unique(groups, return_index=True)[1]
    assert first.tolist() == sorted(first.tolist()) and groups.max(initial=-1) == len(first) - 1


@pytest.mark.parametrize("across", [False, True])
def test_a_subject_stays_in_one_fold(tmp_path, across):
    dataset = built(patients(tmp_path, 0, 16, across=across), tmp_path)
    subjects = dataset.images["path"].str[4:7]
    assert dataset.images.groupby(subjects)["fold"].nunique().eq(1).all()
    assert len(np.unique(dataset.groups)) == 16 and dataset.images["duplicate"].nunique() == 64
    assert dataset.images.groupby(["label", "fold"]).ngroups == 6
    assert dataset.attributes == ()


def test_without_the_setting_subjects_are_spread_and_that_is_told(tmp_path):
    manifest = patients(tmp_path, 0, 16)
    folder = AuditFolder(tmp_path / "audit")
    build(folder, configured(manifest, group=None))
    dataset = load_dataset(folder)
    assert dataset.images.groupby(dataset.images["path"].str[4:7])["fold"].nunique().gt(1).any()
    found = inspect(configured(manifest, group=None))
    assert found.possible_group == "the column 'patient_id'"
    assert any("patient_id" in sentence and "dataset.group" in sentence for sentence in found.warnings)
    assert inspect(configured(manifest)).possible_group == ""
    assert len(ungrouped(found.possible_group)) == 1 and ungrouped("") == ungrouped(None) == []


def test_copies_join_the_subjects_of_their_originals(tmp_path):
    manifest = patients(tmp_path, 0, 12)
    (tmp_path / "img/p05x0.png").write_bytes((tmp_path / "img/p01x0.png").read_bytes())
    dataset = built(manifest, tmp_path)
    group = dict(zip(dataset.images["path"], dataset.groups, strict=True))
    assert group["img/p05x3.png"] == group["img/p01x2.png"] and len(np.unique(dataset.groups)) == 11
    assert inspect(configured(manifest)).n_duplicates == 1


def test_one_subject_in_two_classes_is_no_copy_with_two_labels(tmp_path):
    found = inspect(configured(patients(tmp_path, 0, 12, across=True)))
    assert found.cross_class_duplicates == () and found.n_duplicates == 0 and found.problems == ()


def test_rows_without_a_subject_are_subjects_of_their_own_and_counted(tmp_path):
    manifest = patients(tmp_path, 0, 12, empty=6)
    assert len(np.unique(built(manifest, tmp_path).groups)) == 6 + 11
    assert any(sentence.startswith("6 of 48 rows") for sentence in inspect(configured(manifest)).warnings)


def test_a_column_that_is_missing_is_told_with_the_nearest(tmp_path):
    manifest = patients(tmp_path, 0, 12)
    with pytest.raises(DatasetError, match="no column 'patient'; the nearest is 'patient_id'"):
        inspect(configured(manifest, group="patient"))
    with pytest.raises(DatasetError, match="'label' tells no subjects apart"):
        inspect(configured(manifest, group="label"))
    folder = parse_config({"dataset": {"photos": tmp_path, "group": "patient_id"}})
    with pytest.raises(DatasetError, match=r"dataset\.group .* a folder has none"):
        inspect(folder)


@pytest.mark.parametrize(
    ("people", "words"), [(1, "4 photographs in one group."), (13, "52 photographs in 13 groups.")]
)
def test_groups_are_counted(tmp_path, people, words):
    assert any(sentence.endswith(words) for sentence in inspect(configured(patients(tmp_path, 0, people))).warnings)


def test_fewer_subjects_than_folds_forbid_an_audit(tmp_path):
    (problem,) = inspect(configured(patients(tmp_path, 0, 5, views=10))).problems
    assert "'well' has 2" in problem and "training.folds" in problem
    assert inspect(configured(tmp_path / "m.csv", folds=2)).problems == ()


def test_a_class_that_shares_its_few_subjects_forbids_an_audit_in_one_sentence(tmp_path):
    (problem,) = inspect(configured(patients(tmp_path, 0, 1, views=40, across=True))).problems
    assert "'sick' has 1" in problem and "'well' has 1" in problem


def test_new_photographs_of_known_subjects_are_refused(tmp_path):
    config = configured(patients(tmp_path / "old", 0, 12))
    audit = AuditFolder(tmp_path / "audit")
    build(audit, config)
    source = patients(tmp_path / "new", 10, 14, prefix="n", first_seed=7)
    refused = add_images(audit, config, source, AuditFolder(tmp_path / "work"))
    assert sorted(file.path[-9:-6] for file in refused) == ["n10"] * 4 + ["n11"] * 4
    joined = load_dataset(AuditFolder(tmp_path / "work"))
    assert len(np.unique(joined.groups[48:])) == 2 and set(joined.groups[48:]).isdisjoint(joined.groups[:48])


def rows_of(name, values):
    return [{"path": str(number), name: value} for number, value in enumerate(values)]


@pytest.mark.parametrize("name", ["patient_id", "PatientID", "subjectid", "Animal", "video", "case_id", "x_id"])
def test_columns_that_name_subjects(name):
    assert subject_column(["light", name], rows_of(name, "aabbccdd")) == name
    assert subject_column([name], rows_of(name, "abcdefgh")) == ""
    assert subject_column([name], rows_of(name, "aaaaaaaa")) == ""


def test_places_name_subjects_only_where_there_are_many():
    assert subject_column(["site"], rows_of("site", "abcdefghijkl" * 2)) == ""
    assert subject_column(["site"], rows_of("site", "abcdefghijklm" * 2)) == "site"


@pytest.mark.parametrize("name", ["gender", "image_id", "file id", "id", "grid", "scanner", "valid", "age"])
def test_columns_that_name_something_else(name):
    assert subject_column([name], rows_of(name, "aabbccdd")) == ""


def test_names_of_files_that_share_what_stands_before_a_last_number():
    several = [f"sick/patient{number // 3:03}_{number % 3}.jpg" for number in range(60)]
    labels = ["sick", "well"] * 30
    assert subject_names(several, labels) == ("sick/patient000_0.jpg", "sick/patient000_1.jpg")
    for counted in (
        [f"img_{number:04}.jpg" for number in range(60)],
        [f"{'cat' if number % 2 else 'dog'}-{number}.jpg" for number in range(60)],
        [f"{number:06}.jpg" for number in range(60)],
        [f"a{number}_1.jpg" for number in range(60)],
        [f"a{max(number, 55)}_{number}.jpg" if number > 52 else f"{number}.jpg" for number in range(60)],
    ):
        assert subject_names(counted, labels) == ()
