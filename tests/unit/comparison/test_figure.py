"""What the plot of a comparison shows; test_experiments.py reads the whole page."""

import json
import re

from temper.comparison import figure
from temper.comparison.experiments import Row
from temper.comparison.figure import write_figure

SAMPLES, METHOD = "calibrations.main.samples", "calibrations.main.method"


def row(experiment, accuracy, *, changed=None, candidate="int8", ratio=None):
    return Row(experiment, candidate, changed or {}, accuracy, 3, "within", ratio or {"b1": 0.5}, {"b1": "win"})


def of(samples, accuracy, method="minmax", candidate="int8"):
    return row(f"{method}-{samples}", accuracy, changed={SAMPLES: samples, METHOD: method}, candidate=candidate)


def lines(found):
    return {line.name: (list(line.x), list(line.y)) for line in found.data}


def test_a_line_for_each_candidate_and_method_in_the_order_of_samples():
    found = [of(64, 0.875), of(8, 0.75), of(8, 0.5, "nncf"), of(8, 0.625, candidate="fp16")]
    assert lines(figure._by_samples(found, SAMPLES, METHOD)) == {
        "int8, minmax": ([8, 64], [75.0, 87.5]),
        "int8, nncf": ([8], [50.0]),
        "fp16, minmax": ([8], [62.5]),
    }


def test_the_axis_of_samples_is_logarithmic_with_a_tick_for_each_number():
    axis = figure._by_samples([of(64, 0.9), of(8, 0.8), of(8, 0.7, "nncf")], SAMPLES, METHOD).layout.xaxis
    assert axis.type == "log"
    assert list(axis.tickvals) == [8, 64]
    assert SAMPLES in axis.title.text


def test_without_a_method_a_line_is_a_candidate():
    assert list(lines(figure._by_samples([of(8, 0.8), of(16, 0.9)], SAMPLES, None))) == ["int8"]


def test_what_was_not_measured_is_no_point():
    assert lines(figure._by_samples([of(8, None), of(16, 0.5)], SAMPLES, METHOD)) == {"int8, minmax": ([16], [50.0])}
    assert lines(figure._by_samples([of(8, None)], SAMPLES, METHOD)) == {}
    assert lines(figure._by_latency([row("a", None), row("b", 0.5)])) == {"b1": ([0.5], [50.0])}


def test_against_the_latency_each_workload_is_a_series_of_those_that_ran_it():
    found = [row("a", 0.75, ratio={"b1": 0.5, "b8": 0.25}), row("b", 0.5, ratio={"b8": 2.0})]
    assert lines(figure._by_latency(found)) == {"b1": ([0.5], [75.0]), "b8": ([0.25, 2.0], [75.0, 50.0])}


def test_a_key_that_several_rows_changed_is_no_axis():
    both = {SAMPLES: 8, "calibrations.other.samples": 8}
    assert figure._axis([row("a", 0.5, changed=both)], ".samples") is None
    assert figure._axis([row("a", 0.5, changed={SAMPLES: 8, METHOD: "nncf"})], ".samples") == SAMPLES
    assert figure._axis([], ".samples") is None


def test_the_page_holds_the_plot_that_the_changes_ask_for(tmp_path):
    for found, expected in (([of(8, 0.5), of(16, 0.5)], SAMPLES), ([row("a", 0.5)], "below 1 is faster")):
        write_figure(found, tmp_path / "plot.html")
        layout = re.findall(r'"xaxis":(\{.*?"title":\{.*?\})', (tmp_path / "plot.html").read_text())[-1]
        assert expected in json.dumps(layout)
