"""Two versions' engines, answers and latencies, by records made by hand."""

import pytest

from temper.comparison.versions import (
    Snapshot,
    Timed,
    as_markdown,
    engine_rows,
    engines_table,
    label_rows,
    labels_table,
    pairs_of,
    timed_apart,
    timed_rows,
    timed_table,
)
from temper.statistics.ratio import Ratio
from tests.records import record, workload
from tests.unit.comparison.experiments import LABELS, wrong


def of(version, made):
    return made.model_copy(update={"backend": {**made.backend, "library_version": version}})


def snapshots(old, new):
    return Snapshot({}, {"rtx": of("1.5", old)}), Snapshot({}, {"rtx": of("1.6", new)})


def engine(version, size, layers):
    return {
        "version_asked": version,
        "library_version": version,
        "size_bytes": size,
        "layers_by_precision": layers,
        "build_seconds": 1.5,
    }


def test_engines_of_both_versions_stand_side_by_side_without_the_time_of_a_single_build():
    before = Snapshot({"fp32": engine("1.5", 1024**2, {"FP32": 3}), "gone": engine("1.5", 1, {})}, {})
    after = Snapshot({"fp32": engine("1.6", 2 * 1024**2, {"FP32": 2, "FP16": 1}), "new": engine("1.6", 1, {})}, {})
    (row,) = engine_rows(before, after)
    assert (row.versions, row.size_mib) == (("1.5", "1.6"), (1.0, 2.0))
    page = as_markdown(engines_table([row]))
    assert "| fp32 | 1.5 → 1.6 | 3 FP32 → 1 FP16, 2 FP32 | 1.00 → 2.00 |" in page
    assert "build" not in page
    same = engine_rows(
        Snapshot({"a": engine("1.5", 1, {"FP32": 3})}, {}), Snapshot({"a": engine("1.6", 1, {"FP32": 3})}, {})
    )
    assert "as before: 3 FP32" in as_markdown(engines_table(same))


def test_what_one_version_made_twice_is_no_upgrade():
    same = Snapshot({"a": engine("1.6", 1, {})}, {"rtx": of("1.6", record("rtx"))})
    assert engine_rows(same, same) == []
    assert pairs_of(same, same) == []
    assert label_rows(same, same) == []


def test_labels_are_compared_between_the_versions_and_not_with_the_baseline():
    old, new = record("rtx", predictions=wrong(1), labels=LABELS), record("rtx", predictions=wrong(2), labels=LABELS)
    (row,) = label_rows(*snapshots(old, new))
    assert (row.labels_changed, row.accuracy, row.difference_points) == (2, (0.995, 0.995), 0.0)
    assert (row.differs, row.holm_p) == (False, 1.0)
    assert "| rtx | 99.50 → 99.50 | 2 | 0.00 [−2.32" in as_markdown(labels_table([row]))
    assert as_markdown(labels_table([row])).rstrip().endswith("not told apart |")


def test_a_version_that_loses_accuracy_is_told_from_the_one_before():
    old, new = (
        record("rtx", predictions=LABELS, labels=LABELS),
        record("rtx", predictions=wrong(*range(20)), labels=LABELS),
    )
    (row,) = label_rows(*snapshots(old, new))
    assert row.differs
    assert row.difference_points == -10
    assert row.high_points < 0
    assert "differs |" in as_markdown(labels_table([row]))


def test_what_was_not_measured_has_its_reason_and_no_line_in_the_table():
    both = snapshots(record("rtx", reason="no NVIDIA GPU"), record("rtx", reason="no NVIDIA GPU"))
    (row,) = label_rows(*both)
    assert row.reason == "1.6: no NVIDIA GPU"
    assert row.differs is None
    assert as_markdown(labels_table([row])) == ""
    assert timed_apart("rtx", both[0].records["rtx"], both[1].records["rtx"]) == []


def test_out_of_the_records_two_versions_have_the_quotient_of_their_ratios_to_the_same_baseline():
    old = of("1.5", record("rtx", workloads={"b1": workload([1.0, 2.0], ratio=(0.5, 0.49, 0.51))}))
    new = of("1.6", record("rtx", workloads={"b1": workload([1.0, 2.0], ratio=(0.4, 0.39, 0.41))}))
    (found,) = timed_apart("rtx", old, new)
    assert found.ratio.ratio == pytest.approx(0.8)
    assert found.ratio.high - found.ratio.low > 0.04
    assert (found.taken, found.versions) == ("apart", ("1.5", "1.6"))
    elsewhere = new.model_copy(update={"baseline": {**new.baseline, "library_version": "2"}})
    assert timed_apart("rtx", old, elsewhere) == []


def timed(name, *ratio):
    return Timed(name, ("1.5", "1.6"), "b1", Ratio(*ratio), "in turns", (2.0, 1.0), 40)


def test_verdicts_are_corrected_for_how_many_ratios_there_are():
    barely = timed("barely", 0.930, 0.912, 0.948)  # beyond the margin by its own interval
    (alone,) = timed_rows([barely], 0.05)
    assert alone.verdict == "faster"
    rows = timed_rows([barely, *(timed(f"equal-{n}", 1.0, 0.99, 1.01) for n in range(9))], 0.05)
    assert rows[0].holm_p == pytest.approx(min(1, 10 * alone.holm_p))
    assert rows[0].verdict == "not told apart"
    assert {row.verdict for row in rows[1:]} == {"equal"}
    wide, slow = timed_rows([timed("wide", 1.0, 0.8, 1.25), timed("slow", 1.5, 1.4, 1.6)], 0.05)
    assert (wide.verdict, slow.verdict) == ("not told apart", "slower")


def test_latencies_are_shown_with_intervals_and_those_apart_without_milliseconds():
    page = as_markdown(timed_table(timed_rows([timed("rtx", 0.5, 0.49, 0.51)], 0.05)))
    assert "| rtx | b1 | 2.000 → 1.000 | 0.500 [0.490, 0.510] | faster |" in page
    apart = Timed("rtx", ("1.5", "1.6"), "b1", Ratio(0.5, 0.49, 0.51), "apart")
    assert "| rtx | b1 | – | 0.500 [0.490, 0.510] | faster |" in as_markdown(timed_table(timed_rows([apart], 0.05)))
    assert as_markdown(timed_table([])) == ""
