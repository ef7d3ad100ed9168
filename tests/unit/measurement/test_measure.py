import json

import numpy as np
import pytest

from temper.artifact import sha256
from temper.data.encoded import read_split
from temper.devices import nvidia_gpus
from temper.errors import ArtifactError, LibraryError, ProviderNotActive
from temper.measurement.measure import measure
from temper.measurement.record import NotMeasured, read_record
from tests.tiny_study import SEED, TEST_ROWS
from tests.unit.backends.test_runner import CPU

MEASUREMENT = {
    "warmup_runs": 2,
    "min_timed_runs": 12,
    "max_timed_runs": 50,
    "min_duration_s": 0.001,
    "percentiles": [50, 99.9],
    "distinct_batches": 3,
    "accuracy_batch_size": 4,
}
WORKLOADS = {"b1": {"batch_size": 1, "sequence_length": 16}, "b3": {"batch_size": 3, "sequence_length": 8}}
LOADS = {"null": "onnx/fp32", "onnxruntime": "onnx/fp32", "pytorch": "checkpoint", "openvino": "onnx/fp32"}


@pytest.fixture
def run(tiny_study, tmp_path):
    """Measures one candidate; gives the path of its record."""

    def run(runner="onnxruntime", *, gpus=0, version="installed", artifact=None, data_folder=None, **changes):
        artifact_name, options = CPU[runner]
        backend = {"runner": runner, "version": version, "gpus": gpus, "options": {**options, **changes}}
        measure(
            study="tiny",
            candidate=f"{runner}-candidate",
            row={"backend": f"{runner}-row", "loads": LOADS[runner], "workloads": list(WORKLOADS)},
            backend=backend,
            library_version=version,
            workloads=WORKLOADS,
            measurement=MEASUREMENT,
            seed=SEED,
            artifact=str(artifact or getattr(tiny_study, artifact_name)),
            data_folder=str(data_folder or tiny_study.data),
            record=str(tmp_path / f"records/{runner}.json"),
            source_digest="abc",
        )
        return tmp_path / f"records/{runner}.json"

    return run


@pytest.mark.parametrize("runner", ["onnxruntime", "pytorch", "openvino"])
def test_a_record_holds_what_a_stranger_needs_to_repeat_it(tiny_study, run, runner):
    record = read_record(run(runner))
    assert (record.status, record.reason) == ("measured", None)
    assert (record.study, record.candidate, record.seed, record.source_digest) == (
        "tiny",
        f"{runner}-candidate",
        SEED,
        "abc",
    )
    assert record.backend["name"] == f"{runner}-row"
    assert record.backend["options"] == CPU[runner][1]
    assert record.measurement == MEASUREMENT
    assert record.ran["device"] == "cpu"
    assert record.load_s > 0
    assert record.peak_rss_mib >= record.rss_before_load_mib > 0
    file = "model.safetensors" if runner == "pytorch" else "model.onnx"
    folder = tiny_study.checkpoint if runner == "pytorch" else tiny_study.fp32
    assert record.artifact.files_sha256[file] == sha256(folder / file)
    assert record.artifact.size_bytes == (folder / file).stat().st_size


def test_latencies_are_raw_and_their_figures_follow_from_them(run):
    record = read_record(run())
    assert list(record.workloads) == ["b1", "b3"]
    for name, workload in record.workloads.items():
        latencies = workload.latencies_ms
        assert len(latencies) == workload.timed_runs >= MEASUREMENT["min_timed_runs"]
        assert min(latencies) > 0
        assert sum(latencies) >= 1.0  # min_duration_s, in milliseconds
        assert workload.latency_mean_ms == pytest.approx(sum(latencies) / len(latencies))
        assert workload.latency_percentiles_ms.keys() == {"50", "99.9"}
        assert workload.latency_percentiles_ms["50"] == sorted(latencies)[(len(latencies) - 1) // 2]
        assert workload.latency_percentiles_ms["99.9"] == max(latencies)
        size = WORKLOADS[name]["batch_size"]
        assert workload.throughput_samples_per_s == pytest.approx(1000 * size * len(latencies) / sum(latencies))
        assert (workload.batch_size, workload.sequence_length) == tuple(WORKLOADS[name].values())


def test_accuracy_is_that_of_the_logits_on_the_whole_test_split(tiny_study, run):
    answered = read_record(run()).accuracy
    split = read_split(tiny_study.data / "test.parquet", tiny_study.signature)
    logits = np.asarray(answered.logits)
    assert logits.shape == (TEST_ROWS, 2)
    assert answered.rows == TEST_ROWS
    assert answered.predictions == logits.argmax(1).tolist()
    assert answered.accuracy == pytest.approx((logits.argmax(1) == split.labels).mean())
    assert (answered.batch_size, answered.cut_rows) == (MEASUREMENT["accuracy_batch_size"], 0)


def test_every_candidate_gets_the_same_inputs(run):
    records = [read_record(run(runner)) for runner in ("null", "onnxruntime")]
    for name in WORKLOADS:
        assert len({record.workloads[name].inputs_sha256 for record in records}) == 1
    assert records[0].workloads["b1"].inputs_sha256 != records[0].workloads["b3"].inputs_sha256


def test_the_null_backends_zeros_are_no_predictions(run):
    record = read_record(run("null"))
    assert record.status == "measured"
    assert record.workloads["b1"].timed_runs >= 12
    assert record.accuracy == NotMeasured(reason="the backend computes no logits")


@pytest.mark.skipif(bool(nvidia_gpus()), reason="this machine has a GPU")
def test_without_the_gpu_a_row_asks_for_the_record_says_not_measured_and_why(run):
    path = run(gpus=1)
    record = read_record(path)
    reason = "no NVIDIA GPU: the backend asks for 1, this machine has none"
    assert (record.status, record.reason) == ("not measured", reason)
    assert record.workloads == dict.fromkeys(WORKLOADS, NotMeasured(reason=reason))
    assert record.accuracy == NotMeasured(reason=reason)
    assert (record.ran, record.load_s, record.peak_rss_mib) == (None, None, None)
    assert "latency" not in json.dumps(json.loads(path.read_text())["workloads"])


def test_what_the_runner_finds_lacking_is_recorded_too(run):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    record = read_record(run("pytorch", device="cuda"))
    assert record.status == "not measured"
    assert "sees no CUDA device" in record.reason


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ({"execution_provider": "CUDAExecutionProvider"}, ProviderNotActive),
        ({"version": "0.0.1"}, LibraryError),
    ],
)
def test_an_error_leaves_no_record(run, tmp_path, call, error):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this build has CUDA")
    with pytest.raises(error):
        run(**call)
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize("part", ["artifact", "data_folder"])
def test_altered_files_are_refused(tiny_study, copy_of, run, part):
    folder = copy_of(tiny_study.fp32 if part == "artifact" else tiny_study.data)
    file = folder / ("model.onnx" if part == "artifact" else "test.parquet")
    with open(file, "ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ArtifactError, match=file.name):
        run(**{part: folder})
