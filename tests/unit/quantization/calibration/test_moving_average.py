import numpy as np
import pytest
from pydantic import ValidationError

from temper.quantization.calibration import minmax
from temper.quantization.calibration.moving_average import ROWS_SHARE_CALLS, Options, averaged, collect
from tests.unit.quantization.calibration.small_models import between_products


def test_the_average_of_three_calls_by_hand():
    values = np.array([[1.0, -8.0], [2.0, 0.0], [4.0, -4.0]])
    # 1 → 1 + ¼·1 = 1.25 → 1.25 + ¼·2.75; −8 → −8 + ¼·8 = −6 → −6 + ¼·2
    np.testing.assert_allclose(averaged(values, 0.25), [1.9375, -5.5])


def test_the_range_is_that_of_the_calls_in_their_order():
    model = between_products(None, [[-2.0]])
    calls = [{"x": np.array([[low], [high]], np.float32)} for low, high in ((-1, 1), (-3, 5))]
    assert collect(model, calls, Options(constant=0.5)).ranges == {"x": (-2.0, 3.0), "first": (-6.0, 4.0)}
    assert collect(model, calls[::-1], Options(constant=0.75)).ranges == {"x": (-1.5, 2.0), "first": (-4.0, 3.0)}
    assert not ROWS_SHARE_CALLS


def test_it_is_narrower_than_minmax(model, batches):
    whole = minmax.collect(model, batches, minmax.Options()).ranges
    ranges = collect(model, batches, Options(constant=0.01)).ranges
    assert ranges.keys() == whole.keys()
    assert all(whole[name][0] <= low and high <= whole[name][1] for name, (low, high) in ranges.items())
    assert ranges != whole


@pytest.mark.parametrize("constant", [0, 1.5, -0.1])
def test_a_weight_that_averages_nothing_is_refused(constant):
    with pytest.raises(ValidationError, match="constant"):
        Options(constant=constant)
