import json

import pytest

from temper.errors import ArtifactError
from temper.measurement.record import NotMeasured, write_record
from temper.measurement.record_file import read_record
from tests.records import record, several


def test_a_record_is_read_as_it_was_written(tmp_path):
    written = record("a", predictions=[0, 1])
    write_record(tmp_path / "deep/a.json", written)
    assert read_record(tmp_path / "deep/a.json") == written
    assert list(json.loads((tmp_path / "deep/a.json").read_text())) == sorted(type(written).model_fields)


def test_what_was_not_measured_is_read_as_that(tmp_path):
    write_record(tmp_path / "a.json", record("a", reason="no GPU"))
    read = read_record(tmp_path / "a.json")
    assert read.accuracy == read.workloads["b1"] == NotMeasured(reason="no GPU")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 0}, "it is not a record of schema version 2 (it says 0)"),
        ({"schema_version": 1}, "it is not a record of schema version 2 (it says 1)"),
        ({"latency": 3}, "latency"),
        ({"cold_start": {"load_s": "long"}}, "load_s"),
        ({"status": "guessed"}, "status"),
        ({"accuracy": {"status": "measured"}}, "accuracy"),
    ],
)
def test_another_version_or_form_is_refused_with_the_way_to_measure_anew(tmp_path, change, message):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**record("a").model_dump(mode="json"), **change}))
    with pytest.raises(ArtifactError) as caught:
        read_record(path)
    assert message in caught.value.happened
    assert caught.value.fix.startswith("temper sync: puts it back")


def test_a_figure_that_its_raw_values_do_not_give_is_refused_by_its_name(tmp_path):
    """A ratio of 0.1 once stood against the latencies in its own record, and every digest agreed."""
    content = record("a").model_dump(mode="json")
    content["workloads"]["b1"]["ratio"]["ratio"] = 0.1
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match=r"b1: its ratio is 0\.1, and its raw values give 1"):
        read_record(tmp_path / "a.json")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "[" * 100_000, '{"schema_version": 2, "seed": ' + "9" * 5000 + "}"]
)
def test_what_is_no_record_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ArtifactError, match="not a record"):
        read_record(tmp_path / "a.json")


def test_a_record_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="No such file"):
        read_record(tmp_path / "a.json")


def test_a_record_of_before_the_later_figures_is_read(tmp_path):
    content = record("a").model_dump(mode="json")
    for key in ("device_time_ms", "device_time_reason", "throughput_left_out"):
        del content["workloads"]["b1"][key]
    (tmp_path / "a.json").write_text(json.dumps(content))
    read = read_record(tmp_path / "a.json").workloads["b1"]
    assert (read.device_time_ms, read.device_time_reason, read.throughput_left_out) == (None, None, {})


def test_a_record_from_before_computed_padding_was_counted_is_read(tmp_path):
    content = record("a").model_dump(mode="json")
    del content["workloads"]["b1"]["computed_padding_share"]
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read_record(tmp_path / "a.json").workloads["b1"].computed_padding_share is None


def test_a_record_of_one_label_has_no_word_of_tasks(tmp_path):
    """As those of before; another task's says it, with what decides its answers."""
    written = record("a", predictions=[0, 1])
    assert not {"task", "thresholds"} & written.model_dump(mode="json")["accuracy"].keys()
    other = several("a", [0b01, 0b10], [0b01, 0b11])
    write_record(tmp_path / "a.json", other)
    assert read_record(tmp_path / "a.json") == other
    assert json.loads((tmp_path / "a.json").read_text())["accuracy"]["thresholds"] == [0.5, 0.5]
