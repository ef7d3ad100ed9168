"""Ranges that somebody should look at before trusting the quantised model; they are listed, never changed."""

import numpy as np

from temper.quantization.calibration.cache import Suspicion
from temper.quantization.calibration.ranges import Extremes, Floats, Histograms

BULK_PERCENTILE = 99.9  # of |x|
# 99.9 % of the values share 127 / 8 = 15 of the 127 steps of INT8 when the largest |x| is 8 times as far out
OUTLIER_RATIO = 8.0
CALL_OUTLIER_RATIO = 4.0  # one call's largest |x| against the median call's: it costs all the others 2 of 8 bits
SATURATED_SHARE = 0.01  # more than one value in a hundred is clipped


def percentiles(histograms: Histograms, percentile: float) -> Floats:
    """Percentile of |x| of each tensor, [tensors]; linear within a bin.

    The smallest value with at least that share of all values at or below it, so never above the largest |x|.
    """
    found = np.zeros(len(histograms.counts))
    for n, (counts, width) in enumerate(zip(histograms.counts, histograms.widths, strict=True)):
        below = np.cumsum(counts)
        wanted = percentile / 100 * below[-1]
        at = int(np.searchsorted(below, wanted))
        found[n] = width * (at + (wanted - (below[at] - counts[at])) / counts[at])
    return found


def _dead(found: Extremes) -> list[Suspicion]:
    return [
        Suspicion(name, "dead", f"every value is {low:.6g}")
        for name, low, high in zip(found.names, found.low, found.high, strict=True)
        if low == high
    ]


def by_extremes(found: Extremes) -> list[Suspicion]:
    """What smallest and largest values of each call show: dead tensors, and a call far beyond the others."""
    largest = np.maximum(np.abs(found.lows), np.abs(found.highs))
    median = np.median(largest, axis=0)
    return _dead(found) + [
        Suspicion(
            name,
            "outlier",
            f"largest |x| is {top:.6g}, more than {CALL_OUTLIER_RATIO:g} times that of the median call ({middle:.6g})",
        )
        for name, top, middle in zip(found.names, largest.max(axis=0), median, strict=True)
        if top > CALL_OUTLIER_RATIO * middle
    ]


def by_histograms(histograms: Histograms, thresholds: Floats) -> list[Suspicion]:
    """What the histograms show: dead tensors, outliers, and how much the thresholds [tensors] clip."""
    found, bulk, totals = histograms.extremes, percentiles(histograms, BULK_PERCENTILE), histograms.totals
    suspicious = _dead(found)
    for n, name in enumerate(found.names):
        top, width = found.absmax[n], histograms.widths[n]
        if top > OUTLIER_RATIO * bulk[n]:
            evidence = (
                f"largest |x| is {top:.6g}, {top / bulk[n]:.1f} times what {BULK_PERCENTILE} % of |x| stay within"
            )
            suspicious.append(Suspicion(name, "outlier", evidence))
        if thresholds[n] < top:
            clipped = histograms.counts[n, int(np.ceil(thresholds[n] / width)) :].sum() / totals[n]
            if clipped > SATURATED_SHARE:
                evidence = f"{clipped:.2%} of the values lie beyond {thresholds[n]:.6g} and are clipped"
                suspicious.append(Suspicion(name, "saturated", evidence))
    return suspicious
