import json
import os
import shutil

import numpy as np
import onnx
import pytest

from temper.artifacts.manifest import sha256, write_manifest
from temper.data.encoded import read_split
from temper.environment.devices import nvidia_gpus
from temper.errors import ArtifactError, BackendError, DataError, LibraryError, PrecisionNotActive, ProviderNotActive
from temper.measurement import processes
from temper.measurement.isolated import NoAnswer, OutOfMemory, run_isolated
from temper.measurement.measure import measure
from temper.measurement.processes import NO_ANSWERS
from temper.measurement.record import NotMeasured
from temper.measurement.record_file import read_record
from tests.tiny_study import MAX_TOKENS, SEED, TEST_ROWS
from tests.unit.backends.test_runner import CPU

MEASUREMENT = {
    "warmup_runs": 1,
    "calls_per_turn": 3,
    "min_calls": 12,
    "max_calls": 60,
    "min_duration_s": 0.0,
    "max_duration_s": 1.0,
    "relative_half_width": 0.05,
    "busy_share": 1.0,
    "quiet_wait_s": 0.0,
    "resamples": 200,
    "percentiles": [50, 99.9],
    "distinct_batches": 3,
    "alone_calls": 5,
    "throughput_callers": [1, 2],
    "throughput_duration_s": 0.02,
    "accuracy_batch_size": 4,
}
WORKLOADS = {"b1": {"batch_size": 1, "sequence_length": 16}, "b3": {"batch_size": 3, "sequence_length": 8}}
LOADS = {"null": "onnx/fp32", "onnxruntime": "onnx/fp32", "pytorch": "checkpoint", "openvino": "onnx/fp32"}


@pytest.fixture
def run(tiny_study, tmp_path):
    """Measures one candidate; gives the path of its record."""

    def run(
        runner="onnxruntime",
        *,
        gpus=0,
        version="installed",
        artifact=None,
        data_folder=None,
        baseline=None,
        workloads=None,
        name=None,
        **changes,
    ):
        artifact_name, options = CPU[runner]
        backend = {"runner": runner, "version": version, "gpus": gpus, "options": {**options, **changes}}
        measure(
            candidate=name or f"{runner}-candidate",
            row={"backend": f"{runner}-row", "loads": LOADS[runner], "workloads": list(WORKLOADS)},
            backend=backend,
            library_version=version,
            baseline={"backend": "ort-row", "loads": "checkpoint" if baseline else "onnx/fp32"},
            baseline_backend={
                "runner": "onnxruntime",
                "version": "installed",
                "gpus": 0,
                "options": CPU["onnxruntime"][1],
            }
            | (baseline or {}),
            baseline_version="installed",
            baseline_artifact=str(tiny_study.checkpoint if baseline else tiny_study.fp32),
            workloads=workloads or WORKLOADS,
            measurement=MEASUREMENT,
            seed=SEED,
            artifact=str(artifact or getattr(tiny_study, artifact_name)),
            data_folder=str(data_folder or tiny_study.data),
            record=str(tmp_path / f"records/{runner}.json"),
            source_digest="abc",
        )
        return tmp_path / f"records/{runner}.json"

    return run


@pytest.mark.parametrize(
    "runner", ["onnxruntime", pytest.param("pytorch", marks=pytest.mark.long), "openvino"]
)  # both tiny studies measure PyTorch, each of its processes imports it
def test_a_record_holds_what_a_stranger_needs_to_repeat_it(tiny_study, run, runner):
    record = read_record(run(runner))
    assert (record.status, record.reason) == ("measured", None)
    assert (record.candidate, record.seed, record.source_digest) == (f"{runner}-candidate", SEED, "abc")
    assert record.backend["name"] == f"{runner}-row"
    assert record.backend["options"] == CPU[runner][1]
    assert record.measurement == MEASUREMENT
    assert record.ran["device"] == "cpu"
    assert record.baseline["loads"] == "onnx/fp32"
    assert record.baseline["ran"]["library"] == "onnxruntime"
    assert record.baseline["files_sha256"]["model.onnx"] == sha256(tiny_study.fp32 / "model.onnx")
    assert record.cold_start.import_s > 0
    assert record.cold_start.load_s > 0
    assert record.cold_start.ran["library"] == record.ran["library"]
    memory = record.memory
    assert (
        memory.peak_rss_running_mib
        >= memory.peak_rss_loaded_mib
        >= memory.peak_rss_imported_mib
        > memory.rss_harness_mib
        > 0
    )
    assert memory.gpu_reason == "the backend asks for no GPU"
    assert record.conditions_before["cpu"]["affinity"] == sorted(os.sched_getaffinity(0))
    assert all(pool["num_threads"] >= 1 for pool in record.threads)
    file = "model.safetensors" if runner == "pytorch" else "model.onnx"
    folder = tiny_study.checkpoint if runner == "pytorch" else tiny_study.fp32
    assert record.artifact.files_sha256[file] == sha256(folder / file)
    assert record.artifact.size_bytes == (folder / file).stat().st_size


