import pytest
import yaml

from temper.errors import ArtifactError
from temper.measurement.record import write_record
from temper.report.filed import read_filed_study
from tests.records import ANALYSIS, record


def test_records_stand_in_the_order_of_the_candidates_and_are_held_against_the_baseline(tmp_path):
    rows = {"b": {"backend": "y", "loads": "onnx/fp32"}, "a": {"backend": "x", "loads": "checkpoint"}}
    params = {"candidates": rows, "baseline": rows["a"], "analysis": ANALYSIS, "engines": {}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    for name, predictions in (("a", [0, 1, 1, 0]), ("b", [0, 1, 0, 0])):
        write_record(tmp_path / f"measurements/{name}.json", record(name, predictions=predictions))
    study = read_filed_study(tmp_path)
    assert [each.candidate for each in study.records] == ["b", "a"]
    assert study.compared["baseline"] == "a"
    assert study.compared["candidates"]["b"]["accuracy"]["against_baseline"]["difference_points"] == -25.0


def test_a_folder_without_records_is_an_error(tmp_path):
    with pytest.raises(ArtifactError) as caught:
        read_filed_study(tmp_path)
    assert "params.yaml" in caught.value.happened
