"""How many calls a latency percentile needs before it says anything."""

from functools import cache

CONFIDENCE = 0.99


@cache
def calls_needed(percentile: float) -> int:
    """The fewest calls from which a latency percentile may be told.

    The smallest n such that, were the share of calls at or below the percentile's true value p, at most one of n calls
    beyond it would be seen with a probability of at most 1 − CONFIDENCE: binomial(n, 1 − p) ≤ 1 exceedance. It is the
    early-stopping estimate of MLPerf LoadGen (early_stopping.cc; https://arxiv.org/abs/1911.02549) for one exceedance
    and no tolerance: 64 calls for p90, 130 for p95, 662 for p99.

    Args:
        percentile: between 0 and 100.
    """
    from scipy import special  # here: answering imports this module, and scipy takes half a second

    beyond = 1 - percentile / 100
    low, high = 1, 2
    while special.bdtr(1, high, beyond) > 1 - CONFIDENCE:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if special.bdtr(1, middle, beyond) <= 1 - CONFIDENCE else (middle, high)
    return high
