"""Which runs a load test makes: one that lasts long enough, or a search for the highest rate that is VALID."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from temper.errors import LoadTestError
from temper.load_test.generator import LoadTest, Run
from temper.load_test.summary import SPOILED
from temper.study.sections.load_tests import LoadTestRow

EXPECTED_RATE_MARGIN = 1.1  # too low an expected rate makes a run too short, and so INVALID; too high only lengthens it
MAX_ATTEMPTS = 3  # runs until one lasts long enough

START_SHARE = 0.75  # of the single-thread service rate: where the search for the highest rate begins
GROWTH = 1.25  # while no rate was too high
BRACKET = 0.05  # the search ends when the lowest INVALID rate is at most this much above the highest VALID one
MAX_RUNS = 8

Verdict = Literal["valid", "invalid", "hopeless"]


@dataclass(frozen=True)
class RateSearch:
    """What the search for the highest VALID rate found.

    Attributes:
        rate_per_s: the highest VALID rate; None where no run was.
        lowest_invalid_per_s: the lowest rate above it that was INVALID; None where none was.
        ended: why it ended: 'bracket', 'runs', 'timeout_s' or 'latency_bound_ms' (no query at all was within it).
    """

    rate_per_s: float | None
    lowest_invalid_per_s: float | None
    ended: Literal["bracket", "runs", "timeout_s", "latency_bound_ms"]


def search_rate(judge: Callable[[float], Verdict], start_per_s: float, fits: Callable[[float], bool]) -> RateSearch:
    """Bracket and bisect the highest VALID rate: at most MAX_RUNS runs, until the bracket is BRACKET wide.

    Args:
        judge: makes a run at a rate and says how it ended; 'hopeless' where no lower rate can be VALID.
        start_per_s: the first rate.
        fits: whether a run at a rate would end in time.
    """
    valid, invalid, rate = None, None, start_per_s
    for _ in range(MAX_RUNS):
        if not fits(rate):
            return RateSearch(valid, invalid, "timeout_s")
        verdict = judge(rate)
        if verdict == "hopeless":
            return RateSearch(valid, rate, "latency_bound_ms")
        if verdict == "valid":
            valid = rate
        else:
            invalid = rate
        if valid is None:
            rate = rate / 2
        elif invalid is None:
            rate = rate * GROWTH
        elif invalid - valid <= BRACKET * valid:
            return RateSearch(valid, invalid, "bracket")
        else:
            rate = (valid + invalid) / 2
    return RateSearch(valid, invalid, "runs")


def check_time(row: LoadTestRow, rate_per_s: float, time_left_s: float) -> None:
    """Raise LoadTestError where not even one run could end in time."""
    run_s = max(row.min_duration_s, row.min_queries / rate_per_s)
    if run_s > time_left_s:
        raise LoadTestError(
            asked=f"load-test {row.loads} on {row.backend} in the scenario {row.scenario} within {row.timeout_s:g} s",
            happened=f"a run of {row.min_queries} queries and {row.min_duration_s:g} s takes {run_s:.1f} s at "
            f"{rate_per_s:.4g} queries/s, and {max(time_left_s, 0):.1f} s are left",
            affected=SPOILED,
            fix="raise timeout_s, or lower min_queries or min_duration_s",
        )


def expected_rate(
    test: LoadTest,
    row: LoadTestRow,
    rate_per_s: float,
    deadline_s: float,
    *,
    clock_s: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """SingleStream and Offline: a pilot, then a run with the rate it reached, again where that run ended too early.

    Args:
        test: makes the runs.
        row: the load test.
        rate_per_s: samples per second that the pilot expects.
        deadline_s: when the last run must have ended, on the clock.
        clock_s: the clock.

    Returns:
        run, summary: of the last run; attempts_ended: why it was the last: 'long_enough', 'attempts' (all that there
        are were too short) or 'timeout_s' (it was too short, and another one would not end in time).
    """
    last = test.run(rate_per_s, pilot=True)
    ended = "attempts"
    for attempt in range(1, MAX_ATTEMPTS + 1):
        began_s = clock_s()
        last = test.run(last.facts["samples_per_s"] * EXPECTED_RATE_MARGIN)
        if last.facts["min_duration_satisfied"]:
            ended = "long_enough"
            break
        # killed at the timeout, the next one would take this one's result with it
        now_s = clock_s()
        if attempt < MAX_ATTEMPTS and now_s + max(now_s - began_s, row.min_duration_s) > deadline_s:
            ended = "timeout_s"
            break
    return {"run": last.facts, "summary": last.text, "attempts_ended": ended}


def highest_rate(test: LoadTest, row: LoadTestRow, rate_per_s: float, deadline_s: float) -> dict[str, Any]:
    """Server: the highest rate whose run is VALID."""
    judged: dict[float, Run] = {}

    def fits(rate: float) -> bool:
        queries = max(row.min_queries, rate * row.min_duration_s)
        return not judged or time.monotonic() + queries / min(rate, rate_per_s) < deadline_s

    def judge(rate: float) -> Verdict:
        judged[rate] = run = test.run(rate)
        if run.facts["valid"]:
            return "valid"
        return "hopeless" if run.facts["latency_min_ms"] > row.latency_bound_ms else "invalid"

    start = START_SHARE * rate_per_s
    check_time(row, start, deadline_s - time.monotonic())
    found = search_rate(judge, start, fits)
    reported = judged[found.rate_per_s] if found.rate_per_s is not None else judged[min(judged)]
    return {
        "run": reported.facts,
        "summary": reported.text,
        "rate_per_s": found.rate_per_s,
        "lowest_invalid_per_s": found.lowest_invalid_per_s,
        "search_ended": found.ended,
    }
