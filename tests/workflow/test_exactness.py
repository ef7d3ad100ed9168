"""A change reruns what depends on it and nothing else; equal settings give equal bytes."""

import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
import yaml

from tests.workflow.conftest import (
    VARYING,
    StudyFolder,
    copy_code_of,
    end,
    from_files,
    happened,
    jobs_in,
    other_version,
)

ENGINES = ["build_engine fp32", "build_engine int8"]
EXPORT, CALIBRATE, REPORT = ["export_onnx fp32"], ["calibrate main"], ["report"]
JUDGED = ["remeasure", *REPORT]  # after any measurement
BUCKETS = ["choose_buckets main"]
PRECISIONS = ["convert_precision fp16", "convert_precision int8"]
SEARCH = ["search_layers main", "convert_precision int8-searched"]
TRAINED = ["train_quantized int8-trained", "measure ort-int8-trained", *JUDGED]
INT8_MEASURED = ["measure openvino-int8", "measure ort-int8", "measure rtx-int8"]
MEASURED = sorted([*INT8_MEASURED, "measure harness", "measure ort-fp32", "measure torch-fp32"])
AFTER_CONVERSION = ["build_engine int8", *INT8_MEASURED, *JUDGED]
AFTER_CALIBRATION = sorted(["convert_precision int8", *AFTER_CONVERSION])
AFTER_FP32 = sorted([*CALIBRATE, *PRECISIONS, *ENGINES, *MEASURED, *JUDGED])  # the baseline loads it
AFTER_TRAINING = sorted([*CALIBRATE, *PRECISIONS, *ENGINES, *EXPORT, *MEASURED, *JUDGED])
BUCKETED = {"lengths": {"library": "tensorrt_rtx", "version": "1.6.1.120", "onnx": "fp32", "buckets": "main"}}
ALL = sorted([*AFTER_TRAINING, *BUCKETS, "fine_tune", "prepare_data"])


