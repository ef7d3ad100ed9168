"""Latency verdicts, what holds, noise."""

import pytest

from temper.errors import ArtifactError
from temper.measurement.record import NotMeasured
from tests.records import compared_json, record, workload

BASE = record("base", predictions=[0, 1, 1, 1])


def of(own, *, baseline=BASE, **analysis):
    return compared_json([baseline, own], "base", **analysis)["candidates"][own.candidate]


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        ((0.5, 0.4, 0.94), "win"),
        ((0.5, 0.4, 0.96), "undecided"),
        ((1.0, 0.95, 1.05), "tie"),
        ((1.0, 0.94, 1.05), "undecided"),
        ((1.2, 1.06, 1.3), "loss"),
        ((1.2, 1.04, 1.3), "undecided"),
    ],
)
def test_a_verdict_needs_the_whole_interval(ratio, expected):
    own = record("a", workloads={"b1": workload([2.0], ratio=ratio)})
    assert of(own)["workloads"]["b1"]["verdict"] == expected


def test_the_margin_decides():
    own = record("a", workloads={"b1": workload([2.0], ratio=(0.9, 0.88, 0.92))})
    assert of(own)["workloads"]["b1"]["verdict"] == "win"
    assert of(own, latency_margin=0.2)["workloads"]["b1"]["verdict"] == "tie"


def test_a_ratio_that_was_not_taken_has_its_reason_and_no_verdict():
    own = record("a", workloads={"b1": workload([2.0], ratio="the baseline could not be run")})
    found = of(own)["workloads"]["b1"]
    assert (found["status"], found["reason"]) == ("not measured", "the baseline could not be run")
    assert "verdict" not in found


def test_a_neighbour_that_disturbs_is_reported():
    calm = record("a", workloads={"b1": workload([2.0], alone_median_ms=1.95)})
    slowed = record("b", workloads={"b1": workload([2.0], alone_median_ms=1.0)})
    assert not of(calm)["workloads"]["b1"]["disturbed"]
    found = of(slowed)["workloads"]["b1"]
    assert found["disturbed"]
    assert found["disturbance"] == pytest.approx(1.0)


def test_a_baseline_that_is_another_one_beside_a_candidate_is_reported():
    """The hand-made baseline takes 2 ms beside itself."""
    own = workload([2.0])
    moved = own.model_copy(update={"baseline_latencies_ms": [1.8]})
    assert "baseline_moved" not in of(record("a", workloads={"b1": own}))["workloads"]["b1"]
    found = of(record("a", workloads={"b1": moved}))["workloads"]["b1"]
    assert found["baseline_moved"] == pytest.approx(-0.1)


def test_a_ratio_to_a_baseline_that_moved_is_disturbed_and_keeps_its_figures():
    moved = workload([2.0], ratio=(0.5, 0.49, 0.51)).model_copy(update={"baseline_latencies_ms": [3.0]})
    found = of(record("a", workloads={"b1": moved}))["workloads"]["b1"]
    assert (found["verdict"], found["holds"], found["ratio"]) == ("disturbed", False, 0.5)
    assert found["why_not"].startswith("the baseline beside it was 50 % slower than beside itself")
    calm = of(record("a", workloads={"b1": workload([2.0], ratio=(0.5, 0.49, 0.51))}))["workloads"]["b1"]
    assert (calm["verdict"], calm["holds"]) == ("win", True)
    assert "why_not" not in calm


def test_what_was_not_measured_does_not_hold_for_that_reason_and_has_no_verdict():
    lost = of(record("a", workloads={"b1": NotMeasured(reason="the machine was busy", cause="busy")}))["workloads"][
        "b1"
    ]
    assert (lost["holds"], lost["why_not"], lost["cause"]) == (False, "the machine was busy", "busy")
    assert "verdict" not in lost


def test_the_model_and_the_budget_in_reach_are_those_of_the_baselines_answers():
    found = compared_json([record("base", predictions=[1, 1, 1, 1]), record("a")], "base")
    assert (found["model"]["only_label"], found["model"]["rows"]) == ("positive", 4)
    assert found["model"]["warnings"][0] == "the model answers 'positive' to all 4 test rows"
    assert found["budget_in_reach"] == {
        "rows": 4,
        "decidable_budget_points": pytest.approx(48.99, abs=0.01),
        "rows_to_decide": 765,
    }
    silent = compared_json([record("base", predictions=None), record("a")], "base")
    assert (silent["model"], silent["budget_in_reach"]) == ({}, {})


def test_the_baseline_beside_itself_says_what_could_have_been_told_from_1():
    base = record("base", workloads={"b1": workload([2.0], ratio=(1.01, 0.98, 1.04))})
    found = compared_json([base], "base")["noise"]["b1"]
    assert found["smallest_difference_told"] == pytest.approx(0.04)


def test_the_saturated_throughput_is_the_best_number_of_callers():
    found = of(record("a"))["workloads"]["b1"]
    assert (found["throughput_samples_per_s"], found["throughput_callers"]) == (900.0, "2")


def test_real_lengths_are_held_against_their_mean_alone_also_without_a_ratio():
    timed = workload([1.0, 1.0, 4.0], ratio="no baseline", real_lengths="arrival", alone_median_ms=1.0)
    found = of(record("a", workloads={"b1": timed}))["workloads"]["b1"]
    assert not found["disturbed"]  # the mean is 2 in both; the median alone would be 1 too, and agree by chance
    slower = timed.model_copy(update={"alone_mean_ms": 1.0})
    assert of(record("a", workloads={"b1": slower}))["workloads"]["b1"]["disturbance"] == pytest.approx(1.0)


def test_candidates_that_were_timed_on_other_inputs_are_not_compared():
    own = record("a", workloads={"b1": workload([2.0], inputs_sha256="j")})
    with pytest.raises(ArtifactError, match="different inputs"):
        of(own)


@pytest.mark.parametrize(
    ("fact", "other"), [("instructions", "avx2 avx512_vnni"), ("cores_usable", 2), ("processor", "GenuineIntel 6-85-4")]
)
def test_records_of_two_kinds_of_machine_stand_in_no_report_together(fact, other):
    here = {"cpu": "Xeon", "instructions": "avx2", "cores_usable": 1, "processor": "GenuineIntel 6-143-8"}
    base, own = (record(name).model_copy(update={"machine": here}) for name in ("base", "a"))
    compared_json([base, own], "base")
    moved = own.model_copy(update={"machine": {**here, fact: other}})
    with pytest.raises(ArtifactError) as caught:
        compared_json([base, moved], "base")
    assert fact in caught.value.happened
    assert "machines:" in caught.value.fix


def test_an_older_record_tells_less_of_its_machine_and_is_compared_by_that():
    base, own = record("base"), record("a")
    older = own.model_copy(update={"machine": {"cpu": base.machine["cpu"]}})
    compared_json([base, older], "base")
