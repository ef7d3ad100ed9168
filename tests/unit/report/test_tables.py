import pytest

from temper.report.tables import median_ms, rows
from tests.records import compared, record, workload

BASE = record("base", predictions=[0, 1, 1, 0])


def rows_of(*records, baseline="base"):
    return rows(records, compared(records, baseline))


def test_a_row_has_the_records_figures():
    own = record("a", predictions=[0, 1, 0, 0], workloads={"b1": workload([1.0, 2.0, 5.0], ratio=(0.5, 0.4, 0.6))})
    _, row = rows_of(BASE, own)
    assert (row.candidate, row.backend, row.library, row.loads) == ("a", "a-backend", "onnxruntime 1.5", "onnx/fp32")
    assert (row.accuracy, row.latency_p50_ms, row.latency_mean_ms) == (0.75, 2.0, pytest.approx(8 / 3))
    assert (row.latency_ratio, row.latency_ratio_low, row.latency_ratio_high, row.latency_verdict) == (
        0.5,
        0.4,
        0.6,
        "win",
    )
    assert row.latency_percentiles_ms == {"50": 2.0, "95": 30.0}
    assert (row.throughput_samples_per_s, row.sequential_samples_per_s) == (900.0, 750.0)
    assert (row.timed_runs, row.first_call_ms, row.padding_share) == (3, 9.0, 0.25)
    assert row.computed_padding_share == 0.25
    assert (row.import_s, row.load_s, row.peak_rss_mib, row.size_mib, row.reason) == (1.5, 0.5, 150.0, 3.0, None)
    assert (row.labels_differing, row.accuracy_difference_points) == (1, -25.0)
    assert row.accuracy_low_points < -25.0 < row.accuracy_high_points


def test_there_is_a_row_for_each_candidate_and_workload_in_their_order():
    found = rows_of(record("b", workloads=["w2", "w1"]), record("a", workloads=["w1"]), baseline="b")
    assert [(row.candidate, row.workload) for row in found] == [("b", "w2"), ("b", "w1"), ("a", "w1")]


def test_what_was_not_measured_is_none_with_the_reason():
    _, row = rows_of(BASE, record("a", reason="no GPU"))
    assert row.reason == "no GPU"
    assert row.size_mib == 3.0  # the artifact is there
    kept = {"candidate", "backend", "library", "loads", "workload", "size_mib", "reason"}
    assert {name: value for name, value in vars(row).items() if name not in kept and value is not None} == {}
    assert row.library == "onnxruntime 1.5"  # what would have run


@pytest.mark.parametrize(
    "other",
    [
        record("other"),
        record("base", reason="no GPU"),
        record("base", predictions=None),
        record("base", labels=[1, 1, 1, 0]),
    ],
    ids=["no baseline", "not measured", "no predictions", "other rows"],
)
def test_predictions_that_cannot_be_compared_are_not(other):
    row, _ = rows_of(record("a"), other)
    assert (row.accuracy, row.labels_differing, row.accuracy_verdict) == (1.0, None, None)


def test_the_median_is_the_nearest_rank():
    assert median_ms(workload([9.0, 1.0, 5.0])) == 5.0
    assert median_ms(workload([9.0, 1.0, 5.0, 4.0])) == 4.0
