import pytest

from temper.errors import LoadTestError
from temper.load_test.generator import Run
from temper.load_test.search import MAX_ATTEMPTS, MAX_RUNS, check_time, expected_rate, search_rate
from temper.study.sections.load_tests import LoadTestRow
from tests.unit.load_test.rows import ROW

SHORT = LoadTestRow.model_validate({**ROW, "min_duration_s": 2.0})


class FakeTest:
    """Runs that last as long as it is told, on a clock of its own; the last of them may be long enough."""

    def __init__(self, durations_s, long_enough=False):
        self._durations_s, self._long_enough = list(durations_s), long_enough
        self.now_s, self.rates = 0.0, []

    def clock_s(self):
        return self.now_s

    def run(self, rate_per_s, *, pilot=False):
        self.now_s += self._durations_s.pop(0)
        self.rates.append(rate_per_s)
        enough = self._long_enough and not self._durations_s
        facts = {"samples_per_s": 100.0 * len(self.rates), "min_duration_satisfied": enough, "valid": enough}
        return Run(facts, f"summary {len(self.rates)}")

    def attempt(self, deadline_s):
        return expected_rate(self, SHORT, 50.0, deadline_s, clock_s=self.clock_s)


@pytest.mark.parametrize("highest", [40.0, 70.0, 75.0, 95.0, 130.0])
def test_the_search_ends_with_a_bracket_around_the_highest_valid_rate(highest):
    asked = []

    def judge(rate):
        asked.append(rate)
        return "valid" if rate <= highest else "invalid"

    found = search_rate(judge, 75.0, lambda rate: True)
    assert found.ended == "bracket"
    assert found.rate_per_s <= highest < found.lowest_invalid_per_s <= 1.05 * found.rate_per_s
    assert len(asked) == len(set(asked)) <= MAX_RUNS


def test_the_search_ends_after_its_runs_and_before_its_time():
    found = search_rate(lambda rate: "invalid", 64.0, lambda rate: True)
    assert (found.rate_per_s, found.ended) == (None, "runs")
    found = search_rate(lambda rate: "valid", 64.0, lambda rate: rate < 100)
    assert (found.rate_per_s, found.lowest_invalid_per_s, found.ended) == (80.0, None, "timeout_s")


def test_a_run_that_lasts_long_enough_is_the_last_and_each_expects_what_the_one_before_reached():
    test = FakeTest([0.2, 1.9, 2.1], long_enough=True)
    found = test.attempt(deadline_s=60.0)
    assert (found["attempts_ended"], found["summary"], found["run"]["valid"]) == ("long_enough", "summary 3", True)
    assert test.rates == pytest.approx([50.0, 110.0, 220.0])


def test_the_attempts_end_after_as_many_as_there_are():
    test = FakeTest([0.2, *[1.9] * MAX_ATTEMPTS])
    found = test.attempt(deadline_s=60.0)
    assert (found["attempts_ended"], found["run"]["valid"]) == ("attempts", False)
    assert len(test.rates) == 1 + MAX_ATTEMPTS


@pytest.mark.parametrize(
    ("run_s", "deadline_s"),
    [(1.0, 3.0), (5.0, 10.0)],
    ids=["the next one has to last longer", "as long as the last one"],
)
def test_another_attempt_that_would_not_end_in_time_is_not_begun(run_s, deadline_s):
    test = FakeTest([0.2, run_s, run_s, run_s])
    found = test.attempt(deadline_s)
    assert (found["attempts_ended"], found["summary"], found["run"]["valid"]) == ("timeout_s", "summary 2", False)
    assert test.now_s <= deadline_s


def test_the_last_attempt_of_all_is_not_said_to_have_lacked_time():
    assert FakeTest([0.2, *[1.9] * MAX_ATTEMPTS]).attempt(deadline_s=6.5)["attempts_ended"] == "attempts"


def test_a_run_that_cannot_end_in_time_is_refused_with_its_length():
    check_time(SHORT, 64.0, 2.0)
    with pytest.raises(LoadTestError, match=r"64 queries and 2 s takes 4.0 s at 16 queries/s, and 2.0 s are left"):
        check_time(SHORT, 16.0, 2.0)
