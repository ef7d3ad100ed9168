import pytest

from temper.errors import LoadTestError
from temper.load_test.options import LoadTestRow
from temper.load_test.search import MAX_RUNS, check_time, search_rate
from tests.unit.load_test.rows import ROW

SHORT = LoadTestRow.model_validate({**ROW, "min_duration_s": 2.0})


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


def test_a_run_that_cannot_end_in_time_is_refused_with_its_length():
    check_time(SHORT, 64.0, 2.0)
    with pytest.raises(LoadTestError, match=r"64 queries and 2 s takes 4.0 s at 16 queries/s, and 2.0 s are left"):
        check_time(SHORT, 16.0, 2.0)
