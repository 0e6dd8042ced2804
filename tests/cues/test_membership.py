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
    """Scores, folds, and the members outside each of 3 folds: those of the upper half, but for some mistakes."""
    scores, folds = rng.random(n), rng.integers(3, size=n)
    likely = (scores > 0.5) ^ (rng.random(n) < 0.1)
    return scores, folds, likely[:, None] & (folds[:, None] != np.arange(3))


def test_every_fold_is_cut_by_the_other_folds():
    scores, folds, members = draw(np.random.default_rng(0))
    for fold in range(3):
        outside = folds != fold
        f = {cut: fbeta_score(members[outside, fold], scores[outside] >= cut, beta=0.5) for cut in scores[outside]}
        expected = scores[~outside] >= max(f, key=f.__getitem__)
        assert np.array_equal(is_member(scores, folds, members)[~outside], expected)


def test_the_scores_of_a_fold_do_not_move_its_own_cut():
    scores, folds, members = draw(np.random.default_rng(1))
    before = is_member(scores, folds, members)
    watched, moved = np.flatnonzero(folds == 2)[0], np.flatnonzero(folds == 2)[1:]
    scores[moved] = 1 - scores[moved]
    assert is_member(scores, folds, members)[watched] == before[watched]


def test_a_clear_thing_is_taken_in_whole_and_a_vague_one_is_cut_high():
    """Precision first: strangers as alike as members raise the cut; strangers far off leave it below every member."""
    rng, folds = np.random.default_rng(2), np.arange(300) % 3
    made = np.arange(300) < 60
    members = made[:, None] & (folds[:, None] != np.arange(3))
    clear = is_member(np.where(made, 0.8, 0.2) + rng.normal(0, 0.05, 300), folds, members)
    assert clear[made].mean() > 0.95 and not clear[~made].any()
    vague = is_member(np.where(made, 0.6, 0.5) + rng.normal(0, 0.1, 300), folds, members)
    assert vague[~made].mean() < vague[made].mean() < 0.9
