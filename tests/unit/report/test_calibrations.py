import json
from pathlib import Path

import pytest

from temper.errors import ArtifactError
from temper.report.calibrations import accuracy_table, cells, seconds_table
from temper.report.decide.compared import ComparedCandidate, ComparedStudy
from temper.report.decide.compared_accuracy import ComparedAccuracy, Missing, Paired
from temper.report.filed import FiledStudy
from temper.report.packed import MANIFESTS
from temper.statistics.paired_labels import Flips

CALIBRATIONS = {
    "a-8": {"method": "minmax", "samples": 8, "rows": "drawn", "onnx": "fp32"},
    "a-1000": {"method": "minmax", "samples": 1000, "rows": "drawn", "onnx": "fp32"},
    "a-one": {"method": "minmax", "samples": 8, "rows": {"label": "bad"}, "onnx": "fp32"},
    "e-8": {"method": "entropy", "samples": 8, "rows": "drawn", "onnx": "fp32"},
    "n-8": {"method": "nncf", "samples": 8, "rows": "drawn", "onnx": "fp32"},
}


def answer(points):
    paired = Paired(
        counted=Flips(1000, 900, 4, 3, 0, 93),
        difference_points=points,
        difference_low_points=points - 1,
        difference_high_points=points + 1,
        mcnemar_exact_p=1.0,
        verdict="beyond",
        is_baseline=False,
        loses_at_most_points=1.0,
        rows_that_would_decide=None,
        largest_logit_difference=0.0,
        mean_logit_difference=0.0,
        baseline_logit_span=1.0,
        beside={},
        flipped=(),
    )
    return ComparedCandidate(ComparedAccuracy(0.9 + points / 100, 1000, 8, {}, {}, paired), {})


@pytest.fixture
def study(tmp_path) -> FiledStudy:
    """Two recipes of minmax on 8 and 1,000 rows, one of entropy and of nncf, and a float file; a-1000-in was not measured."""
    files = {
        "a-8-out": ("a-8", True),
        "a-8-in": ("a-8", False),
        "a-1000-out": ("a-1000", True),
        "a-1000-in": ("a-1000", False),
        "a-one-in": ("a-one", False),
        "e-8-out": ("e-8", True),
        "n-8": ("n-8", True),
    }
    caches = {f"calibration/{name}/cache.json": {"holds_quantized_model": name == "n-8"} for name in CALIBRATIONS}
    (tmp_path / MANIFESTS).write_text(json.dumps(caches))
    params = {
        "calibrations": CALIBRATIONS,
        "calibrated_precisions": {
            name: {"calibration": row, "quantize_outputs": outputs} for name, (row, outputs) in files.items()
        },
        "candidates": {
            "base": {"loads": "checkpoint"},
            "fp32": {"loads": "onnx/fp32"},
            **{name: {"loads": f"onnx/{name}"} for name in files},
        },
    }
    missing = ComparedCandidate(Missing("why"), {})
    differences = {"a-8-out": -2.5, "a-8-in": 0.25, "a-1000-out": -2.0, "a-one-in": -0.5, "e-8-out": -3.0, "n-8": 0.0}
    answers = {name: answer(value) for name, value in differences.items()} | {"a-1000-in": missing}
    compared = ComparedStudy("tiny", "base", {}, {}, {}, None, answers, ())
    return FiledStudy(tmp_path, params, (), compared)


def test_a_line_is_a_recipe_a_method_and_its_rows_and_samples_stand_side_by_side(study):
    assert accuracy_table(study).splitlines() == [
        "| quantised | method | rows | 8 | 1,000 |",
        "| --- | --- | --- | ---: | ---: |",
        "| what products read and write | minmax | drawn | 87.50; −2.50 beyond; 7 | 88.00; −2.00 beyond; 7 |",
        "| what products read and write | entropy | drawn | 87.00; −3.00 beyond; 7 | – |",
        "| what products read | minmax | drawn | 90.25; +0.25 beyond; 7 | – |",
        "| what products read | minmax | label bad | 89.50; −0.50 beyond; 7 | – |",
        "| the method's own | nncf | drawn | 90.00; +0.00 beyond; 7 | – |",
    ]


def test_a_cell_has_the_interval_of_its_difference(study):
    found = {cell.candidate: cell for cell in cells(study)}
    assert "a-1000-in" not in found
    assert "fp32" not in found
    assert (found["a-8-out"].low_points, found["a-8-out"].high_points) == (-3.5, -1.5)


def test_two_candidates_in_one_cell_are_refused(study):
    study.params["candidates"]["other-backend"] = {"loads": "onnx/n-8"}
    study.compared.candidates["other-backend"] = answer(1.0)
    with pytest.raises(ArtifactError) as caught:
        cells(study)
    assert caught.value.happened == "n-8 and other-backend are the same method, rows, samples and recipe"
    assert "on one backend" in caught.value.fix


def test_seconds_that_are_not_known_are_absent(study):
    Path(study.folder / "calibration_seconds.json").write_text(json.dumps({"a-8": 0.51, "n-8": 12.0}))
    assert seconds_table(study).splitlines()[2:] == [
        "| minmax | drawn | 0.5 | – |",
        "| minmax | label bad | – | – |",
        "| entropy | drawn | – | – |",
        "| nncf | drawn | 12.0 | – |",
    ]
