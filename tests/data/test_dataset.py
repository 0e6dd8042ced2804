"""The dataset stage on drawn pictures: folders, manifests, what is rejected and why, and what is written."""

import itertools
import json
import os
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from audit.config import parse_config
from audit.data import read_files as module
from audit.data.dataset import Dataset, build, load_dataset, one_per_group
from audit.data.inspection import inspect
from audit.data.listing import list_files
from audit.errors import AuditFolderError, DatasetError
from audit.progress import Silence, reporting_to
from audit.store.audit_folder import AuditFolder
from audit.text import printable


def save(path, seed, size=(80, 60)):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def photos(tmp_path):
    """Two classes of 12 different pictures."""
    for label, first in (("cat", 0), ("dog", 100)):
        for i in range(12):
            save(tmp_path / "pets" / label / f"{i:02}.png", first + i)
    return tmp_path / "pets"


def configured(photos=None, manifest=None, workers=2, **settings):
    section = {"photos": photos, "manifest": manifest, **settings}
    return parse_config({"dataset": section, "compute": {"workers": workers}})


def write_manifest(path, rows, header="path,label", encoding="utf-8"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
    return path


def reasons(inspection):
    return dict(inspection.rejected)


def table_of(folder):
    return pd.read_parquet(folder.images)


@pytest.fixture
def audit_folder(tmp_path):
    return AuditFolder(tmp_path / "audit")


class TestFolder:
    def test_counts_and_tables(self, photos, audit_folder):
        paths = build(audit_folder, configured(photos))
        assert paths == [audit_folder.images, audit_folder.dataset]
        table = table_of(audit_folder)
        assert list(table.columns) == [
            *("image", "path", "label", "width", "height", "bytes", "format"),
            *("sha256", "phash", "uniform", "group", "fold", "rejected"),
        ]
        dtypes = {"image": "int32", "width": "int32", "bytes": "int64", "group": "int32", "fold": "int8"}
        assert {name: str(table[name].dtype) for name in dtypes} == dtypes
        assert table["path"].is_monotonic_increasing and table["image"].tolist() == list(range(24))
        assert table["group"].tolist() == list(range(24))
        assert table["phash"].str.fullmatch("[0-9a-f]{16}").all()
        assert table.groupby(["label", "fold"]).size().tolist() == [4] * 6
        summary = json.loads(audit_folder.dataset.read_text())
        assert summary["classes"] == ["cat", "dog"] and summary["n_images"] == 24 and summary["n_rejected"] == 0
        assert summary["cross_class_duplicates"] == [] and summary["n_duplicates"] == 0 and summary["warnings"] == []

    def test_same_bytes_whatever_the_workers(self, photos, tmp_path):
        (photos / "cat" / "bad.png").write_text("no")
        outputs = set()
        for workers in (0, 1, 4):
            folder = AuditFolder(tmp_path / f"audit-{workers}")
            outputs.add(tuple(path.read_bytes() for path in build(folder, configured(photos, workers=workers))))
        assert len(outputs) == 1

    def test_load_dataset(self, photos, audit_folder):
        (photos / "cat" / "00-bad.png").write_text("no")
        build(audit_folder, configured(photos))
        dataset = load_dataset(audit_folder)
        assert isinstance(dataset, Dataset)
        assert dataset.name == "pets" and dataset.root == photos and dataset.classes == ("cat", "dog")
        assert dataset.labels.dtype == np.int64 and dataset.labels.tolist() == [0] * 12 + [1] * 12
        assert dataset.images.index.tolist() == dataset.images["image"].tolist() == list(range(24))
        assert dataset.rejected["path"].tolist() == ["cat/00-bad.png"]
        assert dataset.file_of(12).path == photos / "dog" / "00.png"
        assert set(dataset.folds) == {0, 1, 2} and dataset.groups.tolist() == list(range(24))

    def test_load_before_build(self, audit_folder):
        with pytest.raises(AuditFolderError):
            load_dataset(audit_folder)

    def test_nested_hidden_and_stray_files(self, photos):
        save(photos / "cat" / "more" / "deep" / "x.jpg", 50)
        save(photos / ".cache" / "y.jpg", 51)
        save(photos / "cat" / ".thumbnails" / "z.jpg", 52)
        save(photos / "cat" / ".hidden.jpg", 53)
        save(photos / "loose.jpg", 54)
        (photos / "index.csv").write_text("path,label\n")
        (photos / "README.txt").write_text("hello")
        (photos / "dog" / "notes.txt").write_text("hello")
        (photos / "empty").mkdir()
        found = inspect(configured(photos))
        assert {label: (count.accepted, count.rejected) for label, count in found.classes.items()} == {
            "cat": (13, 0),
            "dog": (12, 1),
        }
        assert set(reasons(found)) == {"loose.jpg", "dog/notes.txt"}
        assert reasons(found)["loose.jpg"] == "it lies beside the class folders, not in one"
        assert reasons(found)["dog/notes.txt"].startswith("not an image")
        assert found.problems == ()

    def test_links(self, photos, tmp_path):
        save(tmp_path / "outside" / "o.png", 60)
        (photos / "cat" / "out.png").symlink_to(tmp_path / "outside" / "o.png")
        (photos / "cat" / "gone.png").symlink_to(photos / "nowhere.png")
        (photos / "cat" / "loop.png").symlink_to(photos / "cat" / "loop.png")
        (photos / "cat" / "up").symlink_to(photos)
        (photos / "wolf").symlink_to(tmp_path / "outside")
        (photos / "dog" / "in.png").symlink_to(photos / "dog" / "00.png")
        found = inspect(configured(photos))
        outside = "a link that leads outside the folder"
        assert reasons(found)["cat/out.png"] == reasons(found)["wolf"] == outside
        assert reasons(found)["cat/gone.png"] == "the file is missing"
        assert reasons(found)["cat/up"] == "a folder, not a photograph"
        assert "cat/loop.png" in reasons(found) and "dog/in.png" not in reasons(found)
        assert found.n_duplicates == 1

    def test_special_files_do_not_block(self, photos):
        os.mkfifo(photos / "cat" / "pipe.jpg")
        assert reasons(inspect(configured(photos)))["cat/pipe.jpg"] == "not a regular file"

    def test_too_small_and_too_large(self, photos):
        save(photos / "cat" / "small.png", 70, (200, 31))
        save(photos / "cat" / "large.png", 71, (400, 300))
        found = reasons(inspect(configured(photos, max_megapixels=0.1)))
        assert found["cat/small.png"].startswith("too small: 200 x 31 pixels; each side needs at least 32")
        assert found["cat/large.png"].startswith("too large: 400 x 300")

    def test_names_that_try_to_break_the_output(self, photos):
        evil = "nurse\x1b[31m\n<b>\u202e"
        for i in range(10):
            save(photos / evil / f"{i}\x07\u2028.png", 200 + i)
        (photos / "cat" / os.fsdecode(b"caf\xe9.png")).write_bytes((photos / "cat" / "00.png").read_bytes())
        save(photos / "dog" / "zoë 犬.png", 300)
        found = inspect(configured(photos))
        text = repr([*found.classes, *found.rejected, *found.warnings, *found.problems])
        assert "\\\\x1b[31m\\\\n<b>\\\\u202e" in text and found.classes[printable(evil)].accepted == 10
        assert found.rejected == (("cat/caf\ufffd.png", "its name is not valid Unicode; rename it"),)
        assert found.problems == ()

    def test_files_with_odd_names_are_found_again(self, photos, audit_folder):
        save(photos / "dog" / "a\nb\x1b.png", 300)
        build(audit_folder, configured(photos))
        dataset = load_dataset(audit_folder)
        assert all(dataset.file_of(image).path.is_file() for image in range(25))


class TestProblems:
    def test_no_photographs_given(self):
        with pytest.raises(DatasetError, match=r"PHOTOS.*--manifest"):
            inspect(configured())

    def test_both_given(self, photos):
        with pytest.raises(DatasetError, match="not both"):
            inspect(configured(photos, photos / "a.csv"))

    def test_missing_folder_and_file_instead_of_folder(self, tmp_path):
        with pytest.raises(DatasetError, match="no such folder"):
            inspect(configured(tmp_path / "missing"))
        (tmp_path / "file").touch()
        with pytest.raises(DatasetError, match="not a folder"):
            inspect(configured(tmp_path / "file"))

    def test_empty_folder_and_one_class(self, tmp_path, photos, audit_folder):
        (tmp_path / "empty").mkdir()
        found = inspect(configured(tmp_path / "empty"))
        assert len(found.problems) == 1 and found.problems[0].startswith("Classes found: none;")
        for path in (photos / "dog").iterdir():
            path.unlink()
        with pytest.raises(DatasetError, match=r"Classes found: 'cat'; .* at least 2"):
            build(audit_folder, configured(photos))
        assert not audit_folder.images.exists()

    def test_all_small_classes_are_named_at_once(self, photos):
        for label, count in (("fox", 3), ("elk", 9)):
            for i in range(count):
                save(photos / label / f"{i}.png", 400 + 10 * count + i)
        (photos / "elk" / "bad.png").write_text("no")
        found = inspect(configured(photos))
        assert len(found.problems) == 1
        assert "'elk' has 9 (1 rejected), 'fox' has 3; each class needs at least 10" in found.problems[0]

    def test_many_small_classes_are_counted(self, photos):
        for i in range(30):
            save(photos / f"class-{i:02}" / "a.png", i)
        assert "and 20 more" in inspect(configured(photos)).problems[0]

    def test_class_of_copies(self, photos):
        for i in range(10):
            save(photos / "fox" / f"{i}.png", 500 + i % 2)
        problem = inspect(configured(photos)).problems
        assert len(problem) == 1 and "'fox' has 2" in problem[0] and "training.folds" in problem[0]


class TestDuplicates:
    def test_across_classes(self, photos, audit_folder):
        Image.open(photos / "cat" / "03.png").resize((160, 120)).save(photos / "dog" / "copy.jpg", quality=60)
        found = inspect(configured(photos))
        assert found.cross_class_duplicates == (("cat/03.png", "dog/copy.jpg"),) and found.n_duplicates == 1
        assert found.warnings == (
            "Pictures that appear under more than one label: 1; decide on one label for each, "
            "since no model can get both right.",
        )
        build(audit_folder, configured(photos))
        table = table_of(audit_folder)
        assert table.loc[table["path"].isin(found.cross_class_duplicates[0]), "fold"].nunique() == 1
        summary = json.loads(audit_folder.dataset.read_text())
        assert summary["cross_class_duplicates"] == [["cat/03.png", "dog/copy.jpg"]]

    def test_many_copies_are_a_warning(self, photos):
        for i in range(3):
            save(photos / "cat" / f"copy-{i}.png", i)
        assert inspect(configured(photos)).warnings[0].startswith("3 of 27 photographs (11%) are copies")

    def test_imbalance_is_a_warning(self, photos):
        for i in range(12, 121):
            save(photos / "cat" / f"{i}.png", 1000 + i)
        warnings = inspect(configured(photos)).warnings
        assert warnings == (
            "The classes differ much in size: 121 of 'cat' but 12 of 'dog'; collect more of the latter.",
        )


class TestManifest:
    @pytest.fixture
    def rows(self, photos):
        return [f"{path.relative_to(photos)},{path.parent.name}" for path in sorted(photos.rglob("*.png"))]

    def test_same_images_as_from_the_folder(self, photos, rows, tmp_path):
        by_folder, by_manifest = AuditFolder(tmp_path / "a"), AuditFolder(tmp_path / "b")
        build(by_folder, configured(photos))
        build(by_manifest, configured(manifest=write_manifest(photos / "index.csv", rows[::-1])))
        assert table_of(by_folder).equals(table_of(by_manifest))
        assert load_dataset(by_manifest).name == "pets"

    def test_image_root(self, photos, rows, tmp_path):
        manifest = write_manifest(tmp_path / "elsewhere.csv", rows)
        found = inspect(configured(manifest=manifest, image_root=photos))
        assert found.problems == () and found.name == "elsewhere" and found.root == photos
        with pytest.raises(DatasetError, match="--image-root"):
            inspect(configured(manifest=manifest, image_root=tmp_path / "missing"))

    def test_excel_habits(self, photos, rows):
        """Byte-order mark, semicolons, spaces around names, quoted cells, blank lines, Windows paths."""
        cells = [row.split(",") for row in rows]
        text = ['"' + path.replace("/", "\\") + f'"; {label}; "a;b"' for path, label in cells]
        manifest = write_manifest(photos / "m.csv", ["", *text, ";;", ""], " path ;label ; site", "utf-8-sig")
        found = inspect(configured(manifest=manifest))
        assert found.problems == () and found.rejected == ()
        assert [count.accepted for count in found.classes.values()] == [12, 12]

    def test_rows_that_cannot_be_used(self, photos, rows, tmp_path):
        save(tmp_path / "outside.png", 600)
        (photos / "link.png").symlink_to(tmp_path / "outside.png")
        bad = [
            "missing.png,cat",
            f"{tmp_path}/outside.png,cat",
            "../outside.png,cat",
            "cat/../../outside.png,cat",
            "link.png,cat",
            "cat/00.png,cat",
            "./cat//01.png,dog",
            ",cat",
            "cat,cat",
            "unlabelled.png,",
            "short.png",
            "long.png,cat,surplus",
            "nul\0.png,cat",
        ]
        found = inspect(configured(manifest=write_manifest(photos / "m.csv", rows + bad)))
        leads_out = "the path leads outside the image root; paths must be relative to it, without '..'"
        assert reasons(found) == {
            "missing.png": "the file is missing",
            f"{tmp_path}/outside.png": leads_out,
            "../outside.png": leads_out,
            "cat/../../outside.png": leads_out,
            "link.png": "a link that leads outside the folder",
            "cat/00.png": "listed twice",
            "cat/01.png": "listed twice, here as 'dog' and before as 'cat'",
            "(line 33)": "the row has no path",
            "cat": "a folder, not a photograph",
            "unlabelled.png": "the label is empty",
            "short.png": "the label is empty",
            "long.png": "the row has more cells than the header has columns",
            "nul\\x00.png": "the path holds a NUL character",
        }
        assert found.problems == () and found.classes["cat"].accepted == 12

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"file,label\na,b\n", "column 'path' missing; columns found: 'file', 'label'"),
            (b"", "column 'path' and 'label' missing; columns found: none"),
            (b"path,label,path\na,b,c\n", "column 'path' appears twice"),
            (b'path,label\n"a,b\n', "not valid CSV at line 2"),
            ("path,label\nä,b\n".encode("latin-1"), "not UTF-8"),
            ("path,label\n".encode("utf-16"), "not UTF-8"),
        ],
    )
    def test_unusable_manifests(self, tmp_path, content, message):
        (tmp_path / "m.csv").write_bytes(content)
        with pytest.raises(DatasetError, match=message):
            list_files(configured(manifest=tmp_path / "m.csv").dataset)

    def test_missing_manifest_and_folder_as_manifest(self, tmp_path):
        with pytest.raises(DatasetError, match=r"no such file; check --manifest"):
            inspect(configured(manifest=tmp_path / "missing.csv"))
        with pytest.raises(DatasetError, match="cannot be read"):
            inspect(configured(manifest=tmp_path))

    def test_accents_are_one_spelling(self, photos, rows):
        spelled = [row.replace(",cat", ",caf\u00e9" if i % 2 else ",cafe\u0301") for i, row in enumerate(rows)]
        found = inspect(configured(manifest=write_manifest(photos / "m.csv", spelled)))
        assert sorted(found.classes) == ["caf\u00e9", "dog"]

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=200))
    def test_any_bytes_list_or_raise_dataset_error(self, tmp_path_factory, content):
        path = tmp_path_factory.getbasetemp() / "fuzz.csv"
        path.write_bytes(b"path,label,site\n" + content)
        try:
            listing = list_files(configured(manifest=path).dataset)
        except DatasetError as error:
            assert str(error)
        else:
            assert all(file.reason or (listing.root / file.path).is_relative_to(listing.root) for file in listing.files)


