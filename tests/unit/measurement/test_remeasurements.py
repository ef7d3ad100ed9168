import pytest

from temper.artifacts.manifest import canonical_json
from temper.errors import ArtifactError
from temper.measurement.record import NotMeasured, write_record
from temper.measurement.remeasurements import (
    Remeasured,
    Remeasurements,
    baseline_level_ms,
    read_remeasurements,
    settled,
    settled_record,
)
from tests.records import record, workload


def remeasurements(**cells):
    return Remeasurements(schema_version=1, study="s", latency_margin=0.05, cells=cells, source_digest="abc")


def test_a_cell_that_was_taken_again_stands_in_the_place_of_the_first():
    first, other = record("a"), record("b")
    again = workload([9.0, 9.0])
    name = next(iter(first.workloads))
    found = settled([first, other], remeasurements(a={name: Remeasured(why="moved", workload=again)}))
    assert found[0].workloads[name] == again
    assert found[1] == other
    assert first.workloads[name] != again  # the record itself is as it was measured


def test_a_record_is_read_with_the_cells_that_were_taken_again(tmp_path):
    first = record("a")
    name = next(iter(first.workloads))
    content = remeasurements(a={name: Remeasured(why="busy", workload=NotMeasured(reason="busy", cause="busy"))})
    write_record(tmp_path / "a.json", first)
    assert settled_record(tmp_path / "a.json", tmp_path / "again.json") == first
    (tmp_path / "again.json").write_text(canonical_json(content.model_dump(mode="json")))
    found = settled_record(tmp_path / "a.json", tmp_path / "again.json")
    assert found.workloads[name] == NotMeasured(reason="busy", cause="busy")


def test_without_remeasurements_the_records_are_as_they_were():
    assert settled([record("a")], None) == [record("a")]


def test_the_level_is_the_lower_median_and_none_where_nothing_was_timed():
    taken = workload([1.0] * 4)
    levels = [taken.model_copy(update={"baseline_latencies_ms": each}) for each in ([1.0, 2.0, 9.0, 3.0], None)]
    assert [baseline_level_ms(each) for each in levels] == [2.0, None]
    mean = levels[0].model_copy(update={"real_lengths": "arrival"})
    assert baseline_level_ms(mean) == 3.75


def test_what_was_written_is_read_back_and_another_form_is_refused(tmp_path):
    content = remeasurements(a={"b1": Remeasured(why="busy", workload=NotMeasured(reason="busy", cause="busy"))})
    (tmp_path / "r.json").write_text(canonical_json(content.model_dump(mode="json")))
    assert read_remeasurements(tmp_path / "r.json") == content
    (tmp_path / "r.json").write_text('{"schema_version": 1}')
    with pytest.raises(ArtifactError, match="absent, or not as they were written"):
        read_remeasurements(tmp_path / "r.json")
