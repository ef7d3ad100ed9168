"""Each figure of a record that has raw values beside it, put out of step with them."""

import json
from pathlib import Path

import pytest

from temper.measurement.recomputed import disagreement, disagreement_of, interval_of
from temper.measurement.record import Record
from temper.report.packed import RECORDS, Packed
from tests.records import record, several, workload

FILED = sorted(Path(__file__).parents[3].glob("results/*/*/records.json"))


def with_value(made: Record, place: str, value) -> Record:
    content = made.model_dump(mode="json")
    *parents, last = place.split("/")
    inner = content
    for key in parents:
        inner = inner[int(key)] if isinstance(inner, list) else inner[key]
    inner[int(last) if isinstance(inner, list) else last] = value
    return Record.model_validate(content)


def test_a_record_whose_figures_follow_from_its_latencies_and_logits_agrees():
    assert disagreement(record("a")) is None
    assert disagreement(record("a", reason="no GPU")) is None
    assert disagreement(record("a", predictions=None)) is None
    assert disagreement_of(workload([1.0, 3.0], real_lengths="arrival", percentiles={"50": 1.0})) is None


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("workloads/b1/ratio/ratio", 0.1, "b1: its ratio is 0.1, and its raw values give 1"),
        ("workloads/b1/ratio/low", 1.5, "b1: its ratio's interval is [1.5, 1.02]"),
        ("workloads/b1/ratio/low", -1.0, "b1: its ratio's interval is [-1, 1.02]"),
        ("workloads/b1/ratio/statistic", "mean", "b1: its ratio is of the mean"),
        ("workloads/b1/baseline_latencies_ms", None, "b1: it has a ratio, and no latencies of the baseline"),
        ("workloads/b1/baseline_latencies_ms", [], "b1: baseline_latencies_ms has none"),
        ("workloads/b1/calls_per_turn", 2, "b1: latencies_ms has 3 values, which are no turns of 2"),
        ("workloads/b1/latencies_ms", [], "b1: latencies_ms has none"),
        ("workloads/b1/latencies_ms/0", 0.0, "b1: latencies_ms has none, or one that took no time"),
        ("workloads/b1/timed_runs", 4, "b1: timed_runs is 4, and its raw values give 3"),
        ("workloads/b1/latency_mean_ms", 1.0, "b1: latency_mean_ms is 1, and its raw values give 11"),
        (
            "workloads/b1/latency_percentiles_ms/95",
            2.0,
            "b1: latency_percentiles_ms.95 is 2, and its raw values give 30",
        ),
        ("workloads/b1/sequential_samples_per_s", 1e6, "b1: sequential_samples_per_s is 1e+06"),
        ("accuracy/stated", "8", "accuracy: it has no answers of the batch size 8"),
        ("accuracy/rows", 5, "accuracy: it has 4 labels of 5 rows"),
        ("accuracy/labels/0", 7, "accuracy: a label is none of the 2"),
        (
            "accuracy/by_batch_size/2/accuracy",
            0.5,
            "accuracy: at batch size 2, accuracy is 0.5, and its raw values give 1",
        ),
        ("accuracy/by_batch_size/2/predictions/1", 0, "predictions[1] is 0, which is not the largest of its logits"),
        (
            "accuracy/by_batch_size/2/predictions/1",
            2,
            "predictions[1] is 2, which is none of the 2 labels that it names",
        ),
        ("accuracy/by_batch_size/2/logits/1", [1.0], "a row of its logits has not one for each of 2 labels"),
        ("accuracy/by_batch_size/2/logits", [], "it has 4 predictions and 0 rows of logits, of 4 rows"),
    ],
)
def test_a_figure_that_does_not_follow_is_named(place, value, words):
    said = disagreement(with_value(record("a"), place, value))
    assert said is not None
    assert words in said


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("accuracy/labels/0", 4, "a label is none of the 2"),
        ("accuracy/thresholds", [0.5], "it has 1 thresholds for 2 labels"),
        ("accuracy/thresholds/1", 0.99, "predictions[1] is 3, which is not what its logits give"),
        ("accuracy/by_batch_size/2/predictions/0", 2, "predictions[0] is 2, which is not what its logits give"),
        ("accuracy/by_batch_size/2/predictions/0", 10**30, "which is none of the 2 labels"),
        ("accuracy/by_batch_size/2/accuracy", 1.0, "accuracy is 1, and its raw values give 0.5"),
    ],
)
def test_answers_of_any_number_of_labels_follow_from_logits_and_thresholds(place, value, words):
    made = several("a", [0b01, 0b11], [0b01, 0b10])
    assert disagreement(made) is None
    assert words in (disagreement(with_value(made, place, value)) or "")


@pytest.mark.parametrize("folder", [FILED[0].parent, FILED[-1].parent], ids=lambda folder: folder.name)
def test_filed_records_agree(folder):
    packed = Packed(folder)
    for name in packed.documents(RECORDS):
        assert disagreement(Record.model_validate(packed.document(RECORDS, name))) is None, name


@pytest.mark.long
def test_every_filed_record_agrees_its_intervals_drawn_anew():
    found = {}
    for file in FILED:
        packed = Packed(file.parent)
        for name in packed.documents(RECORDS):
            said = disagreement(Record.model_validate(packed.document(RECORDS, name)), intervals=True)
            if said is not None:
                found[f"{file.parent}: {name}"] = said
    assert found == {}


def test_an_interval_is_drawn_as_it_was_measured():
    made = record("a", workloads={"b1": workload([2.0, 2.2, 1.9, 2.1], percentiles={})})
    drawn = interval_of(made.model_copy(update={"measurement": {"resamples": 200}}), made.workloads["b1"])
    assert drawn is not None
    changed = with_value(made, "workloads/b1/ratio/low", drawn.low)
    changed = with_value(changed, "workloads/b1/ratio/high", drawn.high)
    changed = with_value(changed, "measurement", {"resamples": 200})
    assert disagreement(changed, intervals=True) is None
    narrower = with_value(changed, "workloads/b1/ratio/high", drawn.high * 0.99)
    assert "its ratio's high" in (disagreement(narrower, intervals=True) or "")
    assert interval_of(made, made.workloads["b1"]) is None  # it does not say how many were drawn
    assert json.loads(changed.model_dump_json())["measurement"] == {"resamples": 200}
