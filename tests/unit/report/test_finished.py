"""Which report of a study is meant, where it has one for each machine."""

import pytest

from temper.errors import ConfigError
from temper.report.finished import _place, again_file, places, report_folder

ONE = {"candidates": {"a": {"machine": "small"}, "b": {"machine": "small"}}}
TWO = {"candidates": {"a": {"machine": "small"}, "b": {"machine": "large"}}}
NONE = {"candidates": {"a": {}}}


@pytest.mark.parametrize(("params", "expected"), [(ONE, ("",)), (TWO, ("small", "large")), (NONE, ("",)), ({}, ("",))])
def test_a_study_has_a_report_for_each_machine_that_it_compares_on(params, expected):
    assert places(params) == expected


def test_a_machines_report_lies_in_a_folder_of_its_own():
    assert (report_folder(""), again_file("")) == ("artifacts/report", "artifacts/remeasurements.json")
    assert report_folder("large") == "artifacts/report/large"
    assert again_file("large") == "artifacts/remeasurements/large.json"


@pytest.mark.parametrize(
    ("params", "machine", "candidate", "expected"),
    [
        (NONE, None, None, ""),
        (ONE, None, None, ""),
        (ONE, "small", None, ""),
        (TWO, "large", None, "large"),
        (TWO, None, "a", "small"),
    ],
)
def test_the_report_that_is_meant(params, machine, candidate, expected):
    assert _place("predict", params, machine, candidate) == expected


@pytest.mark.parametrize(
    ("params", "machine", "said"),
    [
        (TWO, None, "a choice for each machine"),
        (TWO, "other", "no candidate is measured on the machine other"),
        (NONE, "small", "small"),
    ],
)
def test_where_nothing_says_which_report_the_machines_are_named(params, machine, said):
    with pytest.raises(ConfigError) as caught:
        _place("predict", params, machine, None)
    assert said in caught.value.happened
    assert "--machine" in caught.value.fix
