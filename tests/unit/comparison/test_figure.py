"""What the plot of a comparison shows."""

import dataclasses
import re

import numpy as np
import pytest

from temper.comparison.figure import figure_of, write_figure
from temper.comparison.pairs import against_baseline
from temper.comparison.rows import rows
from tests.unit.comparison.experiments import FEW, MANY, METHOD, SAMPLES, experiment, wrong

FOUND = rows([FEW, MANY])
BY_METHOD = rows([experiment("a", wrong(1), method="nncf"), experiment("b", wrong(2, 3), method="minmax")])


def test_samples_are_an_axis_and_each_point_has_the_interval_of_its_difference_from_the_baseline():
    figure = figure_of(FOUND)
    (line,) = figure.data
    assert line.name == "int8"
    assert list(line.x) == [8, 64]
    assert list(line.y) == [-15.0, -1.5]
    _, low, high = against_baseline(FOUND[0])
    assert line.error_y.array[0] == pytest.approx(high + 15)
    assert line.error_y.arrayminus[0] == pytest.approx(-15 - low)
    assert figure.layout.xaxis.type == "log"
    assert SAMPLES in figure.layout.xaxis.title.text


def test_methods_are_lines_that_stand_beside_each_other():
    found = rows(
        [
            experiment("a", wrong(1), samples=8),
            experiment("b", wrong(2, 3), samples=64),
            experiment("c", wrong(4, 5, 6), samples=8, method="minmax"),
        ]
    )
    lines = {line.name: list(line.x) for line in figure_of(found).data}
    assert list(lines) == ["int8, minmax", "int8, nncf"]
    assert lines["int8, minmax"][0] < 8 < lines["int8, nncf"][0] < 9


def test_without_samples_each_row_is_a_line_of_its_own_in_the_tables_order():
    (points,) = figure_of(BY_METHOD).data
    assert METHOD in BY_METHOD[0].changed_keys
    assert list(points.y) == ["a, int8", "b, int8"]
    assert list(points.x) == [-0.5, -1.0]
    assert len(points.error_x.array) == 2


def test_identical_experiments_are_points_at_all_their_samples():
    again = experiment("again", wrong(0, 1, 2), samples=128)
    (line,) = figure_of(rows([FEW, MANY, again])).data
    assert list(line.x) == [8, 64, 128]
    assert line.y[1] == line.y[2]
    assert line.text[2].startswith("again: int8, 3 labels")


def test_what_was_not_measured_is_no_point():
    unmeasured = dataclasses.replace(FOUND[0], predictions=None)
    assert [list(line.x) for line in figure_of([unmeasured, FOUND[1]]).data] == [[64]]
    assert list(figure_of([unmeasured]).data) == []


def test_rows_with_other_baselines_are_said_to_have_them():
    other = dataclasses.replace(FOUND[1], baseline=np.ones(200, dtype=np.int64))
    assert "its own experiment's baseline" in figure_of([FOUND[0], other]).layout.yaxis.title.text
    assert "its own" not in figure_of(FOUND).layout.yaxis.title.text


def test_the_page_needs_no_network(tmp_path):
    write_figure(FOUND, tmp_path / "plot.html", "Experiments")
    page = (tmp_path / "plot.html").read_text()
    assert "95 % intervals" in page
    assert re.findall(r"""<(?:script|link|img)[^>]+(?:src|href)=["']?https?:""", page) == []
