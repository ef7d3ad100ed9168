import pytest
from pydantic import ValidationError

from temper.quantization.calibration.minmax import Options, collect


def test_ranges_are_the_extremes_of_the_activations(model, batches, activations, around_products):
    ranges = collect(model, batches, Options()).ranges
    assert set(ranges) == around_products
    for name, ends in ranges.items():
        low = min(float(call[name].min()) for call in activations)
        high = max(float(call[name].max()) for call in activations)
        assert ends == pytest.approx((low, high), rel=1e-5, abs=1e-6), name


def test_every_batch_counts(model, batches):
    few, many = (collect(model, rows, Options()).ranges for rows in (batches[:1], batches))
    assert few != many
    assert all(many[name][0] <= low and high <= many[name][1] for name, (low, high) in few.items())


def test_it_has_no_options():
    with pytest.raises(ValidationError):
        Options.model_validate({"bins": 128})
