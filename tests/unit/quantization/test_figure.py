"""The plot of a sensitivity study is one file that opens offline."""

from temper.quantization.distance import Distance
from temper.quantization.figure import write_figure
from temper.quantization.layers import Layer
from temper.quantization.search import Sensitivity


def test_each_layer_has_a_bar_for_its_loss_and_one_for_its_gain(tmp_path):
    near = Distance(mean_logit_difference=0.1, largest_logit_difference=0.2, flips=0, rows=4)
    found = [
        Sensitivity(Layer(name=name, node=name, operator="MatMul"), 2_000_000, near, near, loss=0.5, gain=0.25)
        for name in ("first", "second")
    ]
    write_figure(found, tmp_path / "sensitivity.html")
    page = (tmp_path / "sensitivity.html").read_text(encoding="utf-8")
    assert "quantised alone: loss" in page
    assert "left out: gain" in page
    assert "2.0 million multiplications" in page
    assert "second" in page
    assert 'src="http' not in page
