import pytest
from pydantic import ValidationError

from temper.calibration import entropy, minmax


def test_it_chooses_ranges_within_the_extremes_and_cuts_some(model, batches):
    whole = minmax.collect(model, batches, minmax.Options()).ranges
    chosen = entropy.collect(model, batches, entropy.Options(bins=256, quantized_bins=64)).ranges
    assert chosen.keys() == whole.keys()
    widest = {name: max(abs(low), abs(high)) for name, (low, high) in whole.items()}
    cut = [name for name, (low, high) in chosen.items() if max(abs(low), abs(high)) < 0.95 * widest[name]]
    assert cut
    assert all(max(abs(low), abs(high)) <= 1.05 * widest[name] for name, (low, high) in chosen.items())


@pytest.mark.parametrize("change", [{"bins": 128}, {"quantized_bins": 16}])
def test_the_options_reach_the_calibrator(model, batches, change):
    sections = [{"bins": 96, "quantized_bins": 64}, {"bins": 96, "quantized_bins": 64, **change}]
    first, second = (entropy.collect(model, batches, entropy.Options.model_validate(section)) for section in sections)
    assert first.ranges != second.ranges


def test_more_quantised_bins_than_bins_are_refused_while_planning():
    with pytest.raises(ValidationError, match="quantized_bins is 128, more than the 64 bins it merges"):
        entropy.Options(bins=64, quantized_bins=128)


def test_no_option_has_a_default():
    with pytest.raises(ValidationError, match="quantized_bins"):
        entropy.Options.model_validate({"bins": 128})
