"""Pooling against weighted means in NumPy, and what the cubic mean is chosen for."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from audit.model.pooling import masked_generalised_mean, masked_mean, pool_views


@pytest.fixture
def drawn() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Activations of both signs, and weights that are zero in half of the cells and in all of one place."""
    rng = np.random.default_rng(0)
    weights = rng.random((2, 2, 4, 5)) * (rng.random((2, 2, 4, 5)) < 0.5)
    weights[1, 1] = 0
    return rng.normal(size=(2, 3, 4, 5)), weights


@pytest.mark.parametrize(("pool", "power"), [(masked_mean, 1), (masked_generalised_mean, 3)])
def test_pooling_is_a_weighted_mean_of_powers(drawn, pool, power):
    activations, weights = drawn
    pooled = pool(torch.from_numpy(activations), torch.from_numpy(weights)).numpy()
    for image, k in ((0, 0), (0, 1), (1, 0)):
        expected = [np.cbrt(x) if power == 3 else x for x in _means(activations[image] ** power, weights[image, k])]
        np.testing.assert_allclose(pooled[image, k], expected)
    assert (pooled[1, 1] == 0).all()


def test_what_is_found_in_one_corner_outweighs_the_nothing_around_it_at_any_size():
    activations = torch.zeros(1, 1, 6, 6)
    activations[..., 0, 0], activations[..., 3, 3] = 8.0, 8.0
    whole, half = torch.ones(1, 1, 6, 6), torch.ones(1, 1, 6, 6)
    half[..., 3:] = 0
    assert masked_generalised_mean(activations, whole).item() > 5 * masked_mean(activations, whole).item()
    assert masked_generalised_mean(activations, half).item() == pytest.approx(
        masked_generalised_mean(activations, whole).item()
    )


def test_views_are_the_places_what_is_outside_of_them_and_their_controls(drawn):
    activations, weights = (torch.from_numpy(values).float() for values in drawn)
    control = weights.flip(3)
    views = pool_views(activations, weights, control)
    for name, under in (("inside", weights), ("rest", 1 - weights), ("control", control)):
        assert views[name].dtype == torch.float16
        torch.testing.assert_close(
            views[name].float(), masked_generalised_mean(activations, under), rtol=2e-3, atol=1e-3
        )


def _means(channels: NDArray[np.float64], weights: NDArray[np.float64]) -> list[float]:
    return [float(np.average(channel, weights=weights)) for channel in channels]
