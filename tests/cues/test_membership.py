"""Membership: the cut with the best F measure, by brute force; and nothing of a fold decides about its own images."""

import numpy as np
import pytest
from sklearn.metrics import fbeta_score

from audit.cues.membership import is_member, precise_cut


@pytest.mark.parametrize("seed", range(20))
def test_no_cut_has_a_better_f_measure(seed):
    rng = np.random.default_rng(seed)
    scores, members = rng.integers(12, size=40) / 8, rng.random(40) < 0.3
    members[0] = True
    best = {cut: fbeta_score(members, scores >= cut, beta=0.5) for cut in np.unique(scores)}
    assert best[precise_cut(scores, members)] == pytest.approx(max(best.values()))


def test_without_members_nothing_is_shown():
    assert precise_cut(np.zeros(3), np.zeros(3, bool)) == np.inf


def draw(rng: np.random.Generator, n: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Likenesses without each of 3 folds, folds, and members: those of the upper half, but for some mistakes."""
    likeness, folds = rng.random((n, 3)), rng.integers(3, size=n)
    likely = (likeness > 0.5) ^ (rng.random((n, 3)) < 0.1)
    return likeness, folds, likely & (folds[:, None] != np.arange(3))


def test_every_fold_is_cut_by_the_other_folds():
    likeness, folds, members = draw(np.random.default_rng(0))
    for fold in range(3):
        outside, alike = folds != fold, likeness[:, fold]
        f = {cut: fbeta_score(members[outside, fold], alike[outside] >= cut, beta=0.5) for cut in alike[outside]}
        expected = alike[~outside] >= max(f, key=f.__getitem__)
        assert np.array_equal(is_member(likeness, folds, members)[~outside], expected)


def test_the_other_images_of_its_fold_do_not_judge_an_image():
    likeness, folds, members = draw(np.random.default_rng(1))
    before = is_member(likeness, folds, members)
    watched, moved = np.flatnonzero(folds == 2)[0], np.flatnonzero(folds == 2)[1:]
    likeness[moved] = 1 - likeness[moved]
    members[moved] = ~members[moved]
    assert is_member(likeness, folds, members)[watched] == before[watched]


def test_folds_that_are_more_alike_as_a_whole_take_in_no_more():
    """Each fold's cluster has a level of its own."""
    likeness, folds, members = draw(np.random.default_rng(2))
    shifted = likeness * [1, 2, 1] + [0.3, 0, -0.4]
    assert np.array_equal(is_member(shifted, folds, members), is_member(likeness, folds, members))


def test_a_clear_thing_is_taken_in_whole_and_a_vague_one_is_cut_high():
    """Precision first: strangers as alike as members raise the cut; strangers far off leave it below every member."""
    rng, folds = np.random.default_rng(3), np.arange(300) % 3
    made = np.arange(300) < 60
    members = made[:, None] & (folds[:, None] != np.arange(3))

    def shown(member: float, stranger: float, spread: float) -> np.ndarray:
        likeness = np.where(made, member, stranger)[:, None] + rng.normal(0, spread, (300, 3))
        return is_member(likeness, folds, members)

    clear, vague = shown(0.8, 0.2, 0.05), shown(0.6, 0.5, 0.1)
    assert clear[made].mean() > 0.95 and not clear[~made].any()
    assert vague[~made].mean() < vague[made].mean() < 0.9
