import numpy as np
import pytest
from pydantic import ValidationError

from temper.quantization.calibration import minmax, percentile
from temper.quantization.calibration.percentile import Options


def test_ranges_are_cut_at_the_percentile_of_the_activations(model, batches, activations):
    whole = minmax.collect(model, batches, minmax.Options()).ranges
    bins, share = 2048, 99.0
    ranges = percentile.collect(model, batches, Options(bins=bins, percentile=share)).ranges
    assert ranges.keys() == whole.keys()
    cut = 0
    for name, (low, high) in ranges.items():
        values = np.abs(np.concatenate([call[name].ravel() for call in activations]))
        if values.size < 1000:  # fewer than ten values beyond
            continue
        cut += 1
        expected = float(np.percentile(values, share, method="inverted_cdf"))  # a value, which ours shares a bin with
        assert max(-low, high) == pytest.approx(expected, abs=1.1 * float(values.max()) / bins), name
    assert cut > 5


def test_a_lower_percentile_gives_narrower_ranges_within_the_extremes(model, batches):
    whole = minmax.collect(model, batches, minmax.Options()).ranges
    most, half = (
        percentile.collect(model, batches, Options(bins=2048, percentile=share)).ranges for share in (99.0, 80.0)
    )
    width = {
        label: sum(high - low for low, high in ranges.values())
        for label, ranges in (("whole", whole), ("most", most), ("half", half))
    }
    assert whole.keys() == most.keys() == half.keys()
    assert width["half"] < 0.8 * width["most"] < 0.8 * width["whole"]
    assert all(high - low <= most[name][1] - most[name][0] + 1e-6 for name, (low, high) in half.items())


@pytest.mark.parametrize(("share", "needed"), [(99.99, 100_000), (99.0, 1000), (75.0, 40)])
def test_ten_values_must_lie_beyond_the_percentile(share, needed):
    assert Options(bins=16, percentile=share).values_needed == pytest.approx(needed, abs=1)


@pytest.mark.parametrize("value", [50, 100, -1, 101])
def test_a_percentile_that_leaves_no_range_is_refused(value):
    with pytest.raises(ValidationError, match="percentile"):
        Options(bins=128, percentile=value)
