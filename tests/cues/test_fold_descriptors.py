"""Mean descriptors that an image has no part in, by loops."""

import numpy as np
import pytest

from audit.cues.fold_descriptors import FoldDescriptors


@pytest.fixture
def made_of() -> FoldDescriptors:
    """Twelve regions of images in six duplicate groups of three folds, some of which are in the cluster."""
    rng = np.random.default_rng(0)
    groups = rng.integers(6, size=12)
    inside = (rng.random((12, 3)) < 0.7) & ((groups % 3)[:, None] != np.arange(3))
    return FoldDescriptors(rng.normal(size=(12, 4)).astype(np.float32), groups, inside)


def test_means_leave_out_the_fold_the_image_and_its_copies(made_of):
    found = made_of.strange_to(np.arange(7))
    for group in range(7):
        for fold in range(3):
            rows = [
                descriptor
                for descriptor, other, belongs in zip(
                    made_of.descriptors, made_of.groups, made_of.inside[:, fold], strict=True
                )
                if belongs and other != group
            ]
            assert found[group, fold] == pytest.approx(np.mean(rows, axis=0), abs=1e-6)


def test_where_nothing_would_be_left_the_own_regions_stay():
    alone = FoldDescriptors(np.array([[1, 2], [3, 4]], np.float32), np.array([5, 5]), np.array([[True], [True]]))
    assert alone.strange_to(np.array([5, 6])).tolist() == [[[2, 3]], [[2, 3]]]


def test_members_are_the_images_and_copies_that_have_a_region(made_of):
    members = made_of.members(np.array([0, 1, 2, 3, 4, 5, 6, 0]))
    for image, group in enumerate([0, 1, 2, 3, 4, 5, 6, 0]):
        for fold in range(3):
            assert members[image, fold] == any(made_of.inside[made_of.groups == group, fold])


def test_a_member_is_no_more_alike_by_its_own_doing():
    """Descriptors of noise: each is as like the mean of the others as a stranger is."""
    rng = np.random.default_rng(1)
    noise, strangers = rng.normal(size=(2, 40, 500)).astype(np.float32)
    made_of = FoldDescriptors(noise, np.arange(40), np.ones((40, 1), bool))
    own = (made_of.strange_to(np.arange(40))[:, 0] * noise).sum(1)
    others = (made_of.strange_to(np.arange(40, 80))[:, 0] * strangers).sum(1)
    assert abs(own.mean() - others.mean()) < 2
    # With themselves in it the difference is the mean square, 500, over 40.
    assert (noise.mean(0) * noise).sum(1).mean() > 10


def test_whatever_the_means_depend_on_is_in_the_digest(made_of):
    other = [
        FoldDescriptors(made_of.descriptors + 1, made_of.groups, made_of.inside),
        FoldDescriptors(made_of.descriptors, made_of.groups + 1, made_of.inside),
        FoldDescriptors(made_of.descriptors, made_of.groups, ~made_of.inside),
    ]
    assert len({made_of.digest(), *(some.digest() for some in other)}) == 4
