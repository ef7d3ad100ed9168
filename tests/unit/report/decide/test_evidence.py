"""What a ratio holds against, and what tells two candidates apart."""

import pytest

from temper.measurement.record import Contention
from temper.report.decide.evidence import relative_latency, smallest_difference_told, told_apart
from tests.records import compared, record, workload


def timed(name, ratio, level_ms=2.0, *, half_width=0.01, **more):
    own = workload([2.0], ratio=(ratio, ratio - half_width, ratio + half_width), **more)
    return record(name, workloads={"b1": own.model_copy(update={"baseline_latencies_ms": [level_ms]})})


def test_a_ratio_to_the_baseline_is_the_one_taken_in_turns():
    found = compared([timed("base", 1.0), timed("a", 0.5)], "base")
    beside = relative_latency(found, "b1", "a", "base")
    assert (beside.ratio, beside.low, beside.high) == (0.5, 0.49, 0.51)
    back = relative_latency(found, "b1", "base", "a")
    assert (back.ratio, back.low, back.high) == pytest.approx((2, 1 / 0.51, 1 / 0.49))
    assert relative_latency(found, "b1", "a", "a").ratio == 1


def test_the_baselines_shift_between_two_candidates_is_in_their_interval():
    """Beside `late` the baseline took 4 % longer: the machine was slower, or the baseline alone was."""
    still = compared([timed("base", 1.0), timed("a", 0.5), timed("late", 0.5)], "base")
    moved = compared([timed("base", 1.0), timed("a", 0.5), timed("late", 0.5, 2.08)], "base")
    one, other = relative_latency(still, "b1", "late", "a"), relative_latency(moved, "b1", "late", "a")
    assert (other.ratio, other.low) == (one.ratio, one.low)
    assert other.high == pytest.approx(1.04 * one.high)
    back = relative_latency(moved, "b1", "a", "late")
    assert (back.low, back.high) == pytest.approx((1 / other.high, 1 / other.low))


def test_a_shift_beyond_what_the_ratios_tell_leaves_two_candidates_equal():
    records = [timed("base", 1.0, half_width=0.001), timed("a", 0.50, half_width=0.001)]
    assert told_apart(compared([*records, timed("b", 0.52, half_width=0.001)], "base"), "b1", "b", "a")
    assert not told_apart(compared([*records, timed("b", 0.52, 1.91, half_width=0.001)], "base"), "b1", "b", "a")


def test_what_lies_within_the_noise_floor_is_not_told_apart():
    narrow = [timed("a", 0.500, half_width=0.001), timed("b", 0.520, half_width=0.001)]
    quiet = compared([timed("base", 1.0, half_width=0.01), *narrow], "base")
    noisy = compared([timed("base", 1.0, half_width=0.05), *narrow], "base")
    assert (smallest_difference_told(quiet, "b1"), smallest_difference_told(noisy, "b1")) == pytest.approx((0.01, 0.05))
    assert told_apart(quiet, "b1", "b", "a")
    assert not told_apart(noisy, "b1", "b", "a")
    assert not told_apart(noisy, "b1", "a", "b")


@pytest.mark.parametrize(("level_ms", "holds"), [(2.09, True), (2.11, False), (1.91, True), (1.89, False)])
def test_a_baseline_may_move_by_the_margin(level_ms, holds):
    found = compared([timed("base", 1.0), timed("a", 0.5, level_ms)], "base")
    assert found.candidates["a"].workloads["b1"].holds is holds


def beside_loops(each, median_us):
    """The record, with the processor taking so long for a fixed loop meanwhile."""
    loop = None if median_us is None else {"p10": median_us, "median": median_us, "p90": median_us}
    seen = Contention.model_validate(
        {name: None for name in Contention.model_fields}
        | {"sources": ["cpu_times"], "dropped_turns": 0, "waited_s": 0.0, "fixed_loop_us": loop}
    )
    timed_with = each.workloads["b1"].model_copy(update={"contention": seen})
    return each.model_copy(update={"workloads": {"b1": timed_with}})


@pytest.mark.parametrize(
    ("loop_us", "level_ms", "said"),
    [
        (152.0, 3.0, "a fixed loop took 1.52 × as long as then: the processor itself was slower"),
        (70.0, 1.4, "a fixed loop took 0.70 × as long as then: the processor itself was faster"),
        (102.0, 3.0, None),  # as fast as then: something else slowed the baseline
        (70.0, 3.0, None),  # a faster processor explains no slower baseline
        (None, 3.0, None),  # a record of before
    ],
)
def test_a_processor_of_another_speed_is_named_where_it_explains_the_baselines_move(loop_us, level_ms, said):
    records = [beside_loops(timed("base", 1.0), 100.0), beside_loops(timed("a", 0.5, level_ms), loop_us)]
    why = compared(records, "base").candidates["a"].workloads["b1"].why_not
    assert said in why if said else "fixed loop" not in why


def test_a_candidate_that_was_timed_without_the_baseline_has_no_level():
    alone = workload([2.0], ratio=(0.5, 0.49, 0.51)).model_copy(update={"baseline_latencies_ms": None})
    found = compared([timed("base", 1.0), record("a", workloads={"b1": alone})], "base")
    assert found.candidates["a"].workloads["b1"].why_not == "the baseline's latencies beside it are not in its record"


def test_real_lengths_are_held_to_their_mean():
    """The medians agree; the mean beside the candidate is 50 % above."""
    own = workload([1.0], ratio=(0.5, 0.49, 0.51), real_lengths="arrival")
    base = record("base", workloads={"b1": own.model_copy(update={"ratio": workload([1.0]).ratio})})
    base.workloads["b1"].baseline_latencies_ms[:] = [1.0, 2.0, 3.0]
    moved = own.model_copy(update={"baseline_latencies_ms": [1.0, 2.0, 6.0]})
    found = compared([base, record("a", workloads={"b1": moved})], "base")
    assert "50 % slower" in found.candidates["a"].workloads["b1"].why_not
