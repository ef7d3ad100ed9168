"""The choice: the fastest that the evidence allows, the smaller of equals, and why the others were left out."""

import pytest

from temper.measurement.record import Contention, NotMeasured
from temper.report.decide.decision import decide
from tests.records import compared, record, workload

MANY = 2000
LABELS = [number % 2 for number in range(MANY)]
MIB = 1024 * 1024


def candidate(name, ratio, *, wrong=0, memory=150.0, rows=MANY, answers=None, half_width=0.01, mib=3, **other):
    """`wrong`: rows answered otherwise than the baseline, which is right. `answers`: None for a backend without logits."""
    right = [1 - label if number < wrong else label for number, label in enumerate(LABELS[:rows])]
    timed = {"b1": workload([2.0], ratio=(ratio, ratio - half_width, ratio + half_width))}
    made = record(
        name,
        predictions=right if answers is None else answers,
        labels=LABELS,
        workloads=timed,
        peak_rss_mib=memory,
        **other,
    )
    return made.model_copy(update={"artifact": made.artifact.model_copy(update={"size_bytes": mib * MIB})})


def changed(made, **updates):
    """A candidate whose only workload is another in these fields."""
    return made.model_copy(update={"workloads": {"b1": made.workloads["b1"].model_copy(update=updates)}})


def beside(made, level_ms):
    """A candidate beside which the baseline took so long; beside itself it takes 2 ms."""
    return changed(made, baseline_latencies_ms=[level_ms])


def busy(made, others_share, allowed=0.1):
    """A candidate beside which others took so much of the machine."""
    seen = Contention(
        sources=["cpu_times"],
        others_share=others_share,
        waited_share=None,
        steal_share=None,
        pressure_share=None,
        involuntary_switches=None,
        dropped_turns=0,
        waited_s=0.0,
        busiest="a browser, 62 %",
        gpu=None,
    )
    return changed(made, contention=seen).model_copy(update={"measurement": {"busy_share": allowed}})


def without_answers(name, ratio):
    return record(name, predictions=None, workloads={"b1": workload([2.0], ratio=(ratio, ratio, ratio))})


def decided(*records, **analysis):
    return decide(records, compared(records, "base", **analysis)).workloads["b1"]


BASE = candidate("base", 1.0)


def test_the_fastest_within_the_budget_is_chosen():
    found = decided(BASE, candidate("slow", 0.8), candidate("fast", 0.3), candidate("lossy", 0.1, wrong=200))
    assert (found.chosen, found.latency_ratio) == ("fast", 0.3)
    assert found.excluded.keys() == {"lossy"}
    assert found.excluded["lossy"].startswith("beyond the accuracy budget: -10.00 points [-11.")


def test_an_accuracy_that_could_be_beyond_is_not_chosen_and_says_what_would_decide():
    found = decided(BASE, candidate("doubtful", 0.1, wrong=8))
    assert found.chosen == "base"
    assert found.excluded["doubtful"].startswith("undecided against the accuracy budget: -0.40 points")
    assert "rows would decide" in found.excluded["doubtful"]


def test_a_larger_budget_lets_it_in():
    assert decided(BASE, candidate("doubtful", 0.1, wrong=8), accuracy_budget_points=2.0).chosen == "doubtful"


def test_those_that_the_measurement_cannot_tell_apart_are_named():
    found = decided(BASE, candidate("a", 0.30), candidate("b", 0.31), candidate("c", 0.4))
    assert (found.chosen, found.not_told_apart) == ("a", ("b",))


