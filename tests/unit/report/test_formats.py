from dataclasses import replace

from temper.report.formats import centre, in_order, interval, significant, speed_up
from temper.report.summary import SummaryWorkload


def test_numbers_in_names_are_compared_as_numbers():
    assert in_order(["b16-s128", "b1-s128", "b128-s64", "b4-s128", "arrival", "b4-s128"]) == [
        *("arrival", "b1-s128", "b4-s128", "b16-s128", "b128-s64")
    ]


def test_a_ratio_far_below_one_keeps_its_digits():
    assert interval(0.1534, 0.1511, 0.1549) == "0.153 [0.151, 0.155]"
    assert interval(0.000648, 0.000633, 0.000658) == "0.000648 [0.000633, 0.000658]"


def test_a_speed_up_is_above_one_where_the_candidate_is_faster_and_its_interval_ends_turn_round():
    assert speed_up(0.489, 0.479, 0.500) == "2.04 [2.00, 2.09]"


def test_three_significant_digits_at_any_size():
    shown = {0.01234: "0.0123", 0.89: "0.890", 2.0: "2.00", 12.5: "12.5", 99.96: "100", 1642.3: "1,642"}
    assert {value: significant(value) for value in shown} == shown


def test_where_rows_differ_in_length_the_mean_is_the_latency_of_the_ratio():
    latency = SummaryWorkload(latency_mean_ms=3.0, latency_p50_ms=1.0)
    assert centre(replace(latency, real_lengths="arrival")) == 3.0
    assert centre(latency) == 1.0