class TestAttributes:
    @pytest.fixture
    def manifest(self, photos):
        rows = []
        for i, path in enumerate(sorted(photos.rglob("*.png"))):
            sex = ("f", "m", "")[i % 3]
            label = path.parent.name
            rows.append(f"{path.relative_to(photos)},{label},{sex},{i},{i % 22},{i % 13}x,80,same,{label.upper()}")
        return write_manifest(photos / "m.csv", rows, "path,label, sex ,serial,age,site,orig_width,constant,species")

    def test_columns_that_are_no_attributes_are_left_out(self, manifest, audit_folder):
        build(audit_folder, configured(manifest=manifest))
        dataset = load_dataset(audit_folder)
        assert dataset.attributes == ("sex",)
        values = dataset.images["attribute:sex"]
        assert values[:2].tolist() == ["f", "m"] and values[2:3].isna().all()
        assert [column for column in dataset.images if column.startswith("attribute:")] == ["attribute:sex"]

    def test_each_cause_is_told(self, manifest):
        warnings = "\n".join(inspect(configured(manifest=manifest)).warnings)
        assert "serial (another value in every row)" in warnings
        assert "age (numbers with more than 20 values" in warnings
        assert "site (more than 12 different values" in warnings
        assert "orig_width (about the file, not the picture" in warnings
        assert "constant (the same value in every row)" in warnings
        assert "species (the label once more)" in warnings

    def test_named_columns_are_used_but_not_with_many_values(self, manifest):
        found = inspect(configured(manifest=manifest, attributes=["orig_width", "age"]))
        assert found.attributes == ("orig_width",)
        assert found.warnings == (
            "Not used as attributes: age (more than 12 different values; merge rare ones first).",
        )
        assert inspect(configured(manifest=manifest, attributes=[])).attributes == ()

    def test_unknown_column(self, manifest, photos):
        with pytest.raises(DatasetError, match=r"no column 'gender'; further columns: sex, serial"):
            inspect(configured(manifest=manifest, attributes=["gender"]))
        with pytest.raises(DatasetError, match="--manifest"):
            inspect(configured(photos, attributes=["gender"]))

    def test_an_attribute_that_gives_the_label_away_stays(self, photos):
        rows = [f"{p.relative_to(photos)},{p.parent.name},{p.parent.name == 'cat'}" for p in photos.rglob("*.png")]
        manifest = write_manifest(photos / "m.csv", rows, "path,label,indoor")
        assert inspect(configured(manifest=manifest)).attributes == ("indoor",)