def test_what_was_not_measured_is_left_out_with_the_reason():
    found = decided(BASE, record("gpu", reason="no GPU"), without_answers("harness", 0.001))
    assert found.excluded == {
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
    assert [point.candidate for point in found.pareto_front] == ["base", "fast", "small"]


def test_without_answers_of_the_baseline_nothing_is_chosen():
    found = decided(without_answers("base", 1.0), candidate("other", 0.5))
    assert found.chosen is None
    assert found.sentence == "b1: no choice: of the candidates whose latency holds 1 accuracy not compared"


ONE_LABEL = {"answers": [1] * 500, "rows": 500}


@pytest.mark.parametrize(
    ("records", "chosen", "provisional", "says"),
    [
        pytest.param(
            [BASE, beside(candidate("fast", 0.1), 3.0), candidate("calm", 0.5)],
            "calm", False, "b1: provisionally calm, 2.00 × [1.96, 2.04] as fast as base, accuracy 100.00 %, +0.00 points",
            id="a candidate beside which the baseline moved",
        ),
        pytest.param(
            [BASE, busy(candidate("fast", 0.1), 0.3), candidate("calm", 0.5)],
            "calm", False, "Left open: fast may be faster",
            id="a candidate beside which others took the machine",
        ),
        pytest.param(
            [BASE, busy(candidate("fast", 0.1), 0.05), candidate("calm", 0.5)],
            "fast", False, "b1: fast, 10.0 ×",
            id="others within the share that the study allows",
        ),
        pytest.param(
            [candidate("base", 1.3), candidate("fast", 0.1)],
            None, False, "no choice: none of its 2 measurements holds (beside itself the baseline takes 30 % more time than "
            "itself: the machine was not quiet); close other programs, then make remeasure takes",
            id="a baseline that is not one with itself",
        ),
        pytest.param(
            [busy(BASE, 0.3), candidate("fast", 0.1)],
            None, False, "(of the baseline beside itself: others took 30 % of the machine",
            id="a baseline beside itself on a busy machine",
        ),
        pytest.param(
            [record("base", reason="no NVIDIA GPU"), candidate("fast", 0.1)],
            None, False, "(the baseline was not timed beside itself",
            id="no level of the baseline at all",
        ),
        pytest.param(
            [candidate("base", 1.0, half_width=0.15), candidate("fast", 0.30, memory=200.0), candidate("small", 0.34)],
            "small", False, "not told apart in time from fast, of which it needs the least memory (150.0 MiB)",
            id="closer than the noise floor, though their intervals lie apart",
        ),
        pytest.param(
            [BASE, candidate("fast", 0.30, mib=87), candidate("small", 0.31, mib=22)],
            "small", False, "of which it needs the least room on disk (22.0 MiB)",
            id="equals of one peak: the smaller file",
        ),
        pytest.param(
            [BASE, candidate("built", 0.30, loads="engines/fast"), candidate("exported", 0.305)],
            "exported", False, "of which it has the shortest way from the checkpoint",
            id="equals of one peak and size: the simpler one",
        ),
        pytest.param(
            [BASE, candidate("fast", 0.30), candidate("other", 0.305, memory=152.0)],
            "fast", False, "not told apart in time from other, of which it is the fastest by its estimate",
            id="equals in everything",
        ),
        pytest.param(
            [BASE, candidate("fast", 0.30, memory=200.0), candidate("small", 0.34)],
            "fast", False, "b1: fast, 3.33 ×",
            id="told apart: memory does not count",
        ),
        pytest.param(
            [candidate("base", 1.0, rows=500), candidate("fast", 0.2, rows=500), candidate("lossy", 0.1, rows=500, wrong=3)],
            "fast", True, "b1: provisionally fast, 5.00 × [4.76, 5.26] as fast as base, accuracy 100.00 %. Provisional: no "
            "label of 500 differs from base's, so it loses at most 0.74 points (95 %); 500 rows can decide a budget of 0.76 "
            "points: set analysis.accuracy_budget_points to 0.8, or bring 765 test rows",
            id="zero flips of 500",
        ),
        pytest.param(
            [candidate("base", 1.0, rows=500), candidate("fast", 0.2, rows=500, wrong=2)],
            "fast", True, "Provisional: 2 of 500 labels differ from base's, by which it loses at most 1.45 points (95 %)",
            id="an estimate within a budget that the rows cannot decide",
        ),
        pytest.param(
            [candidate("base", 1.0, rows=500), candidate("fast", 0.2, rows=500, wrong=100)],
            "base", False, "b1: base, the baseline itself, accuracy 100.00 %",
            id="beyond the budget, and never chosen",
        ),
        pytest.param(
            [candidate("base", 1.0, rows=500), candidate("same", 0.99, rows=500, memory=10.0)],
            "base", False, "not told apart in time from same",
            id="of equals what is certain comes before what may be",
        ),
        pytest.param(
            [candidate("base", 1.0, **ONE_LABEL), candidate("fast", 0.2, **ONE_LABEL)],
            "fast", True, ". Warning: the model answers 'positive' to every row",
            id="a model that answers one label",
        ),
    ],
)  # fmt: skip
def test_the_choice_rests_on_what_holds(records, chosen, provisional, says):
    found = decided(*records)
    assert (found.chosen, found.provisional) == (chosen, provisional)
    assert says in found.sentence
    held = {point.candidate for point in found.pareto_front}
    if chosen is None:
        assert held == set()
    else:
        assert chosen not in found.excluded
        disturbed = {name for name, why in found.excluded.items() if why.startswith("latency disturbed: ")}
        assert held & disturbed == set()


def test_the_offered_budget_makes_the_provisional_choice_one_that_is_shown():
    records = [candidate("base", 1.0, rows=500), candidate("fast", 0.2, rows=500, wrong=2)]
    assert "set analysis.accuracy_budget_points to 1.5" in decided(*records).sentence
    assert not decided(*records, accuracy_budget_points=1.5).provisional
    assert decided(*records, accuracy_budget_points=1.5).chosen == "fast"


def test_with_rows_enough_to_decide_what_stays_undecided_is_not_chosen():
    found = decided(BASE, candidate("doubtful", 0.1, wrong=8))
    assert (found.chosen, found.provisional) == ("base", False)


def test_the_bound_of_the_choice_and_the_models_warnings_are_fields():
    found = decided(candidate("base", 1.0, **ONE_LABEL), candidate("fast", 0.2, **ONE_LABEL))
    assert found.loses_at_most_points == pytest.approx(0.735, abs=0.001)
    one_label, no_better = found.warnings
    assert one_label == "the model answers 'positive' to all 500 test rows"
    assert no_better.startswith("the model is not shown to be better than always answering 'negative': accuracy 50.0 %")


def test_the_command_that_measures_anew_is_named_only_where_something_was_disturbed():
    calm, moved = candidate("calm", 0.5), beside(candidate("fast", 0.1), 3.0)
    assert decide([BASE, calm], compared([BASE, calm], "base")).remeasure is None
    harness = beside(without_answers("harness", 0.001), 3.0)
    assert decide([BASE, harness], compared([BASE, harness], "base")).remeasure is None
    records = [BASE, moved]
    assert decide(records, compared(records, "base")).remeasure == "make remeasure"


def test_memory_of_the_gpu_counts_where_all_equals_have_one():
    def on_gpu(name, ratio, *, gpu_mib, memory):
        made = candidate(name, ratio, memory=memory)
        return made.model_copy(update={"memory": made.memory.model_copy(update={"gpu_peak_mib": gpu_mib})})

    found = decided(
        BASE, on_gpu("a", 0.30, gpu_mib=900.0, memory=100.0), on_gpu("b", 0.305, gpu_mib=500.0, memory=200.0)
    )
    assert found.chosen == "b"
    assert "the least memory (500.0 MiB)" in found.sentence


@pytest.mark.parametrize(
    ("left", "open_"),
    [
        (beside(candidate("open", 0.5), 2.2), ("open",)),  # it may be faster than 0.6
        (beside(candidate("open", 0.9), 2.2), ()),  # beside whichever baseline, it is slower
        (beside(candidate("open", 0.65), 1.8), ("open",)),  # 0.585, were the baseline alone faster beside it
        (beside(candidate("open", 0.5, wrong=200), 2.2), ()),  # beyond the budget anyway
    ],
    ids=["faster", "slower", "by the shift", "beyond"],
)
def test_what_was_disturbed_and_may_be_faster_is_left_open_and_the_choice_says_so(left, open_):
    found = decided(BASE, candidate("calm", 0.6), left)
    assert (found.chosen, found.left_open) == ("calm", open_)
    assert ("Left open: open may be faster (the figures do not hold); make remeasure" in found.sentence) is bool(open_)
    assert found.sentence.startswith(f"b1: {'provisionally ' if open_ else ''}calm, ")


def test_what_was_not_measured_on_a_busy_machine_is_left_open():
    busy_one = candidate("open", 0.5).model_copy(
        update={"workloads": {"b1": NotMeasured(reason="the machine was busy", cause="busy")}}
    )
    assert decided(BASE, candidate("calm", 0.6), busy_one).left_open == ("open",)
