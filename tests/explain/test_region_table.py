"""The table of regions: exact places of planted regions, masks and descriptors that come back."""

import numpy as np
import pandas as pd
import pytest
import torch

from audit.cam.regions import find_regions
from audit.config import Config
from audit.explain import region_table
from audit.explain.region_table import read_descriptors, unpack_masks
from audit.store.audit_folder import AuditFolder, read_table, write_table
from audit.store.tensors import load_tensors, save_tensors

SHAPE = (5, 7)


def planted_maps() -> np.ndarray:
    """Image 0: two places; 1: one cell in a corner; 2: nothing positive; 3: everything."""
    maps = np.full((4, *SHAPE), -1.0, np.float32)
    maps[0, 0, 0:2], maps[0, 3:5, 5] = 4, 3
    maps[1, 4, 6] = 2
    maps[3] = 1
    return maps


@pytest.fixture
def folder(tmp_path) -> AuditFolder:
    """Two shards, images out of order; the descriptor of image i's region r is (10 i + r, 1)."""
    audit, maps = AuditFolder(tmp_path), planted_maps()
    for number, images in enumerate(([3, 0], [1, 2])):
        tensors = {
            "image": torch.tensor(images, dtype=torch.int32),
            "label_map": torch.from_numpy(maps[images].astype(np.float16)),
            "regions": torch.tensor([[[10.0 * i + r, 1.0] for r in range(3)] for i in images]).half(),
        }
        save_tensors(audit.explain / f"fold-{number}-00000.safetensors", tensors, {})
    write_table(audit.predictions, pd.DataFrame({"image": np.arange(4)}))
    region_table.build(audit, Config())
    return audit


def test_rows_and_places_are_exact(folder):
    table = read_table(folder.regions)
    assert table["region"].tolist() == [0, 1, 2, 3]
    assert list(zip(table["image"], table["rank"], strict=True)) == [(0, 0), (0, 1), (1, 0), (3, 0)]
    numbers = table[["x0", "y0", "x1", "y1", "cx", "cy", "area", "mass"]].to_numpy(np.float64)
    expected = [
        [0, 0, 2 / 7, 1 / 5, 1 / 7, 0.5 / 5, 2 / 35, 8 / 14],
        [5 / 7, 3 / 5, 6 / 7, 1, 5.5 / 7, 4 / 5, 2 / 35, 6 / 14],
        [6 / 7, 4 / 5, 1, 1, 6.5 / 7, 4.5 / 5, 1 / 35, 1],
        [0, 0, 1, 1, 0.5, 0.5, 1, 1],
    ]
    np.testing.assert_allclose(numbers, expected, atol=1e-6)


def test_masks_come_back(folder):
    table, maps = read_table(folder.regions), planted_maps()
    masks = unpack_masks(table, SHAPE)
    assert masks.shape == (4, *SHAPE) and masks.dtype == bool
    for row, mask in zip(table.itertuples(), masks, strict=True):
        found = find_regions(maps[row.image], Config().attention)
        assert np.array_equal(mask, found[row.rank].mask)
    assert np.array_equal(unpack_masks(table.iloc[[2]], SHAPE), masks[[2]])


def test_descriptors_belong_to_their_regions(folder):
    table = read_table(folder.regions)
    assert read_descriptors(folder, table)[:, 0].tolist() == [0, 1, 10, 30]
    assert read_descriptors(folder, table.iloc[::-1])[:, 0].tolist() == [30, 10, 1, 0]


def test_no_regions_at_all(folder):
    for path in folder.explain.glob("*.safetensors"):
        tensors, _ = load_tensors(path)
        save_tensors(path, {**tensors, "label_map": -tensors["label_map"].abs()}, {})
    region_table.build(folder, Config())
    table = read_table(folder.regions)
    assert len(table) == 0 and set(region_table.COLUMNS) < set(table.columns)
    assert unpack_masks(table, SHAPE).shape == (0, *SHAPE)
    assert read_descriptors(folder, table).shape == (0, 2)
