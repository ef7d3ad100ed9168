import numpy as np
import pytest

from temper.errors import DataError
from temper.quantization.calibration.ranges import Extremes, Histograms
from temper.quantization.calibration.thresholds import clipped_ranges, collected


def extremes(*ends: tuple[float, float]) -> Extremes:
    lows, highs = np.array(ends, np.float64).T
    return Extremes(tuple("abcdefgh"[: len(ends)]), lows[None], highs[None])


@pytest.mark.parametrize(
    ("ends", "threshold", "expected"),
    [
        ((-4.0, 10.0), 5.0, (-4.0, 5.0)),
        ((-10.0, 10.0), 5.0, (-5.0, 5.0)),
        ((-0.17, 10.0), 5.0, (-0.17, 5.0)),
        ((0.0, 10.0), 5.0, (0.0, 5.0)),
        ((3.0, 10.0), 5.0, (0.0, 5.0)),
        ((-10.0, -3.0), 5.0, (-5.0, 0.0)),
        ((-4.0, 10.0), 10.0, (-4.0, 10.0)),
        ((0.0, 0.0), 0.0, (0.0, 0.0)),
    ],
)
def test_the_range_is_the_values_own_cut_at_the_threshold(ends, threshold, expected):
    assert clipped_ranges(extremes(ends), np.array([threshold])) == {"a": expected}


def histograms(*totals: int) -> Histograms:
    counts = np.zeros((len(totals), 4), np.int64)
    counts[:, 0] = totals
    return Histograms(extremes(*[(-1.0, 1.0)] * len(totals)), counts, np.full(len(totals), 0.25))


def test_a_tensor_with_few_values_keeps_its_whole_range_and_is_listed():
    found = collected(histograms(99, 100), np.array([0.5, 0.5]), needed=100, method="a method")
    assert found.ranges == {"a": (-1.0, 1.0), "b": (-0.5, 0.5)}
    (few,) = found.suspicious
    assert (few.tensor, few.what) == ("a", "few values")
    assert few.evidence == "99, and a method needs 100: its whole range is kept"


def test_too_few_values_everywhere_are_refused():
    with pytest.raises(DataError) as caught:
        collected(histograms(7, 99), np.array([0.5, 0.5]), needed=100, method="a method")
    assert caught.value.asked == "find activation ranges by a method"
    assert caught.value.happened == "it needs 100 values of a tensor, and the largest has 99"
    assert "samples" in caught.value.fix
