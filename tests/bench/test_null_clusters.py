"""P-values of clusters are honest where labels mean nothing, and a lean that is there is still seen."""

import numpy as np
import pytest
from scipy.stats import fisher_exact, kstest

from tests.bench.null_clusters import PROCEDURES, Scene, p_value, p_values

SAME, CROSS_FITTED, NEVER_SAW = PROCEDURES


def test_p_values_of_cross_fitted_clusters_are_uniform_where_models_cannot_learn_photographs_by_heart():
    p = p_values(Scene(100, 32, 1.0), (CROSS_FITTED,), repetitions=40)[CROSS_FITTED]
    assert len(p) >= 30 and kstest(p, "uniform", alternative="greater").pvalue > 0.01


def test_by_heart_only_models_that_never_saw_the_fold_leave_p_values_uniform():
    """Vague things, and more channels than photographs: what is told of the path that audits leave open."""
    p = p_values(Scene(60, 128, 0.3), (SAME, NEVER_SAW), repetitions=45)
    assert kstest(p[SAME], "uniform", alternative="greater").pvalue < 0.01
    assert kstest(p[NEVER_SAW], "uniform", alternative="greater").pvalue > 0.01


def test_a_kind_of_thing_that_leans_is_still_seen():
    """In the clusters of that kind, of which not every one that is drawn is one."""
    p = p_values(Scene(120, 32, 1.0, lean=0.9), (CROSS_FITTED,), repetitions=12)[CROSS_FITTED]
    assert np.mean(np.array(p) <= 0.01) >= 0.25


@pytest.mark.parametrize("seed", range(5))
def test_the_p_value_is_fishers_but_for_ties(seed):
    rng = np.random.default_rng(seed)
    in_class, shown = np.arange(40) < 20, rng.random(40) < 0.4
    table = [[(shown & side).sum(), (~shown & side).sum()] for side in (in_class, ~in_class)]
    drawn = [p_value(shown, in_class, rng) for _ in range(200)]
    # Half of the tied tables count on average, all of them in Fisher's.
    assert max(drawn) <= fisher_exact(table).pvalue + 1e-9
    assert fisher_exact(table).pvalue == pytest.approx(max(drawn), abs=0.02)