class Listener(Silence):
    def __init__(self):
        self.calls = []

    def started(self, task, total, unit):
        self.calls.append((task, total))

    def advanced(self, count):
        assert threading.current_thread() is threading.main_thread()
        self.calls.append(count)


def test_progress_is_told_by_the_calling_thread(photos):
    listener = Listener()
    with reporting_to(listener):
        inspect(configured(photos))
    assert listener.calls == [("reading photographs", 24), *[1] * 24]


def test_interrupt_ends_reading_without_waiting_for_slow_files(photos, monkeypatch):
    calls, read, interrupted, waited_for = itertools.count(1), [], threading.Event(), []

    def slow(path, max_megapixels):
        read.append(path)
        number = next(calls)
        if number == 3:
            raise KeyboardInterrupt
        if number > 3 and not interrupted.wait(60):
            waited_for.append(path)
        return module.Fingerprint(reason="slow")

    before = set(threading.enumerate())
    monkeypatch.setattr(module, "fingerprint", slow)
    with pytest.raises(KeyboardInterrupt):
        inspect(configured(photos))
    interrupted.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    assert len(read) < 10 and waited_for == []


@given(st.lists(st.integers(0, 5), max_size=12), st.randoms(use_true_random=False))
def test_of_each_duplicate_group_the_first_image_in_the_order_given_is_kept(groups, shuffled):
    images = [image for image in range(len(groups)) if shuffled.random() < 0.7]
    shuffled.shuffle(images)
    expected = [image for i, image in enumerate(images) if groups[image] not in [groups[other] for other in images[:i]]]
    assert one_per_group(np.array(images, int), np.array(groups, int)).tolist() == expected


def test_digest_follows_content_not_folds(photos, tmp_path):
    digests = []
    for seed in (0, 1):
        config = parse_config({"dataset": {"photos": photos}, "seed": seed})
        build(AuditFolder(tmp_path / f"{seed}"), config)
        digests.append(json.loads((tmp_path / f"{seed}" / "dataset.json").read_text())["digest"])
    save(photos / "cat" / "new.png", 900)
    build(AuditFolder(tmp_path / "2"), configured(photos))
    changed = json.loads((tmp_path / "2" / "dataset.json").read_text())["digest"]
    assert digests[0] == digests[1] != changed
