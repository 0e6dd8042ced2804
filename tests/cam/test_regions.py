"""Regions of maps: planted blobs are found, empty maps give none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audit.cam.regions import cover, find_regions, mass_on
from audit.config import AttentionConfig

SETTINGS = AttentionConfig()


def test_two_blobs_are_two_regions_heaviest_first():
    saliency = np.full((8, 8), -1.0)
    saliency[1:3, 1:3] = 2.0
    saliency[5:8, 4:8] = 1.5
    first, second = find_regions(saliency, SETTINGS)
    assert first.box == (0.5, 0.625, 1.0, 1.0)
    assert second.box == (0.125, 0.125, 0.375, 0.375)
    assert first.mass == pytest.approx(18 / 26)
    assert second.area == pytest.approx(4 / 64)


def test_diagonal_neighbours_are_one_region():
    assert len(find_regions(np.eye(5), SETTINGS)) == 1


@pytest.mark.parametrize("saliency", [np.zeros((4, 4)), np.full((4, 4), -2.0)])
def test_a_map_without_positive_values_has_no_region(saliency):
    assert find_regions(saliency, SETTINGS) == []


@given(arrays(np.float32, (6, 7), elements=st.floats(-5, 5, width=16)))
def test_regions_are_disjoint_and_hold_at_most_all_mass(saliency):
    regions = find_regions(saliency, SETTINGS)
    assert sum(region.mask.astype(int) for region in regions).max(initial=0) <= 1 if regions else True
    assert sum(region.mass for region in regions) <= 1 + 1e-9
    assert [r.mass for r in regions] == sorted((r.mass for r in regions), reverse=True)
    for region in regions:
        assert saliency[region.mask].min() >= SETTINGS.threshold * saliency.max() * (1 - 1e-6)


@given(arrays(np.float32, (5, 5), elements=st.floats(-4, 4, width=16)), st.sampled_from([0.25, 2.0, 64.0]))
def test_regions_do_not_depend_on_the_maps_scale(saliency, scale):
    plain, scaled = find_regions(saliency, SETTINGS), find_regions(saliency * scale, SETTINGS)
    assert [r.mask.tolist() for r in plain] == [r.mask.tolist() for r in scaled]


def test_cover_is_the_share_of_each_cell():
    masks = np.zeros((1, 2, 56, 56), bool)
    masks[0, 0, :, :28] = True
    masks[0, 1, :2, :4] = True
    covered = cover(masks, (14, 14))
    assert covered[0, 0, :, :7].min() == 1 and covered[0, 0, :, 7:].max() == 0
    assert covered[0, 1, 0, 0] == 0.5 and covered[0, 1].sum() == 0.5


def test_mass_on_equals_a_sum_by_hand_and_is_nan_for_empty_maps():
    maps = np.array([[[1.0, 3.0], [-5.0, 0.0]], [[-1.0, 0.0], [0.0, 0.0]]])
    coverage = np.array([[[[1.0, 0.5], [1.0, 0.0]]]] * 2)
    shares = mass_on(maps, coverage)
    assert shares[0, 0] == pytest.approx((1 + 1.5) / 4)
    assert np.isnan(shares[1, 0])
