"""From a threshold on |x| to a range: the part that entropy and percentile share."""

import numpy as np

from temper.errors import DataError
from temper.quantization.calibration.cache import Collected, Ranges, Suspicion
from temper.quantization.calibration.ranges import NOTHING_WRITTEN, Extremes, Floats, Histograms
from temper.quantization.calibration.suspicious import by_histograms


def clipped_ranges(found: Extremes, thresholds: Floats) -> Ranges:
    """The range of each tensor with |x| cut at its threshold T, [tensors].

    From the larger of the smallest value and -T to the smaller of the largest value and T; it holds 0, as every quantised
    range must: where no value is below 0 it is [0, T].
    """
    return {
        name: (max(min(low, 0.0), -most), min(max(high, 0.0), most))
        for name, low, high, most in zip(
            found.names, found.low.tolist(), found.high.tolist(), thresholds.tolist(), strict=True
        )
    }


def collected(histograms: Histograms, thresholds: Floats, *, needed: int, method: str) -> Collected:
    """Ranges cut at the thresholds [tensors]; tensors with fewer values than `needed` keep their whole range.

    Raises:
        DataError: all of them have fewer.
    """
    found, totals = histograms.extremes, histograms.totals
    few = totals < needed
    if few.all():
        raise DataError(
            asked=f"find activation ranges by {method}",
            happened=f"it needs {needed:,} values of a tensor, and the largest has {totals.max():,}",
            affected=NOTHING_WRITTEN,
            fix="raise the calibration's samples, or take minmax",
        )
    thresholds = np.where(few, found.absmax, thresholds)
    kept_whole = [
        Suspicion(name, "few values", f"{total:,}, and {method} needs {needed:,}: its whole range is kept")
        for name, total, too_few in zip(found.names, totals.tolist(), few, strict=True)
        if too_few
    ]
    return Collected(clipped_ranges(found, thresholds), None, [*by_histograms(histograms, thresholds), *kept_whole])
