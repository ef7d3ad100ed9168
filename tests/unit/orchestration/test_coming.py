from types import SimpleNamespace

import pytest

from temper.logs import job_lines
from temper.orchestration.coming import announce, coming
from temper.orchestration.plan import PlannedJob

FIRST = [
    PlannedJob("prepare_data", "", ("not there: x",)),
    *(PlannedJob("measure", name, ("not there: x",)) for name in "ab"),
]


def test_a_study_that_has_not_run_is_told_by_rules():
    lines = coming(FIRST, {"prepare_data": None, "measure a": None, "measure b": None})
    assert " ".join(line.strip() for line in lines) == (
        "3 jobs will run, for how long is not known: none has run here before: prepare_data, 2 × measure"
    )
    assert max(map(len, lines)) <= 79


@pytest.mark.parametrize(
    ("seconds", "time"),
    [
        ({"measure a": 61.0, "report": 2.0}, "about 1 min 3 s"),
        ({"measure a": 61.0, "report": None}, "more than 1 min 1 s: 1 has not run here before"),
    ],
)
def test_of_a_study_that_has_run_those_with_a_reason_are_named(seconds, time):
    planned = [
        PlannedJob("measure", "a", ("option threads: 1 → 2",)),
        PlannedJob("report", "", ("follows measurements",)),
    ]
    assert coming(planned, seconds) == [
        f"2 jobs will run, {time}:",
        "  measure a: option threads: 1 → 2",
        "  and 1 more (temper plan names each)",
    ]


def test_nothing_is_asked_where_nobody_looks(monkeypatch):
    monkeypatch.setattr(job_lines, "shown", None)
    announce(SimpleNamespace())
