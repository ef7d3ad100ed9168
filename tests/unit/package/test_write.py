"""`temper package` on real tiny artifacts: what is written, what it answers in a process of its own, what is refused."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from temper.artifacts.manifest import canonical_json, seal
from temper.cli import main
from temper.measurement.record import NotMeasured
from temper.measurement.record_file import read_record
from temper.measurement.remeasurements import Remeasured, Remeasurements
from temper.package.parts import RUNTIME
from temper.package.replay_worker import FOREIGN
from temper.report.finished import record_file
from temper.transforms.convert import convert_precision
from tests.records import following
from tests.tiny_study import MAX_TOKENS
from tests.unit.package.conftest import PARAMS, measured, write_report

TEXTS = ["a charming film", "the plot is dull and the cast is tired"]


@pytest.fixture
def package(finished_study, tmp_path, capfd):
    """Runs the command; returns the folder, and what it printed."""

    def run(*arguments: str, to: str = "package", code: int = 0) -> tuple[Path, str]:
        capfd.readouterr()
        assert main(["package", "--to", str(tmp_path / to), *arguments]) == code
        out, said = capfd.readouterr()
        return tmp_path / to, out + said

    return run


def in_a_process_of_its_own(folder: Path, *arguments: str, program: str | None = None, code: int = 0):
    """`python -m package_runtime` in the package's folder, without any path of this checkout."""
    # -s -E: no user's packages, no PYTHONPATH; the working folder stays on the path, as -m needs it
    asked = ["-m", "package_runtime", *arguments] if program is None else ["-c", program]
    done = subprocess.run([sys.executable, "-s", "-E", "-B", *asked], cwd=folder, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done


def test_the_choice_is_written_and_answers_by_itself(package):
    folder, said = package()
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "labels.txt",
        "manifest.json",
        "model",
        "package_runtime",
        "preprocessing",
        "requirements-serve.txt",
        "requirements.txt",
    ]
    assert "replayed:  21 test rows, every label as measured" in said
    assert not list(folder.rglob("__pycache__"))
    program = (
        "import json, sys\n"
        "from package_runtime import load\n"
        "with load() as model:\n"
        f"    answers = model.answer({TEXTS!r})\n"
        f"foreign = [name for name in {FOREIGN!r} if name in sys.modules]\n"
        "print(json.dumps([[answer.label for answer in answers], foreign]))"
    )
    labels, foreign = json.loads(in_a_process_of_its_own(folder, program=program).stdout)
    assert foreign == []
    typed = in_a_process_of_its_own(folder, *TEXTS).stdout.splitlines()
    assert [line.split("\t")[0] for line in typed] == labels
    assert [line.split("\t")[2] for line in typed] == TEXTS


def test_every_test_row_answers_as_the_record_has_it(package, finished_study):
    folder, _ = package("--candidate", "static")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["replayed"]["rows"] == 21
    assert manifest["replayed"]["largest_logit_difference"] < 1e-3
    assert (manifest["calls"]["pad_to_multiple_of"], manifest["calls"]["batch_sizes"]) == (8, [1, 8])
    assert manifest["artifact"]["files_sha256"] == read_record(record_file("static")).artifact.files_sha256


def test_the_runtime_is_the_repositorys_own_word_for_word(package):
    folder, _ = package()
    copied = {path.name: path.read_text() for path in (folder / "package_runtime").iterdir()}
    assert copied == {path.name: path.read_text() for path in RUNTIME.glob("*.py")}


def test_the_requirements_are_pinned_and_small(package):
    folder, _ = package()
    lines = (folder / "requirements.txt").read_text().splitlines()
    names = {line.partition("==")[0] for line in lines}
    assert all("==" in line for line in lines)
    assert {"numpy", "tokenizers", "onnxruntime"} <= names
    assert not names & {"torch", "transformers", "snakemake", "dvc", "pydantic", "openvino", "onnx", "huggingface-hub"}
    openvino, _ = package("--candidate", "other", to="openvino")
    assert "openvino==" in (openvino / "requirements.txt").read_text()
    assert "onnxruntime==" not in (openvino / "requirements.txt").read_text()


