"""The choice: the fastest within the budget, the Pareto front, and why the others were left out."""

from temper.report.decision import decide
from tests.records import compared, record, workload

MANY = 2000
LABELS = [number % 2 for number in range(MANY)]


def candidate(name, ratio, *, wrong=0, memory=150.0, predictions=True, **other):
    answers = [1 - label if number < wrong else label for number, label in enumerate(LABELS)]
    timed = {"b1": workload([2.0], ratio=(ratio, ratio - 0.01, ratio + 0.01))}
    return record(
        name,
        predictions=answers if predictions else None,
        labels=LABELS,
        workloads=timed,
        peak_rss_mib=memory,
        **other,
    )


def decided(*records, **analysis):
    return decide(records, compared(records, "base", **analysis))["workloads"]["b1"]


BASE = candidate("base", 1.0)


def test_the_fastest_within_the_budget_is_chosen():
    found = decided(BASE, candidate("slow", 0.8), candidate("fast", 0.3), candidate("lossy", 0.1, wrong=200))
    assert (found["chosen"], found["latency_ratio"]) == ("fast", 0.3)
    assert found["excluded"].keys() == {"lossy"}
    assert found["excluded"]["lossy"].startswith("beyond the accuracy budget: -10.00 points [-11.")


def test_an_accuracy_that_could_be_beyond_is_not_chosen_and_says_what_would_decide():
    found = decided(BASE, candidate("doubtful", 0.1, wrong=8))
    assert found["chosen"] == "base"
    assert found["excluded"]["doubtful"].startswith("undecided against the accuracy budget: -0.40 points")
    assert "rows would decide" in found["excluded"]["doubtful"]


def test_a_larger_budget_lets_it_in():
    assert decided(BASE, candidate("doubtful", 0.1, wrong=8), accuracy_budget_points=2.0)["chosen"] == "doubtful"


def test_those_that_the_measurement_cannot_tell_apart_are_named():
    found = decided(BASE, candidate("a", 0.30), candidate("b", 0.31), candidate("c", 0.4))
    assert (found["chosen"], found["not_told_apart"]) == ("a", ["b"])


def test_what_was_not_measured_is_left_out_with_the_reason():
    found = decided(BASE, record("gpu", reason="no GPU"), candidate("harness", 0.001, predictions=False))
    assert found["excluded"] == {
        "gpu": "latency not measured: no GPU",
        "harness": "accuracy not measured: the backend computes no logits",
    }


def test_the_pareto_front_has_what_nothing_beats_in_latency_accuracy_and_memory():
    found = decided(
        BASE,
        candidate("fast", 0.3, wrong=8),
        candidate("small", 0.9, wrong=8, memory=50.0),
        candidate("worse", 0.9, wrong=10, memory=160.0),
    )
    assert [point["candidate"] for point in found["pareto_front"]] == ["base", "fast", "small"]


def test_without_any_within_the_budget_nothing_is_chosen():
    lossy = candidate("base", 1.0, predictions=False)
    assert decided(lossy, candidate("other", 0.5))["chosen"] is None
