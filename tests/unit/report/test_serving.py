"""Tables on real lengths."""

import pytest

from temper.artifacts.manifest import write_manifest
from temper.errors import ArtifactError
from temper.lengths.buckets.record import KIND
from temper.report.serving import (
    NOTHING,
    bucket_cells,
    buckets_markdown,
    padding_notes,
    real_length_cells,
    real_lengths_markdown,
)
from temper.report.tables import rows
from tests.records import compared, record, workload


def rows_of(*records):
    return rows(records, compared(records, records[0].candidate))


RECORDS = [
    record(
        "base",
        workloads={
            "fixed": workload([2.0]),
            "sorted": workload([2.0], real_lengths="bucketed"),
            "arrival": workload([4.0], real_lengths="arrival"),
        },
    ),
    record("engine", workloads={"sorted": workload([1.0], real_lengths="bucketed", computed_padding_share=0.4)}),
    record("old", workloads={"sorted": workload([1.0], real_lengths="bucketed", computed_padding_share=None)}),
    record("harness", workloads={"sorted": workload([1.0], real_lengths="bucketed")}).model_copy(
        update={"ran": {"library": NOTHING}}
    ),
    record("absent", workloads={"sorted": workload([1.0], real_lengths="bucketed")}, reason="no NVIDIA GPU"),
]


def test_candidates_that_compute_stand_by_workload_and_fixed_shapes_are_left_out():
    assert real_length_cells(rows_of(*RECORDS)) == [
        ["base", "onnx/fp32", "sorted", "1,000", "900", "25.0", "25.0"],
        ["engine", "onnx/fp32", "sorted", "2,000", "900", "25.0", "40.0"],
        ["old", "onnx/fp32", "sorted", "2,000", "900", "25.0", "–"],
        ["base", "onnx/fp32", "arrival", "500", "900", "25.0", "25.0"],
    ]


def test_numbers_stand_to_the_right():
    header, rule, *lines = real_lengths_markdown(rows_of(*RECORDS)).splitlines()
    assert header.startswith("| candidate | artifact | workload | sentences/s, one by one | saturated |")
    assert rule == "| --- | --- | --- | ---: | ---: | ---: | ---: |"
    assert len(lines) == 4


def test_padding_that_a_candidate_adds_itself_is_noted():
    assert padding_notes(rows_of(*RECORDS)) == [
        "engine, sorted: 40.0 % of the tokens it computes are padding, 25.0 % of those it is given"
    ]


def choice(limits, share):
    return {"limits": limits, "padding_share": share, "relative_cost": 1 / (1 - share)}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "buckets").mkdir()
    budgets = [{"profiles": 1, **choice([64], 0.6)}, {"profiles": 2, **choice([16, 64], 0.2)}]
    facts = {"row": {"multiple_of": 8}, "budgets": budgets, "every_length": choice([8, 16, 24, 64], 0.1)}
    write_manifest(tmp_path / "buckets/main.json", kind=KIND, facts=facts)
    return tmp_path


def test_every_number_of_profiles_stands_beside_what_no_number_reaches(folder):
    assert buckets_markdown(folder).splitlines() == [
        "| buckets | lengths | profiles | padding, % | cost × none padded |",
        "| --- | --- | ---: | ---: | ---: |",
        "| main | 64 | 1 | 60.0 | 2.500 |",
        "| main | 16, 64, chosen | 2 | 20.0 | 1.250 |",
        "| main | every multiple of 8 that occurs | 4 | 10.0 | 1.111 |",
        "| main | no padding | – | 0.0 | 1.000 |",
    ]


def test_an_altered_file_stops_the_table(folder):
    file = folder / "buckets/main.json"
    file.write_text(file.read_text().replace("64", "65"))
    with pytest.raises(ArtifactError, match="altered since"):
        bucket_cells([file])
