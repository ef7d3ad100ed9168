"""What a person can get wrong, through the real command: four parts on the terminal, nothing half-written."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from temper.artifacts.manifest import SEAL, seal, sha256
from temper.environment.devices import nvidia_gpus
from temper.logs.script_log import TRIED
from temper.orchestration.job_record import read_job_record, record_path, write_job_record
from tests.workflow.conftest import PATIENCE_S, ROWS, StudyFolder, end, from_files, happened, jobs_in, tsv

CHECKPOINT = "artifacts/checkpoint/checkpoint.json"


def long(*values: object) -> object:
    """Another case of the same path through the command: its words are held in tests/unit/, it runs before a release."""
    return pytest.param(*values, marks=pytest.mark.long)


@pytest.fixture
def local_checkpoint(fresh: StudyFolder, finished: StudyFolder) -> Path:
    """The checkpoint of the finished study as what another study starts from."""
    folder = fresh / "data/raw/model"
    shutil.copytree(finished / "artifacts/checkpoint", folder)
    model = {"task": "text-classification", "source": "checkpoint", "checkpoint": "data/raw/model", "revision": None}
    fresh.set(model=model)
    return folder


# Found while planning


def planning_error(study: StudyFolder) -> str:
    """The same error with and without `-n`; what is around it is short, and nothing is written."""
    before = study.files()
    dry, real = study.refused("--dry-run"), study.refused()
    assert happened(dry) == happened(real)
    assert "ConfigError" in dry
    assert len(dry.splitlines()) <= 12, dry
    assert jobs_in(real) == []
    assert study.files() == before
    return happened(real)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train__epoch": 3}, "train.epoch is an unknown key"),
        ({"measurement__percentiles": ...}, "measurement.percentiles is missing"),
        ({"candidates__ort-int8__loads": "onnx/int4"}, "names 'int4', but there is no such row"),
        ({"workloads__b2-s16": {"batch_size": 9, "sequence_length": 16}}, "outside the shapes of engines.int8"),
        ({"buckets__main__split": "test"}, "what serves the test rows may not be chosen by them"),
        ({"calibrations__main__samples": 17}, "more than the 16 rows of data.calibration_rows"),
    ],
)
def test_a_contradiction_in_params_is_refused_before_any_job(fresh, change, words):
    fresh.set(**change)
    assert words in planning_error(fresh)


def test_a_row_that_stands_twice_is_refused_before_any_job(fresh):
    params = fresh / "params.yaml"
    row = "  fp32: {opset: 20, max_logit_difference: 1.0e-3}\n"
    assert row in params.read_text()
    params.write_text(params.read_text().replace(row, row + row))
    assert "'fp32' stands twice" in planning_error(fresh)


def test_a_missing_params_file_is_named(fresh):
    (fresh / "params.yaml").unlink()
    assert "params.yaml cannot be read: No such file or directory" in happened(fresh.refused("--dry-run"))


def test_a_params_file_is_read_and_never_evaluated(fresh):
    """Snakemake's own reader of configuration files is YTE, which runs Python where a file asks for it."""
    params = fresh / "params.yaml"
    command = f"touch {fresh.folder}/ran"
    params.write_text(f"__use_yte__: true\n?__import__('os').system('{command}'): {{}}\n{params.read_text()}")
    assert "__use_yte__ is an unknown key" in planning_error(fresh)
    assert not (fresh / "ran").exists()


# Found by the first job


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train": None}, "there is no such file"),
        long({"test": b""}, "it is empty (0 bytes)"),
        ({"train": tsv(ROWS) + "caf\xe9\t1\n".encode("latin-1")}, "it is not UTF-8: byte 0xe9"),
        long({"test": tsv([*ROWS[:40], ("a film", 7)])}, "7"),
        long({"train": tsv([("a dull plot", 0)] * 120)}, "positive"),
        long({"train": tsv(ROWS) + b"a film\t1\tmore\n"}, "line 122 has 3 fields"),
    ],
    ids=["missing", "empty", "not UTF-8", "unknown label", "one class", "wide row"],
)
def test_data_that_cannot_be_used_leaves_nothing_behind(fresh, changes, words):
    from_files(fresh, **changes)
    before = fresh.files()
    output = fresh.refused()
    assert "DataError in rule prepare_data" in output
    assert words in happened(output)
    assert fresh.files() == before
    assert fresh.scratch() == []


