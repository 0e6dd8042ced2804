"""New photographs join the training side only, and copies of what a model is tested on are refused."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from audit.data.dataset import load_dataset
from audit.data.extra_images import add_images, added
from audit.data.folds import ADDED
from audit.errors import DatasetError
from audit.model.cross_fit import split_fold
from audit.store.audit_folder import AuditFolder
from tests.planted import draw_dataset, draw_picture, run_audit, tiny_config


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("old"), per_class=24)


@pytest.fixture(scope="module")
def audit(manifest, tmp_path_factory) -> AuditFolder:
    return run_audit(tmp_path_factory.mktemp("audit"), tiny_config(manifest), until="dataset")


@pytest.fixture
def new(tmp_path):
    """A folder with three new pictures per class."""
    rng = np.random.default_rng(77)
    for label in ("disc", "square"):
        (tmp_path / "new" / label).mkdir(parents=True)
        for number in range(3):
            draw_picture(label, False, rng).save(tmp_path / "new" / label / f"n{number}.png")
    return tmp_path / "new"


def joined(audit, manifest, source, tmp_path):
    place = AuditFolder(tmp_path / "work")
    return add_images(audit, tiny_config(manifest), source, place), load_dataset(place)


def test_new_images_come_last_in_no_fold_and_in_groups_of_their_own(audit, manifest, new, tmp_path):
    refused, dataset = joined(audit, manifest, new, tmp_path)
    old = load_dataset(audit)
    assert refused == [] and len(dataset.images) == 54
    assert added(dataset).tolist() == [False] * 48 + [True] * 6
    assert dataset.images["path"].tolist()[:48] == old.images["path"].tolist()
    assert (dataset.folds[:48] == old.folds).all() and (dataset.folds[48:] == ADDED).all()
    assert set(dataset.groups[48:]).isdisjoint(dataset.groups[:48]) and len(set(dataset.groups[48:])) == 6
    assert dataset.file_of(50).path == new / "disc" / "n2.png" and dataset.file_of(0) == old.file_of(0)
    assert dataset.classes[dataset.labels[53]] == "square"


def test_no_fold_holds_them_out_and_the_others_are_divided_as_before(audit, manifest, new, tmp_path):
    _, dataset = joined(audit, manifest, new, tmp_path)
    for fold in range(2):
        alone, together = (split_fold(one, fold, 0.2, seed=3) for one in (load_dataset(audit), dataset))
        for side in ("fit", "validation"):
            images = getattr(together, side)
            assert images[images < 48].tolist() == getattr(alone, side).tolist()
        everything = np.concatenate([together.fit, together.validation])
        assert set(range(48, 54)) <= set(everything.tolist())
        assert not (dataset.folds[everything] == fold).any()


def test_a_manifest_names_them_as_well(audit, manifest, new, tmp_path):
    table = new / "list.csv"
    with table.open("w", newline="") as handle:
        csv.writer(handle).writerows([("path", "label"), ("disc/n0.png", "square"), ("square/n1.png", "square")])
    _, dataset = joined(audit, manifest, table, tmp_path)
    assert dataset.images["label"].tolist()[48:] == ["square", "square"]


def test_copies_of_the_audit_s_images_are_refused_and_the_others_join(audit, manifest, new, tmp_path):
    root = load_dataset(audit).root
    shutil.copy(root / "disc" / "003.png", new / "disc" / "same.png")
    smaller = Image.open(root / "square" / "007.png").resize((60, 60), Image.Resampling.BICUBIC)
    smaller.save(new / "square" / "again.jpg", quality=95)
    (new / "square" / "broken.png").write_bytes(b"no picture")
    refused, dataset = joined(audit, manifest, new, tmp_path)
    reasons = {one.path.rpartition("/")[2]: one.reason for one in refused}
    assert reasons["same.png"] == "a copy of disc/003.png, on which a model is tested"
    assert reasons["again.jpg"] == "a copy of square/007.png, on which a model is tested"
    assert set(reasons) == {"same.png", "again.jpg", "broken.png"} and len(dataset.images) == 54


def test_nothing_but_copies_is_an_error(audit, manifest, tmp_path):
    source = tmp_path / "copies" / "disc"
    source.mkdir(parents=True)
    shutil.copy(load_dataset(audit).root / "disc" / "003.png", source)
    with pytest.raises(DatasetError, match=r"no photograph to add; 1 are copies .* has not seen"):
        joined(audit, manifest, source.parent, tmp_path)


def test_where_no_photograph_can_be_used_the_first_says_why(audit, manifest, tmp_path):
    source = tmp_path / "new.csv"
    source.write_text("path,label\ndisc/absent.png,disc\nsquare/absent.png,square\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"2 cannot be used \(disc/absent\.png: [^)]*(missing|exist|no such)"):
        joined(audit, manifest, source, tmp_path)


def test_a_class_that_the_audit_has_not_is_an_error(audit, manifest, new, tmp_path):
    (new / "square").rename(new / "triangle")
    with pytest.raises(DatasetError, match=r"no class 'triangle'; its classes are 'disc', 'square'"):
        joined(audit, manifest, new, tmp_path)
