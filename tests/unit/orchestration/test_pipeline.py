"""dvc.yaml of studies in both forms: what it says, and when it is of another params.yaml."""

from pathlib import Path

import pytest
import yaml

from temper.errors import ConfigError
from temper.orchestration.pipeline import FORM, has_other_rows_only, is_current, pipeline_text
from temper.orchestration.study_repository import check_pipeline, make_ready

ROOT = Path(__file__).resolve().parents[3]
SHORT = """\
defaults: 1
study: short
data: {train: train.tsv, test: test.tsv, text: review, label: mark, label_names: [bad, good], max_tokens: 64}
model: {checkpoint: checkpoint}
conversions: {int8: {calibration: other}}
calibrations: {other: {method: minmax}}
candidates: {ort-int8: {backend: ort-cpu, loads: onnx/int8}}
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study in the short form, in a checkout of its own, with its dvc.yaml."""
    (tmp_path / FORM).parent.mkdir(parents=True)
    (tmp_path / FORM).write_bytes((ROOT / FORM).read_bytes())
    (tmp_path / "Snakefile").touch()
    (tmp_path / "params.yaml").write_text(SHORT)
    monkeypatch.chdir(tmp_path)
    assert make_ready() == ["dvc.yaml"]
    return tmp_path


def edit(study: Path, old: str, new: str, name: str = "params.yaml") -> None:
    text = (study / name).read_text()
    assert old in text
    (study / name).write_text(text.replace(old, new))


def test_the_embedded_study_has_the_stages_of_its_params():
    assert (ROOT / "dvc.yaml").read_text() == pipeline_text(ROOT)


def test_a_study_without_defaults_has_the_form_itself(study):
    (study / "params.yaml").write_text("study: complete\n")
    assert pipeline_text() == (ROOT / FORM).read_text()
    assert not is_current()
    assert make_ready() == ["dvc.yaml"]
    assert is_current()


def test_stages_have_the_rows_that_a_study_resolves_to_and_point_to_what_it_says(study):
    stages = yaml.safe_load((study / "dvc.yaml").read_text())["stages"]
    rows = {name: stage["foreach"] for name, stage in stages.items() if "foreach" in stage}
    assert rows == {
        "export_onnx": {"fp32": {}},
        "calibrate": {"other": {"onnx": "fp32"}},
        "convert_calibrated_precision": {"int8": {"onnx": "fp32", "calibration": "${conversions.int8.calibration}"}},
        "measure": {
            "harness": {"loads": "checkpoint"},
            "torch-fp32": {"loads": "checkpoint"},
            "ort-int8": {"loads": "${candidates.ort-int8.loads}"},
        },
    }
    assert "artifacts/checkpoint" in stages["measure"]["do"]["deps"]


def test_values_and_what_rows_point_to_may_change(study):
    edit(study, "max_tokens: 64", "max_tokens: 32")
    edit(study, "other}}", "another}}")
    edit(study, "{other:", "{other: {method: entropy}, another:")
    assert not is_current()  # a new row is a new stage
    assert make_ready() == ["dvc.yaml"]
    edit(study, "another}}", "other}}")
    check_pipeline()


def test_a_row_more_is_refused_with_what_to_do_and_an_edit_is_not_written_over(study):
    edit(study, "candidates: {", "candidates: {more: {backend: ort-cpu, loads: onnx/fp32}, ")
    with pytest.raises(ConfigError, match="written for other rows"):
        check_pipeline()
    check_pipeline(rows=False)
    assert has_other_rows_only()
    assert make_ready() == ["dvc.yaml"]
    check_pipeline()
    edit(study, "temper job report", "temper job report --cores 2", "dvc.yaml")
    assert not has_other_rows_only()
    with pytest.raises(ConfigError, match="written by other code, or edited"):
        make_ready()


def test_of_several_machines_each_has_a_stage_that_measures_again_and_one_that_reports(study):
    edit(study, "candidates:", "machines: {small: {}, large: {}}\ncandidates:")
    edit(study, "loads: onnx/int8}", "loads: onnx/int8}, other: {backend: ort-cpu, loads: onnx/int8, machine: large}")
    written = yaml.safe_load(pipeline_text())
    for name in ("remeasure", "report"):
        stage = written["stages"][name]
        assert stage["foreach"] == ["small", "large"]
        assert stage["do"]["cmd"] == f"temper job {name} ${{item}}"
        assert stage["do"]["params"] == [{"settings.json": [f"jobs.{name}.${{item}}"]}]
    report = written["stages"]["report"]["do"]
    assert "artifacts/report/${item}/decision.json" in report["outs"]
    assert "artifacts/remeasurements/${item}.json" in report["deps"]
    assert written["plots"] == [f"artifacts/report/{place}/trade_off.svg" for place in ("small", "large")]
