import numpy as np

from temper.evaluation import score


def test_a_flip_is_a_score_that_moved_by_a_tenth_of_the_spread():
    theirs = np.array([0.0, 1.0, 2.0, 3.0])  # a standard deviation of 1.118
    assert score.differ(theirs + np.array([0.11, -0.11, 0.12, -0.12]), theirs).tolist() == [False, False, True, True]
    assert not score.differ(np.full(4, 1.0 + 1e-6), np.full(4, 1.0)).any()  # rounding of a record is no flip
