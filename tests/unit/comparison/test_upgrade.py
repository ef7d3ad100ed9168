from pathlib import Path

import pytest
import yaml

from temper.comparison.upgrade import Snapshot, candidate_rows, engine_rows, library_of, markdown, with_version
from temper.errors import ConfigError
from tests.records import record

PARAMS = (Path(__file__).resolve().parents[3] / "params.yaml").read_text()


def engine(version, size, layers):
    return {
        "version_asked": version,
        "library_version": version,
        "size_bytes": size,
        "layers_by_precision": layers,
        "build_seconds": 1.5,
    }


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


def test_a_library_that_no_row_names_is_refused():
    with pytest.raises(ConfigError, match="no row of engines or backends names nothing"):
        with_version(PARAMS, "nothing", "1")


@pytest.mark.parametrize("name", ["null", "magic", "fp16"])
def test_what_is_no_library_is_refused(name):
    with pytest.raises(ConfigError, match="name one of onnxruntime, openvino, pytorch, tensorrt, tensorrt_rtx"):
        library_of(name)


def test_engines_of_both_versions_stand_side_by_side():
    before = Snapshot({"fp32": engine("1.5", 1024**2, {"FP32": 3}), "gone": engine("1.5", 1, {})}, {})
    after = Snapshot({"fp32": engine("1.6", 2 * 1024**2, {"FP32": 2, "FP16": 1}), "new": engine("1.6", 1, {})}, {})
    (row,) = engine_rows(before, after)
    assert (row.versions, row.size_mib) == (("1.5", "1.6"), (1.0, 2.0))
    assert "| fp32 | 1.5 → 1.6 | 3 FP32 → 1 FP16, 2 FP32 | 1.00 → 2.00 | 1.50 → 1.50 |" in markdown("t", [row], [])


def test_labels_are_compared_between_the_versions_and_not_with_the_baseline():
    before = Snapshot({}, {"rtx": record("rtx", predictions=[0, 1, 1, 0])})
    after = Snapshot({}, {"rtx": record("rtx", predictions=[0, 1, 0, 0])})
    (row,) = candidate_rows(before, after)
    assert row.labels_differing == 1
    assert row.latency_p50_ms == (2.0, 2.0)
    assert row.accuracy == (1.0, 0.75)


def test_what_was_not_measured_is_a_dash_with_its_reason():
    both = Snapshot({}, {"rtx": record("rtx", reason="no NVIDIA GPU")})
    page = markdown("t", [], candidate_rows(both, both))
    assert "| – → – | – → – | – |" in page
    assert "- rtx: not measured: no NVIDIA GPU" in page
