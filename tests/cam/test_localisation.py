"""Boxes, seeds, the pointing game and class discrimination against hand-made maps, and on drawn scenes."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from audit.cam.adversarial import Limits, fgsm, pgd
from audit.cam.gradcam import GradCAM
from audit.cam.localisation import (
    Pointing,
    box_overlap,
    class_discrimination,
    find_box,
    pointing_game,
    segmentation_seed,
)
from audit.cam.trust import compare_trust
from audit.errors import ConfigError
from tests.scenes import Scenes, draw_scenes, tagger

KINDS = torch.arange(4)


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return draw_scenes(96, seed=2)


@pytest.fixture(scope="module")
def model():
    return tagger(draw_scenes(384, seed=1))


@pytest.fixture(scope="module")
def maps(model, scenes) -> torch.Tensor:
    return GradCAM(model)(scenes.pictures, KINDS.expand(len(scenes.pictures), -1)).maps


def squares(*areas: tuple[int, int, int, int, float]) -> torch.Tensor:
    """A map (8, 8) of squares x0, y0, x1, y1, value."""
    saliency = torch.full((8, 8), -1.0)
    for x0, y0, x1, y1, value in areas:
        saliency[y0:y1, x0:x1] = value
    return saliency


def test_the_box_encloses_the_largest_area_not_the_strongest():
    assert find_box(squares((0, 0, 3, 3, 1.0), (6, 6, 7, 7, 5.0)), (8, 8)) == (0, 0, 3, 3)
    assert find_box(squares((0, 0, 3, 3, 0.7), (6, 6, 7, 7, 5.0)), (8, 8)) == (6, 6, 7, 7), "0.7 is below 15 % of 5"
    assert find_box(squares((0, 0, 2, 2, 1.0), (2, 2, 4, 4, 1.0)), (8, 8)) == (0, 0, 4, 4), "corners touch"
    assert find_box(squares(), (8, 8)) is None


def test_the_box_is_in_the_pixels_of_the_picture():
    x0, y0, x1, y1 = find_box(squares((2, 4, 4, 6, 1.0)), (80, 160), threshold=0.5)
    assert np.allclose([x0, y0, x1, y1], [40, 40, 80, 60], atol=10)


boxes = st.tuples(*[st.integers(0, 9)] * 2, *[st.integers(1, 9)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@given(boxes, boxes)
def test_box_overlap_counts_pixels(first, second):
    drawn = []
    for x0, y0, x1, y1 in (first, second):
        canvas = np.zeros((20, 20), bool)
        canvas[y0:y1, x0:x1] = True
        drawn.append(canvas)
    assert box_overlap(first, second) == pytest.approx((drawn[0] & drawn[1]).sum() / (drawn[0] | drawn[1]).sum())


def test_a_seed_names_the_smaller_class_where_two_claim_a_pixel_and_none_elsewhere():
    large, small, nowhere = squares((0, 0, 6, 6, 1.0)), squares((4, 4, 7, 7, 9.0)), squares()
    seed = segmentation_seed(torch.stack([large, small, nowhere])[None], (8, 8))[0]
    assert seed[1, 1] == 0 and seed[5, 5] == 1 and seed[7, 7] == -1
    assert (seed == 1).sum() == 9 and (seed == 0).sum() == 36 - 4 and not (seed == 2).any()


def test_the_pointing_game_counts_classes_that_are_shown():
    maps = torch.stack([squares((1, 1, 2, 2, 3.0)), squares((1, 1, 2, 2, 3.0)), squares((1, 1, 2, 2, 3.0))])[None]
    masks = torch.zeros(1, 3, 8, 8, dtype=torch.bool)
    masks[0, 0, 1, 1] = masks[0, 1, 4, 1] = True
    assert pointing_game(maps, masks) == Pointing(1, 2)
    assert pointing_game(maps, masks, tolerance=2) == Pointing(1, 2)
    assert pointing_game(maps, masks, tolerance=3) == Pointing(2, 2)
    assert math.isnan(pointing_game(maps, torch.zeros_like(masks)).accuracy)


def test_stopping_below_a_score_rewards_silence_about_what_is_absent():
    """Four trials: shown and loud (hit), shown and silent (miss), absent and silent (hit), absent and loud (miss)."""
    loud, silent = squares((1, 1, 2, 2, 3.0)), squares((1, 1, 2, 2, 0.5))
    masks = torch.zeros(1, 4, 8, 8, dtype=torch.bool)
    masks[0, :2, 1, 1] = True
    assert pointing_game(torch.stack([loud, silent, silent, loud])[None], masks, stop_below=1.0) == Pointing(2, 4)


def test_class_discrimination_of_maps_that_are_alike_apart_and_empty():
    a, b = squares((0, 0, 2, 2, 1.0)), squares((4, 4, 8, 8, 2.0))
    discrimination = class_discrimination(torch.stack([a, a, a]), torch.stack([7 * a, b, -a.abs()]))
    assert discrimination[:2].tolist() == [0, 1]
    assert discrimination[2].isnan()


def test_maps_of_a_trained_network_find_drawn_things(maps, scenes):
    assert pointing_game(maps, scenes.masks, tolerance=2).accuracy >= 0.9
    plain = pointing_game(maps, scenes.masks, tolerance=2, stop_below=float("-inf"))
    stopping = pointing_game(maps, scenes.masks, tolerance=2, stop_below=float(maps.amax((2, 3)).median()))
    assert stopping.accuracy > plain.accuracy and stopping.n == 4 * len(scenes.pictures)


def test_boxes_of_a_trained_network_overlap_drawn_things(maps, scenes):
    overlaps = []
    for image, kind in scenes.shown.nonzero().tolist():
        truth = find_box(scenes.masks[image, kind].float(), (48, 48))
        overlaps.append(box_overlap(find_box(maps[image, kind], (48, 48), threshold=0.4), truth))
    assert np.mean(overlaps) >= 0.4


def test_seeds_of_a_trained_network_lie_on_drawn_things(maps, scenes):
    hits = []
    for image in range(len(maps)):
        shown = scenes.shown[image].nonzero()[:, 0]
        seed = segmentation_seed(maps[image, shown][None], (48, 48), threshold=0.6)[0]
        hits += [
            scenes.masks[image, kind][seed == i].float().mean() for i, kind in enumerate(shown) if (seed == i).any()
        ]
    assert torch.stack(hits).mean() >= 0.5


def test_maps_of_two_shown_kinds_are_apart_and_of_one_kind_are_not(maps, scenes):
    first, second = scenes.shown.float().topk(2).indices.sort(1).values.T
    several = scenes.shown.sum(1) >= 2
    rows = torch.arange(len(maps))
    apart = class_discrimination(maps[rows, first], maps[rows, second])[several]
    assert apart.nanmean() >= 0.7
    assert class_discrimination(maps[rows, first], maps[rows, first]).nan_to_num().max() == pytest.approx(0, abs=1e-12)


def test_the_trained_of_two_networks_is_trusted_more(model, maps, scenes):
    kinds = scenes.shown.int().argmax(1)
    rows = torch.arange(len(maps))
    torch.manual_seed(0)
    untrained_network = tagger(scenes, epochs=0)
    untrained = GradCAM(untrained_network)(scenes.pictures, kinds).maps[:, 0]
    objects = scenes.masks[rows, kinds].numpy()
    everything = np.ones(len(maps), bool)
    trained = maps[rows, kinds].numpy()
    comparison = compare_trust(trained, untrained.numpy(), objects, everything, 0)
    assert comparison.low > 0 and comparison.difference == pytest.approx(comparison.first - comparison.second)
    same = compare_trust(trained, trained, objects, everything, 0)
    assert (same.difference, same.low, same.high) == (0, 0, 0)
    assert compare_trust(trained, trained, objects, ~everything, 0).n == 0


LIMITS = Limits(epsilon=0.3, low=-1.0, high=1.0)


def test_adversarial_pictures_deceive_the_network_and_its_maps_still_find_the_things(model, maps, scenes):
    """Paper, section 6.2: the score of what is shown falls below that of what is not, the map still finds what is."""
    single = scenes.shown.sum(1) == 1
    pictures, kinds = scenes.pictures[single], scenes.shown[single].int().argmax(1)
    towards = (kinds + 1) % 4
    before = pictures.clone()
    changed = pgd(model, pictures, towards, LIMITS, steps=40)
    with torch.no_grad():
        assert (model(pictures).argmax(1) == kinds).float().mean() >= 0.95
        assert (model(changed).argmax(1) == towards).float().mean() >= 0.8
    cams = GradCAM(model)(changed, kinds).maps
    assert pointing_game(cams, scenes.masks[single, kinds][:, None], tolerance=2).accuracy >= 0.7
    assert torch.equal(pictures, before)


def test_adversarial_pictures_stay_within_their_limits(model, scenes):
    pictures, towards = scenes.pictures[:8], torch.arange(8) % 4
    limits = Limits(torch.tensor([0.01, 0.02, 0.03]).view(3, 1, 1), -0.9, 0.9)
    inside = pictures.clamp(-0.9, 0.9)
    changed = pgd(model, inside, towards, limits, steps=7, step=0.9)
    assert ((changed - inside).abs().amax((0, 2, 3)) <= torch.tensor([0.01, 0.02, 0.03]) + 1e-6).all()
    assert changed.abs().max() <= 0.9
    with pytest.raises(ConfigError, match="at least one"):
        pgd(model, pictures, towards, limits, steps=0)


def test_the_fast_gradient_sign_method_is_its_formula():
    layer = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
    pictures, towards = torch.rand(2, 3, 2, 2), torch.tensor([0, 2])
    changed = fgsm(layer, pictures, towards, Limits(0.1, -5, 5))
    scores = layer(pictures).softmax(1).detach()
    scores[torch.arange(2), towards] -= 1
    by_hand = pictures - 0.1 * (scores @ layer[1].weight.detach()).sign().view_as(pictures)
    torch.testing.assert_close(changed, by_hand)
    assert all(parameter.grad is None for parameter in layer.parameters())