def test_the_card_has_the_hubs_header_the_verdict_and_the_figures(package):
    folder, _ = package()
    _, header, text = (folder / "README.md").read_text().split("---\n", 2)
    content = yaml.safe_load(header)
    assert content["pipeline_tag"] == "text-classification"
    assert content["model-index"][0]["results"][0]["metrics"][0]["type"] == "accuracy"
    assert "the decision's choice for b1" in text
    assert "| b8 | 0.600 | 3.33 [3.27, 3.40] |" in text  # 0.6 ms beside 2 ms, 2 % to either side
    assert "21 test rows were replayed" in text


def test_an_altered_file_is_refused_by_the_package(package):
    folder, _ = package()
    model = folder / "model/model.onnx"
    model.write_bytes(model.read_bytes() + b" ")
    said = in_a_process_of_its_own(folder, "a text", code=1).stderr
    assert "model.onnx is not the file that was packaged" in said
    assert "Traceback" not in said


def test_another_version_of_a_library_is_refused_by_the_package(package):
    folder, _ = package()
    content = json.loads((folder / "manifest.json").read_text())
    content["libraries"]["onnxruntime"] = "0.1"
    (folder / "manifest.json").write_text(canonical_json({**content, "manifest_sha256": seal(content)}))
    said = in_a_process_of_its_own(folder, "a text", code=1).stderr
    assert "measured with 0.1" in said
    assert "fix:      pip install -r requirements.txt" in said


def test_what_is_no_text_is_refused_in_words(package):
    folder, _ = package()
    assert "its text is empty" in in_a_process_of_its_own(folder, "a text", " ", code=1).stderr


def nothing_written(tmp_path: Path) -> bool:
    """Neither the folder nor anything half beside it."""
    return [path.name for path in tmp_path.iterdir()] == ["study"]


