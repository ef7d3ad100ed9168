"""What the plot of a comparison shows."""

import dataclasses
import re

import numpy as np
import pytest

from temper.comparison.figure import drawn, plot_of, write_page
from temper.comparison.pairs import against_baseline
from temper.comparison.rows import rows
from temper.comparison.tables import comparison_of
from tests.unit.comparison.experiments import FEW, MANY, METHOD, SAMPLES, experiment, wrong

FOUND = rows([FEW, MANY])
BY_METHOD = rows([experiment("a", wrong(1), method="nncf"), experiment("b", wrong(2, 3), method="minmax")])


def test_samples_are_an_axis_and_each_point_has_the_interval_of_its_difference_from_the_baseline():
    plot = plot_of(FOUND)
    (line,) = plot.lines
    assert line.name == "int8"
    assert line.places == [8, 64]
    assert [away[0] for away in line.differences] == [-15.0, -1.5]
    assert line.differences[0] == against_baseline(FOUND[0])
    assert plot.samples == SAMPLES
    picture = drawn(plot)
    assert re.findall(r">([0-9,]+)</text>", picture)[-2:] == ["8", "64"]
    assert picture.count("<circle") == 2


def test_methods_are_lines_that_stand_beside_each_other():
    found = rows(
        [
            experiment("a", wrong(1), samples=8),
            experiment("b", wrong(2, 3), samples=64),
            experiment("c", wrong(4, 5, 6), samples=8, method="minmax"),
        ]
    )
    lines = {line.name: line.places for line in plot_of(found).lines}
    assert list(lines) == ["int8, minmax", "int8, nncf"]
    assert lines["int8, minmax"][0] < 8 < lines["int8, nncf"][0] < 9
    assert 'class="series s1"' in drawn(plot_of(found))


def test_without_samples_each_row_is_a_line_of_its_own_in_the_tables_order():
    plot = plot_of(BY_METHOD)
    (points,) = plot.lines
    assert METHOD in BY_METHOD[0].changed_keys
    assert plot.rows == ["a, int8", "b, int8"]
    assert [away[0] for away in points.differences] == [-0.5, -1.0]
    heights = [float(y) for y in re.findall(r'<circle cx="[0-9.]+" cy="([0-9.]+)"', drawn(plot))]
    assert heights == sorted(heights)


def test_where_one_has_no_samples_there_is_no_axis_of_them():
    without = dataclasses.replace(FOUND[0], changed={"few": {SAMPLES: "absent"}})
    assert plot_of([without, FOUND[1]]).rows == ["few, int8", "many, int8"]


def test_identical_experiments_are_points_at_all_their_samples():
    again = experiment("again", wrong(0, 1, 2), samples=128)
    (line,) = plot_of(rows([FEW, MANY, again])).lines
    assert line.places == [8, 64, 128]
    assert line.differences[1] == line.differences[2]
    assert line.said[2].startswith("again: int8\n")
    assert line.said[2].endswith("3 labels differ from the baseline's")


def test_what_was_not_measured_is_no_point():
    unmeasured = dataclasses.replace(FOUND[0], predictions=None)
    assert [line.places for line in plot_of([unmeasured, FOUND[1]]).lines] == [[64]]
    assert plot_of([unmeasured]).lines == []
    assert drawn(plot_of([unmeasured])) == ""


def test_rows_with_other_baselines_are_said_to_have_them():
    other = dataclasses.replace(FOUND[1], baseline=np.ones(200, dtype=np.int64))
    assert "its own experiment's baseline" in plot_of([FOUND[0], other]).title
    assert "its own" not in plot_of(FOUND).title


@pytest.mark.parametrize("found", [FOUND, BY_METHOD])
def test_the_page_needs_no_network_and_what_is_named_stays_text(tmp_path, found):
    hostile = "</script><img src=x>"
    write_page(comparison_of(found, 0.05), [hostile], tmp_path / "plot.html", hostile)
    page = (tmp_path / "plot.html").read_text()
    assert "95 % intervals" in page
    assert "Pairs, by accuracy" in page
    assert "://" not in page
    assert "<img" not in page
    assert len(page) < 100_000
