import numpy as np
import pytest
from pydantic import ValidationError

from temper.quantization.calibration import entropy, minmax
from temper.quantization.calibration.entropy import best_thresholds, divergences, without_zeros


def kl_by_the_slides(histogram: list[int], kept: int, levels: int) -> float:
    """KL of one candidate, step by step as Migacz's slides have it."""
    reference = [float(count) for count in histogram[:kept]]
    reference[-1] += sum(histogram[kept:])
    candidate = [0.0] * kept
    for level in range(levels):
        places = range(level * kept // levels, (level + 1) * kept // levels)
        filled = [place for place in places if reference[place] > 0]  # empty bins of P stay empty
        for place in filled:
            candidate[place] = sum(histogram[place] for place in places) / len(filled)
    p, q = np.asarray(reference) / sum(reference), np.asarray(candidate)
    if not q.sum():
        return np.inf
    q /= q.sum()
    return sum(np.inf if not b else a * np.log(a / b) for a, b in zip(p, q, strict=True) if a)


HISTOGRAMS = {
    "normal": np.histogram(np.abs(np.random.default_rng(3).normal(size=900)), 40)[0],
    "outlier": np.r_[np.histogram(np.abs(np.random.default_rng(4).normal(size=500)), 20)[0], [0] * 19, [1]],
    "sparse": np.random.default_rng(5).integers(0, 3, 40) * np.random.default_rng(6).integers(0, 2, 40),
    "far": np.r_[[0] * 39, [7]],
    "zeros": np.r_[[900], np.arange(39)[::-1]],
}


@pytest.mark.parametrize("name", HISTOGRAMS)
@pytest.mark.parametrize("levels", [4, 7])
def test_divergences_are_those_of_the_definition(name, levels):
    together = np.stack(list(HISTOGRAMS.values())).astype(np.int64)
    found = divergences(together, levels)[list(HISTOGRAMS).index(name)]
    expected = [kl_by_the_slides(HISTOGRAMS[name].tolist(), kept, levels) for kept in range(levels, 41)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_the_slides_example_of_expanding():
    # [1, 0, 2, 3, 5, 3, 1, 7] in two levels is [6, 16], spread over 3 and 4 bins that are not empty
    p, q = np.array([1, 2, 3, 5, 3, 1, 7]) / 22, np.array([2, 2, 2, 4, 4, 4, 4]) / 22
    found = divergences(np.array([[1, 0, 2, 3, 5, 3, 1, 7]]), 2)
    assert found[0, -1] == pytest.approx((p * np.log(p / q)).sum())


def test_the_threshold_is_half_a_bin_after_those_kept_and_cuts_an_outlier_off():
    counts = np.stack([HISTOGRAMS["outlier"], HISTOGRAMS["far"]]).astype(np.int64)
    widths = np.array([0.1, 2.0])
    kept = 8 + np.argmin(divergences(without_zeros(counts), 8), axis=1)
    found = best_thresholds(counts, widths, 8)
    assert found[0] == pytest.approx((kept[0] + 0.5) * 0.1)
    assert found[0] < 3.0
    assert found[1] == 80.0  # nothing to cut: not beyond the largest value


def test_zeros_behind_a_relu_do_not_narrow_the_range():
    values = np.abs(np.random.default_rng(7).normal(size=200_000))
    counts = np.histogram(values, 2048, (0.0, values.max()))[0]
    half_zeros = counts.copy()
    half_zeros[0] += len(values)
    widths = np.full(2, values.max() / 2048)
    plain, rectified = best_thresholds(np.stack([counts, half_zeros]), widths, 128)
    assert rectified == pytest.approx(plain, rel=0.05)
    assert rectified > 0.7 * values.max()
    counted = 128 + np.argmin(divergences(half_zeros[None], 128))  # what the peak would do
    assert counted * widths[0] < 0.5 * values.max()


def test_few_values_near_zero_stay_as_they_are():
    counts = np.array([[3, 9, 2], [9, 3, 2]])
    assert without_zeros(counts).tolist() == [[3, 9, 2], [3, 3, 2]]
    assert counts.tolist() == [[3, 9, 2], [9, 3, 2]]


def test_tensors_that_are_searched_together_get_what_each_gets_alone():
    counts = np.random.default_rng(1).poisson(np.geomspace(1e5, 1e-2, 2048), (20, 2048))
    together = best_thresholds(counts, np.ones(20), 128)
    assert together.tolist() == [float(best_thresholds(each[None], np.ones(1), 128)[0]) for each in counts]


def test_it_chooses_ranges_within_the_extremes_and_cuts_some(model, batches):
    whole = minmax.collect(model, batches, minmax.Options()).ranges
    chosen = entropy.collect(model, batches, entropy.Options(bins=256, quantized_bins=64)).ranges
    assert chosen.keys() == whole.keys()
    widest = {name: max(abs(low), abs(high)) for name, (low, high) in whole.items()}
    cut = [name for name, (low, high) in chosen.items() if max(abs(low), abs(high)) < 0.95 * widest[name]]
    assert cut
    assert all(max(abs(low), abs(high)) <= widest[name] for name, (low, high) in chosen.items())


@pytest.mark.parametrize("change", [{"bins": 128}, {"quantized_bins": 16}])
def test_the_options_reach_the_search(model, batches, change):
    sections = [{"bins": 96, "quantized_bins": 64}, {"bins": 96, "quantized_bins": 64, **change}]
    first, second = (entropy.collect(model, batches, entropy.Options.model_validate(section)) for section in sections)
    assert first.ranges != second.ranges


@pytest.mark.parametrize("levels", [64, 128])
def test_options_that_leave_no_range_to_choose_are_refused_while_planning(levels):
    with pytest.raises(ValidationError, match=f"quantized_bins is {levels}, not below the 64 bins"):
        entropy.Options(bins=64, quantized_bins=levels)


def test_no_option_has_a_default():
    with pytest.raises(ValidationError, match="quantized_bins"):
        entropy.Options.model_validate({"bins": 128})
