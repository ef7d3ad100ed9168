"""The other version in params.yaml, and both versions compared; tests/workflow/test_experiments.py runs one."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from temper.comparison import upgrade
from temper.comparison.both_versions import kept_engines, side, timings
from temper.comparison.upgrade import library_of, with_version
from temper.comparison.versions import Snapshot
from temper.environment.library import installed_version
from temper.errors import ConfigError
from temper.study.params_text import as_yaml
from temper.study.resolve import resolve
from tests.records import record
from tests.tiny_study import SEED
from tests.unit.backends.test_runner import CPU
from tests.unit.measurement.test_measure import MEASUREMENT

SHORT = (Path(__file__).resolve().parents[3] / "params.yaml").read_text()
PARAMS = as_yaml(resolve(yaml.safe_load(SHORT)), {"candidates": "what is not listed is not run"})


def test_every_row_that_names_the_library_gets_the_version_and_nothing_else_changes():
    text = with_version(PARAMS, "tensorrt_rtx", "1.5.0.114")
    before, after = yaml.safe_load(PARAMS), yaml.safe_load(text)
    assert {row["version"] for row in after["engines"].values()} == {"1.5.0.114"}
    assert after["backends"]["rtx"]["version"] == "1.5.0.114"
    for row in (*after["engines"].values(), after["backends"]["rtx"]):
        row["version"] = "1.6.1.120"
    assert after == before
    assert "# what is not listed is not run" in text
    assert yaml.safe_load(with_version(text, "tensorrt_rtx", "1.6.1.120")) == before


def test_a_row_that_comes_with_the_defaults_gets_the_version_too():
    text = with_version(SHORT, "tensorrt_rtx", "1.5.0.114")
    before, after = resolve(yaml.safe_load(SHORT)), resolve(yaml.safe_load(text))
    rows = (*after["engines"].values(), after["backends"]["rtx"])
    assert {row["version"] for row in rows} == {"1.5.0.114"}
    for row in rows:
        row["version"] = "1.6.1.120"
    assert after == before
    assert "# a small DistilBERT from scratch" in text


def test_a_library_that_no_row_names_is_refused():
    with pytest.raises(ConfigError, match="no row of engines or backends names nothing"):
        with_version(PARAMS, "nothing", "1")


@pytest.mark.parametrize("name", ["null", "magic", "fp16"])
def test_what_is_no_library_is_refused(name):
    with pytest.raises(ConfigError, match="name one of onnxruntime, openvino, pytorch, tensorrt, tensorrt_rtx"):
        library_of(name)


def of(version, made):
    return made.model_copy(update={"backend": {**made.backend, "library_version": version}})


STUDY = {
    "seed": SEED,
    "analysis": {"latency_margin": 0.05},
    "measurement": {**MEASUREMENT, "max_duration_s": 20.0},
    "workloads": {"b1": {"batch_size": 1, "sequence_length": 8}},
    "engines": {"fp32": {"library": "onnxruntime"}, "other": {"library": "tensorrt"}},
    "backends": {"ort": {"runner": "onnxruntime"}},
    "candidates": {"fast": {"backend": "ort", "loads": "engines/fp32", "workloads": ["b1"]}},
}


def measured(version, predictions=(0, 1, 1, 0)):
    made = record("fast", predictions=predictions, loads="engines/fp32")
    return made.model_copy(
        update={"backend": {**made.backend, "options": CPU["onnxruntime"][1], "library_version": version}}
    )


@pytest.fixture
def study(tmp_path, monkeypatch, tiny_study):
    """A folder with prepared data and one 'engine', a file that ONNX Runtime loads."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/prepared").symlink_to(tiny_study.data)
    shutil.copytree(tiny_study.fp32, tmp_path / "artifacts/engines/fp32")
    return tmp_path


def test_the_engines_before_are_kept_while_the_others_are_built_and_timed_and_no_longer(study):
    with kept_engines(STUDY, "onnxruntime") as kept:
        shutil.rmtree(study / "artifacts/engines/fp32")
        assert (kept / "engines/fp32/model.onnx").is_file()
        old, new = measured("1.5"), measured("1.6")
        assert side(STUDY, "fast", old, kept)["artifact"] == str(kept / "engines/fp32")
        assert side(STUDY, "fast", new, None)["artifact"] == "artifacts/engines/fp32"
    assert not kept.exists()


def test_both_versions_are_timed_in_turns_and_the_page_has_ratio_labels_and_verdicts(study, capsys):
    installed = installed_version(library_of("onnxruntime"))
    old, new = measured(f"{installed}+old"), measured(installed, (0, 1, 0, 0))
    before, after = Snapshot({}, {"fast": old}), Snapshot({}, {"fast": new})
    with kept_engines(STUDY, "onnxruntime") as kept:
        upgrade._compare(STUDY, "onnxruntime", "ONNX Runtime {} → new", before, after, kept)
    page = Path("artifacts/comparison/upgrade.md").read_text()
    assert f"# ONNX Runtime {installed}+old → new" in page
    assert "| fast | 100.00 → 75.00 | 1 |" in page
    shown = Path("artifacts/comparison/upgrade.html").read_text()
    assert f'<h1 id="title">ONNX Runtime {installed}+old → new</h1>' in shown
    assert shown.count('class="dot"') == 1
    assert "<td>fast</td>" in shown
    content = json.loads(Path("artifacts/comparison/upgrade.json").read_text())
    (row,) = content["latency"]
    assert row["taken"] == "in turns"
    assert row["low"] <= row["ratio"] <= row["high"]
    assert row["calls"] >= MEASUREMENT["min_calls"]
    assert not Path(".snakemake/temper/running.json").exists()  # the run lock was given back
    assert "in turns" in capsys.readouterr().out


def test_where_a_version_cannot_be_loaded_the_records_are_compared_and_that_is_said(study):
    before, after = Snapshot({}, {"fast": measured("9.9.9")}), Snapshot({}, {"fast": measured("installed")})
    with kept_engines(STUDY, "onnxruntime") as kept:
        found, notes = timings(STUDY, before, after, kept)
    assert [each.taken for each in found] == ["apart"]
    assert notes[0].startswith("fast: the two versions could not be timed in turns: this environment holds")


def test_without_a_gpu_the_page_says_that_no_more_can_be_said_than_of_builds(study):
    made = record("fast", reason="no NVIDIA GPU")
    before, after = Snapshot({}, {"fast": of("1.5", made)}), Snapshot({}, {"fast": of("1.6", made)})
    with kept_engines(STUDY, "onnxruntime") as kept:
        upgrade._compare(STUDY, "onnxruntime", "x {} → 1.6", before, after, kept)
    page = Path("artifacts/comparison/upgrade.md").read_text()
    assert "- fast: not compared: 1.6: no NVIDIA GPU" in page
    assert "Nothing ran these files here" in page
    assert "|" not in page
    assert "No latency was taken with both versions here." in Path("artifacts/comparison/upgrade.html").read_text()


def test_the_same_version_again_has_nothing_to_compare(study):
    same = Snapshot({}, {"fast": of("1.6", record("fast"))})
    with kept_engines(STUDY, "onnxruntime") as kept:
        upgrade._compare(STUDY, "onnxruntime", "x {} → 1.6", same, same, kept)
    assert "Nothing to compare" in Path("artifacts/comparison/upgrade.md").read_text()
