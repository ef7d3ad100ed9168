import pytest

from temper.report.tables import differing_rows, median_ms, rows
from tests.records import record, workload

BASE = record("base", predictions=[0, 1, 1, 0])


def test_a_row_has_the_records_figures():
    (row,) = rows([record("a", predictions=[0, 1, 0, 0], latencies_ms=[1.0, 2.0, 5.0])], "base")
    assert (row.candidate, row.backend, row.library, row.loads) == ("a", "a-backend", "onnxruntime 1.5", "onnx/fp32")
    assert (row.accuracy, row.latency_p50_ms, row.latency_mean_ms) == (0.75, 2.0, pytest.approx(8 / 3))
    assert row.latency_percentiles_ms == {"50": 2.0, "95": 30.0}
    assert row.throughput_samples_per_s == 750.0
    assert (row.timed_runs, row.first_call_ms, row.padding_share) == (3, 9.0, 0.25)
    assert (row.load_s, row.peak_rss_mib, row.size_mib, row.reason) == (0.5, 150.0, 3.0, None)


def test_there_is_a_row_for_each_candidate_and_workload_in_their_order():
    found = rows([record("b", workloads=["w2", "w1"]), record("a", workloads=["w1"])], "b")
    assert [(row.candidate, row.workload) for row in found] == [("b", "w2"), ("b", "w1"), ("a", "w1")]


def test_what_was_not_measured_is_none_with_the_reason():
    (row,) = rows([record("a", reason="no GPU")], "base")
    assert row.reason == "no GPU"
    assert row.size_mib == 3.0  # the artifact is there
    nothing = (
        row.accuracy, row.labels_differing, row.latency_p50_ms, row.latency_percentiles_ms, row.latency_mean_ms,
        row.throughput_samples_per_s, row.padding_share, row.timed_runs, row.load_s, row.first_call_ms, row.peak_rss_mib,
    )  # fmt: skip
    assert set(nothing) == {None}
    assert row.library == "onnxruntime 1.5"  # what would have run


def test_differing_rows_are_numbered_from_0():
    assert differing_rows(record("a", predictions=[0, 0, 1, 1]), BASE) == [1, 3]
    assert differing_rows(BASE, BASE) == []
    found = rows([BASE, record("a", predictions=[0, 0, 1, 1])], "base")
    assert [row.labels_differing for row in found] == [0, 2]


@pytest.mark.parametrize(
    "other",
    [None, record("base", reason="no GPU"), record("base", predictions=None), record("base", labels_sha256="other")],
    ids=["no baseline", "not measured", "no predictions", "other rows"],
)
def test_predictions_that_cannot_be_compared_are_not(other):
    assert differing_rows(record("a"), other) is None
    records = [record("a"), *([other] if other else [])]
    assert rows(records, "base")[0].labels_differing is None


def test_the_median_is_the_percentile_50_or_the_nearest_rank_where_it_was_not_asked_for():
    assert median_ms(workload([1.0, 9.0, 5.0], percentiles={"50": 4.0})) == 4.0
    assert median_ms(workload([9.0, 1.0, 5.0], percentiles={"95": 9.0})) == 5.0
    assert median_ms(workload([9.0, 1.0, 5.0, 4.0], percentiles={})) == 4.0
