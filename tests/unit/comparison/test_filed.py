"""Which calibrations of a filed study differ; the study in results/ is read by tests/unit/publish/test_pages.py."""

from types import SimpleNamespace

import pytest

from temper.comparison import filed
from temper.comparison.filed import calibrations_compared, differing_table
from temper.report.calibrations import Cell
from tests.records import compared
from tests.unit.comparison.experiments import LABELS, measured, wrong


def cell(candidate, method, samples):
    return Cell(candidate, "what products read", method, "drawn", samples, 0.9, 0.0, -1.0, 1.0, "undecided", 3)


@pytest.fixture
def study(monkeypatch):
    answers = {"base": LABELS, "few": wrong(*range(30)), "many": wrong(0, 1, 2), "nncf": wrong(9, 10)}
    records = [measured(name, predictions) for name, predictions in answers.items()]
    listed = [cell("few", "minmax", 8), cell("many", "minmax", 1200), cell("nncf", "nncf", 8)]
    monkeypatch.setattr(filed, "cells", lambda study: listed)
    params = {"analysis": {"latency_margin": 0.05}}
    return SimpleNamespace(records=records, compared=compared(records, "base"), params=params, baseline="base")


def test_cells_that_share_a_letter_are_not_told_apart(study):
    assert differing_table(study).splitlines()[2:] == [
        "| what products read | minmax | drawn | b (0 : 2) | a (1 : 0) |",
        "| what products read | nncf | drawn | a (1 : 0) | – |",
    ]
    assert differing_table(study).startswith("| quantised | method | rows | 8 | 1,200 |\n")


def test_every_cell_is_held_against_every_other_and_the_baseline_is_none(study):
    found, comparison = calibrations_compared(study)
    assert list(found) == ["few", "many", "nncf"]
    assert len(comparison.accuracy) == 3
    assert {row.name for row in comparison.rows} == {"filed"}
