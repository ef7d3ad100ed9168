import numpy as np
import pytest

from temper.calibration.ranges import collect_ranges

SETTINGS = {
    "MinMax": {},
    "Entropy": {"num_bins": 128, "num_quantized_bins": 128},
    "Percentile": {"num_bins": 512, "percentile": 99.9},
}


@pytest.mark.parametrize("method", SETTINGS)
def test_every_tensor_around_a_product_has_a_finite_range(model, batches, around_products, method):
    found = collect_ranges(model, batches, method=method, settings=SETTINGS[method])
    assert set(found.ranges) == around_products
    assert np.isfinite(list(found.ranges.values())).all()
    assert all(low <= high for low, high in found.ranges.values())
    assert found.quantized is None


@pytest.mark.parametrize("method", SETTINGS)
def test_the_model_is_left_as_it_was(model, batches, method):
    before = model.SerializeToString()
    collect_ranges(model, batches[:2], method=method, settings=SETTINGS[method])
    assert model.SerializeToString() == before


def test_every_batch_counts(model, batches):
    few = collect_ranges(model, batches[:1], method="MinMax", settings={}).ranges
    many = collect_ranges(model, batches, method="MinMax", settings={}).ranges
    assert few != many
    assert all(many[name][0] <= low and high <= many[name][1] for name, (low, high) in few.items())