def test_latencies_of_both_sides_are_raw_and_their_figures_follow_from_them(run):
    record = read_record(run())
    assert list(record.workloads) == ["b1", "b3"]
    for name, workload in record.workloads.items():
        latencies, others = workload.latencies_ms, workload.baseline_latencies_ms
        assert len(latencies) == len(others) == workload.timed_runs >= MEASUREMENT["min_calls"]
        assert len(latencies) == 3 * len(workload.candidate_first)
        assert {True, False} == set(workload.candidate_first)
        assert min(*latencies, *others) > 0
        assert workload.latency_mean_ms == pytest.approx(sum(latencies) / len(latencies))
        median = sorted(latencies)[(len(latencies) - 1) // 2]
        assert workload.latency_percentiles_ms == {"50": median}
        assert workload.percentiles_left_out == {"99.9": f"it needs 6636 calls, {len(latencies)} were timed"}
        ratio = workload.ratio
        assert (ratio.taken, ratio.why_apart, ratio.statistic) == ("in turns", None, "median")
        assert ratio.ratio == pytest.approx(median / sorted(others)[(len(others) - 1) // 2])
        assert ratio.low <= ratio.high
        assert ratio.stopped in ("precise enough", "max_calls", "max_duration_s")
        size = WORKLOADS[name]["batch_size"]
        assert workload.sequential_samples_per_s == pytest.approx(1000 * size * len(latencies) / sum(latencies))
        assert workload.throughput_samples_per_s.keys() == {"1", "2"}
        assert min(workload.throughput_samples_per_s.values()) > 0
        assert (workload.alone_calls, workload.alone_median_ms > 0) == (5, True)
        assert (workload.batch_size, workload.sequence_length) == tuple(WORKLOADS[name].values())
        assert workload.executed["products_by_precision"].keys() == {"FP32"}


def test_real_lengths_take_every_row_and_compare_the_sums(run):
    workloads = {
        "arrival": {"batch_size": 4, "real_lengths": "arrival"},
        "bucketed": {"batch_size": 4, "real_lengths": "bucketed"},
    }
    record = read_record(run(workloads=workloads))
    arrival, bucketed = record.workloads["arrival"], record.workloads["bucketed"]
    for workload in (arrival, bucketed):
        assert workload.ratio.statistic == "mean"
        assert workload.ratio.ratio == pytest.approx(sum(workload.latencies_ms) / sum(workload.baseline_latencies_ms))
        assert workload.timed_runs >= -(-TEST_ROWS // 4)
        assert workload.sequence_length is None
    assert bucketed.padding_share <= arrival.padding_share
    assert bucketed.computed_padding_share == pytest.approx(bucketed.padding_share)  # it pads nothing itself
    assert arrival.real_lengths == "arrival"


def test_a_baseline_that_cannot_be_run_leaves_no_ratio_and_the_rest_is_measured(run):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    cuda = {"runner": "pytorch", "options": {**CPU["pytorch"][1], "device": "cuda"}}
    record = read_record(run(baseline=cuda))
    assert record.status == "measured"
    workload = record.workloads["b1"]
    assert workload.ratio.reason.startswith("the baseline could not be run: PyTorch")
    assert (workload.baseline_latencies_ms, workload.candidate_first) == (None, None)
    assert workload.timed_runs >= 12
    assert record.accuracy.answers.accuracy > 0


def test_what_cannot_be_loaded_together_is_timed_apart_and_marked(run, monkeypatch):
    def no_room(request):
        if request["task"] == "together":
            raise OutOfMemory("the system killed the process")
        return run_isolated(request)

    monkeypatch.setattr(processes, "run_isolated", no_room)
    record = read_record(run())
    ratio = record.workloads["b1"].ratio
    assert (ratio.taken, ratio.stopped) == ("apart", None)
    assert ratio.why_apart == "the two could not be loaded together: the system killed the process"
    assert len(record.workloads["b1"].baseline_latencies_ms) >= 12
    assert record.accuracy.answers.accuracy > 0
    assert record.baseline["ran"]["library"] == "onnxruntime"


def test_a_baseline_without_room_of_its_own_leaves_the_candidates_figures(run, monkeypatch):
    series = []

    def no_room(request):
        if request["task"] == "series":
            series.append(request)
        if request["task"] == "together" or len(series) == 2:
            raise OutOfMemory("the system killed the process")
        return run_isolated(request)

    monkeypatch.setattr(processes, "run_isolated", no_room)
    record = read_record(run())
    assert record.status == "measured"
    assert record.workloads["b1"].ratio.reason == "the baseline could not be run: the system killed the process"
    assert record.workloads["b1"].timed_runs >= 12


def test_a_library_that_crashes_is_an_error_of_its_candidate_alone(run, monkeypatch, tmp_path):
    def crash(request):
        raise NoAnswer(request["task"], "signal SIGSEGV", None)

    monkeypatch.setattr(processes, "run_isolated", crash)
    with pytest.raises(BackendError) as caught:
        run()
    assert "signal SIGSEGV (task 'alone')" in caught.value.happened
    assert "onnxruntime" in caught.value.asked
    assert not (tmp_path / "records").exists()

    def fail(request):
        raise NoAnswer(request["task"], "exit code 1", None)

    monkeypatch.setattr(processes, "run_isolated", fail)
    with pytest.raises(NoAnswer):  # a bug of this project's own is not said to be the library's
        run()


def test_the_log_says_where_a_library_crashed(tmp_path, monkeypatch, capfd):
    (tmp_path / "crashing_worker.py").write_text(
        "import os, signal\n"
        "from temper.measurement import worker\n"
        "def load_the_engine(request):\n"
        "    os.kill(os.getpid(), signal.SIGSEGV)\n"
        "worker.TASKS['alone'] = load_the_engine\n"
        "worker.main()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(NoAnswer) as caught:
        run_isolated({"task": "alone"}, worker="crashing_worker")
    assert caught.value.crashed
    said = capfd.readouterr().err
    assert "Fatal Python error: Segmentation fault" in said
    assert "in load_the_engine" in said


def test_answers_that_are_no_numbers_are_no_measurement(tiny_study, run, copy_of):
    folder = copy_of(tiny_study.fp32)
    model = onnx.load(folder / "model.onnx")
    last = next(name for node in reversed(model.graph.node) for name in node.input if "bias" in name)
    bias = next(each for each in model.graph.initializer if each.name == last)
    broken = onnx.numpy_helper.to_array(bias) * np.float32("nan")
    bias.CopyFrom(onnx.numpy_helper.from_array(broken, last))
    onnx.save(model, folder / "model.onnx")
    write_manifest(folder / "onnx.json", kind="onnx", facts={})
    record = read_record(run(artifact=folder))
    assert (record.status, record.workloads["b1"].status) == ("not measured", "not measured")
    assert record.reason == (
        f"it answers {TEST_ROWS} of {TEST_ROWS} test rows with NaN or infinity (batch size 4): no accuracy can be told, "
        "and no latency is recorded"
    )


def test_two_versions_of_one_library_are_timed_apart(tiny_study):
    side = {"runner": "onnxruntime", "artifact": "", "options": {}, "version": "installed"}
    taking = processes.Processes(side, {**side, "version": "1.0.0"}, {}, 0, [])
    assert "one process holds one version of ONNX Runtime, and they need" in taking._why_apart()
    assert processes.Processes(side, side, {}, 0, [])._why_apart() is None


def test_accuracy_is_that_of_the_logits_on_the_whole_test_split(tiny_study, run):
    accuracy = read_record(run()).accuracy
    answered = accuracy.answers
    split = read_split(tiny_study.data / "test.parquet", tiny_study.signature)
    logits = np.asarray(answered.logits)
    assert logits.shape == (TEST_ROWS, 2)
    assert accuracy.rows == TEST_ROWS
    assert accuracy.labels == split.labels.tolist()
    assert list(accuracy.by_batch_size) == ["4"]
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
    assert record.workloads["b1"].ratio == NotMeasured(reason=NO_ANSWERS)  # and the baseline is not loaded for it
    assert record.baseline["ran"] is None


@pytest.mark.skipif(bool(nvidia_gpus()), reason="this machine has a GPU")
def test_without_the_gpu_a_row_asks_for_the_record_says_not_measured_and_why(run):
    path = run(gpus=1)
    record = read_record(path)
    reason = "no NVIDIA GPU: the backend asks for 1, this machine has none"
    assert (record.status, record.reason) == ("not measured", reason)
    assert record.workloads == dict.fromkeys(WORKLOADS, NotMeasured(reason=reason))
    assert record.accuracy == NotMeasured(reason=reason)
    assert (record.ran, record.cold_start, record.memory) == (None, None, None)
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


def test_int8_is_only_said_of_what_shows_it(run, tmp_path):
    with pytest.raises(PrecisionNotActive) as caught:
        run(name="ort-int8")
    assert caught.value.asked == "call ort-int8 and fp32 INT8"
    assert "products in the ONNX file 0 are quantised" in caught.value.happened
    assert not (tmp_path / "records").exists()


@pytest.mark.long  # test_pytorch.py executes the same INT8, test_claims.py holds what is said against it
def test_int8_of_a_checkpoint_is_what_its_backend_executed(run, tmp_path):
    with pytest.raises(PrecisionNotActive) as caught:
        run("pytorch", name="torch-int8")
    assert caught.value.happened == "the products that were executed are 8 FP32"
    assert not (tmp_path / "records").exists()
    record = read_record(run("pytorch", name="torch-int8", mode="dynamic_int8"))
    assert record.workloads["b1"].executed["products_by_precision"] == {"INT8": 8}
    assert set(record.accuracy.by_batch_size) == {"4", "1", "3"}  # its labels can depend on the batch


@pytest.mark.long  # test_pytorch.py compiles the same model
@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="no C++ compiler")
def test_a_compiled_model_is_timed_after_its_compilations_and_predicts_in_few_shapes(run):
    record = read_record(run("pytorch", mode="compile", workloads={"b3": WORKLOADS["b3"]}))
    assert record.ran["recompilations"] == 0
    # the workload's shape, and those of the predictions: whole batches of 4 rows of 8, 16 or 24 tokens
    assert 1 < record.ran["compiled_shapes"] == record.ran["compiled_graphs"] <= 4
    workload = record.workloads["b3"]
    assert set(workload.throughput_samples_per_s) == {"1", "2"}
    assert workload.executed["products_by_precision"]["FP32"] >= 6  # small ones are fused away
    assert record.accuracy.rows == TEST_ROWS


@pytest.mark.parametrize("part", ["artifact", "data_folder"])
def test_altered_files_are_refused(tiny_study, copy_of, run, part):
    folder = copy_of(tiny_study.fp32 if part == "artifact" else tiny_study.data)
    file = folder / ("model.onnx" if part == "artifact" else "test.parquet")
    with open(file, "ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ArtifactError, match=file.name):
        run(**{part: folder})


def test_rows_longer_than_the_model_takes_are_refused_before_anything_is_timed(run, tmp_path):
    with pytest.raises(DataError) as caught:
        run(workloads={**WORKLOADS, "long": {"batch_size": 1, "sequence_length": MAX_TOKENS + 1}})
    assert caught.value.asked == f"run a workload of {MAX_TOKENS + 1} tokens"
    assert f"the model takes {MAX_TOKENS}," in caught.value.happened
    assert f"sequence_length to {MAX_TOKENS} or less" in caught.value.fix
    assert not (tmp_path / "records").exists()