def flip_one_byte(path: Path) -> None:
    """Alter a file so that neither its size nor its time shows it."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x01
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_everything_is_made_and_a_second_run_does_nothing(finished):
    assert jobs_in((finished / "first-run.txt").read_text()) == ALL
    before = {path: (finished / path).stat().st_mtime_ns for path in finished.files()}
    assert "Nothing to be done" in finished.snakemake()
    assert {path: (finished / path).stat().st_mtime_ns for path in finished.files()} == before
    assert finished.planned() == []


@pytest.mark.parametrize("kind", ["finished", "finished_images"])
def test_rule_all_lists_every_output_of_every_rule_and_nothing_else_is_on_disk(kind, request):
    study = request.getfixturevalue(kind)
    nodes = study.snakemake("--filegraph").split("[ shape=none")
    (target,) = (node for node in nodes if ">all<" in node)
    listed = re.findall(r'<font face="monospace">(.+?)</font>', target)
    outputs = [line.split("\t")[0] for line in study.snakemake("--summary").splitlines() if "\t" in line][1:]
    assert sorted(listed) == sorted(outputs) == study.files()
    params = yaml.safe_load((study / "params.yaml").read_text())
    rows = {
        "onnx": [
            *params["exports"],
            *params["precisions"],
            *params["calibrated_precisions"],
            *params["searched_precisions"],
            *params["quantization_aware"],
        ],
        "calibration": params["calibrations"],
        **({"buckets": [f"{name}.json" for name in params["buckets"]]} if params["buckets"] else {}),
        "engines": params["engines"],
        **({"searches": params["searches"]} if params["searches"] else {}),
        "measurements": [f"{name}.json" for name in params["candidates"]],
        **({"load_tests": [f"{name}.json" for name in params["load_tests"]]} if params["load_tests"] else {}),
    }
    for section, names in rows.items():
        assert sorted(os.listdir(study / f"artifacts/{section}")) == sorted(names)


def test_the_same_rules_take_images_and_a_second_run_does_nothing(finished_images):
    candidates = ("harness", "ort-int8", "ort-int8-trained", "rtx-fp16", "torch-fp32")
    rows = ["load_test ort-int8", *(f"measure {row}" for row in candidates)]
    chain = [
        "prepare_data",
        "fine_tune",
        *EXPORT,
        *CALIBRATE,
        *PRECISIONS,
        *SEARCH,
        *TRAINED[:1],
        "build_engine fp16",
        *rows,
        *JUDGED,
    ]
    assert jobs_in((finished_images / "first-run.txt").read_text()) == sorted(chain)
    assert finished_images.planned() == []


def test_a_changed_calibration_reruns_what_it_feeds_and_neither_training_nor_export(finished, fewer_samples):
    before = finished.digests()
    assert jobs_in((fewer_samples / "run.txt").read_text()) == sorted([*CALIBRATE, *AFTER_CALIBRATION])
    changed = {path for path, digest in fewer_samples.digests().items() if digest != before[path]}
    assert "artifacts/calibration/main/cache.json" in changed
    assert all(
        path.startswith(("artifacts/calibration/main/", "artifacts/onnx/int8/", "artifacts/engines/int8/"))
        or path in ("artifacts/jobs/calibrate/main.json", "artifacts/jobs/convert_precision/int8.json")
        for path in changed
    )
    assert fewer_samples.planned() == []


@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        ({"calibrations__main__method": "minmax"}, [*CALIBRATE, *AFTER_CALIBRATION]),
        ({"calibration_methods__nncf__preset": "mixed"}, [*CALIBRATE, *AFTER_CALIBRATION]),
        ({"calibration_methods__minmax": ...}, []),
        (
            {"engines__int8__version": "1.5.0.114", "backends__rtx__version": "1.5.0.114"},
            ["build_engine int8", "measure rtx-int8", *JUDGED],
        ),
        ({"engines__fp32__max_shape": [4, 32]}, ["build_engine fp32"]),
        ({"buckets__main__profiles": 3}, BUCKETS),
        ({"buckets__main__split": "validation"}, BUCKETS),
        ({"bucketed_engines": BUCKETED}, ["build_engine lengths", *REPORT]),
        ({"bucketed_engines": BUCKETED, "buckets__main__profiles": 3}, ["build_engine lengths", *BUCKETS, *REPORT]),
        ({"measurement__min_calls": 13}, [*MEASURED, *JUDGED]),
        ({"workloads__b2-s16__batch_size": 3}, [*MEASURED, *JUDGED]),
        ({"backends__ort-cpu__options__intra_op_threads": 2}, [*MEASURED, *JUDGED]),  # the baseline's
        ({"backends__pytorch-cpu__options__threads": 2}, ["measure torch-fp32", *JUDGED]),
        ({"train__epochs": 2}, ["fine_tune", *AFTER_TRAINING]),
        ({"data__test_rows": 61}, ALL),
        ({"precisions__fp16__keep_in_fp32": ["Softmax"]}, ["convert_precision fp16"]),
        ({"baseline__backend": "pytorch-cpu", "baseline__loads": "checkpoint"}, [*MEASURED, *JUDGED]),
        ({"analysis__latency_margin": 0.1}, JUDGED),
        ({"study": "renamed"}, REPORT),
        ({"seed": 18}, ALL),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_changed_setting_reruns_what_depends_on_it(study, change, jobs):
    study.set(**change)
    assert study.planned() == sorted(jobs)


def test_a_setting_changed_back_reruns_nothing(study):
    study.set(train__epochs=2)
    study.set(train__epochs=1)
    assert study.planned() == []


@pytest.mark.parametrize(
    ("file", "jobs"),
    [
        ("src/temper/backends/openvino.py", ["measure openvino-int8", *JUDGED]),
        ("src/temper/backends/onnxruntime.py", [*MEASURED, *JUDGED]),  # the baseline's
        ("src/temper/measurement/latency.py", [*MEASURED, *JUDGED]),
        ("src/temper/quantization/calibration/nncf.py", [*CALIBRATE, *AFTER_CALIBRATION]),
        ("src/temper/quantization/calibration/minmax.py", []),
        ("src/temper/quantization/int8_static.py", AFTER_CALIBRATION),
        ("src/temper/lengths/buckets/limits.py", BUCKETS),
        ("src/temper/engines/build.py", [*ENGINES, "measure rtx-int8", *JUDGED]),
        ("src/temper/training/fine_tune.py", ["fine_tune", *AFTER_TRAINING]),
        ("src/temper/data/synthetic.py", ALL),
        ("src/temper/report/tables.py", REPORT),
        ("src/temper/orchestration/plan.py", []),
        ("workflow/scripts/export_onnx.py", [*EXPORT, *AFTER_FP32]),
        ("workflow/scripts/measure.py", [*MEASURED, *JUDGED]),
    ],
)
def test_an_edited_file_reruns_what_runs_it(own_code, file, jobs):
    with open(own_code.code / file, "a") as module:
        module.write("EDITED = 1\n")
    assert own_code.planned() == sorted(jobs)


def test_comments_docstrings_and_what_changes_no_result_rerun_nothing(own_code):
    for file in ("quantization/calibration/nncf", "measurement/latency", "data/synthetic"):
        module = own_code.code / f"src/temper/{file}.py"
        module.write_text(module.read_text().replace('"""', '"""Edited: ', 1) + "# edited\n")
    for file in (
        "errors",
        "logs/progress",
        "environment/plugins",
        "logs/script_log",
        "environment/source_digest",
        "orchestration/job_record",
        "orchestration/run_lock",
    ):
        with open(own_code.code / f"src/temper/{file}.py", "a") as module:
            module.write("EDITED = 1\n")
    assert own_code.planned() == []


@pytest.mark.long  # planned above; a candidate that is new is measured below
def test_an_edited_backend_measures_its_candidates_anew_and_an_edit_undone_reruns_nothing(own_code):
    module = own_code.code / "src/temper/backends/openvino.py"
    text = module.read_text()
    module.write_text(text + "EDITED = 1\n")
    assert jobs_in(own_code.snakemake()) == ["measure openvino-int8", *JUDGED]
    assert own_code.planned() == []
    module.write_text(text)
    assert own_code.planned() == ["measure openvino-int8", *JUDGED]


@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        ({"searches__main__budget_points": 40.0}, SEARCH),
        ({"searched_precisions__int8-searched__keep_in_float": ["classifier.1"]}, SEARCH[1:]),
        ({"searches": {}, "searched_precisions": {}}, []),
    ],
    ids=["budget", "a layer more", "no search"],
)
def test_a_search_reruns_itself_and_the_file_that_it_is_for(finished_images, tmp_path, change, jobs):
    study = StudyFolder(shutil.copytree(finished_images.folder, tmp_path / "study"), finished_images.code)
    study.set(**change)
    assert study.planned() == sorted(jobs)


@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        ({"quantization_aware__int8-trained__steps": 4}, TRAINED),
        ({"quantization_aware__int8-trained__keep_in_float": []}, TRAINED),
        ({"quantization_aware": {}, "candidates__ort-int8-trained": ...}, JUDGED),
        ({"calibrated_precisions__int8__keep_in_float": ["classifier.1"]}, "no training"),
        ("src/temper/quantization/fake.py", TRAINED),
        ("src/temper/training/fine_tune.py", "training"),
    ],
    ids=["steps", "a layer more", "none", "another int8 file", "its code", "the checkpoint's code"],
)
def test_training_with_fake_quantisation_reruns_for_what_it_reads(finished_images, tmp_path, change, jobs):
    copied = shutil.copytree(finished_images.folder, tmp_path / "study")
    study = StudyFolder(copied, copy_code_of(finished_images.code, tmp_path / "code"))
    if isinstance(change, str):
        with open(study.code / change, "a") as module:
            module.write("EDITED = 1\n")
    else:
        study.set(**change)
    if isinstance(jobs, str):
        assert (TRAINED[0] in study.planned()) == (jobs == "training")
    else:
        assert study.planned() == sorted(jobs)


def test_another_loadgen_makes_the_load_tests_anew_and_nothing_else(finished_images, tmp_path):
    study = StudyFolder(finished_images.folder, copy_code_of(finished_images.code, tmp_path / "code"))
    assert study.planned() == []
    other_version(study.code / "src", "mlcommons-loadgen")  # a folder of PYTHONPATH
    assert study.planned() == ["load_test ort-int8"]


def test_touching_every_file_reruns_nothing(own_code):
    touched = [own_code / path for path in ("params.yaml", *own_code.files())]
    touched += [path for path in own_code.code.rglob("*") if path.suffix in (".py", ".smk") or path.name == "Snakefile"]
    assert len(touched) > 100
    assert {path.suffix for path in touched if path.stat().st_size > 1_000_000} >= {".safetensors", ".onnx", ".engine"}
    for age, path in enumerate(sorted(touched)):  # so the checkpoint is a second younger than its ONNX file
        os.utime(path, times=(time.time() - age, time.time() - age))
    assert own_code.planned() == []


def test_files_from_outside_are_watched_by_their_bytes(fresh, finished):
    from_files(fresh)
    shutil.copytree(finished / "artifacts/checkpoint", fresh / "data/raw/model")
    model = {"task": "text-classification", "source": "checkpoint", "checkpoint": "data/raw/model", "revision": None}
    fresh.set(model=model)
    card, train = "data/prepared/data_card.json", fresh / "data/raw/train.tsv"
    assert jobs_in(fresh.snakemake(card)) == ["prepare_data"]
    for path in (fresh / "data/raw").rglob("*"):
        os.utime(path)
    assert fresh.planned(card) == []
    text = train.read_text()
    train.write_text(text.replace("dull", "flat", 1))
    assert fresh.planned(card) == ["prepare_data"]
    train.write_text(text)
    assert fresh.planned(card) == []
    (fresh / "data/raw/model/tokenizer.json").write_text("{}")
    assert fresh.planned(card) == ["prepare_data"]


@pytest.mark.parametrize(
    ("path", "jobs"),
    [
        ("artifacts/checkpoint/config.json", ["fine_tune", *AFTER_TRAINING]),
        ("artifacts/onnx/fp32/model.onnx", [*EXPORT, *AFTER_FP32]),
        ("artifacts/onnx/fp16/model.onnx", ["convert_precision fp16"]),
        ("artifacts/calibration/main/cache.json", [*CALIBRATE, *AFTER_CALIBRATION]),
        ("artifacts/buckets/main.json", BUCKETS),
        ("artifacts/engines/fp32/engine.json", ["build_engine fp32"]),
        ("artifacts/engines/int8/engine.json", ["build_engine int8", "measure rtx-int8", *JUDGED]),
        ("artifacts/measurements/harness.json", ["measure harness", *JUDGED]),
        ("artifacts/report/summary.csv", REPORT),
        ("data/prepared/calibration.parquet", ALL),
    ],
)
def test_a_deleted_file_is_made_again_with_what_follows(study, path, jobs):
    (study / path).unlink()
    assert study.planned() == sorted(jobs)


@pytest.mark.long  # the killed run below loses the same folder
def test_a_deleted_calibration_cache_comes_back_with_the_same_bytes(study):
    before = study.digests()
    (study / "artifacts/calibration/main/quantized.onnx").unlink()
    assert jobs_in(study.snakemake()) == sorted([*CALIBRATE, *AFTER_CALIBRATION])
    assert study.digests() == before
    assert study.planned() == []


def test_a_new_candidate_costs_its_measurement_and_what_judges_it_and_a_removed_one_the_latter(study):
    row = {"backend": "ort-cpu", "loads": "onnx/fp16", "workloads": ["b2-s16"]}
    study.set(**{"candidates__ort-fp16": row})
    assert jobs_in(study.snakemake()) == ["measure ort-fp16", *JUDGED]
    assert "ort-fp16" in (study / "artifacts/report/summary.md").read_text()
    study.set(**{"candidates__ort-fp16": ...})
    assert jobs_in(study.snakemake()) == JUDGED
    assert "ort-fp16" not in (study / "artifacts/report/summary.md").read_text()
    assert study.planned() == []


def test_equal_settings_give_equal_bytes_in_another_folder_and_with_other_cores(finished, fresh):
    fresh.snakemake(*(path for path in finished.files() if not path.startswith(VARYING)), cores=1)
    assert fresh.digests() == finished.digests()
    kinds = {Path(path).name for path in finished.digests()}
    assert {"model.safetensors", "model.onnx", "cache.json", "quantized.onnx", "model.engine", "test.parquet"} <= kinds


@pytest.mark.parametrize("kind", ["finished", "finished_images"])
def test_no_file_holds_a_path_of_this_machine(kind, request):
    study = request.getfixturevalue(kind)
    places = [
        str(place).encode()
        for place in (
            (study / "made-in.txt").read_text(),
            study.code,
            Path.home() / ".cache",
            Path(os.__file__).parent,
        )
    ]
    holding = [path for path in study.files() if any(place in (study / path).read_bytes() for place in places)]
    assert holding == []


def test_the_run_after_a_killed_one_ends_complete_and_equal(study):
    before, folder = study.digests(), study / "artifacts/calibration/main"
    names = os.listdir(folder)
    shutil.rmtree(folder)
    process = study.start_and_wait_for("logs/calibrate/main.log")
    assert end(process, signal.SIGKILL) == -signal.SIGKILL
    for name in names:  # files that look finished, as a job may leave them; Snakemake knows that its job did not end
        (folder / name).write_text("torn")
    output = study.snakemake()
    assert "was killed: its lock was removed" in output
    assert jobs_in(output) == sorted([*CALIBRATE, *AFTER_CALIBRATION])
    assert study.digests() == before
    assert study.scratch() == []
    assert study.planned() == []


@pytest.mark.parametrize(
    ("path", "made"),
    [
        ("artifacts/checkpoint/model.safetensors", "artifacts/measurements/torch-fp32.json"),
        ("artifacts/engines/int8/model.engine", "artifacts/measurements/rtx-int8.json"),
        ("data/prepared/train.parquet", "artifacts/checkpoint/checkpoint.json"),
        ("artifacts/calibration/main/quantized.onnx", "artifacts/onnx/int8/onnx.json"),
    ],
)
def test_nothing_is_made_of_an_altered_file(study, path, made):
    flip_one_byte(study / path)  # its size and its time stay: Snakemake alone cannot know
    before = (study / made).read_bytes()
    output = study.refused("--keep-going", "--forcerun", made)
    assert happened(output) == f"changed since its job wrote it: {path}"
    assert jobs_in(output) == []
    assert (study / made).read_bytes() == before


def test_the_copies_that_tests_work_on_are_as_finished_as_the_original(study: StudyFolder):
    assert study.planned() == []
