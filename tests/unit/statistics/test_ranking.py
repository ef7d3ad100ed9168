import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from temper.statistics.metrics import Judged, value
from temper.statistics.paired_bootstrap import paired_difference
from temper.statistics.paired_labels import flips_of
from temper.statistics.ranking import ndcg, worth_of

GENERATOR = np.random.default_rng(3)
TRUTH = GENERATOR.integers(0, 5, 80).astype(float)
SCORES = TRUTH + GENERATOR.normal(size=80)
TIED = np.round(SCORES)


def test_scores_that_do_not_vary_are_said_not_to():
    assert worth_of(np.ones(80), TRUTH).warnings("test") == ["the model gives all 80 test rows the same score"]


@pytest.mark.parametrize("scores", [SCORES, TIED])
def test_ndcg_is_scikit_learn_s_of_each_query_which_averages_ties_too(scores):
    groups = np.repeat(np.arange(4), 20)
    first, found = ndcg(scores, TRUTH, groups)
    assert first.tolist() == [0, 20, 40, 60]
    theirs = [ndcg_score(TRUTH[groups == each][None], scores[groups == each][None], k=10) for each in range(4)]
    assert found.tolist() == pytest.approx(theirs)


def test_a_query_without_a_relevant_row_counts_for_nothing():
    truth, groups = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0, 0, 1, 1])
    judged = Judged(
        *[np.zeros(4, bool)] * 3, np.zeros((4, 1)), answers=np.array([2.0, 1.0, 3.0, 4.0]), truth=truth, groups=groups
    )
    assert np.isnan(ndcg(judged.answers, truth, groups)[1][1])
    assert value("ndcg_at_10", judged) == 1.0


def test_rows_of_a_query_are_drawn_together():
    """Every query's rows tell the same: of 60 rows there are 6 to draw, and the interval is as wide as that of 6."""
    groups = np.repeat(np.arange(6), 10)
    truth = np.tile(np.arange(10.0), 6)
    noise = np.repeat(GENERATOR.normal(size=6), 10)
    own = np.where(noise > 0, truth, -truth)
    nothing = np.zeros(60, bool)

    def judged(scores, of):
        return Judged(nothing, nothing, nothing, np.zeros((60, 1)), answers=scores, truth=truth, groups=of)

    counted = flips_of(nothing, nothing, own != truth)
    width = {}
    for of in (groups, np.arange(60)):
        found = paired_difference("spearman", judged(own, of), judged(truth, of), counted)
        width[len(set(of.tolist()))] = found.high - found.low
    assert width[6] > 1.5 * width[60]


def test_a_model_that_ranks_by_chance_is_said_to():
    chance = np.random.default_rng(1).normal(size=80)
    assert "not shown to rank better than chance" in worth_of(chance, TRUTH).warnings("test")[0]
    assert worth_of(SCORES, TRUTH).warnings("test") == []
    assert worth_of(SCORES, TRUTH).sentence("test").startswith("Spearman 0.")
    assert worth_of(TRUTH, TRUTH).mean_absolute_error == 0
