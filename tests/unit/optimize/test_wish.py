"""What is asked for: the command line before the study's own section, and what contradicts itself is refused."""

import pytest

from temper.errors import ConfigError
from temper.optimize.wish import MINUTES, Wish, completed, workload_of
from temper.study.sections.optimize import OptimizeSection

WORKLOADS = {
    "b1-s128": {"batch_size": 1, "sequence_length": 128},
    "calls": {"batch_size": 12, "real_lengths": "arrival"},
}


def test_what_nobody_says_is_as_usual():
    found = completed(Wish(), None)
    assert (found.target, found.minutes, found.saturated) == ("latency", MINUTES, False)
    assert workload_of(found, WORKLOADS) == ("b1-s128", WORKLOADS["b1-s128"])


def test_the_command_line_goes_before_the_studys_section():
    section = OptimizeSection(target="throughput", workload="calls", minutes=15, budget_points=0.3, p99_ms=9)
    found = completed(Wish(target="latency", minutes=2.0), section)
    assert (found.target, found.minutes, found.workload) == ("latency", 2.0, "calls")
    assert (found.budget_points, found.p99_ms) == (0.3, 9)
    assert completed(Wish(), section).saturated
    assert completed(Wish(workload="b1-s128"), section).workload == "b1-s128"


def test_traffic_stands_in_place_of_the_studys_workload_and_the_other_way_round():
    asked = completed(Wish(traffic="arrival"), OptimizeSection(workload="b1-s128"))
    assert (asked.workload, asked.traffic) == (None, "arrival")
    asked = completed(Wish(workload="calls"), OptimizeSection(traffic="bucketed", batch_size=8))
    assert (asked.workload, asked.traffic, asked.batch_size) == ("calls", None, None)
    asked = completed(Wish(traffic="bucketed"), OptimizeSection(traffic="arrival", batch_size=8))
    assert (asked.traffic, asked.batch_size) == ("bucketed", 8)


def test_another_target_leaves_the_studys_price_out():
    section = OptimizeSection(target="cost", price_per_hour=3.0)
    assert completed(Wish(target="latency"), section).price_per_hour is None
    assert completed(Wish(price_per_hour=2.0), section).price_per_hour == 2.0


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (Wish(traffic="arrival", batch_size=12), "calls"),
        (Wish(traffic="arrival", batch_size=64), "b64-arrival"),
        (Wish(traffic="bucketed", batch_size=12), "b12-bucketed"),
        (Wish(traffic="arrival"), "b1-arrival"),
    ],
)
def test_traffic_is_a_workload_of_that_kind(asked, named):
    name, row = workload_of(completed(asked, None), WORKLOADS)
    assert name == named
    assert row == {"batch_size": asked.batch_size or 1, "real_lengths": asked.traffic}


def test_a_name_that_another_workload_has_is_not_taken():
    with pytest.raises(ConfigError) as caught:
        workload_of(Wish(traffic="arrival"), {"b1-arrival": {"batch_size": 1, "sequence_length": 8}})
    assert "--workload b1-arrival" in caught.value.fix


@pytest.mark.parametrize(
    ("asked", "section", "said"),
    [
        (Wish(workload="calls", traffic="arrival"), None, "both a workload, calls, and traffic, arrival"),
        (Wish(), OptimizeSection(workload="calls", traffic="arrival"), "both a workload"),
        (Wish(batch_size=4), None, "a batch size of 4 is given, and a workload has its own"),
        (Wish(target="cost"), None, "what this machine costs is not given"),
        (Wish(price_per_hour=3.0), None, "a price is given, and the target is latency"),
        (Wish(), OptimizeSection(target="throughput", price_per_hour=3.0), "the target is throughput"),
    ],
)
def test_what_contradicts_itself_is_refused(asked, section, said):
    with pytest.raises(ConfigError) as caught:
        completed(asked, section)
    assert said in caught.value.happened
