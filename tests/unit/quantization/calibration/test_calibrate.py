import json
import re
import subprocess
import sys

import numpy as np
import pytest
from onnx import numpy_helper

from temper.artifacts.manifest import read_manifest, sha256
from temper.artifacts.onnx_file import write_onnx_artifact
from temper.errors import ArtifactError, DataError
from temper.quantization.calibration.calibrate import calibrate
from tests.tiny_onnx import text_model
from tests.tiny_study import DATA, METHODS, SAMPLES, SEED


@pytest.fixture
def run(tiny_study, tmp_path):
    """Calibrates the tiny study's FP32 file anew; gives the cache's folder."""

    def run(method="minmax", samples=SAMPLES, onnx_folder=None, data_folder=None, rows="drawn", seed=SEED, **options):
        calibrate(
            onnx_folder=str(onnx_folder or tiny_study.fp32),
            data_folder=str(data_folder or tiny_study.data),
            folder=str(tmp_path / "cache" / method),
            row={"method": method, "samples": samples, "rows": rows, "onnx": "fp32"},
            options=METHODS[method] | options,
            seed=seed,
        )
        return tmp_path / "cache" / method

    return run


def test_every_method_finds_ranges_for_the_same_kind_of_tensors(tiny_study, around_products):
    ranges = {
        method: json.loads((tiny_study.calibration[method] / "cache.json").read_text())["ranges"] for method in METHODS
    }
    assert all(set(ranges[method]) == around_products for method in METHODS if method != "nncf")
    assert len(ranges["nncf"]) == 10  # one per product or shared input, and none on the outputs
    narrower = [name for name, (low, high) in ranges["percentile"].items() if high < ranges["minmax"][name][1]]
    assert narrower


@pytest.mark.parametrize("method", METHODS)
def test_the_cache_says_what_it_was_made_from(tiny_study, method):
    content = read_manifest(tiny_study.calibration[method] / "cache.json", kind="calibration")
    assert (content["method"], content["samples"], content["options"]) == (method, SAMPLES, METHODS[method])
    assert content["made_from"] == {
        "model.onnx": sha256(tiny_study.fp32 / "model.onnx"),
        "calibration.parquet": sha256(tiny_study.data / "calibration.parquet"),
    }
    assert content["holds_quantized_model"] == (method == "nncf")
    assert ((tiny_study.calibration[method] / "quantized.onnx").stat().st_size > 0) == (method == "nncf")
    assert {"onnx", "onnxruntime"} <= content["versions"].keys()
    assert (content["rows"], content["seed"]) == ("drawn", SEED)
    one_each = method in ("nncf", "moving_average")
    assert content["calls"] == SAMPLES if one_each else content["calls"] < SAMPLES


@pytest.mark.parametrize("method", ["minmax", "moving_average", "entropy", "percentile"])
def test_a_repeat_gives_equal_bytes(tiny_study, run, method):
    folder = run(method)
    for name in ("cache.json", "quantized.onnx"):
        assert (folder / name).read_bytes() == (tiny_study.calibration[method] / name).read_bytes(), name


@pytest.mark.long  # as for the checkpoint
def test_a_repeat_by_nncf_in_another_process_gives_equal_bytes(tiny_study, tmp_path):
    call = {
        "onnx_folder": str(tiny_study.fp32),
        "data_folder": str(tiny_study.data),
        "folder": str(tmp_path / "nncf"),
        "row": {"method": "nncf", "samples": SAMPLES, "rows": "drawn", "onnx": "fp32"},
        "options": METHODS["nncf"],
        "seed": SEED,
    }
    code = "import json, sys; from temper.quantization.calibration.calibrate import calibrate as c; c(**json.loads(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, json.dumps(call)], check=True, capture_output=True)
    for name in ("cache.json", "quantized.onnx"):
        assert (tmp_path / "nncf" / name).read_bytes() == (tiny_study.calibration["nncf"] / name).read_bytes(), name


def test_fewer_samples_give_other_ranges(tiny_study, run):
    before = json.loads((tiny_study.calibration["minmax"] / "cache.json").read_text())["ranges"]
    assert json.loads((run(samples=2) / "cache.json").read_text())["ranges"] != before