def test_a_folder_that_is_there_is_left_alone(package, tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package/mine.txt").write_text("mine")
    _, said = package(code=1)
    assert "it is there already" in said
    assert [path.name for path in (tmp_path / "package").iterdir()] == ["mine.txt"]


@pytest.fixture
def with_record(tiny_study, finished_study):
    """Writes the study's report anew, with a candidate's record changed."""

    def write(name, change, **analysis):
        records = [read_record(record_file(each)) for each in ("base", "quick", "other", "static")]
        write_report([change(each) if each.candidate == name else each for each in records], PARAMS, **analysis)

    return write


def test_what_was_taken_once_more_stands_in_the_place_of_the_first(package, with_record):
    """Of a cell that was taken again the manifest has the second time, and of one that was then disturbed none."""
    again = {
        "b1": Remeasured(why="moved", workload=following([0.8], sizes=(1, 8))),
        "b8": Remeasured(why="moved", workload=NotMeasured(reason="the machine was busy", cause="busy")),
    }
    cells = Remeasurements(schema_version=1, latency_margin=0.05, cells={"quick": again}, source_digest="abc")
    with_record("quick", lambda record: record, again=cells)
    folder, _ = package("--candidate", "quick", "--anyway")
    said = json.loads((folder / "manifest.json").read_text())["measured"]["workloads"]
    assert said["b1"]["latency_p50_ms"] == 0.8
    assert (said["b8"]["status"], said["b8"]["reason"]) == ("not measured", "the machine was busy")


def answers_of(record, predictions=None, logits=None):
    """The record with other answers; where they are labels, each has the larger of its row's two logits."""
    stated, own = record.accuracy.stated, record.accuracy.answers
    predictions = own.predictions if predictions is None else predictions
    if logits is None:
        logits = [
            row if new == old else row[::-1]
            for row, new, old in zip(own.logits, predictions, own.predictions, strict=True)
        ]
    right = sum(given == label for given, label in zip(predictions, record.accuracy.labels, strict=True))
    update = {"predictions": predictions, "logits": logits, "accuracy": right / record.accuracy.rows}
    own = own.model_copy(update=update)
    accuracy = record.accuracy.model_copy(update={"by_batch_size": {stated: own}})
    return record.model_copy(update={"accuracy": accuracy})


def test_a_logit_that_differs_from_the_record_refuses_the_package(package, with_record, tmp_path):
    def change(record):
        logits = np.asarray(record.accuracy.answers.logits)
        logits[3] += 0.01  # both, so that the label stays
        return answers_of(record, logits=logits.tolist())

    with_record("quick", change)
    _, said = package(code=1)
    assert "a logit differs by 0.01" in said
    assert nothing_written(tmp_path)


def test_a_label_that_differs_from_the_record_refuses_the_package(package, with_record, tmp_path):
    with_record(
        "quick", lambda record: answers_of(record, predictions=[1 - x for x in record.accuracy.answers.predictions])
    )
    _, said = package("--candidate", "quick", "--anyway", code=1)
    assert "21 of 21 labels differ, the first in row 1" in said
    assert nothing_written(tmp_path)


def test_other_tokens_than_measured_refuse_the_package(package, finished_study, tmp_path, monkeypatch):
    from temper.package import contents

    split = contents.Source.test_rows

    def other(source):
        found = split(source)
        rows = [row + (number == 4) for number, row in enumerate(found.inputs["input_ids"])]
        return replace(found, inputs={**found.inputs, "input_ids": rows})

    monkeypatch.setattr(contents.Source, "test_rows", other)
    _, said = package(code=1)
    assert "test row 5 has other input_ids than when it was measured" in said
    assert nothing_written(tmp_path)


def test_beyond_the_budget_needs_anyway(package, with_record, tmp_path):
    def change(record):  # every row wrong
        return answers_of(record, predictions=[1 - label for label in record.accuracy.labels])

    with_record("other", change, accuracy_budget_points=0.5)
    _, said = package("--candidate", "other", code=1)
    assert "beyond the budget of 0.5 points" in said
    assert "--anyway packages it all the same" in said
    assert nothing_written(tmp_path)


def test_beyond_the_budget_and_packaged_all_the_same_the_card_says_so(package, with_record, tmp_path):
    def change(record):  # a baseline that is always right
        return answers_of(record, predictions=list(record.accuracy.labels))

    with_record("base", change, accuracy_budget_points=0.5)
    _, said = package("--candidate", "other", code=1)
    assert "beyond the budget of 0.5 points" in said
    assert nothing_written(tmp_path)
    folder, said = package("--candidate", "other", "--anyway")
    assert "beyond the budget of 0.5 points" in said
    against = next(line for line in (folder / "README.md").read_text().splitlines() if "**Against it**" in line)
    assert "beyond the budget of 0.5 points. It was packaged all the same (`--anyway`)." in against
    verdict = json.loads((folder / "manifest.json").read_text())["verdict"]
    assert (len(verdict["against"]), verdict["chosen_by_the_decision"]) == (1, False)


def test_an_artifact_that_was_altered_or_made_anew_is_not_packaged(package, finished_study, tmp_path):
    model = Path("artifacts/onnx/int8/model.onnx")
    model.write_bytes(model.read_bytes() + b" ")
    _, said = package(code=1)
    assert "truncated or altered since" in said
    assert nothing_written(tmp_path)


def test_an_altered_report_chooses_nothing(package, finished_study, tmp_path):
    decision = Path("artifacts/report/decision.json")
    decision.write_text(decision.read_text().replace('"quick"', '"other"'))
    _, said = package(code=1)
    assert "it is another file: altered or made anew since" in said
    assert nothing_written(tmp_path)


def test_a_disturbed_latency_needs_anyway_and_the_card_says_so(package, with_record, tmp_path):
    def beside_a_slow_baseline(own):
        ratio = own.latencies_ms[0] / 9.0
        taken = own.ratio.model_copy(update={"ratio": ratio, "low": 0.98 * ratio, "high": 1.02 * ratio})
        return own.model_copy(update={"baseline_latencies_ms": [9.0], "ratio": taken})

    def change(record):
        workloads = {name: beside_a_slow_baseline(own) for name, own in record.workloads.items()}
        return record.model_copy(update={"workloads": workloads})

    with_record("other", change)
    _, said = package("--candidate", "other", code=1)
    assert "its latency is disturbed" in said
    assert nothing_written(tmp_path)
    folder, said = package("--candidate", "other", "--anyway")
    assert said.count("is disturbed") == 1, said
    assert "warning:   its latency is disturbed" in said
    assert "**Against it**: its latency is disturbed" in (folder / "README.md").read_text()


def test_a_runner_that_packages_do_not_have_is_refused_by_name(package, with_record, tmp_path):
    def change(record):
        return record.model_copy(update={"backend": {**record.backend, "runner": "tensorrt", "options": {}}})

    with_record("quick", change)
    _, said = package("--candidate", "quick", code=1)
    assert "its runner is tensorrt; the runtime of a package has" in said
    assert "--candidate other: the fastest within the budget that a package can run" in said
    assert nothing_written(tmp_path)


def test_different_choices_for_different_workloads_have_to_be_told_apart(package, with_record):
    def change(record):
        return record.model_copy(update={"workloads": {**record.workloads, "b8": following([0.2], sizes=(8, 8))}})

    with_record("other", change)
    _, said = package(code=1)
    assert "it chose quick for b1; other for b8" in said
    folder, _ = package("--workload", "b8")
    assert json.loads((folder / "manifest.json").read_text())["candidate"] == "other"


@pytest.mark.long  # imports PyTorch three times
@pytest.mark.parametrize("backend", ["torch", "torch-unpadded"])
def test_pytorch_is_packaged_with_its_checkpoint(package, tiny_study, finished_study, backend):
    shutil.copytree(tiny_study.checkpoint, "artifacts/checkpoint")
    records = [read_record(record_file(each)) for each in ("base", "quick", "other", "static")]
    write_report([*records, measured(tiny_study, "torch", backend, "checkpoint", ratio=0.1)], PARAMS)
    folder, said = package()
    assert "replayed:  21 test rows, every label as measured" in said
    assert {path.name for path in (folder / "model").iterdir()} == {
        "config.json",
        "model.safetensors",
        "signature.json",
    }
    names = {line.partition("==")[0] for line in (folder / "requirements.txt").read_text().splitlines()}
    assert {"torch", "transformers", "safetensors", "tokenizers"} <= names
    assert not names & {"onnxruntime", "openvino", "snakemake", "dvc"}
    card = (folder / "README.md").read_text()
    assert "nothing of Temper is needed" in card
    assert len(in_a_process_of_its_own(folder, *TEXTS).stdout.splitlines()) == 2
    repository, _ = package("--for", "triton", to="triton")
    assert [path.name for path in repository.iterdir()] == ["tiny"]
    _, said = package("--for", "hub", to="hub", code=1)
    assert "it runs on pytorch, and this form is for openvino and onnxruntime" in said


def test_compiled_modes_of_pytorch_are_refused_by_name(package, with_record, tmp_path):
    def change(record):
        options = {"device": "cpu", "mode": "torchscript"}
        return record.model_copy(update={"backend": {**record.backend, "runner": "pytorch", "options": options}})

    with_record("quick", change)
    _, said = package("--candidate", "quick", code=1)
    assert "its mode is torchscript; the runtime of a package runs PyTorch's modules as they are (eager), or" in said
    assert nothing_written(tmp_path)


@pytest.fixture
def packed(tiny_study, finished_study):
    """The study with a candidate on packed rows, which is fastest."""
    folder = Path("artifacts/onnx/packed")
    convert_precision(
        onnx_folder=str(tiny_study.fp32),
        calibration_folder=None,
        search_folder=None,
        folder=str(folder),
        step="pack_rows",
        options={"row_tokens": MAX_TOKENS},
        external_data=False,
    )
    records = [read_record(record_file(each)) for each in ("base", "quick", "other", "static")]
    write_report([*records, measured(tiny_study, "packed", "ort", "onnx/packed", ratio=0.1)], PARAMS)


def test_packed_rows_work_as_they_were_timed(package, packed):
    folder, said = package()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["candidate"] == "packed"
    assert "replayed:  21 test rows" in said
    assert json.loads((folder / "model/signature.json").read_text())["row_tokens"] == MAX_TOKENS
    assert [spec["name"] for spec in manifest["calls"]["inputs"]] == ["input_ids", "attention_mask"]
    assert len(in_a_process_of_its_own(folder, *TEXTS).stdout.splitlines()) == 2
    repository, _ = package("--for", "triton", to="triton")
    assert "max_batch_size: 0" in (repository / "tiny-tensors/config.pbtxt").read_text()
