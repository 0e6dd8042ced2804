"""Occlusion maps against closed forms, and the rank correlation against scipy's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from audit.cam.occlusion import occlusion_maps, rank_correlation


def brightness(pictures: torch.Tensor) -> torch.Tensor:
    return pictures.sum((1, 2, 3))


def test_tiles_of_a_linear_score_are_its_block_sums():
    pictures = torch.randn(3, 2, 8, 12, dtype=torch.float64)
    blocks = pictures.view(3, 2, 2, 4, 3, 4).sum((1, 3, 5))
    torch.testing.assert_close(occlusion_maps(brightness, pictures, 4, 4, 0.0), blocks.float())


def test_wide_windows_are_centred_on_the_cells_and_cut_at_the_edges():
    picture = torch.ones(1, 1, 4, 8)
    areas = occlusion_maps(brightness, picture, window=4, stride=2, fill=0.0)[0]
    assert areas.tolist() == [[9, 12, 12, 9], [9, 12, 12, 9]]


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_every_pixel_is_covered_when_the_window_is_at_least_the_stride(height, width, stride, extra):
    pictures = torch.zeros(height * width, 1, height, width)
    pictures.view(height * width, -1).fill_diagonal_(1.0)
    drops = occlusion_maps(brightness, pictures, stride + extra - 1, stride, 0.0)
    assert drops.shape[1:] == (-(-height // stride), -(-width // stride))
    assert (drops.amax((1, 2)) == 1).all()


def test_covering_with_what_is_there_already_changes_nothing():
    pictures = torch.randn(2, 3, 6, 6)
    before = pictures.clone()
    assert not occlusion_maps(brightness, pictures, 3, 2, pictures).any()
    assert occlusion_maps(brightness, pictures, 3, 2, torch.zeros(3, 1, 1)).any()
    assert torch.equal(pictures, before)


def test_the_score_may_hold_a_class_for_each_picture():
    pictures = torch.zeros(2, 2, 2, 2)
    pictures[:, 0, 0, 0] = pictures[:, 1, 1, 1] = 1.0
    classes = torch.tensor([[0], [1]])
    drops = occlusion_maps(lambda x: x.sum((2, 3)).gather(1, classes)[:, 0], pictures, 1, 1, 0.0)
    assert drops.tolist() == [[[1, 0], [0, 0]], [[0, 0], [0, 1]]]


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=30))
def test_rank_correlation_is_scipys_with_ties_too(pairs):
    a, b = (torch.tensor(column, dtype=torch.float32).view(1, 1, -1) for column in zip(*pairs, strict=True))
    ours = rank_correlation(a, b).item()
    if len(a.unique()) == 1 or len(b.unique()) == 1:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(spearmanr(a.flatten(), b.flatten()).statistic, abs=1e-12)


def test_rank_correlation_is_taken_image_by_image():
    a = torch.arange(8.0).view(2, 2, 2)
    assert rank_correlation(a, torch.stack([a[0].exp(), -a[1]])).tolist() == pytest.approx([1, -1])
    with pytest.raises(ValueError, match="same grid"):
        rank_correlation(a, a[:, :1])


def test_refuses_windows_without_a_side():
    with pytest.raises(ValueError, match="at least 1"):
        occlusion_maps(brightness, torch.zeros(1, 3, 4, 4), 0, 1, 0.0)
