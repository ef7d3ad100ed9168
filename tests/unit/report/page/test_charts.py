import pytest

from temper.report.page.charts import calls_over_time, distribution, load_curve, ratio_bar, shares_bar
from tests.records import workload


@pytest.mark.parametrize("latencies", [[0.0, 0.0], [1.0], [1e-6, 1e4], [2.0] * 3000])
def test_calls_of_any_size_are_drawn(latencies):
    own = (
        workload(latencies or [1.0])
        if any(latencies)
        else workload([1.0]).model_copy(update={"latencies_ms": latencies})
    )
    for draw in (distribution, calls_over_time):
        picture = draw(own, name="<own>", baseline="base")
        assert "<own>" not in picture
        assert len(picture) < 12_000


def test_bars_and_curves_say_their_figures():
    assert "INT8: 3.00 of 4.00" in shares_bar({"FP32": 1, "INT8": 3}, label="products")
    assert 'class="ratio slower"' in ratio_bar((0.5, 0.4, 0.6), (0.4, 2.0))
    curve = load_curve([(10, 5.0, True), (20, 300.0, False)], bound_ms=100, percentile="p99", label="curve")
    assert "20.0 per s: p99 300 ms, INVALID" in curve
    assert "bound 100 ms" in curve
