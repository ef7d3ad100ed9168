import pytest

from temper.errors import LoadTestError
from temper.load_test.summary import logged_errors, parse_summary


def test_a_summary_without_a_result_is_an_error():
    with pytest.raises(LoadTestError, match="it is empty"):
        parse_summary("")


def test_an_invalid_summary_says_why():
    facts = parse_summary(
        "Scenario : Server\nCompleted samples per second    : 457.78\nResult is : INVALID\n"
        "  Performance constraints satisfied : NO\n  Min duration satisfied : Yes\n  Min queries satisfied : Skipped\n"
        "  Early stopping satisfied: NO\nRecommendations:\n * Reduce target QPS to improve latency.\n"
        "Early Stopping Result:\n * Run unsuccessful.\n * Would need to run at least 1 more queries,\n with the run.\n\n"
        "Scheduled samples per second : 478.81\nMin latency (ns)                : 2219012\n"
        "99.90 percentile latency (ns)   : 46376903\n"
    )
    assert facts["reasons"] == [
        "min queries not satisfied",
        "performance constraints not satisfied",
        "early stopping not satisfied",
        "Reduce target QPS to improve latency.",
        "Early stopping: Run unsuccessful.",
        "Early stopping: Would need to run at least 1 more queries, with the run.",
    ]
    assert (facts["samples_per_s"], facts["scheduled_per_s"]) == (457.78, 478.81)
    assert facts["latency_percentiles_ms"] == {"99.9": 46.376903}
    assert (facts["latency_min_ms"], facts["latency_max_ms"]) == (2.219012, None)


def test_what_the_detailed_log_calls_an_error_is_kept_and_a_broken_line_is_none():
    mark = ":::MLLOG "
    found = logged_errors(
        f'{mark}{{"key": "error_runtime", "value": "late", "metadata": {{"is_error": true}}}}\n'
        f'{mark}{{"key": "effective_seed", "value": 7, "metadata": {{"is_error": false}}}}\n'
        f'{mark}{{"value": "torn", "metadata": {{"is_error": true\n'
    )
    assert found == ["late"]