def test_a_data_set_on_a_hub_out_of_reach_leaves_nothing_behind(fresh, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    splits = {"train": "train", "validation": None, "test": "validation"}
    columns = {"text": ["sentence"], "label": "label", "validation_rows": 24, "calibration_rows": 16, "max_tokens": 32}
    fresh.set(
        data={"source": "hub", "name": "nobody/nothing", "config": None, "revision": None, "splits": splits, **columns}
    )
    output = fresh.refused()
    assert "DataError in rule prepare_data" in output
    assert "onnect" in happened(output)
    assert fresh.files() == []


def test_a_model_on_a_hub_out_of_reach_leaves_nothing_behind(fresh, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    model = {"task": "text-classification", "source": "checkpoint", "checkpoint": "nobody/nothing", "revision": None}
    fresh.set(model=model)
    output = fresh.refused()
    assert "ArtifactError in rule prepare_data" in output
    assert "nobody/nothing" in output
    happened(output)
    assert fresh.files() == []


# Checkpoints that cannot be used


def test_a_missing_checkpoint_folder_is_named(fresh, local_checkpoint):
    shutil.rmtree(local_checkpoint)
    output = fresh.refused()
    assert "there is no such folder" in happened(output)
    assert "data/raw/model" in output
    assert fresh.files() == []


def cut_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def only_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def remote_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "theirs.Model"}}))
    (folder / "theirs.py").write_text("raise SystemExit('ran foreign code')\n")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut_weights, "SafetensorError"),
        long(only_a_pickle, "only pytorch_model.bin: pickles run code"),
        (remote_code, "asks for remote code (theirs.Model)"),
    ],
)
def test_a_checkpoint_that_cannot_be_trusted_is_refused(
    fresh: StudyFolder, local_checkpoint: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(local_checkpoint)
    output = fresh.refused(CHECKPOINT)
    assert "ArtifactError in rule" in output
    assert words in happened(output)
    assert not (fresh / "artifacts/checkpoint").exists() or fresh.files() == []
    assert fresh.scratch() == []


def test_a_checkpoint_with_other_labels_is_not_taken_as_it_is(fresh, local_checkpoint):
    three = [(text, number % 3) for number, (text, _) in enumerate(ROWS)]
    shutil.move(local_checkpoint, fresh / "model")
    shutil.rmtree(fresh / "data")
    from_files(fresh, train=tsv(three), test=tsv(three[:40]))
    fresh.set(
        data__label_names=["negative", "neutral", "positive"], model__checkpoint="./model", train={"method": "none"}
    )
    output = fresh.refused(CHECKPOINT)
    assert "ArtifactError in rule fine_tune" in output
    assert "the checkpoint has 2 labels (negative, positive), the data has 3" in happened(output)
    assert not (fresh / CHECKPOINT).exists()
    assert fresh.scratch() == []


@pytest.mark.long
def test_a_checkpoint_whose_labels_have_other_names_is_not_taken_as_it_is(fresh, local_checkpoint):
    shutil.move(local_checkpoint, fresh / "model")
    shutil.rmtree(fresh / "data")
    from_files(fresh)
    fresh.set(data__label_names=["complaint", "praise"], model__checkpoint="./model", train={"method": "none"})
    output = fresh.refused(CHECKPOINT)
    assert "ArtifactError in rule fine_tune" in output
    assert "labels are ['negative', 'positive'], the data's ['complaint', 'praise']" in happened(output)
    assert not (fresh / CHECKPOINT).exists()
    assert fresh.scratch() == []


# What a run shows of jobs that fail


@pytest.mark.parametrize("tried", [False, True])
def test_a_job_that_says_why_it_failed_is_shown_without_snakemakes_words_for_it(study, monkeypatch, tried):
    if tried:
        monkeypatch.setenv(TRIED, "1")
    rows = {"a": ["no_such_node"], "b": ["nor_this"]}
    for name, kept in rows.items():
        study.set(
            **{
                f"precisions__{name}": {
                    "step": "int8_weight_only",
                    "onnx": "fp32",
                    "per_channel": True,
                    "keep_in_float": kept,
                }
            }
        )
    files = [f"artifacts/onnx/{name}/model.onnx" for name in rows]
    terminal = study.refused("--logger", "temper", "--keep-going", *files)
    assert not any(word in terminal for word in ("RuleException", "CalledProcessError", "Command")), terminal
    if tried:
        assert len(re.findall("^not made: convert_precision [ab]: .+$", terminal, re.M)) == 2, terminal
        assert "asked:" not in terminal
        assert "0 of 2 jobs done" in terminal
    else:
        assert terminal.count("Error in rule convert_precision:\n  asked:") == 2, terminal
        assert len(re.findall("^failed: convert_precision [ab] ", terminal, re.M)) == 2, terminal
    assert not any((study / file).exists() for file in files)


# Libraries


def test_a_library_version_that_is_not_there_is_no_other_version_and_names_the_command(study):
    study.set(**{"backends__ort-cpu__version": "1.2.3"})
    output = study.refused("artifacts/measurements/ort-fp32.json")
    assert "LibraryError in rule measure" in output
    assert "onnxruntime-1.2.3 is not among its libraries/" in happened(output)
    assert "make library PACKAGE=onnxruntime VERSION=1.2.3" in output
    assert not (study / "artifacts/measurements/ort-fp32.json").exists()


def test_an_engine_library_version_that_is_not_there_builds_no_engine(study):
    study.set(engines__fp32__version="1.2.3")
    output = study.refused("artifacts/engines/fp32/engine.json")
    assert "LibraryError in rule build_engine" in output
    assert "tensorrt-rtx" in happened(output)
    assert not list((study / "artifacts/engines").rglob("fp32/*"))


def test_an_engine_of_another_version_than_its_backend_is_refused(study, tmp_path, monkeypatch):
    if not nvidia_gpus():  # versions are read where there is a GPU, and before anything is asked of it
        tool = tmp_path / "bin/nvidia-smi"
        tool.parent.mkdir()
        tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 580.159.04'\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tool.parent), prepend=os.pathsep)
    monkeypatch.chdir(study.folder)
    manifest = "artifacts/engines/int8/engine.json"
    content = {**json.loads(Path(manifest).read_text()), "library_version": "1.5.0.114"}
    Path(manifest).write_text(json.dumps({**content, SEAL: seal(content)}))
    job = read_job_record(record_path("build_engine", "int8"))  # the plan refuses what is not as its job wrote it
    write_job_record(replace(job, outputs={**job.outputs, manifest: sha256(manifest)}))
    output = study.refused("artifacts/measurements/rtx-int8.json")
    assert "the engine was built with 1.5.0.114" in happened(output)


# Disks


@pytest.fixture
def small_disk(study: StudyFolder, mount_small: Callable[[Path, str], Path]) -> Callable[[str, str], Path]:
    """Mounts a small file system over an emptied folder of the study: `small_disk("artifacts", "24k")`."""
    return lambda name, size: mount_small(study / name, size)


@pytest.mark.parametrize(
    ("folder", "rule"), [("artifacts", "fine_tune"), long("artifacts/onnx", "export_onnx"), ("data", "prepare_data")]
)
def test_a_full_disk_is_said_in_four_parts_and_leaves_nothing_behind(study, small_disk, folder, rule):
    disk = small_disk(folder, "16k")
    output = study.refused()
    assert f"StorageError in rule {rule}" in output
    assert "No space left on device" in happened(output)
    assert [path for path in disk.rglob("*") if path.is_file() and "jobs" not in path.parts] == []
    assert study.scratch() == []


def test_a_read_only_disk_is_refused_before_any_job(study, small_disk):
    folder = small_disk("artifacts", "1m")
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    output = study.refused()
    assert "StorageError" in output
    assert "artifacts is read-only" in happened(output)
    assert jobs_in(output) == []


# Two runs, and Ctrl-C


def test_ctrl_c_ends_without_a_traceback_and_a_second_run_is_kept_out(study):
    before = study.digests()
    shutil.rmtree(study / "artifacts/checkpoint")
    process = study.start_and_wait_for("logs/fine_tune.log")
    second = study.refused()
    assert f"process {process.pid} on " in happened(second)
    assert "works in this folder since" in second
    assert study.planned("--forcerun", "report") != []  # looking is allowed
    assert process.poll() is None, study.terminal()
    assert end(process, signal.SIGINT) != 0
    terminal = study.terminal()
    assert "Traceback" not in terminal, terminal
    assert "Traceback" not in (study / "logs/fine_tune.log").read_text()
    assert not (study / CHECKPOINT).exists()
    assert study.scratch() == []
    study.snakemake(*(path for path in before if path.startswith("artifacts/checkpoint/")))
    assert study.digests() == before


def test_ctrl_c_ends_temper_run_with_130_and_without_snakemakes_words_for_a_failure(study):
    shutil.rmtree(study / "artifacts/checkpoint")
    process = study.start_and_wait_for("logs/fine_tune.log", by="temper run")
    assert end(process, signal.SIGINT) == 130, study.terminal()
    terminal = study.terminal()
    assert re.search(r"stopped after \d of \d+ jobs, .*; the same command goes on from there", terminal)
    assert not any(word in terminal for word in ("Traceback", "Exception", "CalledProcessError", "failed:")), terminal
    assert not (study / CHECKPOINT).exists()


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_temper_run_alone_ends_its_jobs_as_ctrl_c_does(study, kind):
    before = study.digests()
    shutil.rmtree(study / "artifacts/checkpoint")
    process = study.start_and_wait_for("logs/fine_tune.log", by="temper run")
    process.send_signal(kind)
    assert process.wait(timeout=PATIENCE_S) == 130, study.terminal()
    terminal = study.terminal()
    assert "fine_tune: interrupted" in terminal, terminal
    assert not any(word in terminal for word in ("Traceback", "Exception", "CalledProcessError", "failed:")), terminal
    assert not (study / CHECKPOINT).exists()
    assert study.scratch() == []
    study.snakemake(*(path for path in before if path.startswith("artifacts/checkpoint/")))
    assert study.digests() == before


@pytest.mark.parametrize("option", ["--cores", "--jobs"])
def test_a_run_that_could_never_start_a_job_is_refused_instead_of_waiting(study, option):
    said = happened(study.refused(option, "0"))
    assert said == "no job can ever start with that"
    assert study.scratch() == []
