import pytest
from pydantic import ValidationError

from temper.calibration import minmax, percentile
from temper.calibration.percentile import Options


def test_a_lower_percentile_gives_narrower_ranges_within_the_extremes(model, batches):
    whole = minmax.collect(model, batches, minmax.Options()).ranges
    most, half = (
        percentile.collect(model, batches, Options(bins=2048, percentile=share)).ranges for share in (99.9, 80.0)
    )
    width = {
        label: sum(high - low for low, high in ranges.values())
        for label, ranges in (("whole", whole), ("most", most), ("half", half))
    }
    assert whole.keys() == most.keys() == half.keys()
    assert width["half"] < 0.8 * width["most"] < width["most"]
    assert all(high - low <= most[name][1] - most[name][0] + 1e-6 for name, (low, high) in half.items())


@pytest.mark.parametrize("value", [50, 100, -1, 101])
def test_a_percentile_that_leaves_no_range_is_refused(value):
    with pytest.raises(ValidationError, match="percentile"):
        Options(bins=128, percentile=value)
