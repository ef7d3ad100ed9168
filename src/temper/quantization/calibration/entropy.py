"""Entropy: the range whose quantised histogram of |x| diverges least (Kullback–Leibler) from the histogram itself.

TensorRT's method: Migacz, '8-bit Inference with TensorRT' (GTC 2017). Of exact zeros the slides say nothing; they are left
out here as in NVIDIA's own calibrator for PyTorch (TensorRT, tools/pytorch-quantization, calib/histogram.py).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from onnx import ModelProto
from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator

from temper.artifacts.signature import Tensors
from temper.quantization.calibration.cache import Collected
from temper.quantization.calibration.ranges import Floats, count_histograms, find_extremes
from temper.quantization.calibration.thresholds import collected

LIBRARIES = ("onnx", "onnxruntime")
ROWS_SHARE_CALLS = True


class Options(BaseModel):
    """`calibration_methods.entropy`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    bins: PositiveInt  # of the histogram of |x|
    quantized_bins: PositiveInt  # levels of |x| that INT8 has: 128

    @model_validator(mode="after")
    def _ranges_to_choose_from(self) -> "Options":
        if self.quantized_bins >= self.bins:
            raise ValueError(
                f"quantized_bins is {self.quantized_bins}, not below the {self.bins} bins: no range is left to choose from"
            )
        return self


def divergences(counts: npt.NDArray[np.int64], quantized_bins: int) -> Floats:
    """KL(P ‖ Q) of each tensor for each number of bins kept, from `quantized_bins` to all: [tensors, candidates].

    With i bins kept, P is the histogram's first i bins, whose last takes all counts beyond. Q merges these i bins (without
    the counts beyond) into `quantized_bins` levels and spreads each evenly over its bins that are not empty in P. With
    p the counts of P, N their sum, s the counts of a level, n its bins that are not empty and S the sum of the i bins:

        KL = Σ p log p / N − Σ p log(s / n) / N − log N + log S

    so prefix sums answer each candidate in `quantized_bins` steps.

    Args:
        counts: int64 [tensors, bins].

    Returns:
        Infinite where Q is 0 and P is not.
    """
    tensors, bins = counts.shape
    p = counts.astype(np.float64)
    p_log_p = np.where(p > 0, p * np.log(np.maximum(p, 1)), 0.0)
    sums, logs, filled = (
        np.concatenate([np.zeros((tensors, 1)), np.cumsum(values, axis=1)], axis=1) for values in (p, p_log_p, p > 0)
    )
    found = np.empty((tensors, bins - quantized_bins + 1))
    levels = np.arange(quantized_bins + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        for candidate, kept in enumerate(range(quantized_bins, bins + 1)):
            edges = levels * kept // quantized_bins
            s, n = np.diff(sums[:, edges]), np.diff(filled[:, edges])
            beyond, last = sums[:, -1] - sums[:, kept], p[:, kept - 1]
            in_p = s.copy()
            in_p[:, -1] += beyond
            n[:, -1] += (last == 0) & (beyond > 0)  # the counts beyond have filled it
            all_p = logs[:, kept - 1] + np.where(last + beyond > 0, (last + beyond) * np.log(last + beyond), 0.0)
            cross = np.where(in_p > 0, in_p * np.log(s / n), 0.0).sum(axis=1)
            found[:, candidate] = (all_p - cross) / sums[:, -1] - np.log(sums[:, -1]) + np.log(sums[:, kept])
    return np.nan_to_num(found, nan=np.inf, posinf=np.inf)


def without_zeros(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The counts with the first bin's no larger than the second's, int64 [tensors, bins].

    Behind a ReLU half of all values are exactly 0, which every symmetric scale keeps as it is. Counted, that peak seems lost
    in whatever level it shares with its neighbours, and a range of a quarter of the values' own seems the best.
    """
    kept = counts.copy()
    kept[:, 0] = np.minimum(counts[:, 0], counts[:, 1])
    return kept


def best_thresholds(counts: npt.NDArray[np.int64], widths: Floats, quantized_bins: int) -> Floats:
    """Threshold on |x| of each tensor, [tensors]: the middle of the bin after those kept; the first of equal candidates."""
    kept = quantized_bins + np.argmin(divergences(without_zeros(counts), quantized_bins), axis=1)
    return np.asarray(np.minimum(kept + 0.5, counts.shape[1]) * widths)


def collect(model: ModelProto, batches: Sequence[Tensors], options: Options) -> Collected:
    """Ranges of every tensor around a product.

    Raises:
        DataError: every tensor has fewer values than the histogram has bins.
    """
    histograms = count_histograms(model, batches, find_extremes(model, batches), options.bins)
    thresholds = best_thresholds(histograms.counts, histograms.widths, options.quantized_bins)
    # with fewer values than bins the divergence is that of gaps, not of a distribution
    return collected(histograms, thresholds, needed=options.bins, method=f"entropy over {options.bins:,} bins")
