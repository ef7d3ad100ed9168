import pytest

from temper.statistics.tail import calls_needed


@pytest.mark.parametrize(("percentile", "calls"), [(50, 11), (90, 64), (95, 130), (99, 662), (99.9, 6636)])
def test_the_calls_a_percentile_needs_are_mlperfs(percentile, calls):
    assert calls_needed(percentile) == calls


@pytest.mark.parametrize("percentile", [75, 90, 99])
def test_one_call_fewer_does_not_suffice(percentile):
    """With n − 1 calls, at most one beyond p is seen with more than 1 % probability; by the binomial's two terms."""
    share = percentile / 100

    def at_most_one(calls):
        return share**calls + calls * (1 - share) * share ** (calls - 1)

    assert at_most_one(calls_needed(percentile)) <= 0.01 < at_most_one(calls_needed(percentile) - 1)
