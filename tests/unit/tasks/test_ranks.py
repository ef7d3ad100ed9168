import numpy as np
import pytest
from scipy import stats

from temper.tasks.ranks import spearman, spearman_of, weighted_ranks

GENERATOR = np.random.default_rng(3)
TRUTH = GENERATOR.integers(0, 5, 80).astype(float)
SCORES = TRUTH + GENERATOR.normal(size=80)
TIED = np.round(SCORES)


@pytest.mark.parametrize("scores", [SCORES, TIED, -TIED])
def test_spearman_is_scipy_s(scores):
    assert spearman_of(scores, TRUTH) == pytest.approx(stats.spearmanr(scores, TRUTH).statistic)


def test_a_weight_counts_as_so_many_rows():
    weights = GENERATOR.integers(0, 4, (3, 80)).astype(float)
    for own, found in zip(weights, spearman(TIED, TRUTH, weights), strict=True):
        rows = np.repeat(np.arange(80), own.astype(int))
        assert found == pytest.approx(stats.spearmanr(TIED[rows], TRUTH[rows]).statistic)
    assert weighted_ranks(np.array([5.0, 1.0, 5.0]), np.ones((1, 3))).tolist() == [[2.5, 1.0, 2.5]]


def test_scores_that_do_not_vary_agree_with_nothing():
    assert spearman_of(np.ones(80), TRUTH) == 0.0
