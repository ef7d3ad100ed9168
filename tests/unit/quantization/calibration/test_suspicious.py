import numpy as np
import pytest

from temper.quantization.calibration.ranges import Extremes, Histograms
from temper.quantization.calibration.suspicious import by_extremes, by_histograms, percentiles

BINS = 100


def extremes(lows: list[float], highs: list[float]) -> Extremes:
    """One tensor, a call for each number."""
    return Extremes(("a",), np.array(lows)[:, None], np.array(highs)[:, None])


def histogram(counts: dict[int, int], low: float = -1.0, high: float = 1.0) -> Histograms:
    """One tensor; counts by bin."""
    row = np.zeros((1, BINS), np.int64)
    for position, count in counts.items():
        row[0, position] = count
    found = extremes([low], [high])
    return Histograms(found, row, found.absmax / BINS)


def told(suspicious: list) -> list[tuple[str, str]]:
    return [(each.tensor, each.what) for each in suspicious]


def test_percentiles_are_linear_within_a_bin():
    assert percentiles(histogram({0: 90, 50: 10}), 95.0) == pytest.approx(0.505)
    assert percentiles(histogram({0: 90, 50: 10}), 90.0) == pytest.approx(0.01)
    assert percentiles(histogram({99: 10}), 99.9) == pytest.approx(0.99999)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_tensor_of_one_value_is_dead(value):
    found = by_extremes(extremes([value, value], [value, value]))
    assert told(found) == [("a", "dead")]
    assert found[0].evidence == f"every value is {value:g}"
    assert told(by_histograms(histogram({99 if value else 0: 5}, value, value), np.array([value]))) == [("a", "dead")]


def test_a_call_far_beyond_the_others_is_an_outlier():
    assert by_extremes(extremes([-1.0, -1.0, -1.0], [0.5, 3.9, 0.5])) == []
    found = by_extremes(extremes([-1.0, -4.1, -1.0], [0.5, 0.5, 0.5]))
    assert told(found) == [("a", "outlier")]
    assert found[0].evidence == "largest |x| is 4.1, more than 4 times that of the median call (1)"


def test_a_value_far_beyond_the_others_is_an_outlier():
    bulk, whole = 10_000, np.array([1.0])
    assert by_histograms(histogram({13: bulk, 99: 1}), whole) == []  # 99.9 % within 0.14
    found = by_histograms(histogram({10: bulk, 99: 1}), whole)
    assert told(found) == [("a", "outlier")]
    assert found[0].evidence == "largest |x| is 1, 9.1 times what 99.9 % of |x| stay within"


def test_a_range_that_clips_more_than_one_in_a_hundred_is_saturated():
    assert by_histograms(histogram({20: 990, 90: 10}), np.array([0.5])) == []
    found = by_histograms(histogram({20: 989, 90: 11}), np.array([0.5]))
    assert told(found) == [("a", "saturated")]
    assert found[0].evidence == "1.10% of the values lie beyond 0.5 and are clipped"
    assert by_histograms(histogram({20: 900, 90: 100}), np.array([1.0])) == []