@pytest.mark.parametrize("rows", ["random_ids", "shuffled_tokens"])
def test_other_rows_give_other_ranges_and_the_seed_reaches_them(tiny_study, run, rows):
    drawn = json.loads((tiny_study.calibration["minmax"] / "cache.json").read_text())["ranges"]
    contents = [json.loads((run(rows=rows, seed=seed) / "cache.json").read_text()) for seed in (1, 2, 1)]
    assert contents[0]["rows"] == rows
    assert contents[0] == contents[2]
    assert contents[0]["ranges"] != contents[1]["ranges"]
    assert contents[0]["ranges"] != drawn


def test_rows_of_one_label_are_recorded(tiny_study, run):
    rows = {"label": tiny_study.signature.label_names[0]}
    assert json.loads((run(samples=3, rows=rows) / "cache.json").read_text())["rows"] == rows


def test_what_is_suspicious_is_kept_and_printed(run, capsys):
    (first, *_) = json.loads((run("percentile") / "cache.json").read_text())["suspicious"]
    assert first.keys() == {"tensor", "what", "evidence"}
    assert f"suspicious: {first['tensor']}: {first['what']}: {first['evidence']}" in capsys.readouterr().out


def test_its_seconds_are_printed_with_the_digest_of_the_cache_and_stand_in_no_file(run, capsys):
    folder = run()
    (said,) = re.findall(r"^calibrating took \d+\.\d\d s: (\w+)$", capsys.readouterr().out, re.MULTILINE)
    assert said == sha256(folder / "cache.json")


def test_too_few_values_for_the_method_are_refused(run, tmp_path):
    with pytest.raises(DataError, match="it needs 1,334 values of a tensor"):
        run("percentile", samples=1, percentile=99.25)
    assert not (tmp_path / "cache").exists()


def test_a_quantised_file_is_refused(tiny_study, run):
    with pytest.raises(ArtifactError, match="the model is quantised already"):
        run(onnx_folder=tiny_study.precision["int8_static"])


def test_more_samples_than_rows_are_refused(run, tmp_path):
    rows = DATA["calibration_rows"]
    run(samples=rows)
    with pytest.raises(DataError) as caught:
        run("entropy", samples=rows + 1)
    assert caught.value.happened == f"the calibration split has {rows} rows"
    assert "data.calibration_rows" in caught.value.fix
    assert not (tmp_path / "cache/entropy").exists()


@pytest.mark.parametrize(("part", "file"), [("onnx_folder", "model.onnx"), ("data_folder", "calibration.parquet")])
def test_altered_inputs_are_refused(tiny_study, copy_of, run, part, file):
    folder = copy_of(tiny_study.fp32 if part == "onnx_folder" else tiny_study.data)
    with open(folder / file, "ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ArtifactError, match=file):
        run(**{part: folder})


def embedding(model):
    return next(tensor for tensor in model.graph.initializer if tensor.name == "embedding")


def other_model(tiny_study, folder, change):
    """An ONNX artifact that takes the tiny study's rows; `change` alters the model."""
    model = text_model("fp32")
    embedding(model).CopyFrom(numpy_helper.from_array(np.ones((300, 8), np.float32), "embedding"))
    change(model)
    write_onnx_artifact(
        model,
        folder=folder,
        source_folder=tiny_study.fp32,
        signature=tiny_study.signature,
        external_data=False,
        facts={},
        inputs={},
        libraries=(),
    )
    return folder


def test_a_range_that_is_not_finite_is_named(tiny_study, run, tmp_path):
    def overflow(model):
        embedding(model).CopyFrom(numpy_helper.from_array(np.full((300, 8), np.inf, np.float32), "embedding"))

    with pytest.raises(ArtifactError) as caught:
        run(onnx_folder=other_model(tiny_study, tmp_path / "onnx", overflow))
    assert "is not finite" in caught.value.happened
    assert "overflow" in caught.value.fix
    assert not (tmp_path / "cache").exists()


def test_a_model_without_products_has_nothing_to_calibrate(tiny_study, run, tmp_path):
    def without_products(model):
        embedding(model).CopyFrom(numpy_helper.from_array(np.ones((300, 2), np.float32), "embedding"))
        kept = [node for node in model.graph.node if node.op_type not in ("MatMul", "Relu")]
        kept[-1].input[0] = "mean"
        del model.graph.node[:]
        model.graph.node.extend(kept)

    with pytest.raises(ArtifactError) as caught:
        run(onnx_folder=other_model(tiny_study, tmp_path / "onnx", without_products))
    assert caught.value.happened == "no tensor to calibrate was found"
    assert caught.value.fix == "this model has no MatMul, Gemm or Conv"
