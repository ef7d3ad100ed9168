import numpy as np
import pytest
from sklearn import metrics

from temper.tasks.label_sets import MOST_LABELS, best_threshold, bits, numbers


def test_numbers_and_flags_are_the_same():
    flags = np.random.default_rng(0).random((9, MOST_LABELS)) < 0.5
    assert np.array_equal(bits(numbers(flags), MOST_LABELS), flags)
    assert all(int(float(number)) == number for number in numbers(flags).tolist())  # exact as a float


def test_the_best_threshold_is_found_by_trying_all():
    generator = np.random.default_rng(1)
    for _ in range(20):
        chances = np.round(generator.random(40), 1)  # with equals
        wanted = generator.random(40) < 0.2 + 0.6 * chances
        threshold = best_threshold(chances, wanted)

        def f1(least, chances=chances, wanted=wanted):
            return metrics.f1_score(wanted, chances >= least)

        best = max(f1(least) for least in np.unique(np.append(chances, 0.0)))
        assert f1(threshold) == pytest.approx(best)


@pytest.mark.parametrize("wanted", [[True] * 4, [False] * 4])
def test_rows_that_cannot_tell_leave_one_half(wanted):
    assert best_threshold(np.array([0.1, 0.2, 0.3, 0.4]), np.array(wanted)) == 0.5
